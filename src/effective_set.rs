//! The effective set of a customer: what every answer is about.
//!
//! `(source set ∪ active grants ∪ default features) − active denials`, at one time.
//!
//! | question                                  | answer                                         |
//! |-------------------------------------------|------------------------------------------------|
//! | may the customer use this feature?        | [`EffectiveSet::check()`] → [`Decision`]       |
//! | is every feature decided?                 | [`EffectiveSet::can_answer()`]                 |
//! | which entitlements does the customer have? | [`EffectiveSet::rows()`]                      |
//! | of which version is the answer?           | [`EffectiveSet::version()`]                    |
//! | when does it change by itself?            | [`EffectiveSet::next_change()`]                |
//!
//! An override starts and ends without a write: an answer adds the starts and ends that have passed
//! since the record was written. So one version is one state. A clock that was set back changes nothing.
//!
//! Not here: where the record is loaded from, and how the ledger carries out a start or an end.

use std::{borrow::Cow, collections::BTreeSet};

use sha2::{Digest as _, Sha256};

use crate::{
    entitlement::{
        ActiveEntitlement, Completeness, Decision, DenyReason, Entitlements, GrantReason,
        SourceSet, Version,
    },
    id::{CustomerKey, EntitlementId, FeatureId, LookupKey, Timestamp},
    override_period::{OverrideEffect, OverridePeriod, edges_after},
    policy::SourcePolicy,
};

/// What an answer depends on beside the record of the customer.
#[derive(Clone, Copy, Debug)]
pub struct AnswerContext<'a> {
    /// The source of now. A source set of another source is not known to be true.
    pub policy: SourcePolicy,
    /// The features that every customer has.
    pub default_features: &'a [LookupKey],
    /// The time of the answer.
    pub now: Timestamp,
}

/// What it means that there is no source set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MissingSource {
    /// What the source grants is not known.
    Undetermined,
    /// The source has no such customer, or the operator chose that such a customer has nothing.
    UnknownCustomer,
}

/// The effective set of a customer at one time.
#[derive(Clone, Copy, Debug)]
pub struct EffectiveSet<'a> {
    version: Version,
    source: Option<&'a SourceSet>,
    overrides: &'a [OverridePeriod],
    advanced_to: Timestamp,
    default_features: &'a [LookupKey],
    missing: MissingSource,
    at: Timestamp,
}

impl<'a> EffectiveSet<'a> {
    /// Creates the set of a customer with this record, or of a customer without one.
    #[must_use]
    pub fn new(
        record: Option<&'a Entitlements>,
        missing: MissingSource,
        context: AnswerContext<'a>,
    ) -> Self {
        let AnswerContext { policy, default_features, now } = context;
        let source = record.and_then(|record| record.source.as_ref());
        let advanced_to = record.map_or(Timestamp::MIN, |record| record.advanced_to);
        Self {
            version: record.map_or(Version::default(), |record| record.version),
            source: source.filter(|set| set.policy.has_same_source(policy)),
            overrides: record.map_or(&[], |record| &record.overrides),
            advanced_to,
            default_features,
            missing,
            at: now.max(advanced_to),
        }
    }

    /// The time of the answer: now, or the last start or end that was carried out, if that is later.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// What the source grants; `None` if that is not known.
    #[must_use]
    pub fn source(&self) -> Option<&'a SourceSet> {
        self.source
    }

    /// The version at the time of the answer.
    #[must_use]
    pub fn version(&self) -> Version {
        let edges = self.overrides.iter().flat_map(OverridePeriod::edges);
        let passed = edges.filter(|edge| self.advanced_to < edge.at && edge.at <= self.at).count();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        Version(self.version.0.saturating_add(passed))
    }

    /// Decides whether the customer may use a feature.
    #[must_use]
    pub fn check(&self, feature: &LookupKey) -> Decision {
        if self.is_overridden(feature, OverrideEffect::Deny) {
            return Decision::Deny(DenyReason::DeniedByOverride);
        }
        if self.source.is_some_and(|set| set.contains(feature)) {
            return Decision::Grant(GrantReason::ActiveEntitlement);
        }
        if self.is_overridden(feature, OverrideEffect::Grant) {
            return Decision::Grant(GrantReason::Override);
        }
        if self.default_features.contains(feature) {
            return Decision::Grant(GrantReason::DefaultFeature);
        }
        self.check_absent()
    }

    /// Decides for a feature that no layer contains.
    fn check_absent(&self) -> Decision {
        match (self.source.map(|set| set.completeness), self.missing) {
            (Some(Completeness::Complete), _) => Decision::Deny(DenyReason::NotEntitled),
            (None, MissingSource::UnknownCustomer) => Decision::Deny(DenyReason::UnknownCustomer),
            (Some(Completeness::Partial), _) | (None, MissingSource::Undetermined) => {
                Decision::Indeterminate
            }
        }
    }

    /// Returns whether each of these features is decided, or every feature if the slice is empty.
    #[must_use]
    pub fn can_answer(&self, features: &[LookupKey]) -> bool {
        self.check_absent() != Decision::Indeterminate
            || !features.is_empty()
                && features.iter().all(|feature| self.check(feature) != Decision::Indeterminate)
    }

    /// The entitlements: those of the source in their order without denied ones, then those of
    /// overrides, then those of the default features, each by lookup key.
    #[must_use]
    pub fn rows(&self, customer: &CustomerKey) -> Cow<'a, [ActiveEntitlement]> {
        let source = self.source.map_or(&[][..], |set| &set.data);
        if self.differs_from_source() {
            Cow::Owned(self.rows_with(source, customer))
        } else {
            Cow::Borrowed(source)
        }
    }

    /// As [`Self::rows()`], with newer rows of the source.
    #[must_use]
    pub fn rows_with(
        &self,
        source: &[ActiveEntitlement],
        customer: &CustomerKey,
    ) -> Vec<ActiveEntitlement> {
        let denied = self.overridden(OverrideEffect::Deny);
        let mut seen: BTreeSet<&LookupKey> = denied.clone();
        let mut rows: Vec<_> =
            source.iter().filter(|row| !denied.contains(&row.lookup_key)).cloned().collect();
        // A few keys only, so that a large set needs no index.
        let added = self.overridden(OverrideEffect::Grant);
        let defaults: BTreeSet<_> = self.default_features.iter().collect();
        for key in added.into_iter().chain(defaults) {
            let is_of_source = || source.iter().any(|row| row.lookup_key == *key);
            if seen.insert(key) && !is_of_source() {
                rows.extend(ActiveEntitlement::without_source(customer, key));
            }
        }
        rows
    }

    /// Iterates over the lookup keys that some layer contains. A key may occur several times.
    pub fn features(&self) -> impl Iterator<Item = &'a LookupKey> {
        let source = self.source.into_iter().flat_map(|set| &set.data);
        let overrides = self.overrides.iter().map(|period| &period.feature);
        source.map(|row| &row.lookup_key).chain(overrides).chain(self.default_features)
    }

    /// Returns whether an override or a default feature may make the set another one than that of the
    /// source.
    #[must_use]
    pub fn differs_from_source(&self) -> bool {
        !self.default_features.is_empty()
            || self.overrides.iter().any(|period| period.is_active_at(self.at))
    }

    /// When the next override starts or ends.
    #[must_use]
    pub fn next_change(&self) -> Option<Timestamp> {
        let edges = self.overrides.iter().flat_map(OverridePeriod::edges);
        edges.map(|edge| edge.at).filter(|at| *at > self.at).min()
    }

    /// When the customer loses a feature by the start or the end of an override.
    #[must_use]
    pub fn next_loss(&self) -> Option<Timestamp> {
        let edges = edges_after(self.overrides, self.at);
        let is_lost = |at, feature| {
            self.check(feature).is_grant() && !Self { at, ..*self }.check(feature).is_grant()
        };
        edges.into_iter().find(|edge| is_lost(edge.at, &edge.period.feature)).map(|edge| edge.at)
    }

    fn is_overridden(&self, feature: &LookupKey, effect: OverrideEffect) -> bool {
        self.active(effect).any(|period| period.feature == *feature)
    }

    fn overridden(&self, effect: OverrideEffect) -> BTreeSet<&'a LookupKey> {
        self.active(effect).map(|period| &period.feature).collect()
    }

    fn active(&self, effect: OverrideEffect) -> impl Iterator<Item = &'a OverridePeriod> {
        let at = self.at;
        self.overrides
            .iter()
            .filter(move |period| period.effect == effect && period.is_active_at(at))
    }
}

/// The start of the id of an entitlement that no source grants.
pub const LOCAL_ENTITLEMENT_PREFIX: &str = "ent_entgate_";

/// The start of the id of a feature that is known by its lookup key only.
pub const LOCAL_FEATURE_PREFIX: &str = "feat_entgate_";

impl ActiveEntitlement {
    /// Creates the entitlement to a feature that only an override or a default grants. Its ids are the
    /// same at any time. `None` for no lookup key.
    #[must_use]
    pub fn without_source(customer: &CustomerKey, lookup_key: &LookupKey) -> Option<Self> {
        let key = lookup_key.as_str();
        let mode = customer.livemode.as_str();
        let id = [mode, customer.id.as_str(), key].join("\n");
        let id = format!("{LOCAL_ENTITLEMENT_PREFIX}{}", short_digest(&id));
        let feature = format!("{LOCAL_FEATURE_PREFIX}{}", short_digest(key));
        Some(Self {
            id: EntitlementId::try_from(id).ok()?,
            feature: FeatureId::try_from(feature).ok()?,
            lookup_key: lookup_key.clone(),
        })
    }
}

/// The first 24 hexadecimal digits of a digest: 96 bits, which do not collide by chance.
fn short_digest(content: &str) -> String {
    let digest = Sha256::digest(content);
    hex::encode(digest.get(..12).unwrap_or_default())
}
