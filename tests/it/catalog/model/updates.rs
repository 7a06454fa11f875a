//! What an update of a subscription does to the reference model, for any combination of parameters.

use super::{
    reference::ReferenceModel,
    requests::{change_subscription, mark_paid, new_item, retry_payment, validate_items},
    steps::{Cancellation, Collection, ItemChange, SubscriptionUpdate},
    subscription::{ErrorStatus, Item, Status, Subscription},
};

pub(super) fn update_subscription(
    model: &mut ReferenceModel,
    index: usize,
    update: &SubscriptionUpdate,
) -> Result<(), ErrorStatus> {
    change_subscription(model, index, |model, subscription, now| {
        subscription.missing_method = update.missing_method.unwrap_or(subscription.missing_method);
        subscription.sends_invoices = update.sends_invoices.unwrap_or(subscription.sends_invoices);
        subscription.payment_method = update.payment_method.unwrap_or(subscription.payment_method);
        match update.collection {
            None => {}
            Some(Collection::Active) => subscription.collection_resumes_at = None,
            Some(Collection::PausedFor(seconds)) => {
                subscription.collection_resumes_at = Some(now + seconds);
            }
        }
        if !update.items.is_empty() {
            change_items(model, subscription, &update.items, now)?;
        }
        if update.resets_cycle {
            reset_cycle(model, subscription, update.trial_end_in, now)?;
        }
        match update.cancellation {
            None => {}
            Some(Cancellation::AtPeriodEnd(at_period_end)) => {
                subscription.schedule_cancellation(at_period_end, None, now)?;
            }
            Some(Cancellation::In(seconds)) => {
                subscription.schedule_cancellation(false, seconds, now)?;
            }
        }
        if let Some(seconds) = update.trial_end_in {
            set_trial_end(model, subscription, seconds, now)?;
        }
        if update.payment_method.is_some() {
            retry_payment(model, subscription, now);
        }
        match update.reported_status {
            None => Ok(()),
            Some(reported) => apply_reported_status(model, subscription, reported, now),
        }
    })
}

fn change_items(
    model: &ReferenceModel,
    subscription: &mut Subscription,
    changes: &[ItemChange],
    now: i64,
) -> Result<(), ErrorStatus> {
    if subscription.status == Status::Incomplete {
        return Err(400);
    }
    let previous_lens = subscription.period_lens();
    // An index refers to the items before the request, and removed items keep theirs.
    let mut items: Vec<Option<Item>> = subscription.items.iter().cloned().map(Some).collect();
    let count = items.len();
    for change in changes {
        match change {
            ItemChange::Add(price) => items.push(Some(new_item(model, *price)?)),
            ItemChange::SetQuantity(item) => {
                items[item % count].as_ref().map(drop).ok_or(400_u16)?;
            }
            ItemChange::SetPrice(item, price) => {
                let item = items[item % count].as_mut().ok_or(400_u16)?;
                if item.price != *price {
                    *item = new_item(model, *price)?;
                }
            }
            ItemChange::Remove(item) => {
                items[item % count].take().map(drop).ok_or(400_u16)?;
            }
        }
    }
    subscription.items = items.into_iter().flatten().collect();
    validate_items(&subscription.items)?;
    let lens = subscription.period_lens();
    if lens == previous_lens || subscription.status == Status::Trialing {
        return Ok(());
    }
    if lens.len() == 1 && previous_lens.len() == 1 {
        subscription.reset_cycle(now);
        model.snapshot_features(subscription);
    } else {
        subscription.align_period(now);
    }
    Ok(())
}

/// Resets the billing cycle. During a trial this is rejected, unless the request ends the trial.
fn reset_cycle(
    model: &ReferenceModel,
    subscription: &mut Subscription,
    trial_end_in: Option<i64>,
    now: i64,
) -> Result<(), ErrorStatus> {
    match subscription.status {
        Status::Trialing if trial_end_in == Some(0) => {}
        Status::Trialing => return Err(400),
        _ => {
            subscription.reset_cycle(now);
            model.snapshot_features(subscription);
        }
    }
    Ok(())
}

/// Ends a trial now, moves its end, or starts a trial.
fn set_trial_end(
    model: &ReferenceModel,
    subscription: &mut Subscription,
    seconds: i64,
    now: i64,
) -> Result<(), ErrorStatus> {
    if seconds == 0 {
        if subscription.status == Status::Trialing {
            model.end_trial(subscription, now);
        }
        return Ok(());
    }
    if seconds < 0 || matches!(subscription.status, Status::Incomplete | Status::Paused) {
        return Err(400);
    }
    if subscription.status != Status::Trialing {
        model.snapshot_features(subscription);
        subscription.set_status(Status::Trialing);
        subscription.period_start = now;
    }
    let end = now + seconds;
    subscription.trial = Some((subscription.period_start, end));
    subscription.billing_cycle_anchor = end;
    subscription.period_end = end;
    if subscription.cancel_at_period_end {
        subscription.cancel_at = Some(end);
    }
    Ok(())
}

/// Applies the payment status that another billing system reports.
fn apply_reported_status(
    model: &ReferenceModel,
    subscription: &mut Subscription,
    reported: Status,
    now: i64,
) -> Result<(), ErrorStatus> {
    match (subscription.status, reported) {
        (_, Status::Active) if subscription.is_payment_due(now) => {
            mark_paid(model, subscription, now);
        }
        (before, reported) if before == reported => {}
        (Status::Trialing, Status::PastDue | Status::Unpaid) => {
            subscription.set_status(reported);
            subscription.cut_trial(now);
            subscription.start_period(now);
            model.snapshot_features(subscription);
        }
        (Status::Active | Status::Unpaid, Status::PastDue)
        | (Status::Active | Status::PastDue, Status::Unpaid) => subscription.set_status(reported),
        _ => return Err(400),
    }
    Ok(())
}
