//! The customer index: its Durable Object, and the way to it.

#[expect(missing_docs, reason = "`#[durable_object]` adds methods for JavaScript without any")]
pub(in crate::worker) mod object;
mod query;

pub(in crate::worker) use self::object::CustomerIndexStub;
