//! The record of a customer, and how each change gives it the next version and an entry of the history.
//!
//! | change                                   | step                                       |
//! |------------------------------------------|--------------------------------------------|
//! | starts, ends and new default features    | [`VersionedRecord::advance()`]             |
//! | a set of the source                      | [`VersionedRecord::replace_source()`]      |
//! | the same set, as of a later time         | [`VersionedRecord::confirm_source()`]      |
//! | an override                              | [`VersionedRecord::change_override()`]     |
//!
//! Every step first advances, so each start and end has its own version, dated at its moment. No entry
//! is dated before the one before it, whatever the clock does. The rows that a step adds are stored with
//! the state, and then dropped.
//!
//! Not here: which tasks follow from a change ([`LedgerState`](super::LedgerState)).

use super::{
    change::{KeyChange, source_difference},
    history::{CauseType, ChangeCause, HistoryEntry},
    overrides::StoredOverride,
    replica_writes::ReplicaWrite,
};
use crate::{
    effective_set::{AnswerContext, EffectiveSet, MissingSource},
    entitlement::{Entitlements, SourceSet, Version},
    id::{LookupKey, Timestamp},
    override_period::{EdgeKind, OverrideEffect, OverridePeriod, OverrideStatus, edges_after},
};

/// The record of a customer with what its changes need.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct VersionedRecord {
    /// The record, or `None` if nothing is known of the customer.
    pub entitlements: Option<Entitlements>,
    /// The default features under which the last version was made.
    pub default_features: Vec<LookupKey>,
    /// When the last version was made.
    pub last_change_at: Option<Timestamp>,
    /// The rows that are not stored yet.
    pub unsaved: UnsavedRows,
}

/// Rows that a step adds to the tables.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct UnsavedRows {
    /// The entries of the history, oldest first.
    pub history: Vec<HistoryEntry>,
    /// The override that was created or changed.
    pub changed_override: Option<StoredOverride>,
}

impl VersionedRecord {
    /// Returns the version of the record.
    #[must_use]
    pub fn version(&self) -> Version {
        self.entitlements.as_ref().map_or(Version::default(), |record| record.version)
    }

    /// Returns the time of a change: now, or that of the last change if the clock was set back.
    #[must_use]
    pub fn time(&self, now: Timestamp) -> Timestamp {
        self.last_change_at.map_or(now, |last| last.max(now))
    }

    /// Returns the set of the source, of any source.
    #[must_use]
    pub fn source(&self) -> Option<&SourceSet> {
        self.entitlements.as_ref()?.source.as_ref()
    }

    /// Returns what identifies the record in a write of the replica.
    #[must_use]
    pub fn to_write(&self) -> Option<ReplicaWrite> {
        let version = self.entitlements.as_ref()?.version;
        Some(ReplicaWrite { version, policy: self.source().map(|set| set.policy) })
    }

    /// Iterates over the features of overrides and the default features.
    pub fn local_features(&self) -> impl Iterator<Item = &LookupKey> {
        let overrides = self.entitlements.iter().flat_map(|record| &record.overrides);
        overrides.map(|period| &period.feature).chain(&self.default_features)
    }

    /// Returns the effective set, where a missing source set is not known.
    #[must_use]
    pub fn effective_set<'a>(&'a self, context: AnswerContext<'a>) -> EffectiveSet<'a> {
        EffectiveSet::new(self.entitlements.as_ref(), MissingSource::Undetermined, context)
    }

    /// Returns when the next override starts or ends.
    #[must_use]
    pub fn next_edge(&self) -> Option<Timestamp> {
        let record = self.entitlements.as_ref()?;
        let edges = record.overrides.iter().flat_map(OverridePeriod::edges);
        edges.map(|edge| edge.at).filter(|at| *at > record.advanced_to).min()
    }

    /// Returns when the first of the overrides ends, whether it has started or not.
    #[must_use]
    pub fn next_override_end(&self) -> Option<Timestamp> {
        let overrides = &self.entitlements.as_ref()?.overrides;
        overrides.iter().filter_map(|period| period.expires_at).min()
    }

    /// Returns whether [`Self::advance()`] has something to do.
    #[must_use]
    pub fn is_behind(&self, default_features: &[LookupKey], now: Timestamp) -> bool {
        self.entitlements.is_some()
            && (self.default_features != default_features
                || self.next_edge().is_some_and(|at| at <= now))
    }

    /// Carries out the starts and ends that are due, each with the next version. Then notes the default
    /// features, with another version if they are not those of the last one.
    pub fn advance(&mut self, default_features: &[LookupKey], now: Timestamp) {
        if self.is_behind(default_features, now) {
            self.carry_out_edges(now);
            self.change_default_features(default_features, now);
        } else if self.entitlements.is_none() {
            self.default_features = default_features.to_vec();
        }
    }

    fn carry_out_edges(&mut self, now: Timestamp) {
        let Some(record) = &self.entitlements else { return };
        let periods = record.overrides.clone();
        let mut active: Vec<&OverridePeriod> =
            periods.iter().filter(|period| period.is_active_at(record.advanced_to)).collect();
        for edge in edges_after(&periods, record.advanced_to) {
            if edge.at > now {
                break;
            }
            let feature = &edge.period.feature;
            let before = self.is_granted(feature, &active);
            let kind = match edge.kind {
                EdgeKind::Start => {
                    active.push(edge.period);
                    CauseType::OverrideStart
                }
                EdgeKind::End => {
                    active.retain(|period| period.id != edge.period.id);
                    CauseType::OverrideEnd
                }
            };
            let change =
                KeyChange::of_feature(feature, [before, self.is_granted(feature, &active)]);
            let cause = ChangeCause::of_override(kind, &edge.period.id, None);
            self.add_version(cause, change, None, edge.at);
        }
    }

    fn change_default_features(&mut self, default_features: &[LookupKey], now: Timestamp) {
        if self.default_features == default_features {
            return;
        }
        let at = self.time(now);
        let before = std::mem::replace(&mut self.default_features, default_features.to_vec());
        let active = self.active_at(at);
        let changed = |keys: &[LookupKey], others: &[LookupKey]| {
            let is_only_default = |key: &&LookupKey| {
                !others.contains(key)
                    && !is_denied(key, &active)
                    && !self.is_granted_without_default(key, &active)
            };
            let mut keys: Vec<_> = keys.iter().filter(is_only_default).cloned().collect();
            keys.sort();
            keys
        };
        let (added, removed) =
            (changed(default_features, &before), changed(&before, default_features));
        self.add_version(ChangeCause::setting(), KeyChange::new(added, removed), None, at);
    }

    /// Stores another set of the source, and returns the change of the effective set.
    pub fn replace_source(
        &mut self,
        set: SourceSet,
        cause: ChangeCause,
        now: Timestamp,
    ) -> KeyChange {
        let at = self.time(now);
        let (added, removed) = source_difference(self.source(), &set);
        let active = self.active_at(at);
        let decides = |key: &&LookupKey| {
            let is_granted_otherwise = active
                .iter()
                .any(|period| period.effect == OverrideEffect::Grant && period.feature == **key)
                || self.default_features.contains(key);
            !is_denied(key, &active) && !is_granted_otherwise
        };
        let is_plain = active.is_empty() && self.default_features.is_empty();
        let (change, source_change) = if is_plain {
            (KeyChange::new(added, removed), None)
        } else {
            let effective = KeyChange::new(
                added.iter().filter(decides).cloned().collect(),
                removed.iter().filter(decides).cloned().collect(),
            );
            let of_source = KeyChange::new(added, removed);
            let is_same = effective == of_source;
            (effective, (!is_same).then_some(of_source))
        };
        self.entitlements.get_or_insert_default().source = Some(set);
        self.add_version(cause, change.clone(), source_change, at);
        change
    }

    /// Stores the same set of the source as of a later time, perhaps under another policy.
    pub fn confirm_source(&mut self, set: SourceSet) {
        if let Some(record) = &mut self.entitlements {
            record.source = Some(set);
        }
    }

    /// Stores an override with the next version, and its period in the record unless it has ended.
    pub fn change_override(
        &mut self,
        mut stored: StoredOverride,
        cause: ChangeCause,
        now: Timestamp,
    ) -> StoredOverride {
        let at = self.time(now);
        let period = &stored.value.period;
        let before = self.is_granted(&period.feature, &self.active_at(at));
        let is_kept = stored.value.status_at(at) != OverrideStatus::Ended;
        let periods = &mut self.entitlements.get_or_insert_default().overrides;
        periods.retain(|other| other.id != period.id || is_kept);
        match periods.iter_mut().find(|other| other.id == period.id) {
            Some(current) => *current = period.clone(),
            None if is_kept => periods.push(period.clone()),
            None => {}
        }
        let after = self.is_granted(&period.feature, &self.active_at(at));
        let change = KeyChange::of_feature(&period.feature, [before, after]);
        self.add_version(cause, change, None, at);
        stored.value.version = self.version();
        self.unsaved.changed_override = Some(stored.clone());
        stored
    }

    /// Gives the record the next version, and adds its entry to the history.
    fn add_version(
        &mut self,
        cause: ChangeCause,
        change: KeyChange,
        source_change: Option<KeyChange>,
        at: Timestamp,
    ) {
        let record = self.entitlements.get_or_insert_default();
        record.version = record.version.next();
        record.overrides.retain(|period| period.expires_at.is_none_or(|end| end > at));
        record.advanced_to = if record.overrides.is_empty() { Timestamp::MIN } else { at };
        let version = record.version;
        self.last_change_at = Some(at);
        self.unsaved.history.push(HistoryEntry {
            version,
            created: at,
            cause,
            change,
            source_change,
        });
    }

    fn active_at(&self, at: Timestamp) -> Vec<&OverridePeriod> {
        let periods = self.entitlements.iter().flat_map(|record| &record.overrides);
        periods.filter(|period| period.is_active_at(at)).collect()
    }

    /// Returns whether the customer has a feature while these overrides are active.
    fn is_granted(&self, feature: &LookupKey, active: &[&OverridePeriod]) -> bool {
        !is_denied(feature, active)
            && (self.default_features.contains(feature)
                || self.is_granted_without_default(feature, active))
    }

    fn is_granted_without_default(&self, feature: &LookupKey, active: &[&OverridePeriod]) -> bool {
        self.source().is_some_and(|set| set.contains(feature))
            || has_override(feature, OverrideEffect::Grant, active)
    }
}

fn is_denied(feature: &LookupKey, active: &[&OverridePeriod]) -> bool {
    has_override(feature, OverrideEffect::Deny, active)
}

fn has_override(feature: &LookupKey, effect: OverrideEffect, active: &[&OverridePeriod]) -> bool {
    active.iter().any(|period| period.effect == effect && period.feature == *feature)
}
