//! The reference of the model for overrides and default features: what the stored commands mean, as
//! simply as it can be said. What a command means is in [`super::override_commands`].
//!
//! It keeps every override that was ever made, replays the history, and compares both with the ledger.
//! The source set is taken from the ledger: the harness compares it with the source.

use std::collections::{BTreeMap, BTreeSet};

use entgate::{
    effective_set::{AnswerContext, EffectiveSet, MissingSource},
    entitlement::{Completeness, Decision, DenyReason, GrantReason, SourceSet, Version},
    id::{LookupKey, Timestamp, UnixMillis},
    ledger::{
        CauseType, Explanation, HistoryEntry, KeyChange, LedgerState, NewOverride, OverrideCommand,
        OverrideEnd, OverrideRefusal, OverrideUpdate,
    },
    override_period::OverrideEffect,
    policy::SourcePolicy,
};

use super::{
    override_commands::{Expected, MadeOverride, OverrideStep, create, period, update},
    world::CUSTOMER,
};
use crate::support::customer;

#[derive(Default)]
pub(crate) struct Reference {
    /// How many overrides were requested.
    requested: usize,
    made: Vec<MadeOverride>,
    /// The last version, and its time.
    version: Version,
    last_change_at: Option<Timestamp>,
    /// The effective set, by the history.
    granted: BTreeSet<LookupKey>,
    /// The starts (`true`) and ends by themselves in the history.
    carried_out: BTreeSet<(String, bool)>,
    /// The last effective set of each second, under the default features that the ledger has noted.
    past: BTreeMap<Timestamp, BTreeSet<LookupKey>>,
    /// The features of all overrides and of all default features that the ledger has noted.
    pub(crate) observed: BTreeSet<LookupKey>,
    /// What the last comparison was about.
    compared: Option<(Version, Timestamp, Vec<LookupKey>)>,
}

pub(crate) fn feature(number: usize) -> LookupKey {
    format!("feat_test_{number}").as_str().try_into().unwrap()
}

impl Reference {
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// The time of a change or an answer: no clock that was set back undoes a change.
    fn time(&self, now: UnixMillis) -> Timestamp {
        self.last_change_at.map_or(now.to_timestamp(), |last| last.max(now.to_timestamp()))
    }

    /// The command of a step, whose times are absolute.
    pub(crate) fn make_command(&mut self, step: &OverrideStep, now: UnixMillis) -> OverrideCommand {
        let at = self.time(now);
        let in_seconds = |seconds: Option<i64>| seconds.map(|seconds| at.saturating_add(seconds));
        let end_of = |end: OverrideEnd| match end {
            OverrideEnd::At(seconds) => OverrideEnd::At(at.saturating_add(seconds.0)),
            OverrideEnd::Never | OverrideEnd::Now | OverrideEnd::After(_) => end,
        };
        let id =
            |which: usize| format!("ovr_{}", which % self.requested.max(1)).try_into().unwrap();
        let (reason, actor) = ("a reason".to_owned(), "an operator".to_owned());
        match *step {
            OverrideStep::Create { feature: number, effect, start, end } => {
                let id = format!("ovr_{}", self.requested).try_into().unwrap();
                self.requested += 1;
                OverrideCommand::Create(NewOverride {
                    id,
                    feature: feature(number),
                    effect,
                    starts_at: in_seconds(start),
                    end: end_of(end),
                    reason,
                    actor,
                    metadata: BTreeMap::new(),
                    idempotency: None,
                })
            }
            OverrideStep::Update { which, start, end } => OverrideCommand::Update(OverrideUpdate {
                id: id(which),
                starts_at: in_seconds(start),
                end: end.map(end_of),
                reason: None,
                actor,
                metadata: BTreeMap::new(),
                clears_metadata: false,
            }),
            OverrideStep::Delete(which) => {
                OverrideCommand::Delete { id: id(which), reason: Some(reason), actor }
            }
        }
    }

    /// Returns what a command must do, and does it if the ledger stored it: then the last of these new
    /// entries of the history is that of the command.
    pub(crate) fn carry_out(
        &mut self,
        command: &OverrideCommand,
        entries: &[HistoryEntry],
        now: UnixMillis,
    ) -> Expected {
        let at = self.time(now);
        let id = match command {
            OverrideCommand::Create(new) => new.id.to_string(),
            OverrideCommand::Update(OverrideUpdate { id, .. })
            | OverrideCommand::Delete { id, .. } => id.to_string(),
            OverrideCommand::Retrieve(_) | OverrideCommand::List { .. } => {
                panic!("no command that changes something: {command:?}")
            }
        };
        let index = self.made.iter().position(|made| made.id == id);
        let before = index.map(|index| self.made[index].clone());
        let after = match (command, &before) {
            (OverrideCommand::Create(new), _) => create(new, at),
            (_, None) => return Expected::NotFound,
            (OverrideCommand::Update(change), Some(before)) => update(change, before, at),
            (_, Some(before)) if before.has_ended(at) => Err(OverrideRefusal::Ended),
            (_, Some(before)) => {
                Ok(MadeOverride { ends_at: Some(at), was_ended: true, ..before.clone() })
            }
        };
        let is_stored = entries.last().is_some_and(|entry| {
            entry.cause.kind == CauseType::Override && entry.cause.id.as_ref() == Some(&id)
        });
        match after {
            Err(refusal) => {
                assert!(!is_stored, "{command:?} is stored, not refused as {refusal:?}");
                Expected::Refused(refusal)
            }
            Ok(after) if before.as_ref() == Some(&after) => {
                assert!(!is_stored, "{command:?} changes nothing, and has a version");
                Expected::Unchanged(period(&after))
            }
            Ok(after) => {
                let expected = Expected::Changed(period(&after));
                if is_stored {
                    self.observed.insert(after.feature.clone());
                    match index {
                        Some(index) => self.made[index] = after,
                        None => self.made.push(after),
                    }
                }
                expected
            }
        }
    }

    /// Replays new entries of the history, oldest first. Before the first one, the customer has the default
    /// features, and so these are not new.
    pub(crate) fn follow_history(&mut self, entries: &[HistoryEntry], state: &LedgerState) {
        if self.version == Version::default() && !entries.is_empty() {
            self.granted.extend(state.record.default_features.iter().cloned());
        }
        for entry in entries {
            let HistoryEntry { version, created, cause, change, .. } = entry;
            assert_eq!(*version, self.version.next(), "a version without an entry, or with two");
            assert!(self.last_change_at.is_none_or(|last| last <= *created), "{entry:?} is early");
            self.version = *version;
            self.last_change_at = Some(*created);
            let KeyChange::Keys { added, removed } = change else {
                panic!("no change has so many keys: {entry:?}")
            };
            for key in added {
                assert!(self.granted.insert(key.clone()), "{key} was granted before {entry:?}");
            }
            for key in removed {
                assert!(self.granted.remove(key), "{key} was not granted before {entry:?}");
            }
            let is_start = match cause.kind {
                CauseType::OverrideStart => true,
                CauseType::OverrideEnd => false,
                CauseType::Event
                | CauseType::Poll
                | CauseType::Read
                | CauseType::Reconcile
                | CauseType::Override
                | CauseType::Setting => continue,
            };
            let id = cause.id.clone().unwrap();
            let made = self.made.iter().find(|made| made.id == id).unwrap();
            let at = if is_start { Some(made.starts_at) } else { made.ends_at };
            assert_eq!(at, Some(*created), "{entry:?} is not dated at its moment");
            assert!(self.carried_out.insert((id, is_start)), "{entry:?} happened before");
        }
    }

    /// Compares the ledger with the reference, after [`Self::follow_history()`].
    pub(crate) fn assert_answers(
        &mut self,
        state: &LedgerState,
        default_features: &[LookupKey],
        now: UnixMillis,
    ) {
        assert_eq!(state.version(), self.version, "the last version has no entry");
        let at = self.time(now);
        let about = (self.version, at, default_features.to_vec());
        if self.compared.as_ref() == Some(&about) {
            return;
        }
        self.compared = Some(about);
        let source = state.record.source();
        if let Some(last) = self.last_change_at {
            let noted = &state.record.default_features;
            self.observed.extend(noted.iter().cloned());
            assert_eq!(self.granted, self.keys(source, noted, last), "the history, replayed");
            self.assert_edges(last);
            self.past.insert(at, self.keys(source, noted, at));
        }
        let context = AnswerContext {
            policy: SourcePolicy::default(),
            default_features,
            now: now.to_timestamp(),
        };
        let record = state.record.entitlements.as_ref();
        let set = EffectiveSet::new(record, MissingSource::Undetermined, context);
        for number in 0..12 {
            let key = feature(number);
            let expected = self.decide(&key, source, default_features, at);
            assert_eq!(set.check(&key), expected, "{key} at {at}");
        }
        let rows = set.rows(&customer(CUSTOMER));
        let keys: BTreeSet<_> = rows.iter().map(|row| row.lookup_key.clone()).collect();
        assert_eq!(keys, self.keys(source, default_features, at), "the rows at {at}");
        assert_eq!(rows.len(), keys.len(), "a lookup key twice");
    }

    /// Each start and end until the last change has an entry, and no other.
    fn assert_edges(&self, last: Timestamp) {
        let mut passed = BTreeSet::new();
        for made in &self.made {
            // In its first second, it may start and then be ended by an operator.
            let starts = !made.was_started && made.ends_at.is_none_or(|end| end >= made.starts_at);
            if starts && made.starts_at <= last {
                passed.insert((made.id.clone(), true));
            }
            if !made.was_ended && made.has_ended(last) {
                passed.insert((made.id.clone(), false));
            }
        }
        assert_eq!(self.carried_out, passed, "the starts and ends until {last}");
    }

    /// The lookup keys of the effective set.
    fn keys(
        &self,
        source: Option<&SourceSet>,
        default_features: &[LookupKey],
        at: Timestamp,
    ) -> BTreeSet<LookupKey> {
        let of_source = source.into_iter().flat_map(|set| &set.data).map(|row| &row.lookup_key);
        let of_overrides = self.made.iter().map(|made| &made.feature);
        let all = of_source.chain(of_overrides).chain(default_features).cloned();
        all.filter(|key| self.decide(key, source, default_features, at).is_grant()).collect()
    }

    fn decide(
        &self,
        feature: &LookupKey,
        source: Option<&SourceSet>,
        default_features: &[LookupKey],
        at: Timestamp,
    ) -> Decision {
        let has_active = |effect| {
            let is_of_feature = |made: &&MadeOverride| made.feature == *feature;
            let mut made = self.made.iter().filter(is_of_feature);
            made.any(|made| made.effect == effect && made.is_active(at))
        };
        if has_active(OverrideEffect::Deny) {
            Decision::Deny(DenyReason::DeniedByOverride)
        } else if source.is_some_and(|set| set.data.iter().any(|row| row.lookup_key == *feature)) {
            Decision::Grant(GrantReason::ActiveEntitlement)
        } else if has_active(OverrideEffect::Grant) {
            Decision::Grant(GrantReason::Override)
        } else if default_features.contains(feature) {
            Decision::Grant(GrantReason::DefaultFeature)
        } else if source.is_some_and(|set| set.completeness == Completeness::Complete) {
            Decision::Deny(DenyReason::NotEntitled)
        } else {
            Decision::Indeterminate
        }
    }

    /// Compares an explanation of now with the reference. Without a source set, the source may have said
    /// that it has no such customer.
    pub(crate) fn assert_explanation(
        &self,
        explanation: &Explanation,
        feature: &LookupKey,
        (source, default_features): (Option<&SourceSet>, &[LookupKey]),
        now: UnixMillis,
    ) {
        let at = self.time(now);
        let expected = self.decide(feature, source, default_features, at);
        let Explanation { entitled, reason, .. } = explanation;
        let is_unknown = expected == Decision::Indeterminate
            && source.is_none()
            && reason.as_deref() == Some(DenyReason::UnknownCustomer.as_str());
        if !is_unknown {
            let expected = (expected.entitled(), expected.reason());
            assert_eq!((*entitled, reason.as_deref()), expected, "{feature} at {at}");
        }
    }

    /// Some seconds of the past since the first change, each with its effective set.
    pub(crate) fn past(&self) -> Vec<(Timestamp, BTreeSet<LookupKey>)> {
        let count = self.past.len();
        let indexes: BTreeSet<_> = [0, count / 2, count.saturating_sub(1)].into();
        indexes
            .into_iter()
            .filter_map(|index| self.past.iter().nth(index))
            .map(|(at, keys)| (*at, keys.clone()))
            .collect()
    }

    /// The clock was set back: what was answered after the last change may be answered otherwise.
    pub(crate) fn clock_was_set_back(&mut self) {
        let last = self.last_change_at.unwrap_or(Timestamp::MIN);
        self.past.retain(|at, _| *at <= last);
    }
}
