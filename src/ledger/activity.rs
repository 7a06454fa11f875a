//! What was decided about a customer's set, for people who want to see what happens.
//!
//! | what happened                  | gives                                                          |
//! |--------------------------------|----------------------------------------------------------------|
//! | an event was taken in          | [`Activity::of()`]: the event, and what became of it           |
//! | the source's list was compared | [`Activity::found()`], where that came to something            |
//!
//! Nothing is decided by what is told here, and nothing is owed for it.

use serde::Serialize;

use super::{
    account::{Effect, Receipt},
    finding::Finding,
};
use crate::{
    entitlement::{Summary, Version},
    id::{EventId, Millis, Timestamp},
    json::readable,
};

/// How many decisions of one mode are remembered: some pages for a person to look through.
pub const ACTIVITY_MEMORY: usize = 1_000;

/// One decision about a customer's set.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Activity {
    /// What was decided.
    pub decided: Decided,
    /// The version held since.
    pub version: Version,
    /// When it was decided.
    pub at: Millis,
}

readable! { struct Activity { decided, version, at } }

/// What was decided.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decided {
    /// What becomes of an event.
    Event {
        /// Which event.
        id: EventId,
        /// When it was made, by its own account.
        created: Timestamp,
        /// What became of it.
        effect: Effect,
    },
    /// The source's list is what is held, since now at the latest.
    Confirmed,
    /// The source's list was another one, and no event told of that. It is what is held since.
    Drift,
}

readable! {
    enum Decided {
        Event { id, created, effect } = "event", Confirmed = "confirmed", Drift = "drift",
    }
}

impl Activity {
    /// What became of an event.
    #[must_use]
    pub fn of(summary: &Summary, receipt: Receipt, at: Millis) -> Self {
        let Receipt { effect, version } = receipt;
        let decided =
            Decided::Event { id: summary.event.clone(), created: summary.created, effect };
        Self { decided, version, at }
    }

    /// What a read of the source's list came to, unless it came to nothing.
    #[must_use]
    pub fn found(finding: &Finding, version: Version, at: Millis) -> Option<Self> {
        let decided = match finding {
            Finding::Right | Finding::Completed => Decided::Confirmed,
            Finding::Drifted(_) => Decided::Drift,
            Finding::Overtaken | Finding::Nobody | Finding::Doubtful => return None,
        };
        Some(Self { decided, version, at })
    }
}
