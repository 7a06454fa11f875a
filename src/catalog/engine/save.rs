//! Saves a subscription: stores it, emits its events and recomputes the customer's entitlements.
//!
//! Every change of a subscription ends here. The events follow from the change:
//!
//! | change                                    | events `customer.subscription.…` |
//! |-------------------------------------------|----------------------------------|
//! | it is new                                 | `created`                        |
//! | it becomes canceled                       | `deleted`                        |
//! | it becomes paused                         | `paused`, `updated`              |
//! | it is no longer paused                    | `resumed`, `updated`             |
//! | any other                                 | `updated`                        |
//! | its trial ends within three days, or ended early | also `trial_will_end`     |

use serde_json::Value;

use crate::{
    catalog::{
        engine::{
            emit::{emit, emit_update},
            entitlements::recompute,
        },
        error::Error,
        objects::{
            event::EventType,
            product_feature,
            status::Status,
            subscription::{Subscription, SubscriptionItem},
            subscription_json,
        },
        tx::Tx,
    },
    id::Timestamp,
};

/// Stores a new or changed subscription, with all consequences. Does nothing if it is unchanged.
/// Returns the subscription as stored.
pub(crate) fn save(
    tx: &Tx<'_>,
    before: Option<&Subscription>,
    mut after: Subscription,
    at: Timestamp,
) -> Result<Subscription, Error> {
    let announces_trial_end = after.take_trial_notice(before, at);
    if before == Some(&after) {
        return Ok(after);
    }
    match before {
        None => tx.insert(&after)?,
        Some(before) => tx.update(before, &after)?,
    }
    let rendered = subscription_json::to_json(tx, &after)?;
    emit_change(tx, before, &after, &rendered)?;
    if announces_trial_end {
        emit(tx, EventType::SubscriptionTrialWillEnd, rendered, None)?;
    }
    // Compares the inputs, not what they grant: the stored entitlements may be from another policy.
    match before {
        Some(before) if before.status == after.status && before.features() == after.features() => {}
        _ => recompute(tx, &after.customer, at)?,
    }
    Ok(after)
}

/// Emits the events of a change, in the order of Stripe's documentation:
/// <https://docs.stripe.com/billing/subscriptions/pause>.
fn emit_change(
    tx: &Tx<'_>,
    before: Option<&Subscription>,
    after: &Subscription,
    rendered: &Value,
) -> Result<(), Error> {
    let Some(before) = before else {
        return emit(tx, EventType::SubscriptionCreated, rendered.clone(), None);
    };
    let (had, has) = (|status| before.status == status, |status| after.status == status);
    if has(Status::Canceled) && !had(Status::Canceled) {
        return emit(tx, EventType::SubscriptionDeleted, rendered.clone(), None);
    }
    if has(Status::Paused) && !had(Status::Paused) {
        emit(tx, EventType::SubscriptionPaused, rendered.clone(), None)?;
    } else if had(Status::Paused) && !has(Status::Paused) {
        emit(tx, EventType::SubscriptionResumed, rendered.clone(), None)?;
    }
    let previous = subscription_json::to_json(tx, before)?;
    emit_update(tx, EventType::SubscriptionUpdated, &previous, rendered.clone())
}

/// Reads the current features of the items' products.
pub(crate) fn snapshot_features(tx: &Tx<'_>, items: &mut [SubscriptionItem]) -> Result<(), Error> {
    for item in items {
        item.features = product_feature::feature_ids_of(tx, &item.product)?;
    }
    Ok(())
}
