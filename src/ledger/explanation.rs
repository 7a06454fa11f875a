//! Why a customer has a feature or does not, now or at a past time: [`explain()`].
//!
//! A past answer is derived from the history: the last change of the feature before that time decides,
//! else the first one after it, else the present. The overrides of that time are known from their
//! periods. The default features of that time are not.
//!
//! Not here: what only the source knows, such as subscriptions, and what the replica says. The API adds
//! both.

use serde::Serialize;

use super::{
    change::KeyChange,
    history::{ChangeCause, HistoryEntry},
    overrides::Override,
};
use crate::{
    effective_set::EffectiveSet,
    entitlement::{Completeness, DenyReason, GrantReason, Version},
    id::{CustomerKey, EntitlementId, LookupKey, Timestamp},
    json::json_type,
    override_period::OverrideEffect,
};

json_type! {
    /// A request for an explanation.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct ExplainQuery {
        /// The customer.
        pub customer: CustomerKey,
        /// The lookup key of the feature.
        pub feature: LookupKey,
        /// The time of the answer that is explained; `None` is now.
        pub at: Option<Timestamp>,
    }

    /// The response of a ledger to an [`ExplainQuery`].
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub enum ExplainReply {
        /// The explanation.
        Explained(Box<Explanation>) = "explained",
        /// The history begins later than the time of the query.
        TooOld {
            /// The creation of the oldest entry.
            oldest: Timestamp,
        } = "too_old",
    }

    /// What a ledger knows of one feature at one time.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct Explanation {
        /// The time.
        pub at: Timestamp,
        /// The version at that time.
        pub version: Version,
        /// When the source reported its set; `None` if nothing was reported, or for a past time.
        pub as_of: Option<Timestamp>,
        /// Whether the customer had the feature; `None` if that was unknown.
        pub entitled: Option<bool>,
        /// The reason, as in a check.
        pub reason: Option<String>,
        /// What the source says.
        pub source: SourceEvidence,
        /// The overrides of the feature that were made before that time, newest first.
        pub overrides: Vec<Override>,
        /// Whether the feature was a default feature; `None` if that is not known.
        pub is_default: Option<bool>,
        /// The change that led to the answer: the last one of the feature before that time.
        pub last_change: Option<FeatureChange>,
    }

    /// The last change of one feature.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct FeatureChange {
        /// The version after the change.
        pub version: Version,
        /// When it took effect.
        pub created: Timestamp,
        /// What caused it.
        pub cause: ChangeCause,
    }

    /// What the source says of one feature.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct SourceEvidence {
        /// How much of the set was known; `None` if the source has not been read, or has no such
        /// customer.
        pub completeness: Option<Completeness>,
        /// Whether the set has the feature.
        pub grants: bool,
        /// The active entitlement, if it is known.
        pub entitlement: Option<EntitlementId>,
        /// When the set was last equal to the source's list.
        pub confirmed_at: Option<Timestamp>,
        /// The change that brought the feature into the set, or out of it.
        pub last_change: Option<FeatureChange>,
    }
}

/// What one entry of the history changed for a feature.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FeatureHistoryEntry {
    /// The version, the time and the cause.
    pub change: FeatureChange,
    /// What happened to the feature in the effective set.
    pub effective: KeyEffect,
    /// What happened to the feature in the source set.
    pub source: KeyEffect,
}

/// What a change did to one key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyEffect {
    /// The key was added.
    Added,
    /// The key was removed.
    Removed,
    /// The key stayed as it was.
    Unchanged,
    /// The change was only counted.
    Unknown,
}

impl KeyEffect {
    fn of(change: Option<&KeyChange>, feature: &LookupKey) -> Self {
        match change {
            Some(KeyChange::Counts { .. }) => Self::Unknown,
            Some(KeyChange::Keys { added, .. }) if added.contains(feature) => Self::Added,
            Some(KeyChange::Keys { removed, .. }) if removed.contains(feature) => Self::Removed,
            None | Some(KeyChange::Keys { .. }) => Self::Unchanged,
        }
    }
}

impl FeatureHistoryEntry {
    /// Reads what an entry changed for a feature.
    #[must_use]
    pub fn new(entry: &HistoryEntry, feature: &LookupKey) -> Self {
        let HistoryEntry { version, created, cause, change, .. } = entry;
        Self {
            change: FeatureChange { version: *version, created: *created, cause: cause.clone() },
            effective: KeyEffect::of(Some(change), feature),
            source: KeyEffect::of(entry.source_change(), feature),
        }
    }
}

/// What is known of the customer, for an explanation.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The effective set now.
    pub present: EffectiveSet<'a>,
    /// The features that every customer has now.
    pub default_features: &'a [LookupKey],
    /// When the source confirmed its set.
    pub confirmed_at: Option<Timestamp>,
    /// The overrides of the customer, newest first.
    pub overrides: &'a [Override],
    /// The entries of the history, oldest first.
    pub history: &'a [FeatureHistoryEntry],
}

/// Explains the answer for a feature, now or at a past time.
#[must_use]
pub fn explain(query: &ExplainQuery, evidence: &Evidence<'_>) -> ExplainReply {
    let now = evidence.present.at();
    match query.at.filter(|at| *at < now) {
        None => ExplainReply::Explained(Box::new(explain_present(&query.feature, evidence))),
        Some(at) => match evidence.history.first() {
            Some(oldest) if oldest.change.created <= at => {
                ExplainReply::Explained(Box::new(explain_past(&query.feature, at, evidence)))
            }
            Some(oldest) => ExplainReply::TooOld { oldest: oldest.change.created },
            None => ExplainReply::TooOld { oldest: now },
        },
    }
}

fn explain_present(feature: &LookupKey, evidence: &Evidence<'_>) -> Explanation {
    let Evidence { present, default_features, confirmed_at, history, .. } = *evidence;
    let decision = present.check(feature);
    let source = present.source();
    let grant = source.and_then(|set| set.data.iter().find(|row| row.lookup_key == *feature));
    Explanation {
        at: present.at(),
        version: present.version(),
        as_of: source.map(|set| set.as_of),
        entitled: decision.entitled(),
        reason: decision.reason().map(str::to_owned),
        source: SourceEvidence {
            completeness: source.map(|set| set.completeness),
            grants: grant.is_some(),
            entitlement: grant.map(|grant| grant.id.clone()),
            confirmed_at,
            last_change: last_change(history, |entry| entry.source),
        },
        overrides: overrides_at(feature, present.at(), evidence),
        is_default: Some(default_features.contains(feature)),
        last_change: last_change(history, |entry| entry.effective),
    }
}

fn explain_past(feature: &LookupKey, at: Timestamp, evidence: &Evidence<'_>) -> Explanation {
    let Evidence { present, history, .. } = *evidence;
    let later = history.partition_point(|entry| entry.change.created <= at);
    let (earlier, later) = history.split_at_checked(later).unwrap_or((history, &[]));
    let is_granted = present.source().map(|set| set.contains(feature));
    let source = state_between(earlier, later, is_granted, |entry| entry.source);
    let is_entitled = present.check(feature).entitled();
    let entitled = state_between(earlier, later, is_entitled, |entry| entry.effective);
    let overrides = overrides_at(feature, at, evidence);
    let is_overridden = |effect| {
        overrides.iter().any(|value| value.period.effect == effect && value.was_active_at(at))
    };
    let reason = match entitled {
        Some(true) if source == Some(true) => Some(GrantReason::ActiveEntitlement.as_str()),
        Some(true) if is_overridden(OverrideEffect::Grant) => Some(GrantReason::Override.as_str()),
        Some(true) => Some(GrantReason::DefaultFeature.as_str()),
        Some(false) if is_overridden(OverrideEffect::Deny) => {
            Some(DenyReason::DeniedByOverride.as_str())
        }
        Some(false) => Some(DenyReason::NotEntitled.as_str()),
        None => None,
    };
    Explanation {
        at,
        version: earlier.last().map_or(Version::default(), |entry| entry.change.version),
        as_of: None,
        entitled,
        reason: reason.map(str::to_owned),
        source: SourceEvidence {
            completeness: None,
            grants: source == Some(true),
            entitlement: None,
            confirmed_at: None,
            last_change: last_change(earlier, |entry| entry.source),
        },
        overrides,
        is_default: None,
        last_change: last_change(earlier, |entry| entry.effective),
    }
}

/// Returns whether a set had the key between two parts of the history: by the last change before, else by
/// the first one after, else as at present. `None` if a change was only counted.
fn state_between(
    earlier: &[FeatureHistoryEntry],
    later: &[FeatureHistoryEntry],
    present: Option<bool>,
    effect: impl Fn(&FeatureHistoryEntry) -> KeyEffect,
) -> Option<bool> {
    let is_change = |effect: &KeyEffect| *effect != KeyEffect::Unchanged;
    match earlier.iter().rev().map(&effect).find(is_change) {
        Some(KeyEffect::Added) => return Some(true),
        Some(KeyEffect::Removed) => return Some(false),
        Some(KeyEffect::Unchanged | KeyEffect::Unknown) | None => {}
    }
    match later.iter().map(&effect).find(is_change) {
        Some(KeyEffect::Added) => Some(false),
        Some(KeyEffect::Removed) => Some(true),
        Some(KeyEffect::Unchanged | KeyEffect::Unknown) => None,
        None => present,
    }
}

fn last_change(
    history: &[FeatureHistoryEntry],
    effect: impl Fn(&FeatureHistoryEntry) -> KeyEffect,
) -> Option<FeatureChange> {
    let is_change = |entry: &&FeatureHistoryEntry| effect(entry) != KeyEffect::Unchanged;
    match history.iter().rev().find(is_change) {
        Some(entry) if effect(entry) != KeyEffect::Unknown => Some(entry.change.clone()),
        Some(_) | None => None,
    }
}

fn overrides_at(feature: &LookupKey, at: Timestamp, evidence: &Evidence<'_>) -> Vec<Override> {
    let is_of_feature = |value: &&Override| value.period.feature == *feature && value.created <= at;
    evidence.overrides.iter().filter(is_of_feature).cloned().collect()
}
