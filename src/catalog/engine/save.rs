//! Saves a subscription.

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
            subscription::{Subscription, SubscriptionItem},
            subscription_json,
        },
        tx::Tx,
    },
    id::Timestamp,
};

/// Keeps a subscription that is new, or another one than before, with all that follows from it.
pub(crate) fn save(
    tx: &Tx<'_>,
    before: Option<&Subscription>,
    after: &Subscription,
    kind: EventType,
    at: Timestamp,
) -> Result<(), Error> {
    let shown = subscription_json::to_json(tx, after)?;
    match before {
        None => {
            tx.insert(after)?;
            emit(tx, kind, shown, None)?;
        }
        Some(before) if before == after => return Ok(()),
        Some(before) => {
            tx.update(before, after)?;
            match kind {
                EventType::SubscriptionUpdated => {
                    emit_update(tx, kind, &subscription_json::to_json(tx, before)?, shown)?;
                }
                kind => emit(tx, kind, shown, None)?,
            }
        }
    }
    // Not by what it grants: the policy may be another one than when the set was settled.
    match before {
        Some(before) if before.status == after.status && before.features() == after.features() => {
            Ok(())
        }
        _ => recompute(tx, &after.customer, at),
    }
}

/// Looks at what the products of these items have now.
pub(crate) fn snapshot_features(tx: &Tx<'_>, items: &mut [SubscriptionItem]) -> Result<(), Error> {
    for item in items {
        item.features = product_feature::feature_ids_of(tx, &item.product)?;
    }
    Ok(())
}
