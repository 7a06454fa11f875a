//! Operations on subscriptions, one request a file.

pub(crate) mod cancel;
pub(crate) mod create;
pub(crate) mod pause;
pub(crate) mod update;
