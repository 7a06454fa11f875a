//! What requests do to the catalog's objects.

pub(crate) mod subscriptions;
