//! What requests do to subscriptions.

pub(crate) mod cancel;
pub(crate) mod create;
pub(crate) mod update;
