//! A customer's ledger: one Durable Object per customer, the only writer of its entitlements.
//!
//! | file         | contents                                                              |
//! |--------------|-----------------------------------------------------------------------|
//! | `rpc`        | the requests that the object accepts, and its responses               |
//! | `stub`       | the client of the object                                              |
//! | `storage`    | the object's tables                                                   |
//! | `state`      | what an instance keeps in memory, and its alarm                       |
//! | `websockets` | the WebSockets of subscribers                                         |
//! | `writes`     | writes of the replica, and reports to the customer index              |
//! | `refresh`    | reads of the source: for a check, a sync, the cron trigger, the alarm |
//! | `object`     | the object: requests, events and the alarm                            |
//!
//! The files from `websockets` on contain functions of a [`state::CustomerState`]. A file uses only
//! the files above it. Not here: the rules, which are in [`crate::ledger`].

pub(super) mod rpc;

mod stub;

mod storage;

mod state;

pub(super) mod websockets;

mod writes;

mod refresh;

#[expect(missing_docs, reason = "`#[durable_object]` adds methods for JavaScript without any")]
mod object;

pub(super) use self::stub::LedgerStub;

pub use self::object::LedgerObject;
