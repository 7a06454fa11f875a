//! What a customer holds, brought in line with what the subscriptions grant.
//!
//! <https://docs.stripe.com/api/entitlements/active-entitlement>. A change is told by one summary,
//! and what stays as it is by none. A feature that stays keeps its entitlement and its id.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    catalog::{
        Error, Tx,
        engine::{bulk_jobs, granted::granted_feature_ids},
        objects::{event::EventType, feature::Feature},
        repository::Entity,
        storage::{IndexEntry, IndexRange},
    },
    entitlement::Entitlements,
    id::{Livemode, Timestamp},
    json::impl_from_json,
};

/// The most entitlements in a summary, by Stripe's documentation.
const MAX_SUMMARY_ENTITLEMENTS: usize = 10;

/// One feature that one customer may use now.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct StoredEntitlement {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) customer: String,
    pub(crate) feature: String,
    pub(crate) lookup_key: String,
}

impl_from_json! { struct StoredEntitlement { id, created, customer, feature, lookup_key } }

impl Entity for StoredEntitlement {
    const TYPE: &'static str = "active entitlement";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(index(&self.customer), self.created)]
    }
}

/// The list of what a customer holds.
pub(crate) fn index(customer: &str) -> String {
    format!("entitlements customer={customer}")
}

impl StoredEntitlement {
    /// As Stripe shows it.
    pub(crate) fn to_json(&self, livemode: Livemode) -> Value {
        json!({
            "id": self.id,
            "object": "entitlements.active_entitlement",
            "feature": self.feature,
            "livemode": bool::from(livemode),
            "lookup_key": self.lookup_key,
        })
    }
}

/// Gives a customer what the subscriptions grant and takes what they do not.
pub(crate) fn recompute(catalog: &Tx<'_>, customer: &str, at: Timestamp) -> Result<(), Error> {
    bulk_jobs::detect_policy_change(catalog)?;
    let subscriptions = catalog.live_subscriptions_of(customer)?;
    let wanted = granted_feature_ids(catalog.policy, &subscriptions);
    let all = IndexRange::newest_first(Entitlements::MAX_LEN);
    let held: Vec<StoredEntitlement> = catalog.list(&index(customer), all)?;
    let has: HashSet<&str> = held.iter().map(|grant| grant.feature.as_str()).collect();
    let wants: HashSet<&str> = wanted.iter().copied().collect();
    if has == wants {
        return Ok(());
    }
    for grant in held.iter().filter(|grant| !wants.contains(grant.feature.as_str())) {
        catalog.remove(grant)?;
    }
    for id in wanted.into_iter().filter(|id| !has.contains(id)) {
        let feature: Feature = catalog.load(id, "feature")?;
        catalog.insert(&StoredEntitlement {
            id: catalog.new_id_with_mode("ent"),
            created: at,
            customer: customer.to_owned(),
            feature: feature.id,
            lookup_key: feature.lookup_key,
        })?;
    }
    let holds: Vec<StoredEntitlement> =
        catalog.list(&index(customer), IndexRange::newest_first(MAX_SUMMARY_ENTITLEMENTS + 1))?;
    let shown = |grants: &[StoredEntitlement]| -> Vec<Value> {
        grants
            .iter()
            .take(MAX_SUMMARY_ENTITLEMENTS)
            .map(|grant| grant.to_json(catalog.livemode))
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
        "livemode": bool::from(catalog.livemode),
    });
    let previous = json!({ "entitlements": { "data": shown(&held) } });
    catalog.emit(EventType::EntitlementSummaryUpdated, summary, Some(previous))
}
