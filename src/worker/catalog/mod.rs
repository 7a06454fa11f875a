//! The catalog: its Durable Object, and the way to it.

mod jobs;
mod limiter;
#[expect(missing_docs, reason = "`#[durable_object]` adds methods for JavaScript without any")]
pub(in crate::worker) mod object;
mod sender;
mod storage;

pub(in crate::worker) use self::object::CatalogStub;
