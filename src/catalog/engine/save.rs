//! Saves a subscription: stores it, emits its event and recomputes the customer's entitlements.
//!
//! Every change of a subscription ends here.

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

/// Stores a new or changed subscription, with all consequences. Does nothing if it is unchanged.
pub(crate) fn save(
    tx: &Tx<'_>,
    before: Option<&Subscription>,
    after: &Subscription,
    event_type: EventType,
    at: Timestamp,
) -> Result<(), Error> {
    let rendered = subscription_json::to_json(tx, after)?;
    match before {
        None => {
            tx.insert(after)?;
            emit(tx, event_type, rendered, None)?;
        }
        Some(before) if before == after => return Ok(()),
        Some(before) => {
            tx.update(before, after)?;
            match event_type {
                EventType::SubscriptionUpdated => {
                    emit_update(
                        tx,
                        event_type,
                        &subscription_json::to_json(tx, before)?,
                        rendered,
                    )?;
                }
                event_type => emit(tx, event_type, rendered, None)?,
            }
        }
    }
    // Compares the inputs, not what they grant: the stored entitlements may be from another policy.
    match before {
        Some(before) if before.status == after.status && before.features() == after.features() => {
            Ok(())
        }
        _ => recompute(tx, &after.customer, at),
    }
}

/// Reads the current features of the items' products.
pub(crate) fn snapshot_features(tx: &Tx<'_>, items: &mut [SubscriptionItem]) -> Result<(), Error> {
    for item in items {
        item.features = product_feature::feature_ids_of(tx, &item.product)?;
    }
    Ok(())
}
