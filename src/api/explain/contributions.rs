//! The contributions to an answer, as JSON: what the source, the overrides and the settings say.
//!
//! Their order is that of [`Evidence::contributions()`]. `effect` is what a contribution does to the
//! answer: `none` for one that only informs.

use serde::Serialize;

use super::subscriptions::{DecidingSetting, StatusRule};
use crate::{
    api::{
        error::Error,
        history::CauseObject,
        overrides::OverrideObject,
        settings::{DEFAULT_FEATURES, Settings, Source},
    },
    effective_set::EffectiveSet,
    entitlement::{Completeness, Version},
    id::{CustomerKey, EntitlementId, LookupKey, Timestamp},
    ledger::{Explanation, SourceEvidence},
    override_period::{OverrideEffect, OverrideStatus},
    source::{FeatureProduct, FeatureProducts, FeatureSubscription},
};

/// What a contribution does to the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Effect {
    Grants,
    Denies,
    None,
}

impl Effect {
    fn grants_if(grants: bool) -> Self {
        if grants { Self::Grants } else { Self::None }
    }
}

/// One contribution.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Contribution<'a> {
    /// What the source grants.
    SourceSet {
        effect: Effect,
        source: &'static str,
        /// `null` if it is not known for a past time.
        completeness: Option<&'static str>,
        active_entitlement: Option<&'a EntitlementId>,
        confirmed_at: Option<Timestamp>,
        since: Option<Timestamp>,
        cause: Option<CauseObject>,
    },
    /// A subscription to a product that includes the feature.
    Subscription {
        effect: Effect,
        subscription: String,
        product: String,
        status: String,
        setting: Option<DecidingSetting>,
    },
    /// A product that includes the feature.
    Product {
        effect: Effect,
        product: String,
        /// `null` if the product was not listed.
        name: Option<String>,
        subscribed: bool,
    },
    /// Subscriptions and products may be missing.
    SubscriptionsUnavailable { effect: Effect, message: String },
    /// An override of the feature.
    Override { effect: Effect, r#override: OverrideObject<'a> },
    /// The setting of the default features.
    DefaultFeature { effect: Effect, setting: Option<&'static str>, known: bool },
    /// The replica at this location.
    Replica {
        effect: Effect,
        state: &'static str,
        version: Option<Version>,
        entitled: Option<bool>,
        as_of: Option<Timestamp>,
    },
}

/// What the replica has of a customer.
#[derive(Clone, Copy, Debug)]
pub(super) enum ReplicaEvidence {
    /// It has a set.
    Set { version: Version, entitled: Option<bool>, as_of: Option<Timestamp> },
    /// It has nothing.
    Absent,
    /// It cannot be read.
    Unavailable,
}

impl ReplicaEvidence {
    /// What a set says of a feature.
    pub(super) fn new(set: EffectiveSet<'_>, feature: &LookupKey) -> Self {
        let entitled = set.check(feature).entitled();
        let as_of = set.source().map(|source| source.as_of);
        Self::Set { version: set.version(), entitled, as_of }
    }
}

/// What the contributions are made of.
pub(super) struct Evidence<'a> {
    pub(super) settings: &'a Settings,
    pub(super) customer: &'a CustomerKey,
    pub(super) explanation: &'a Explanation,
}

impl<'a> Evidence<'a> {
    /// The contributions in their order. `present` is what only the present shows.
    pub(super) fn contributions(
        &self,
        present: Option<(ReplicaEvidence, Result<FeatureProducts, Error>)>,
    ) -> Vec<Contribution<'a>> {
        let mut contributions = vec![self.source_set(present.is_some())];
        let (replica, products) = match present {
            Some((replica, products)) => (Some(replica), Some(products)),
            None => (None, None),
        };
        match products {
            Some(Ok(products)) => self.add_products(products, &mut contributions),
            Some(Err(error)) => {
                contributions.push(unavailable(error.body().message().to_owned()));
            }
            None => {}
        }
        let Explanation { at, overrides, .. } = self.explanation;
        contributions.extend(overrides.iter().map(|value| Contribution::Override {
            effect: match value.period.effect {
                _ if value.status_at(*at) != OverrideStatus::Active => Effect::None,
                OverrideEffect::Grant => Effect::Grants,
                OverrideEffect::Deny => Effect::Denies,
            },
            r#override: OverrideObject::new(self.customer, value, *at),
        }));
        contributions.push(self.default_feature());
        contributions.extend(replica.map(|replica| self.replica(replica)));
        contributions
    }

    fn source_set(&self, is_present: bool) -> Contribution<'a> {
        let SourceEvidence { completeness, grants, entitlement, confirmed_at, last_change } =
            &self.explanation.source;
        Contribution::SourceSet {
            effect: Effect::grants_if(*grants),
            source: match self.settings.source {
                Source::Stripe => "stripe",
                #[cfg(feature = "catalog")]
                Source::Catalog => "catalog",
            },
            completeness: completeness
                .map(Completeness::as_str)
                .or_else(|| is_present.then_some("unknown")),
            active_entitlement: entitlement.as_ref(),
            confirmed_at: *confirmed_at,
            since: last_change.as_ref().map(|change| change.created),
            cause: last_change.as_ref().map(|change| change.cause.clone().into()),
        }
    }

    fn add_products(&self, found: FeatureProducts, contributions: &mut Vec<Contribution<'a>>) {
        let FeatureProducts { subscriptions, products, gap } = found;
        let source_grants = self.explanation.source.grants;
        contributions.extend(subscriptions.into_iter().map(|subscription| {
            let StatusRule { may_grant, setting } = StatusRule::of(self.settings, &subscription);
            let FeatureSubscription { id, product, status, is_trial_pause: _ } = subscription;
            Contribution::Subscription {
                // A subscription grants a new feature of its product from its next period on.
                effect: Effect::grants_if(may_grant && source_grants),
                subscription: id,
                product,
                status,
                setting,
            }
        }));
        contributions.extend(products.into_iter().map(
            |FeatureProduct { id, name, is_subscribed }| Contribution::Product {
                effect: Effect::None,
                product: id,
                name,
                subscribed: is_subscribed,
            },
        ));
        contributions.extend(gap.map(unavailable));
    }

    fn default_feature(&self) -> Contribution<'a> {
        let is_default = self.explanation.is_default;
        Contribution::DefaultFeature {
            effect: Effect::grants_if(is_default == Some(true)),
            setting: (is_default == Some(true)).then_some(DEFAULT_FEATURES),
            known: is_default.is_some(),
        }
    }

    fn replica(&self, replica: ReplicaEvidence) -> Contribution<'a> {
        let (state, version, entitled, as_of) = match replica {
            ReplicaEvidence::Absent => ("absent", None, None, None),
            ReplicaEvidence::Unavailable => ("unavailable", None, None, None),
            ReplicaEvidence::Set { version, entitled, as_of } => {
                let is_behind = version < self.explanation.version;
                let state = if is_behind { "behind" } else { "current" };
                (state, Some(version), entitled, as_of)
            }
        };
        Contribution::Replica { effect: Effect::None, state, version, entitled, as_of }
    }
}

fn unavailable(message: String) -> Contribution<'static> {
    Contribution::SubscriptionsUnavailable { effect: Effect::None, message }
}
