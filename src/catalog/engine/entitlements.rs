//! What a customer holds, brought in line with what the subscriptions grant.
//!
//! <https://docs.stripe.com/api/entitlements/active-entitlement>. A change is told by one summary,
//! and what stays as it is by none. A feature that stays keeps its entitlement and its id.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::{
    catalog::{
        engine::{emit::emit, job_queue},
        error::Error,
        objects::{
            active_entitlement::{self, StoredEntitlement},
            event::EventType,
            feature::Feature,
            subscription::{self, Subscription},
        },
        storage::IndexRange,
        tx::Tx,
    },
    entitlement::Entitlements,
    id::Timestamp,
    policy::StatusPolicy,
};

/// The most entitlements in a summary, by Stripe's documentation.
const MAX_SUMMARY_ENTITLEMENTS: usize = 10;

/// Gives a customer what the subscriptions grant and takes what they do not.
pub(crate) fn recompute(tx: &Tx<'_>, customer: &str, at: Timestamp) -> Result<(), Error> {
    job_queue::detect_policy_change(tx)?;
    let subscriptions = subscription::list_live(tx, customer)?;
    let wanted = granted_feature_ids(tx.policy, &subscriptions);
    let all = IndexRange::newest_first(Entitlements::MAX_LEN);
    let held: Vec<StoredEntitlement> = tx.list(&active_entitlement::index(customer), all)?;
    let has: HashSet<&str> = held.iter().map(|grant| grant.feature.as_str()).collect();
    let wants: HashSet<&str> = wanted.iter().copied().collect();
    if has == wants {
        return Ok(());
    }
    for grant in held.iter().filter(|grant| !wants.contains(grant.feature.as_str())) {
        tx.remove(grant)?;
    }
    for id in wanted.into_iter().filter(|id| !has.contains(id)) {
        let feature: Feature = tx.load(id, "feature")?;
        tx.insert(&StoredEntitlement {
            id: tx.new_id_with_mode("ent"),
            created: at,
            customer: customer.to_owned(),
            feature: feature.id,
            lookup_key: feature.lookup_key,
        })?;
    }
    let holds: Vec<StoredEntitlement> = tx.list(
        &active_entitlement::index(customer),
        IndexRange::newest_first(MAX_SUMMARY_ENTITLEMENTS + 1),
    )?;
    let shown = |grants: &[StoredEntitlement]| -> Vec<Value> {
        grants
            .iter()
            .take(MAX_SUMMARY_ENTITLEMENTS)
            .map(|grant| grant.to_json(tx.livemode))
            .collect()
    };
    let summary = json!({
        "object": "entitlements.active_entitlement_summary",
        "customer": customer,
        "entitlements": {
            "object": "list",
            "data": shown(&holds),
            "has_more": holds.len() > MAX_SUMMARY_ENTITLEMENTS,
            "url": format!("/v1/customer/{customer}/entitlements"),
        },
        "livemode": bool::from(tx.livemode),
    });
    let previous = json!({ "entitlements": { "data": shown(&held) } });
    emit(tx, EventType::EntitlementSummaryUpdated, summary, Some(previous))
}

/// The ids of the features that these subscriptions grant, in the order in which they came.
fn granted_feature_ids(policy: StatusPolicy, subscriptions: &[Subscription]) -> Vec<&str> {
    let mut known = HashSet::new();
    let granting = subscriptions.iter().filter(|subscription| subscription.status.grants(policy));
    let features =
        granting.flat_map(|subscription| &subscription.items).flat_map(|item| &item.features);
    features.map(String::as_str).filter(|feature| known.insert(*feature)).collect()
}
