//! The customer index: one Durable Object that lists the customers, their sync status, and the
//! features observed in their sets.
//!
//! | file     | contents                                                  |
//! |----------|-----------------------------------------------------------|
//! | `stub`   | the requests that the object accepts, and the client of it |
//! | `query`  | the `SELECT` of a page of customers                       |
//! | `object` | the object and its tables                                 |

mod stub;

mod query;

#[expect(missing_docs, reason = "`#[durable_object]` adds methods for JavaScript without any")]
mod object;

pub(super) use self::stub::CustomerIndexStub;

pub use self::object::CustomerIndexObject;
