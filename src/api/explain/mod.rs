//! `GET /v1/explain`: why a check has its answer, now or at a past time.
//!
//! | contribution              | content                                                    | from       |
//! |---------------------------|------------------------------------------------------------|------------|
//! | `source_set`              | whether the source grants the feature, since when, and why | the ledger |
//! | `subscription`, `product` | which of them include the feature                          | the source |
//! | `override`                | the overrides of the feature                               | the ledger |
//! | `default_feature`         | whether every customer has the feature                     | the ledger |
//! | `replica`                 | what the replica answers at this location                  | KV         |
//!
//! | file            | content                                     |
//! |-----------------|---------------------------------------------|
//! | this file       | the request, and the explanation as JSON    |
//! | `contributions` | the contributions as JSON, in their order   |
//! | `subscriptions` | which setting decides about a status        |
//!
//! The ledger decides the answer. A source or a replica that fails is a contribution that says so, never a
//! failed explanation. What only the present shows is left out for a past time.

mod contributions;
mod subscriptions;

use futures_util::future::join;
use http::StatusCode;
use serde::Serialize;

use self::contributions::{Contribution, Evidence, ReplicaEvidence};
use super::{
    app::{App, Request, Response, json_response},
    auth,
    error::Error,
    form::Params,
    history::CauseObject,
    known_features,
    settings::Source,
};
use crate::{
    effective_set::{EffectiveSet, MissingSource},
    entitlement::{DenyReason, Version},
    id::{CustomerId, CustomerKey, Livemode, LookupKey, Timestamp},
    ledger::{ExplainQuery, ExplainReply, Explanation, FeatureChange},
    source::FeatureProducts,
    store::{Ledger as _, Replica as _, Store},
};

/// The most requests to Stripe for one explanation.
const MAX_STRIPE_REQUESTS: usize = 10;

/// The most requests to the catalog for one explanation. A request to the Worker may have 50 subrequests on
/// Cloudflare's free plan.
#[cfg(feature = "catalog")]
const MAX_CATALOG_REQUESTS: usize = 40;

#[derive(Serialize)]
struct ExplanationObject<'a> {
    object: &'static str,
    customer: &'a CustomerId,
    livemode: bool,
    feature: &'a LookupKey,
    at: Timestamp,
    /// `null` if the answer is unknown: a check is a 503.
    entitled: Option<bool>,
    reason: Option<&'a str>,
    version: Version,
    as_of: Option<Timestamp>,
    /// Whether only the ledger answers checks of the feature.
    strict: bool,
    last_change: Option<FeatureChangeObject>,
    contributions: Vec<Contribution<'a>>,
}

#[derive(Serialize)]
struct FeatureChangeObject {
    version: Version,
    created: Timestamp,
    cause: CauseObject,
}

impl From<&FeatureChange> for FeatureChangeObject {
    fn from(FeatureChange { version, created, cause }: &FeatureChange) -> Self {
        Self { version: *version, created: *created, cause: cause.clone().into() }
    }
}

/// Handles `GET /v1/explain`.
pub(super) async fn explain<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Error> {
    let livemode = auth::authenticate_server_or_bound(app.settings, request)?;
    let query = parse_query(request, livemode, now)?;
    let explanation = match app.store.ledger().explain(&query).await? {
        ExplainReply::Explained(explanation) => *explanation,
        ExplainReply::TooOld { oldest } => return Err(Error::history_too_old(oldest)),
    };
    let ExplainQuery { customer, feature, at } = &query;
    let present = match at {
        Some(_) => None,
        None => Some(join(load_replica(app, &query, now), find_products(app, &query)).await),
    };
    let reason = find_reason(app, &query, &explanation, now).await;
    let evidence = Evidence { settings: app.settings, customer, explanation: &explanation };
    let body = ExplanationObject {
        object: "explanation",
        customer: &customer.id,
        livemode: livemode.into(),
        feature,
        at: explanation.at,
        entitled: explanation.entitled,
        reason,
        version: explanation.version,
        as_of: explanation.as_of,
        strict: app.settings.strict_features.contains(feature),
        last_change: explanation.last_change.as_ref().map(Into::into),
        contributions: evidence.contributions(present),
    };
    Ok(json_response(StatusCode::OK, &body))
}

fn parse_query(
    request: &Request,
    livemode: Livemode,
    now: Timestamp,
) -> Result<ExplainQuery, Error> {
    let mut params = Params::from_query(request)?;
    let id = CustomerId::try_from(params.take_required_string("customer")?)
        .map_err(|error| Error::invalid_id("customer", &error))?;
    let feature = LookupKey::try_from(params.take_required_string("feature")?)
        .map_err(|error| Error::invalid_id("feature", &error))?;
    let at = params.timestamp("at")?;
    params.reject_unknown()?;
    if at.is_some_and(|at| at > now) {
        let message = format!(
            "The time must not be in the future: it is {now} now, in Unix seconds. Leave `at` out to \
             explain the answer of now."
        );
        return Err(Error::parameter("at", "parameter_invalid", message));
    }
    Ok(ExplainQuery { customer: CustomerKey { livemode, id }, feature, at })
}

/// The reason of the answer: that of the ledger, unless the feature does not exist.
async fn find_reason<'a, S: Store>(
    app: &App<'_, S>,
    query: &ExplainQuery,
    explanation: &'a Explanation,
    now: Timestamp,
) -> Option<&'a str> {
    let ExplainQuery { customer, feature, at } = query;
    let reason = explanation.reason.as_deref();
    let is_not_entitled = reason == Some(DenyReason::NotEntitled.as_str());
    if at.is_none()
        && is_not_entitled
        && known_features::is_unknown(app, customer.livemode, feature, now).await
    {
        return Some(DenyReason::UnknownFeature.as_str());
    }
    reason
}

/// What the replica has of the customer.
async fn load_replica<S: Store>(
    app: &App<'_, S>,
    query: &ExplainQuery,
    now: Timestamp,
) -> ReplicaEvidence {
    match app.store.replica().load(&query.customer).await {
        Err(error) => {
            (app.log)(&error.to_string());
            ReplicaEvidence::Unavailable
        }
        Ok(None) => ReplicaEvidence::Absent,
        Ok(Some(record)) => {
            let context = app.settings.answer_context(now);
            let set = EffectiveSet::new(Some(&record), MissingSource::Undetermined, context);
            ReplicaEvidence::new(set, &query.feature)
        }
    }
}

/// The subscriptions of the customer, and the products, that include the feature.
///
/// # Errors
///
/// Says what to set if the source cannot be asked.
async fn find_products<S: Store>(
    app: &App<'_, S>,
    query: &ExplainQuery,
) -> Result<FeatureProducts, Error> {
    let ExplainQuery { customer, feature, .. } = query;
    let Some(source) = app.store.source(customer.livemode) else {
        return Err(Error::requires_stripe_key(
            "Which subscriptions include a feature",
            customer.livemode,
        ));
    };
    let max_requests = match app.settings.source {
        Source::Stripe => MAX_STRIPE_REQUESTS,
        #[cfg(feature = "catalog")]
        Source::Catalog => MAX_CATALOG_REQUESTS,
    };
    Ok(source.find_feature_products(&customer.id, feature, max_requests).await)
}
