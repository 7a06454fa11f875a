//! Recomputes a customer's active entitlements from the subscriptions.
//!
//! A customer has every feature that any subscription grants, each once. An item of a subscription
//! stores the features that its product had when the period began or the price changed. A change
//! emits one summary event and updates the ledger; without a change there is neither. A feature that
//! stays keeps its entitlement and its id.
//!
//! Specification: <https://docs.stripe.com/api/entitlements/active-entitlement>.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::{
    catalog::{
        engine::{emit::emit_summary, job_queue, ledger_updates},
        error::Error,
        objects::{
            active_entitlement::{self, StoredEntitlement},
            feature::Feature,
            subscription::{self, Subscription},
        },
        storage::IndexRange,
        tx::Tx,
    },
    entitlement::SourceSet,
    id::Timestamp,
    policy::StatusPolicy,
};

/// The most entitlements in a summary, by Stripe's documentation.
const MAX_SUMMARY_ENTITLEMENTS: usize = 10;

/// Stores and removes active entitlements so that they equal what the subscriptions grant.
pub(crate) fn recompute(tx: &Tx<'_>, customer: &str, at: Timestamp) -> Result<(), Error> {
    job_queue::detect_policy_change(tx)?;
    let subscriptions = subscription::list_live(tx, customer)?;
    let granted = granted_feature_ids(tx.policy, &subscriptions);
    let range = IndexRange::newest_first(SourceSet::MAX_LEN);
    let before: Vec<StoredEntitlement> = tx.list(&active_entitlement::index(customer), range)?;
    let current_ids: HashSet<&str> = before.iter().map(|it| it.feature.as_str()).collect();
    let granted_ids: HashSet<&str> = granted.iter().copied().collect();
    if current_ids == granted_ids {
        return Ok(());
    }
    for revoked in before.iter().filter(|it| !granted_ids.contains(it.feature.as_str())) {
        tx.remove(revoked)?;
    }
    for id in granted.into_iter().filter(|id| !current_ids.contains(id)) {
        let feature: Feature = tx.load(id, "feature")?;
        tx.insert(&StoredEntitlement {
            id: tx.new_id_with_mode("ent"),
            created: at,
            customer: customer.to_owned(),
            feature: feature.id,
            lookup_key: feature.lookup_key,
        })?;
    }
    let after: Vec<StoredEntitlement> = tx.list(
        &active_entitlement::index(customer),
        IndexRange::newest_first(MAX_SUMMARY_ENTITLEMENTS + 1),
    )?;
    let render = |entitlements: &[StoredEntitlement]| -> Vec<Value> {
        entitlements
            .iter()
            .take(MAX_SUMMARY_ENTITLEMENTS)
            .map(|it| it.to_json(tx.livemode))
            .collect()
    };
    let summary = json!({
        "object": "entitlements.active_entitlement_summary",
        "customer": customer,
        "entitlements": {
            "object": "list",
            "data": render(&after),
            "has_more": after.len() > MAX_SUMMARY_ENTITLEMENTS,
            "url": format!("/v1/customer/{customer}/entitlements"),
        },
        "livemode": bool::from(tx.livemode),
    });
    let previous = json!({ "entitlements": { "data": render(&before) } });
    let event = emit_summary(tx, summary, previous)?;
    ledger_updates::schedule(tx, customer, event)
}

/// The ids of the features that these subscriptions grant, in the subscriptions' order.
fn granted_feature_ids(policy: StatusPolicy, subscriptions: &[Subscription]) -> Vec<&str> {
    let mut seen = HashSet::new();
    let granting = subscriptions.iter().filter(|subscription| subscription.grants(policy));
    let features =
        granting.flat_map(|subscription| &subscription.items).flat_map(|item| &item.features);
    features.map(String::as_str).filter(|feature| seen.insert(*feature)).collect()
}
