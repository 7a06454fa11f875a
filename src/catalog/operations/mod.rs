//! Operations.

pub(crate) mod features;
pub(crate) mod prices;
pub(crate) mod product_features;
pub(crate) mod products;

pub(crate) mod customers;
pub(crate) mod subscriptions;
pub(crate) mod test_clocks;

pub(crate) mod webhook_endpoints;
