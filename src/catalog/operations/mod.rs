//! Operations: what a request does to one resource, one resource a file.
//!
//! They validate against the stored state, store the change and emit its event. They import the
//! engine and the objects. Parsing parameters is in [`crate::api::catalog`].

pub(crate) mod features;
pub(crate) mod prices;
pub(crate) mod product_features;
pub(crate) mod products;

pub(crate) mod customers;
pub(crate) mod subscriptions;
pub(crate) mod test_clocks;

pub(crate) mod webhook_endpoints;
