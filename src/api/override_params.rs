//! The parameters of `/v1/customers/{customer}/overrides`.
//!
//! Not here: what is valid at a time, which the ledger decides.

use std::collections::BTreeMap;

use super::{error::Error, form::Params};
use crate::{
    id::{LookupKey, OverrideId},
    ledger::{NewOverride, OverrideEnd, OverrideIdempotency, OverrideUpdate},
    metadata::{Metadata, MetadataPatch},
    override_period::OverrideEffect,
};

/// The most characters of `reason`: a sentence or two, and the number of a ticket.
pub(super) const MAX_REASON_LEN: usize = 500;

/// The most characters of `actor`: those of an e-mail address.
const MAX_ACTOR_LEN: usize = 255;

/// The maximum of `expires_in`, in seconds: ten years.
const MAX_EXPIRES_IN: u64 = 10 * 365 * 24 * 60 * 60;

/// Takes the parameters of a new override.
pub(super) fn take_new_override(
    params: &mut Params,
    id: OverrideId,
    redacted_key: String,
    idempotency: Option<OverrideIdempotency>,
) -> Result<NewOverride, Error> {
    let feature = LookupKey::try_from(params.take_required_string("feature")?)
        .map_err(|error| Error::invalid_id("feature", &error))?;
    let effect = params.one_of("effect", OverrideEffect::ALL)?;
    let effect = effect.ok_or_else(|| Error::missing_param("effect"))?;
    let reason = params.required_non_empty("reason", MAX_REASON_LEN)?;
    let starts_at = params.timestamp("starts_at")?;
    let end = match take_end(params)? {
        Some(OverrideEnd::Now) => return Err(params.invalid_integer("expires_at", END_NOW)),
        end => end.unwrap_or(OverrideEnd::Never),
    };
    let Metadata(metadata) = Metadata::default().apply(params.metadata()?)?;
    let actor = take_actor(params, redacted_key)?;
    Ok(NewOverride { id, feature, effect, starts_at, end, reason, actor, metadata, idempotency })
}

/// Takes the parameters of an update.
pub(super) fn take_update(
    params: &mut Params,
    id: OverrideId,
    redacted_key: String,
) -> Result<OverrideUpdate, Error> {
    let patch = params.metadata()?;
    // The ledger changes the metadata. What is invalid in any metadata is rejected here.
    Metadata::default().apply(patch.clone())?;
    let (clears_metadata, metadata) = match patch {
        MetadataPatch::Keep => (false, BTreeMap::new()),
        MetadataPatch::Clear => (true, BTreeMap::new()),
        MetadataPatch::Set(entries) => (false, entries.into_iter().collect()),
    };
    Ok(OverrideUpdate {
        id,
        starts_at: params.timestamp("starts_at")?,
        end: take_end(params)?,
        reason: params.non_empty("reason", MAX_REASON_LEN)?,
        actor: take_actor(params, redacted_key)?,
        metadata,
        clears_metadata,
    })
}

/// The value of `expires_at` that ends an override now.
const END_NOW: &str = "now";

/// Takes `expires_at` or `expires_in`. An empty `expires_at` is no end.
fn take_end(params: &mut Params) -> Result<Option<OverrideEnd>, Error> {
    if params.contains("expires_at") && params.contains("expires_in") {
        return Err(Error::parameter(
            "expires_in",
            "parameters_exclusive",
            "You may only specify one of these parameters: expires_at, expires_in.",
        ));
    }
    if let Some(seconds) = params.take_integer("expires_in", 1..=MAX_EXPIRES_IN)? {
        return Ok(i64::try_from(seconds).ok().map(OverrideEnd::After));
    }
    let Some(end) = params.take_string("expires_at")? else { return Ok(None) };
    Ok(Some(match end.as_str() {
        "" => OverrideEnd::Never,
        END_NOW => OverrideEnd::Now,
        end => OverrideEnd::At(params.parse_timestamp("expires_at", end)?),
    }))
}

/// Takes `actor`; by default the key of the request.
pub(super) fn take_actor(params: &mut Params, redacted_key: String) -> Result<String, Error> {
    Ok(params.non_empty("actor", MAX_ACTOR_LEN)?.unwrap_or(redacted_key))
}
