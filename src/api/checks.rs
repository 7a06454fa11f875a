//! `GET` and `POST /v1/check`: may this customer use this feature?
//!
//! | request                                            | response                              |
//! |----------------------------------------------------|---------------------------------------|
//! | `GET ?customer=&feature=a`                         | one `entitlement_check`               |
//! | `GET ?customer=&feature=a&feature=b` (or `feature[]=`) | a list of them, in the same order |
//! | `POST {"checks":[{"customer","feature"}…]}`        | a list of them, in the same order     |
//! | `POST {"customer","feature"}`                      | as the `GET`                          |
//!
//! A single check without a decision is a 503. In a list, it has `"entitled": null` and its own
//! `error`; if no check of the list has a decision, the response is the 503 of the first one.

use std::slice;

use futures_util::future::join_all;
use http::StatusCode;
use serde::Serialize;

use super::{
    app::{App, Request, Response, json_response},
    auth::{self, Principal},
    body::{self, MAX_BATCH_BYTES, RequestBody},
    customer_set::{self, CustomerSet, FinalDecision},
    error::{Error, ErrorBody},
    form::{OneOrMany, Params},
    settings::Settings,
};
use crate::{
    entitlement::{DenyReason, Version},
    id::{CustomerId, CustomerKey, Livemode, LookupKey, Timestamp},
    store::{Freshness, ReadFrom, ServedBy, Store},
};

/// The maximum number of checks in one request: the number of keys that KV reads at once.
const MAX_CHECKS: usize = 100;

/// The parameters of a check.
pub(super) const CHECK_PARAMS: [&str; 4] = ["customer", "feature", "fresh", "at_least"];

/// Handles `GET /v1/check`.
pub(super) async fn check<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Error> {
    let principal = auth::authenticate_any(app, request, now).await?;
    let mut params = Params::from_query(request)?;
    params.accept(&CHECK_PARAMS)?;
    let (queries, shape) = parse_queries(app.settings, &mut params, &principal)?;
    params.reject_unknown()?;
    respond(app, &queries, shape, now).await
}

/// Handles `POST /v1/check`, as JSON or as a form.
pub(super) async fn check_batch<S: Store>(
    app: &App<'_, S>,
    request: &mut Request,
    body: &impl RequestBody,
    now: Timestamp,
) -> Result<Response, Error> {
    let principal = Principal::Server(auth::authenticate_reader(app.settings, request)?);
    body::receive(request, body, MAX_BATCH_BYTES).await?;
    let mut params = Params::from_body(request)?;
    let Some(checks) = params.take_objects("checks")? else {
        params.accept(&CHECK_PARAMS)?;
        let (queries, shape) = parse_queries(app.settings, &mut params, &principal)?;
        params.reject_unknown()?;
        return respond(app, &queries, shape, now).await;
    };
    params.reject_unknown()?;
    if checks.is_empty() {
        return Err(Error::missing_param("checks"));
    }
    let mut queries = Vec::with_capacity(checks.len());
    for mut check in checks {
        check.accept(&CHECK_PARAMS)?;
        queries.extend(parse_queries(app.settings, &mut check, &principal)?.0);
        check.reject_unknown()?;
    }
    respond(app, &queries, ResponseShape::List, now).await
}

/// Takes `fresh` and `at_least`, the required freshness of the entitlements.
pub(super) fn take_freshness(params: &mut Params) -> Result<Freshness, Error> {
    let read_from = if params.take_flag("fresh")? { ReadFrom::Ledger } else { ReadFrom::Replica };
    let at_least =
        params.take_integer("at_least", 0..=u64::MAX)?.map_or(Version::default(), Version);
    Ok(Freshness { at_least, read_from })
}

/// In the extensions of a response: a feature that the check denied, and that is not unknown. The fast path
/// denies only such features.
#[derive(Clone, Debug)]
pub struct DeniedFeature {
    /// The mode of the check.
    pub livemode: Livemode,
    /// The feature.
    pub feature: LookupKey,
}

struct CheckQuery {
    customer: CustomerKey,
    feature: LookupKey,
    freshness: Freshness,
}

impl CheckQuery {
    /// Whether one lookup serves both queries.
    fn same_lookup(&self, other: &Self) -> bool {
        self.customer == other.customer && self.freshness == other.freshness
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum ResponseShape {
    Single,
    List,
}

fn parse_queries(
    settings: &Settings,
    params: &mut Params,
    principal: &Principal,
) -> Result<(Vec<CheckQuery>, ResponseShape), Error> {
    let customer = principal.take_customer(params)?;
    let (features, shape) = match params.take_one_or_many("feature")? {
        OneOrMany::One(feature) => (vec![feature], ResponseShape::Single),
        OneOrMany::Many(features) => (features, ResponseShape::List),
    };
    let freshness = take_freshness(params)?;
    let queries = features.into_iter().map(|feature| {
        let feature = LookupKey::try_from(feature)
            .map_err(|error| Error::invalid_id(&params.qualified("feature"), &error))?;
        // Here, so that a failure of the ledger fails no other check of the request.
        let freshness =
            customer_set::with_strict_features(settings, slice::from_ref(&feature), freshness);
        Ok(CheckQuery { customer: customer.clone(), feature, freshness })
    });
    Ok((queries.collect::<Result<_, Error>>()?, shape))
}

/// One check in a response.
#[derive(Serialize)]
#[serde(untagged)]
enum CheckResult<'a> {
    Decided {
        object: &'static str,
        customer: &'a CustomerId,
        feature: &'a LookupKey,
        entitled: bool,
        reason: &'static str,
        version: Version,
        as_of: Option<Timestamp>,
        served_by: ServedBy,
        /// Only of an unknown feature, and in development.
        #[serde(skip_serializing_if = "Option::is_none")]
        nearest_feature: Option<LookupKey>,
    },
    Indeterminate {
        object: &'static str,
        customer: &'a CustomerId,
        feature: &'a LookupKey,
        /// Always `null`.
        entitled: (),
        error: &'a ErrorBody,
    },
}

#[derive(Serialize)]
struct CheckList<'a> {
    object: &'static str,
    data: Vec<CheckResult<'a>>,
    has_more: bool,
    url: &'static str,
}

async fn respond<S: Store>(
    app: &App<'_, S>,
    queries: &[CheckQuery],
    shape: ResponseShape,
    now: Timestamp,
) -> Result<Response, Error> {
    if queries.is_empty() {
        return Err(Error::missing_param("feature"));
    }
    if queries.len() > MAX_CHECKS {
        return Err(Error::invalid(format!(
            "{} checks in one request: the maximum is {MAX_CHECKS}. Split the request.",
            queries.len()
        )));
    }
    let sets = load_distinct(app, queries, now).await;
    let mut evaluations: Vec<_> = queries.iter().map(|query| evaluate(query, &sets)).collect();
    for (query, evaluation) in queries.iter().zip(&mut evaluations) {
        if let Ok((FinalDecision::Deny(reason), set)) = evaluation {
            *reason = set.find_reason(app, &query.feature, *reason).await;
        }
    }
    let mut checks = Vec::with_capacity(queries.len());
    let mut any_decided = false;
    for (query, evaluation) in queries.iter().zip(&evaluations) {
        let CheckQuery { customer: CustomerKey { id: customer, .. }, feature, .. } = query;
        let object = "entitlement_check";
        checks.push(match evaluation {
            Ok((decision, set)) => {
                any_decided = true;
                let nearest_feature = match *decision {
                    FinalDecision::Grant(_) => None,
                    FinalDecision::Deny(reason) => set.nearest_feature(app, feature, reason),
                };
                CheckResult::Decided {
                    object,
                    customer,
                    feature,
                    entitled: decision.is_grant(),
                    reason: decision.reason(),
                    version: set.effective_set().version(),
                    as_of: set.as_of(),
                    served_by: set.served_by(),
                    nearest_feature,
                }
            }
            Err(error) => {
                let error = error.body();
                CheckResult::Indeterminate { object, customer, feature, entitled: (), error }
            }
        });
    }
    if !any_decided && let Some(Err(error)) = evaluations.first() {
        return Err(error.clone());
    }
    for cause in evaluations.iter().filter_map(|evaluation| evaluation.as_ref().err()?.cause()) {
        (app.log)(cause);
    }
    if let (ResponseShape::Single, Some(check)) = (shape, checks.first()) {
        let mut response = json_response(StatusCode::OK, check);
        if let (Some(query), Some(Ok((FinalDecision::Deny(DenyReason::NotEntitled), _)))) =
            (queries.first(), evaluations.first())
        {
            let (livemode, feature) = (query.customer.livemode, query.feature.clone());
            response.extensions_mut().insert(DeniedFeature { livemode, feature });
        }
        return Ok(response);
    }
    let list = CheckList { object: "list", data: checks, has_more: false, url: "/v1/check" };
    Ok(json_response(StatusCode::OK, &list))
}

/// Loads the set of each distinct lookup once, all of them concurrently.
async fn load_distinct<'a, S: Store>(
    app: &App<'a, S>,
    queries: &'a [CheckQuery],
    now: Timestamp,
) -> Vec<(&'a CheckQuery, Result<CustomerSet<'a>, Error>)> {
    let mut distinct: Vec<&CheckQuery> = Vec::new();
    for query in queries {
        if !distinct.iter().any(|other| other.same_lookup(query)) {
            distinct.push(query);
        }
    }
    let loads =
        distinct.iter().map(|query| {
            let same_lookup = queries.iter().filter(|other| other.same_lookup(query));
            let features: Vec<_> = same_lookup.map(|other| other.feature.clone()).collect();
            async move {
                customer_set::load(app, &query.customer, &features, query.freshness, now).await
            }
        });
    let loaded = join_all(loads).await;
    distinct.into_iter().zip(loaded).collect()
}

fn evaluate<'a>(
    query: &CheckQuery,
    sets: &'a [(&CheckQuery, Result<CustomerSet<'a>, Error>)],
) -> Result<(FinalDecision, &'a CustomerSet<'a>), Error> {
    match sets.iter().find(|(lookup, _)| lookup.same_lookup(query)) {
        Some((_, Ok(set))) => Ok((set.decide(&query.feature)?, set)),
        Some((_, Err(error))) => Err(error.clone()),
        None => Err(Error::incomplete(&query.customer.id)),
    }
}
