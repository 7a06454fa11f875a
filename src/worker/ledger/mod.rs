//! A customer's ledger: its Durable Object, and the way to it.

#[expect(missing_docs, reason = "`#[durable_object]` adds methods for JavaScript without any")]
pub(in crate::worker) mod object;
mod refresh;
pub(in crate::worker) mod rpc;
mod storage;
mod stub;
pub(in crate::worker) mod websockets;

pub(in crate::worker) use self::stub::LedgerStub;
