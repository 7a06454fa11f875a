//! What a customer holds, brought in line with what the subscriptions grant.
//!
//! <https://docs.stripe.com/api/entitlements/active-entitlement>. A change is told by one summary,
//! and what stays as it is by none. A feature that stays keeps its entitlement and its id.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Catalog, Error, Object, application,
    derive::derive,
    event::Kind,
    feature::Feature,
    shelf::{Entry, Range},
};
use crate::{
    entitlement::Entitlements,
    id::{Livemode, Timestamp},
    json::readable,
};

/// The most entitlements in a summary, by Stripe's documentation.
const SUMMARY: usize = 10;

/// One feature that one customer may use now.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Grant {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) customer: String,
    pub(crate) feature: String,
    pub(crate) lookup_key: String,
}

readable! { struct Grant { id, created, customer, feature, lookup_key } }

impl Object for Grant {
    const KIND: &'static str = "active entitlement";

    fn id(&self) -> &str {
        &self.id
    }

    fn entries(&self) -> Vec<Entry> {
        vec![Entry::new(list(&self.customer), self.created)]
    }
}

/// The list of what a customer holds.
pub(crate) fn list(customer: &str) -> String {
    format!("entitlements customer={customer}")
}

impl Grant {
    /// As Stripe shows it.
    pub(crate) fn shown(&self, livemode: Livemode) -> Value {
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
pub(crate) fn settle(catalog: &Catalog<'_>, customer: &str, at: Timestamp) -> Result<(), Error> {
    application::notice(catalog)?;
    let subscriptions = catalog.subscriptions_of(customer)?;
    let wanted = derive(catalog.policy, &subscriptions);
    let all = Range::newest(Entitlements::LIMIT);
    let held: Vec<Grant> = catalog.list(&list(customer), all)?;
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
        catalog.add(&Grant {
            id: catalog.name_with_mode("ent"),
            created: at,
            customer: customer.to_owned(),
            feature: feature.id,
            lookup_key: feature.lookup_key,
        })?;
    }
    let holds: Vec<Grant> = catalog.list(&list(customer), Range::newest(SUMMARY + 1))?;
    let shown = |grants: &[Grant]| -> Vec<Value> {
        grants.iter().take(SUMMARY).map(|grant| grant.shown(catalog.livemode)).collect()
    };
    let summary = json!({
        "object": "entitlements.active_entitlement_summary",
        "customer": customer,
        "entitlements": {
            "object": "list",
            "data": shown(&holds),
            "has_more": holds.len() > SUMMARY,
            "url": format!("/v1/customer/{customer}/entitlements"),
        },
        "livemode": bool::from(catalog.livemode),
    });
    let previous = json!({ "entitlements": { "data": shown(&held) } });
    catalog.emit(Kind::SummaryUpdated, summary, Some(previous))
}
