//! The coordinator of one mode: the event poll, the budget of reads, a watch over the ledgers, and the
//! features that exist.
//!
//! | file      | contents                                                                         |
//! |-----------|----------------------------------------------------------------------------------|
//! | `budget`  | when a read of Stripe may start: [`ReadBudget`]                                  |
//! | `status`  | what `/healthz` reports: [`CoordinatorStatus`]                                   |
//! | `state`   | what is stored: [`CoordinatorState`]                                             |
//! | `request` | requests to a coordinator and its responses: [`CoordinatorRequest`]              |
//! | `ports`   | what a coordinator needs from its platform: [`CoordinatorPorts`]                 |
//! | `poll`    | the event poll: lists events, and applies those that no webhook brought          |
//! | `duties`  | adds up the customer index, and wakes ledgers                                    |
//! | `process` | the alarm and the requests: [`CoordinatorProcess`]                               |
//!
//! A webhook may never arrive. So the poll lists the events of the account, and applies each one to the
//! ledger of its customer, as a webhook does. A ledger ignores an event that it knows. While no poll
//! runs, or events may be missing, ledgers that were not compared with the source for a day are read.
//!
//! Everything that matters is stored: a crash repeats some requests and loses nothing. Not here: I/O,
//! which the platform does, and what an event changes ([`crate::ledger`]).

mod budget;

mod status;

mod state;

mod request;

mod ports;

mod poll;

mod duties;

mod process;

pub use self::{
    budget::ReadBudget,
    ports::{CoordinatorPorts, CoordinatorSettings, CoordinatorStorage, IndexQuery, IndexReport},
    process::CoordinatorProcess,
    request::{CoordinatorRequest, CoordinatorResponse},
    state::{CoordinatorState, FoundEvents, PollPass, PollState, RetryTask},
    status::{Backlog, CoordinatorStatus, PollFailure, PollGap, PollStatus},
};
