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
    auth::{self, Caller},
    error::{Error, Told},
    form::{OneOrMany, Params},
    json,
};
use crate::{
    entitlement::{self, Decision, Denial, Version},
    id::{Customer, CustomerId, LookupKey, Timestamp},
    store::{self, First, Found, Freshness, ServedBy, Store},
};

/// The most checks in one request: as many keys as KV reads at once.
const LIMIT: usize = 100;

/// `GET /v1/check`.
pub(super) async fn one_customer<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Error> {
    let caller = auth::caller(app, request, now).await?;
    let mut params = Params::query(request)?;
    let (questions, shape) = question(&mut params, &caller)?;
    params.finish()?;
    answer(app, &questions, shape).await
}

/// `POST /v1/check`, as JSON or as a form.
pub(super) async fn batch<S: Store>(
    app: &App<'_, S>,
    request: &Request,
) -> Result<Response, Error> {
    let caller = Caller::Server(auth::authenticate(app.settings, request)?);
    let mut params = Params::body(request)?;
    let Some(checks) = params.maps("checks")? else {
        let (questions, shape) = question(&mut params, &caller)?;
        params.finish()?;
        return answer(app, &questions, shape).await;
    };
    params.finish()?;
    if checks.is_empty() {
        return Err(Error::missing("checks"));
    }
    let mut questions = Vec::with_capacity(checks.len());
    for mut check in checks {
        questions.extend(question(&mut check, &caller)?.0);
        check.finish()?;
    }
    answer(app, &questions, Shape::List).await
}

/// Takes `fresh` and `at_least`, how new an answer has to be.
pub(super) fn freshness(params: &mut Params) -> Result<Freshness, Error> {
    let first = if params.flag("fresh")? { First::Ledger } else { First::Replica };
    let at_least = params.integer("at_least", 0..=u64::MAX)?.map_or(Version::default(), Version);
    Ok(Freshness { at_least, first })
}

struct Question {
    customer: Customer,
    feature: LookupKey,
    freshness: Freshness,
}

impl Question {
    fn asks_of_the_same_set(&self, other: &Self) -> bool {
        self.customer == other.customer && self.freshness == other.freshness
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Shape {
    Single,
    List,
}

fn question(params: &mut Params, caller: &Caller) -> Result<(Vec<Question>, Shape), Error> {
    let customer = caller.customer(params)?;
    let (features, shape) = match params.one_or_many("feature")? {
        OneOrMany::One(feature) => (vec![feature], Shape::Single),
        OneOrMany::Many(features) => (features, Shape::List),
    };
    let freshness = freshness(params)?;
    let questions = features.into_iter().map(|feature| {
        let feature = LookupKey::try_from(feature)
            .map_err(|error| Error::unnameable(&params.full("feature"), &error))?;
        Ok(Question { customer: customer.clone(), feature, freshness })
    });
    Ok((questions.collect::<Result<_, Error>>()?, shape))
}

/// A check as it is told, decided or not.
#[derive(Serialize)]
#[serde(untagged)]
enum Check<'a> {
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
    Undecided {
        object: &'static str,
        customer: &'a CustomerId,
        feature: &'a LookupKey,
        /// Always `null`: neither yes nor no.
        entitled: (),
        error: &'a Told,
    },
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Check<'a>>,
    has_more: bool,
    url: &'static str,
}

async fn answer<S: Store>(
    app: &App<'_, S>,
    questions: &[Question],
    shape: Shape,
) -> Result<Response, Error> {
    if questions.is_empty() {
        return Err(Error::missing("feature"));
    }
    if questions.len() > LIMIT {
        return Err(Error::invalid(format!(
            "{} checks in one request, and at most {LIMIT} are answered. Split them.",
            questions.len()
        )));
    }
    let sets = find_each(app.store, questions).await;
    let verdicts: Vec<_> = questions.iter().map(|question| verdict(question, &sets)).collect();
    let mut checks = Vec::with_capacity(questions.len());
    let mut decided = false;
    for (question, verdict) in questions.iter().zip(&verdicts) {
        let Question { customer: Customer { id: customer, .. }, feature, .. } = question;
        let object = "entitlement_check";
        checks.push(match verdict {
            Ok(Verdict { entitled, reason, found }) => {
                decided = true;
                let held = found.held.as_ref();
                Check::Decided {
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
                let error = error.told();
                Check::Undecided { object, customer, feature, entitled: (), error }
            }
        });
    }
    if !decided && let Some(Err(error)) = verdicts.first() {
        return Err(error.clone());
    }
    for cause in verdicts.iter().filter_map(|verdict| verdict.as_ref().err()?.cause()) {
        (app.log)(cause);
    }
    if let (Shape::Single, Some(check)) = (shape, checks.first()) {
        return Ok(json(StatusCode::OK, check));
    }
    let list = List { object: "list", data: checks, has_more: false, url: "/v1/check" };
    Ok(json(StatusCode::OK, &list))
}

/// What is held of each customer that is asked about, each read once and all side by side.
async fn find_each<'a>(
    store: &impl Store,
    questions: &'a [Question],
) -> Vec<(&'a Question, Result<Found, store::Error>)> {
    let mut distinct: Vec<&Question> = Vec::new();
    for question in questions {
        if !distinct.iter().any(|known| known.asks_of_the_same_set(question)) {
            distinct.push(question);
        }
    }
    let reads = distinct.iter().map(|question| {
        let same = questions.iter().filter(|other| other.asks_of_the_same_set(question));
        let features: Vec<_> = same.map(|other| other.feature.clone()).collect();
        async move { store::find(store, &question.customer, &features, question.freshness).await }
    });
    let found = join_all(reads).await;
    distinct.into_iter().zip(found).collect()
}

struct Verdict<'a> {
    entitled: bool,
    reason: &'static str,
    found: &'a Found,
}

fn verdict<'a>(
    question: &Question,
    sets: &'a [(&Question, Result<Found, store::Error>)],
) -> Result<Verdict<'a>, Error> {
    let set = sets.iter().find(|(asked, _)| asked.asks_of_the_same_set(question));
    let found = match set {
        Some((_, Ok(found))) => found,
        Some((_, Err(error))) => return Err(error.clone().into()),
        None => return Err(Error::undecided(&question.customer.id)),
    };
    let (entitled, reason) = match entitlement::check(found.held.as_ref(), &question.feature) {
        Decision::Grant => (true, "active_entitlement"),
        Decision::Deny(Denial::NotEntitled) => (false, "not_entitled"),
        Decision::Deny(Denial::UnknownCustomer) => (false, "unknown_customer"),
        Decision::Undecided => return Err(Error::undecided(&question.customer.id)),
    };
    Ok(Verdict { entitled, reason, found })
}
