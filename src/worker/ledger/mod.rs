//! A customer's ledger: one Durable Object per customer, the only writer of its entitlements.
//!
//! | file         | contents                                                                |
//! |--------------|-------------------------------------------------------------------------|
//! | `rpc`        | requests to the object, and its responses                               |
//! | `stub`       | the client of the object                                                |
//! | `storage`    | the object's tables                                                     |
//! | `history_table`, `overrides_table` | two of them                                       |
//! | `websockets` | the WebSockets of subscribers                                           |
//! | `ports`      | the object's ports: its storage, its alarm, and calls to other services |
//! | `object`     | the object                                                              |
//!
//! Not here: the rules, and the order in which things happen: both are in [`crate::ledger`].

pub(super) mod rpc;

mod stub;

mod history_table;

mod overrides_table;

mod storage;

pub(super) mod websockets;

mod ports;

#[expect(missing_docs, reason = "`#[durable_object]` adds methods for JavaScript without any")]
mod object;

pub(super) use self::stub::LedgerStub;

pub use self::object::LedgerObject;
