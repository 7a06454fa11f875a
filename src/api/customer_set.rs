//! Loads the record of one customer for an answer, and decides about it: checks, lists, evaluations,
//! snapshots.
//!
//! An unknown customer is denied only if that is certain: the source has no such customer, or
//! the operator set [`UNKNOWN_CUSTOMERS`](super::settings::UNKNOWN_CUSTOMERS). Otherwise nothing is known
//! and the error says so. An override or a default feature can decide all the same.
//!
//! Only the ledger answers for a strict feature
//! ([`STRICT_FEATURES`](super::settings::STRICT_FEATURES)), and for all features if there is a strict one.

use super::{app::App, error::Error, known_features, settings::Settings};
use crate::{
    effective_set::{EffectiveSet, MissingSource},
    entitlement::{Decision, DenyReason, GrantReason},
    id::{CustomerKey, LookupKey, Timestamp},
    store::{self, Freshness, LoadedSet, ReadFrom, ServedBy, SourceCoverage, Store},
};

/// The loaded record of one customer, and the settings under which it is read.
#[derive(Clone, Debug)]
pub(super) struct CustomerSet<'a> {
    settings: &'a Settings,
    customer: &'a CustomerKey,
    loaded: LoadedSet,
    now: Timestamp,
}

/// A decision that is not indeterminate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum FinalDecision {
    Grant(GrantReason),
    Deny(DenyReason),
}

impl FinalDecision {
    pub(super) fn is_grant(self) -> bool {
        match self {
            Self::Grant(_) => true,
            Self::Deny(_) => false,
        }
    }

    /// The reason in a response.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Grant(reason) => reason.as_str(),
            Self::Deny(reason) => reason.as_str(),
        }
    }
}

impl<'a> CustomerSet<'a> {
    /// Combines a loaded record with the settings.
    pub(super) fn new(
        settings: &'a Settings,
        customer: &'a CustomerKey,
        loaded: LoadedSet,
        now: Timestamp,
    ) -> Self {
        Self { settings, customer, loaded, now }
    }

    /// The effective set of the customer.
    pub(super) fn effective_set(&self) -> EffectiveSet<'_> {
        let missing = match self.loaded.coverage {
            SourceCoverage::Asked if self.settings.can_deny_unknown(self.customer.livemode) => {
                MissingSource::UnknownCustomer
            }
            SourceCoverage::Asked | SourceCoverage::NotAsked | SourceCoverage::Failed => {
                MissingSource::Undetermined
            }
        };
        let record = self.loaded.entitlements.as_ref();
        EffectiveSet::new(record, missing, self.settings.answer_context(self.now))
    }

    /// The store that the record came from.
    pub(super) fn served_by(&self) -> ServedBy {
        self.loaded.served_by
    }

    /// When the source reported its set.
    pub(super) fn as_of(&self) -> Option<Timestamp> {
        self.effective_set().source().map(|set| set.as_of)
    }

    /// Decides whether the customer may use a feature.
    ///
    /// # Errors
    ///
    /// 503 if what is known does not decide it.
    pub(super) fn decide(&self, feature: &LookupKey) -> Result<FinalDecision, Error> {
        match self.effective_set().check(feature) {
            Decision::Grant(reason) => Ok(FinalDecision::Grant(reason)),
            Decision::Deny(reason) => Ok(FinalDecision::Deny(reason)),
            Decision::Indeterminate => Err(self.undecided()),
        }
    }

    /// The reason of a denial that [`decide()`](Self::decide) returned, once it is known whether the feature
    /// exists at all.
    pub(super) async fn find_reason<S: Store>(
        &self,
        app: &App<'_, S>,
        feature: &LookupKey,
        reason: DenyReason,
    ) -> DenyReason {
        let livemode = self.customer.livemode;
        if reason == DenyReason::NotEntitled
            && known_features::is_unknown(app, livemode, feature, self.now).await
        {
            return DenyReason::UnknownFeature;
        }
        reason
    }

    /// The feature that the key of an unknown one probably means. Only in development.
    pub(super) fn nearest_feature<S: Store>(
        &self,
        app: &App<'_, S>,
        feature: &LookupKey,
        reason: DenyReason,
    ) -> Option<LookupKey> {
        if reason != DenyReason::UnknownFeature {
            return None;
        }
        known_features::nearest(app, self.customer.livemode, feature)
    }

    /// Passes the effective set on, if it decides every feature.
    ///
    /// # Errors
    ///
    /// 503 if not.
    pub(super) fn complete(&self) -> Result<EffectiveSet<'_>, Error> {
        let set = self.effective_set();
        if set.can_answer(&[]) { Ok(set) } else { Err(self.undecided()) }
    }

    fn undecided(&self) -> Error {
        match (self.effective_set().source(), self.loaded.coverage) {
            (Some(_), _) => Error::incomplete(&self.customer.id),
            (None, SourceCoverage::Failed) => {
                let cause = "the ledger could not read the source";
                Error::from(store::Error::Unreachable { port: "source", cause: cause.to_owned() })
            }
            (None, SourceCoverage::Asked | SourceCoverage::NotAsked) => {
                Error::customer_not_verifiable(self.customer)
            }
        }
    }
}

/// Loads a customer's record, as [`store::load()`] does.
///
/// # Errors
///
/// 503 if the store fails, or if it does not have the requested version.
pub(super) async fn load<'a, S: Store>(
    app: &App<'a, S>,
    customer: &'a CustomerKey,
    features: &[LookupKey],
    freshness: Freshness,
    now: Timestamp,
) -> Result<CustomerSet<'a>, Error> {
    let freshness = with_strict_features(app.settings, features, freshness);
    let context = app.settings.answer_context(now);
    let loaded = store::load(app.store, customer, features, freshness, context).await?;
    Ok(CustomerSet::new(app.settings, customer, loaded, now))
}

/// The freshness that the settings require for these features, or for all features if the list is
/// empty.
pub(super) fn with_strict_features(
    settings: &Settings,
    features: &[LookupKey],
    freshness: Freshness,
) -> Freshness {
    if settings.needs_ledger(features) {
        Freshness { read_from: ReadFrom::Ledger, ..freshness }
    } else {
        freshness
    }
}
