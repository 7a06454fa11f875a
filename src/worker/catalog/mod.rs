//! The built-in catalog: one Durable Object per mode, `test` and `live`.
//!
//! | file      | contents                                                               |
//! |-----------|------------------------------------------------------------------------|
//! | `stub`    | the client of the object                                               |
//! | `storage` | the object's tables                                                    |
//! | `sender`  | one webhook request to one endpoint                                    |
//! | `ports`   | what the catalog's process runs on                                     |
//! | `object`  | the object: requests and the alarm                                     |
//!
//! Not here: the rules, which are in [`crate::catalog`], and the API, which is in
//! [`crate::api::catalog`].

mod stub;

mod storage;

mod sender;

mod ports;

#[expect(missing_docs, reason = "`#[durable_object]` adds methods for JavaScript without any")]
mod object;

pub(super) use self::stub::CatalogStub;

pub use self::object::CatalogObject;
