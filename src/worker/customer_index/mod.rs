//! The customer index: 32 Durable Objects per mode, `live:0` to `live:31`, that list the customers, their
//! sync status, and recent decisions about them.
//!
//! | file        | contents                                                        |
//! |-------------|-----------------------------------------------------------------|
//! | `stub`      | the requests that a shard accepts, and the client of all shards |
//! | `customers` | the table of customers: reports, lists, and the survey          |
//! | `activity`  | the table of decisions                                          |
//! | `features`  | the table of features that the coordinator knows                |
//! | `object`    | the object                                                      |
//!
//! Not here: which shard has a customer, and how results are merged ([`crate::customer_index`]).

mod stub;

mod customers;

mod activity;

mod features;

mod object;

pub(super) use self::stub::CustomerIndexStub;

pub use self::object::CustomerIndexObject;
