//! The coordinator: one Durable Object per mode, `test` and `live`.
//!
//! | file      | contents                                                     |
//! |-----------|--------------------------------------------------------------|
//! | `stub`    | the client of the object                                     |
//! | `storage` | the object's tables                                          |
//! | `ports`   | what the coordinator's process runs on                       |
//! | `object`  | the object: requests and the alarm                           |
//!
//! Not here: what it does and when, which is in [`crate::coordinator`].

mod stub;

mod storage;

mod ports;

mod object;

pub(super) use self::stub::CoordinatorStub;

pub use self::object::CoordinatorObject;
