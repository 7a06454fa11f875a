//! What an operator's request changes in the overrides of a customer.
//!
//! | command | refused if                                                                            |
//! |---------|---------------------------------------------------------------------------------------|
//! | create  | the customer has too many, it ends before it starts, the idempotency key is used       |
//! | update  | it has ended (except for metadata), its start has passed, it would end before it starts, it would have too much metadata |
//! | delete  | it has ended                                                                          |
//!
//! A request that is refused, or that changes nothing, makes no version. Not here: reading the override
//! from the tables, which the process does before the step.

use std::collections::BTreeMap;

use super::{
    history::{CauseType, ChangeCause},
    overrides::{
        MAX_OVERRIDES, NewOverride, Override, OverrideCommand, OverrideDeletion, OverrideEnd,
        OverrideRefusal, OverrideReply, OverrideUpdate, StoredOverride,
    },
    versioned_record::VersionedRecord,
};
use crate::{
    entitlement::Version,
    id::Timestamp,
    metadata::{Metadata, MetadataPatch},
    override_period::{OverridePeriod, OverrideStatus},
};

/// Carries out a command. `existing` is the override of the command, or the one that was created with its
/// idempotency key. `None` for a command that changes nothing.
pub(super) fn carry_out(
    record: &mut VersionedRecord,
    command: &OverrideCommand,
    existing: Option<&StoredOverride>,
    now: Timestamp,
) -> Option<OverrideReply> {
    Some(match command {
        OverrideCommand::Create(new) => create(record, new, existing, now),
        OverrideCommand::Update(change) => update(record, change, existing, now),
        OverrideCommand::Delete { reason, actor, .. } => {
            delete(record, reason.as_deref(), actor, existing, now)
        }
        OverrideCommand::Retrieve(_) | OverrideCommand::List { .. } => return None,
    })
}

/// Creates an override. `existing` is the one that was created with the same idempotency key.
fn create(
    record: &mut VersionedRecord,
    new: &NewOverride,
    existing: Option<&StoredOverride>,
    now: Timestamp,
) -> OverrideReply {
    let at = record.time(now);
    if let Some(StoredOverride { value, idempotency }) = existing {
        return if *idempotency == new.idempotency {
            OverrideReply::One { value: value.clone(), at }
        } else {
            OverrideReply::Refused(OverrideRefusal::OtherRequest)
        };
    }
    let current = record.entitlements.as_ref().map_or(0, |record| record.overrides.len());
    if current >= MAX_OVERRIDES {
        return OverrideReply::Refused(OverrideRefusal::TooMany);
    }
    let starts_at = new.starts_at.map_or(at, |starts_at| starts_at.max(at));
    let expires_at = match end_of(new.end, starts_at, at) {
        Some(end) if end <= starts_at => {
            return OverrideReply::Refused(OverrideRefusal::EndNotAfterStart);
        }
        expires_at => expires_at,
    };
    let NewOverride { id, feature, effect, reason, actor, metadata, idempotency, .. } = new.clone();
    let cause = ChangeCause::of_override(CauseType::Override, &id, Some(&actor));
    let value = Override {
        period: OverridePeriod { id, feature, effect, starts_at, expires_at },
        reason,
        actor,
        created: at,
        metadata,
        version: Version::default(),
        deletion: None,
    };
    let StoredOverride { value, .. } =
        record.change_override(StoredOverride { value, idempotency }, cause, now);
    OverrideReply::One { value, at }
}

/// Updates an override.
fn update(
    record: &mut VersionedRecord,
    update: &OverrideUpdate,
    existing: Option<&StoredOverride>,
    now: Timestamp,
) -> OverrideReply {
    let at = record.time(now);
    let Some(existing) = existing else { return OverrideReply::NotFound };
    let mut value = existing.value.clone();
    let status = value.status_at(at);
    let is_metadata_only =
        update.starts_at.is_none() && update.end.is_none() && update.reason.is_none();
    if status == OverrideStatus::Ended && !is_metadata_only {
        return OverrideReply::Refused(OverrideRefusal::Ended);
    }
    let period = &mut value.period;
    if let Some(starts_at) = update.starts_at.filter(|starts_at| *starts_at != period.starts_at) {
        if status != OverrideStatus::Scheduled {
            return OverrideReply::Refused(OverrideRefusal::Started);
        }
        period.starts_at = starts_at.max(at);
    }
    // Active until now is a period, even if it began in this second.
    let ends_now = update.end == Some(OverrideEnd::Now) && period.is_active_at(at);
    if let Some(end) = update.end {
        period.expires_at = end_of(end, period.starts_at, at);
    }
    let is_too_early = |end| end <= period.starts_at || end <= at;
    let changes_period = existing.value.period != *period;
    if changes_period && !ends_now && period.expires_at.is_some_and(is_too_early) {
        return OverrideReply::Refused(OverrideRefusal::EndNotAfterStart);
    }
    value.reason = update.reason.clone().unwrap_or(value.reason);
    let before = if update.clears_metadata { BTreeMap::new() } else { value.metadata };
    let patch = MetadataPatch::Set(update.metadata.clone().into_iter().collect());
    match Metadata(before).apply(patch) {
        Ok(Metadata(metadata)) => value.metadata = metadata,
        // The API has validated each key and value.
        Err(_) => return OverrideReply::Refused(OverrideRefusal::TooManyMetadataKeys),
    }
    if value == existing.value {
        return OverrideReply::One { value, at };
    }
    let cause =
        ChangeCause::of_override(CauseType::Override, &value.period.id, Some(&update.actor));
    let stored = StoredOverride { value, idempotency: existing.idempotency.clone() };
    OverrideReply::One { value: record.change_override(stored, cause, now).value, at }
}

/// Ends an override now, or removes it before it starts.
fn delete(
    record: &mut VersionedRecord,
    reason: Option<&str>,
    actor: &str,
    existing: Option<&StoredOverride>,
    now: Timestamp,
) -> OverrideReply {
    let at = record.time(now);
    let Some(existing) = existing else { return OverrideReply::NotFound };
    let mut stored = existing.clone();
    if stored.value.status_at(at) == OverrideStatus::Ended {
        return OverrideReply::Refused(OverrideRefusal::Ended);
    }
    let (reason, actor) = (reason.map(str::to_owned), actor.to_owned());
    let cause =
        ChangeCause::of_override(CauseType::Override, &stored.value.period.id, Some(&actor));
    stored.value.deletion = Some(OverrideDeletion { at, reason, actor });
    OverrideReply::One { value: record.change_override(stored, cause, now).value, at }
}

fn end_of(end: OverrideEnd, starts_at: Timestamp, at: Timestamp) -> Option<Timestamp> {
    match end {
        OverrideEnd::Never => None,
        OverrideEnd::Now => Some(at),
        OverrideEnd::At(end) => Some(end),
        OverrideEnd::After(seconds) => Some(starts_at.saturating_add(seconds)),
    }
}
