//! The catalog: Stripe's objects around entitlements, kept by entgate itself.
//!
//! | file             | is                                                                          |
//! |------------------|-----------------------------------------------------------------------------|
//! | [`shelf`]        | where objects are kept: the port, and ranges of lists                       |
//! | [`memory`]       | a shelf for tests                                                           |
//! | `object` · `page` | what all objects share: to load and save them · to list them, a page at a time |
//! | `id` · `metadata` | new names · the caller's own notes on an object                            |
//! | `feature` · `product` · `price` · `product_feature` | what is sold                             |
//! | `customer` · `clock` | who buys, and by which time they live                                   |
//! | `calendar` · `status` | when a period ends · what each status grants                           |
//! | `subscription`   | what was bought                                                             |
//! | `purchase` · `amendment` · `interruption` | by which request, and what others did to it        |
//! | `lifecycle`      | what time does to it                                                        |
//! | `derive` · `settle` | subscriptions → entitlements · what a customer holds, brought in line with that |
//! | `event` · `endpoint` | what happened · who wants to know                                       |
//! | `outbox` · `attempt` | telling them · how that went                                            |
//! | `idempotency`    | answers that are given again                                                |
//! | `application`    | what is done to very many, a few at a time                                   |
//! | `work`           | what is due                                                                 |
//!
//! <https://docs.stripe.com/billing/entitlements>. Values in, values out, over a [`Shelf`]: time and
//! chance are handed in with it. No money moves. How parameters are written, and what status a failure has, is not
//! here.

pub mod memory;
pub mod storage;

mod error;
pub(crate) mod ids;
pub(crate) mod page;
pub(crate) mod repository;
mod tx;

pub(crate) mod objects;

pub(crate) mod engine;

pub(crate) mod operations;

pub mod scheduler;

pub use self::{
    engine::deliveries,
    error::Error,
    storage::Storage,
    tx::{RequestInfo, Tx},
};
