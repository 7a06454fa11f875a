//! Errors of overrides, and of explanations of a past time.

use super::{Error, excerpt};
use crate::{
    id::Timestamp,
    ledger::{MAX_OVERRIDES, OverrideRefusal},
    metadata::MAX_METADATA_KEYS,
};

impl Error {
    /// 400: the ledger refused a change of an override. `key` is the idempotency key of the request.
    pub(in crate::api) fn override_refused(refusal: OverrideRefusal, key: Option<&str>) -> Self {
        match refusal {
            OverrideRefusal::TooMany => {
                let mut error = Self::invalid(format!(
                    "The customer has {MAX_OVERRIDES} overrides that have not ended, which is the \
                     maximum. Delete one that is not needed."
                ));
                error.0.body.code = Some("override_limit_exceeded");
                error
            }
            OverrideRefusal::Ended => {
                let mut error = Self::invalid(
                    "The override has ended, so that only its metadata can change. Create another one.",
                );
                error.0.body.code = Some("override_ended");
                error
            }
            OverrideRefusal::Started => Self::parameter(
                "starts_at",
                "override_started",
                "The override has started, so that its start cannot change. Leave `starts_at` out.",
            ),
            OverrideRefusal::EndNotAfterStart => Self::parameter(
                "expires_at",
                "parameter_invalid",
                "The override must end after its start, and not in the past.",
            ),
            OverrideRefusal::TooManyMetadataKeys => Self::parameter(
                "metadata",
                "parameter_invalid",
                format!(
                    "An object can have up to {MAX_METADATA_KEYS} metadata keys, and this would make more."
                ),
            ),
            OverrideRefusal::OtherRequest => Self::idempotency_mismatch(key.unwrap_or_default()),
        }
    }

    /// 404: the customer has no such override.
    pub(in crate::api) fn no_such_override(id: &str) -> Self {
        Self::not_found(format!("No such entitlement_override: '{}'", excerpt(id)))
    }

    /// 400: the history of the customer begins after the time of the question.
    pub(in crate::api) fn history_too_old(oldest: Timestamp) -> Self {
        Self::parameter(
            "at",
            "history_too_old",
            format!(
                "The history of this customer begins at {oldest}, in Unix seconds. Ask for that time or \
                 a later one."
            ),
        )
    }
}
