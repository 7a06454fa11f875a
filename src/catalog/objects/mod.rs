//! Stripe's objects, one a file: fields, index entries and JSON.
//!
//! An object imports the storage layer and other objects, never the engine or the operations.
//! Nothing here emits events or changes another object.

pub(crate) mod api_version;
pub(crate) mod calendar;
pub(crate) mod json;
pub(crate) mod status;

pub(crate) mod feature;
pub(crate) mod price;
pub(crate) mod product;
pub(crate) mod product_feature;

pub(crate) mod charge;
pub(crate) mod customer;
pub(crate) mod pause;
pub(crate) mod payment_method;
pub(crate) mod subscription;
mod subscription_indexes;
pub(crate) mod subscription_json;
pub(crate) mod test_clock;

pub(crate) mod active_entitlement;

pub(crate) mod delivery;
pub(crate) mod delivery_attempt;
pub(crate) mod event;
pub(crate) mod ledger_update;
pub(crate) mod webhook_endpoint;
