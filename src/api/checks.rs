//! May this customer use this feature? One of each, several features, several customers.
//!
//! | request                                            | answer                                |
//! |----------------------------------------------------|---------------------------------------|
//! | `GET ?customer=&feature=a`                         | one `entitlement_check`               |
//! | `GET ?customer=&feature=a&feature=b` (or `feature[]=`) | a list of them, in that order     |
//! | `POST {"checks":[{"customer","feature"}…]}`        | a list of them, in that order         |
//! | `POST {"customer","feature"}`                      | as the `GET`                          |
//!
//! A single check that cannot be decided is a 503. In a list it has `"entitled": null` and its own
//! `error`, since the others are no less true; a list of nothing else is the first one's 503.

use futures_util::future::join_all;
use http::StatusCode;
use serde::Serialize;

use super::{
    App, Request, Response,
    auth::{self, Principal},
    error::{Error, ErrorBody},
    form::{OneOrMany, Params},
    json_response,
};
use crate::{
    entitlement::{self, Decision, DenyReason, Version},
    id::{CustomerId, CustomerKey, LookupKey, Timestamp},
    store::{self, Freshness, LoadedSet, ReadFrom, ServedBy, Store},
};

/// The most checks in one request: as many keys as KV reads at once.
const MAX_CHECKS: usize = 100;

/// `GET /v1/check`.
pub(super) async fn check<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Error> {
    let caller = auth::authenticate_any(app, request, now).await?;
    let mut params = Params::from_query(request)?;
    let (questions, shape) = parse_queries(&mut params, &caller)?;
    params.reject_unknown()?;
    respond(app, &questions, shape).await
}

/// `POST /v1/check`, as JSON or as a form.
pub(super) async fn check_batch<S: Store>(
    app: &App<'_, S>,
    request: &Request,
) -> Result<Response, Error> {
    let caller = Principal::Server(auth::authenticate_server(app.settings, request)?);
    let mut params = Params::from_body(request)?;
    let Some(checks) = params.take_objects("checks")? else {
        let (questions, shape) = parse_queries(&mut params, &caller)?;
        params.reject_unknown()?;
        return respond(app, &questions, shape).await;
    };
    params.reject_unknown()?;
    if checks.is_empty() {
        return Err(Error::missing_param("checks"));
    }
    let mut questions = Vec::with_capacity(checks.len());
    for mut check in checks {
        questions.extend(parse_queries(&mut check, &caller)?.0);
        check.reject_unknown()?;
    }
    respond(app, &questions, ResponseShape::List).await
}

/// Takes `fresh` and `at_least`, how new an answer has to be.
pub(super) fn take_freshness(params: &mut Params) -> Result<Freshness, Error> {
    let first = if params.take_flag("fresh")? { ReadFrom::Ledger } else { ReadFrom::Replica };
    let at_least =
        params.take_integer("at_least", 0..=u64::MAX)?.map_or(Version::default(), Version);
    Ok(Freshness { at_least, read_from: first })
}

struct CheckQuery {
    customer: CustomerKey,
    feature: LookupKey,
    freshness: Freshness,
}

impl CheckQuery {
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
    params: &mut Params,
    caller: &Principal,
) -> Result<(Vec<CheckQuery>, ResponseShape), Error> {
    let customer = caller.take_customer(params)?;
    let (features, shape) = match params.take_one_or_many("feature")? {
        OneOrMany::One(feature) => (vec![feature], ResponseShape::Single),
        OneOrMany::Many(features) => (features, ResponseShape::List),
    };
    let freshness = take_freshness(params)?;
    let questions = features.into_iter().map(|feature| {
        let feature = LookupKey::try_from(feature)
            .map_err(|error| Error::invalid_id(&params.qualified("feature"), &error))?;
        Ok(CheckQuery { customer: customer.clone(), feature, freshness })
    });
    Ok((questions.collect::<Result<_, Error>>()?, shape))
}

/// A check as it is told, decided or not.
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
    },
    Indeterminate {
        object: &'static str,
        customer: &'a CustomerId,
        feature: &'a LookupKey,
        /// Always `null`: neither yes nor no.
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
    questions: &[CheckQuery],
    shape: ResponseShape,
) -> Result<Response, Error> {
    if questions.is_empty() {
        return Err(Error::missing_param("feature"));
    }
    if questions.len() > MAX_CHECKS {
        return Err(Error::invalid(format!(
            "{} checks in one request, and at most {MAX_CHECKS} are answered. Split them.",
            questions.len()
        )));
    }
    let sets = load_distinct(app.store, questions).await;
    let verdicts: Vec<_> = questions.iter().map(|question| evaluate(question, &sets)).collect();
    let mut checks = Vec::with_capacity(questions.len());
    let mut decided = false;
    for (question, verdict) in questions.iter().zip(&verdicts) {
        let CheckQuery { customer: CustomerKey { id: customer, .. }, feature, .. } = question;
        let object = "entitlement_check";
        checks.push(match verdict {
            Ok(Evaluation { entitled, reason, loaded: found }) => {
                decided = true;
                let held = found.entitlements.as_ref();
                CheckResult::Decided {
                    object,
                    customer,
                    feature,
                    entitled: *entitled,
                    reason,
                    version: held.map_or(Version::default(), |held| held.version),
                    as_of: held.map(|held| held.as_of),
                    served_by: found.served_by,
                }
            }
            Err(error) => {
                let error = error.body();
                CheckResult::Indeterminate { object, customer, feature, entitled: (), error }
            }
        });
    }
    if !decided && let Some(Err(error)) = verdicts.first() {
        return Err(error.clone());
    }
    for cause in verdicts.iter().filter_map(|verdict| verdict.as_ref().err()?.cause()) {
        (app.log)(cause);
    }
    if let (ResponseShape::Single, Some(check)) = (shape, checks.first()) {
        return Ok(json_response(StatusCode::OK, check));
    }
    let list = CheckList { object: "list", data: checks, has_more: false, url: "/v1/check" };
    Ok(json_response(StatusCode::OK, &list))
}

/// What is held of each customer that is asked about, each read once and all side by side.
async fn load_distinct<'a>(
    store: &impl Store,
    questions: &'a [CheckQuery],
) -> Vec<(&'a CheckQuery, Result<LoadedSet, store::Error>)> {
    let mut distinct: Vec<&CheckQuery> = Vec::new();
    for question in questions {
        if !distinct.iter().any(|known| known.same_lookup(question)) {
            distinct.push(question);
        }
    }
    let reads = distinct.iter().map(|question| {
        let same = questions.iter().filter(|other| other.same_lookup(question));
        let features: Vec<_> = same.map(|other| other.feature.clone()).collect();
        async move { store::load(store, &question.customer, &features, question.freshness).await }
    });
    let found = join_all(reads).await;
    distinct.into_iter().zip(found).collect()
}

struct Evaluation<'a> {
    entitled: bool,
    reason: &'static str,
    loaded: &'a LoadedSet,
}

fn evaluate<'a>(
    question: &CheckQuery,
    sets: &'a [(&CheckQuery, Result<LoadedSet, store::Error>)],
) -> Result<Evaluation<'a>, Error> {
    let set = sets.iter().find(|(asked, _)| asked.same_lookup(question));
    let found = match set {
        Some((_, Ok(found))) => found,
        Some((_, Err(error))) => return Err(error.clone().into()),
        None => return Err(Error::incomplete(&question.customer.id)),
    };
    let (entitled, reason) =
        match entitlement::check(found.entitlements.as_ref(), &question.feature) {
            Decision::Grant => (true, "active_entitlement"),
            Decision::Deny(DenyReason::NotEntitled) => (false, "not_entitled"),
            Decision::Deny(DenyReason::UnknownCustomer) => (false, "unknown_customer"),
            Decision::Indeterminate => return Err(Error::incomplete(&question.customer.id)),
        };
    Ok(Evaluation { entitled, reason, loaded: found })
}
