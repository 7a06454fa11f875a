//! What is held + what came in → what changes, and what is owed to others since.
//!
//! | file      | holds                                                                          |
//! |-----------|--------------------------------------------------------------------------------|
//! | `rules`   | what one event or the source's list makes of a set: [`apply()`], [`replace()`] |
//! | `outbox`  | what is owed to others, since when, and when it is tried next: [`Outbox`]      |
//! | `finding` | what the source says, and what it comes to: [`Told`], [`Finding`]              |
//! | `standing` | where a customer stands, as others have to know: [`Standing`], [`Report`]     |
//! | `seen`    | which features came in its sets, and which of them others know: [`Seen`]       |
//! | `change`  | what a version changed, for those who listen: [`Change`], [`Notice`]           |
//! | `activity` | what was decided, for those who look: [`Activity`]                            |
//! | `account` | all that is kept of one customer, and its steps: [`Account`]                   |
//!
//! No step here reads a clock or a store, and none is left half done: whoever keeps the ledger loads
//! the account, takes one step, and writes the account down in one transaction. What takes time (a
//! read of the source, a write of the replica) has a step before it and one after it, and anything
//! may happen in between.

mod account;
mod activity;
mod change;
mod finding;
mod outbox;
mod rules;
mod seen;
mod standing;

pub use self::{
    account::{Account, Effect, List, Receipt},
    activity::{ACTIVITY_MEMORY, Activity, Decided},
    change::{CHANGE_LIMIT, CHANGE_MEMORY, Change, Notice, missed},
    finding::{Drift, Finding, Occasion, Reading, Told},
    outbox::{Debt, Jitter, Outbox, Task},
    rules::{EVENT_MEMORY, Error, Outcome, Sighting, apply, replace},
    seen::Seen,
    standing::{Report, Standing, Trouble},
};
