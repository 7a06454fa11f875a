//! Overrides and default features: what they mean for answers, how a ledger changes them, and the history.

mod answers;
mod catalog_lists;
mod commands;
mod explanations;
mod history;

use std::collections::BTreeMap;

use entgate::{
    id::Timestamp,
    ledger::{
        HistoryEntry, HistoryQuery, NewOverride, Override, OverrideCommand, OverrideEnd,
        OverrideReply, OverrideRequest,
    },
    override_period::OverrideEffect,
    store::Ledger as _,
};
use pollster::block_on;
use serde_json::Value;

use crate::support::{NOW, Service, configured, customer};

/// The time so many seconds after the start.
fn at(seconds: i64) -> Timestamp {
    NOW.saturating_add(seconds)
}

/// A deployment of Stripe without its key, with more settings.
fn deployment(settings: &[(&str, &str)]) -> Service {
    let basic =
        [("ENTGATE_API_KEYS", "sk_test_entgate"), ("STRIPE_WEBHOOK_SECRETS", "whsec_test_entgate")];
    configured(&[&basic, settings].concat())
}

impl Service {
    /// Sets the time of requests and of ledgers.
    fn set_time(&mut self, now: Timestamp) {
        self.now = now;
        self.store.ledger.set_time(now);
    }

    /// Receives an event, and lets the replica follow. The ledgers keep the time of requests.
    fn receive(&self, event: &Value) {
        self.stripe_sends(event);
        self.store.ledger.set_time(self.now);
    }

    /// Lets the replica follow. The ledgers keep the time of requests.
    fn replicate(&self) {
        self.store.replicate();
        self.store.ledger.set_time(self.now);
    }

    fn manage(&self, command: OverrideCommand) -> OverrideReply {
        let request = OverrideRequest { customer: customer("cus_ada"), command };
        block_on(self.store.ledger.manage_overrides(&request)).unwrap()
    }

    /// Creates an override, and returns it.
    #[track_caller]
    fn create(&self, new: NewOverride) -> Override {
        match self.manage(OverrideCommand::Create(new)) {
            OverrideReply::One { value, .. } => value,
            reply => panic!("{reply:?}"),
        }
    }

    /// The answer to a check of Ada: whether she has the feature, why, and the version.
    fn decision(&self, feature: &str) -> (Option<bool>, String, u64) {
        let answer = self.get(&format!("/v1/check?customer=cus_ada&feature={feature}"));
        let body = answer.body;
        match answer.status {
            200 => (
                body["entitled"].as_bool(),
                body["reason"].as_str().unwrap().to_owned(),
                body["version"].as_u64().unwrap(),
            ),
            _ => (None, body["error"]["code"].as_str().unwrap_or_default().to_owned(), 0),
        }
    }

    /// The history of Ada, oldest first.
    fn history(&self) -> Vec<HistoryEntry> {
        let query = HistoryQuery {
            customer: customer("cus_ada"),
            after: None,
            before: None,
            first: None,
            last: None,
            limit: 1_000,
        };
        let mut entries = block_on(self.store.ledger.list_history(&query)).unwrap().entries;
        entries.reverse();
        entries
    }
}

/// A request to grant a feature without an end.
fn grant(id: &str, feature: &str) -> NewOverride {
    NewOverride {
        id: id.try_into().unwrap(),
        feature: feature.try_into().unwrap(),
        effect: OverrideEffect::Grant,
        starts_at: None,
        end: OverrideEnd::Never,
        reason: "a trial".to_owned(),
        actor: "ops@example.com".to_owned(),
        metadata: BTreeMap::new(),
        idempotency: None,
    }
}

/// A request to deny a feature without an end.
fn denial(id: &str, feature: &str) -> NewOverride {
    NewOverride { effect: OverrideEffect::Deny, ..grant(id, feature) }
}
