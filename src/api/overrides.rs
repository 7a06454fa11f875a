//! `/v1/customers/{customer}/overrides`: an operator grants or denies one feature of one customer.
//!
//! | request        | effect                                                                   |
//! |----------------|--------------------------------------------------------------------------|
//! | `POST`         | creates an override; it may start later, and may end                     |
//! | `GET`          | lists those that have not ended, or by `status`; retrieves one           |
//! | `POST …/{id}`  | changes the end, the reason, the metadata, and the start until it began  |
//! | `DELETE …/{id}`| ends it now; it stays listed as `ended`                                  |
//!
//! The ledger decides what is valid at its time. Here are the parameters and the JSON. `feature` and
//! `effect` are fixed.

use std::collections::BTreeMap;

use futures_util::future::join;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::{
    app::{App, Request, Response, json_response},
    auth::{self, Operator},
    body::{self, MAX_OVERRIDE_BYTES, RequestBody},
    error::{Error, excerpt},
    form::Params,
    idempotency::{self, IDEMPOTENCY_KEY, IDEMPOTENT_REPLAYED},
    known_features,
    override_params::{MAX_REASON_LEN, take_actor, take_new_override, take_update},
    page,
};
use crate::{
    entitlement::{DenyReason, Version},
    id::{self, CustomerId, CustomerKey, Livemode, LookupKey, OverrideId, Timestamp},
    ledger::{
        Override, OverrideCommand, OverrideDeletion, OverrideIdempotency, OverrideReply,
        OverrideRequest,
    },
    override_period::{OverrideEffect, OverridePeriod, OverrideStatus},
    pagination::PageOf,
    store::{self, Ledger as _, Store},
};

/// The characters of an id after its prefix: 142 bits.
const ID_LEN: usize = 24;

/// The kind of object, in messages and in JSON.
const OBJECT: &str = "entitlement_override";

/// An override in a response.
#[derive(Serialize)]
pub(super) struct OverrideObject<'a> {
    id: &'a OverrideId,
    object: &'static str,
    customer: &'a CustomerId,
    livemode: bool,
    feature: &'a LookupKey,
    effect: OverrideEffect,
    reason: &'a str,
    actor: &'a str,
    status: OverrideStatus,
    starts_at: Timestamp,
    expires_at: Option<Timestamp>,
    created: Timestamp,
    metadata: &'a BTreeMap<String, String>,
    version: Version,
    deletion: Option<DeletionObject<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
}

#[derive(Serialize)]
struct DeletionObject<'a> {
    created: Timestamp,
    reason: Option<&'a str>,
    actor: &'a str,
}

/// What is probably a mistake, although the request succeeded.
#[derive(Serialize)]
struct Warning {
    code: &'static str,
    param: &'static str,
    message: String,
}

impl<'a> OverrideObject<'a> {
    /// The override of a customer, with its status at a time.
    pub(super) fn new(customer: &'a CustomerKey, value: &'a Override, at: Timestamp) -> Self {
        let Override { period, reason, actor, created, metadata, version, deletion } = value;
        let OverridePeriod { id, feature, effect, starts_at, expires_at } = period;
        let deletion = deletion.as_ref().map(|OverrideDeletion { at, reason, actor }| {
            DeletionObject { created: *at, reason: reason.as_deref(), actor }
        });
        Self {
            id,
            object: OBJECT,
            customer: &customer.id,
            livemode: customer.livemode.into(),
            feature,
            effect: *effect,
            reason,
            actor,
            status: value.status_at(at),
            starts_at: *starts_at,
            expires_at: *expires_at,
            created: *created,
            metadata,
            version: *version,
            deletion,
            warnings: Vec::new(),
        }
    }
}

/// Handles `POST /v1/customers/{customer}/overrides`.
pub(super) async fn create<S: Store>(
    app: &App<'_, S>,
    request: &mut Request,
    body: &impl RequestBody,
    customer: &str,
    now: Timestamp,
) -> Result<Response, Error> {
    let Operator { livemode, redacted_key } = auth::authenticate_operator(app.settings, request)?;
    let customer = parse_customer(livemode, customer)?;
    body::receive(request, body, MAX_OVERRIDE_BYTES).await?;
    let key = idempotency::key(request)?;
    let mut params = Params::from_body_and_query(request)?;
    let idempotency = key.map(|key| OverrideIdempotency {
        key: key.to_owned(),
        fingerprint: idempotency::fingerprint(request.uri().path(), &params),
    });
    let id = new_id(app.random)?;
    let new = take_new_override(&mut params, id.clone(), redacted_key, idempotency)?;
    params.reject_unknown()?;

    let feature = new.feature.clone();
    let command = send(app, &customer, OverrideCommand::Create(new));
    let is_unknown = known_features::is_unknown(app, livemode, &feature, now);
    let (reply, is_unknown) = join(command, is_unknown).await;
    let (created, at) = expect_one(reply?, id.as_str(), key)?;
    let mut object = OverrideObject::new(&customer, &created, at);
    if is_unknown {
        object.warnings.push(Warning {
            code: DenyReason::UnknownFeature.as_str(),
            param: "feature",
            message: format!(
                "No feature has the lookup key '{}'. Was it mistyped? The override is stored.",
                excerpt(feature.as_str())
            ),
        });
    }
    let mut response = json_response(StatusCode::OK, &object);
    if let Some(Ok(key)) = key.map(HeaderValue::from_str) {
        response.headers_mut().insert(IDEMPOTENCY_KEY, key);
    }
    // The ledger returns the override that an earlier request with this key created.
    if created.period.id != id {
        response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Handles `GET /v1/customers/{customer}/overrides`.
pub(super) async fn list<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    customer: &str,
) -> Result<Response, Error> {
    let livemode = auth::authenticate_server(app.settings, request)?;
    let customer = parse_customer(livemode, customer)?;
    let mut params = Params::from_query(request)?;
    let filter =
        params.one_of("status", &StatusFilter::values())?.unwrap_or(StatusFilter::NotEnded);
    let page = page::take_page(&mut params)?;
    params.reject_unknown()?;

    let command = OverrideCommand::List { includes_ended: filter.includes_ended() };
    let (mut overrides, at) = match send(app, &customer, command).await? {
        OverrideReply::List { data, at } => (data, at),
        OverrideReply::One { .. } | OverrideReply::NotFound | OverrideReply::Refused(_) => {
            return Err(unexpected_reply());
        }
    };
    overrides.retain(|value| filter.includes(value.status_at(at)));
    let (data, has_more) =
        page::slice(&page, &overrides, OBJECT, |value| value.period.id.as_str())?;
    let page = PageOf { data: data.iter().collect(), has_more };
    let to_item = |value| OverrideObject::new(&customer, value, at);
    Ok(page::list_response(page, request.uri().path(), to_item))
}

/// Handles `GET /v1/customers/{customer}/overrides/{id}`.
pub(super) async fn retrieve<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    customer: &str,
    id: &str,
) -> Result<Response, Error> {
    let livemode = auth::authenticate_server(app.settings, request)?;
    let customer = parse_customer(livemode, customer)?;
    Params::from_query(request)?.reject_unknown()?;
    let command = OverrideCommand::Retrieve(parse_id(id)?);
    let (value, at) = expect_one(send(app, &customer, command).await?, id, None)?;
    Ok(json_response(StatusCode::OK, &OverrideObject::new(&customer, &value, at)))
}

/// Handles `POST /v1/customers/{customer}/overrides/{id}`.
pub(super) async fn update<S: Store>(
    app: &App<'_, S>,
    request: &mut Request,
    body: &impl RequestBody,
    customer: &str,
    id: &str,
) -> Result<Response, Error> {
    let Operator { livemode, redacted_key } = auth::authenticate_operator(app.settings, request)?;
    let customer = parse_customer(livemode, customer)?;
    body::receive(request, body, MAX_OVERRIDE_BYTES).await?;
    let mut params = Params::from_body_and_query(request)?;
    let update = take_update(&mut params, parse_id(id)?, redacted_key)?;
    params.reject_unknown()?;

    let command = OverrideCommand::Update(update);
    let (value, at) = expect_one(send(app, &customer, command).await?, id, None)?;
    Ok(json_response(StatusCode::OK, &OverrideObject::new(&customer, &value, at)))
}

/// Handles `DELETE /v1/customers/{customer}/overrides/{id}`.
pub(super) async fn delete<S: Store>(
    app: &App<'_, S>,
    request: &mut Request,
    body: &impl RequestBody,
    customer: &str,
    id: &str,
) -> Result<Response, Error> {
    #[derive(Serialize)]
    struct DeletedOverride<'a> {
        id: &'a OverrideId,
        object: &'static str,
        deleted: bool,
        customer: &'a CustomerId,
        version: Version,
    }
    let Operator { livemode, redacted_key } = auth::authenticate_operator(app.settings, request)?;
    let customer = parse_customer(livemode, customer)?;
    body::receive(request, body, MAX_OVERRIDE_BYTES).await?;
    let mut params = Params::from_body_and_query(request)?;
    let reason = params.non_empty("reason", MAX_REASON_LEN)?;
    let actor = take_actor(&mut params, redacted_key)?;
    params.reject_unknown()?;

    let command = OverrideCommand::Delete { id: parse_id(id)?, reason, actor };
    let (value, _) = expect_one(send(app, &customer, command).await?, id, None)?;
    let deleted = DeletedOverride {
        id: &value.period.id,
        object: OBJECT,
        deleted: true,
        customer: &customer.id,
        version: value.version,
    };
    Ok(json_response(StatusCode::OK, &deleted))
}

/// Which overrides a list has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum StatusFilter {
    NotEnded,
    Only(OverrideStatus),
    All,
}

impl StatusFilter {
    /// The values of `status`, by name.
    fn values() -> Vec<(&'static str, Self)> {
        let statuses = OverrideStatus::ALL.iter().map(|&(name, status)| (name, Self::Only(status)));
        statuses.chain([("all", Self::All)]).collect()
    }

    fn includes(self, status: OverrideStatus) -> bool {
        match self {
            Self::NotEnded => status != OverrideStatus::Ended,
            Self::Only(only) => status == only,
            Self::All => true,
        }
    }

    fn includes_ended(self) -> bool {
        self.includes(OverrideStatus::Ended)
    }
}

fn parse_customer(livemode: Livemode, id: &str) -> Result<CustomerKey, Error> {
    let id = CustomerId::try_from(id).map_err(|error| Error::invalid_id("customer", &error))?;
    Ok(CustomerKey { livemode, id })
}

/// Parses the id of an override in a path. No override has an invalid one.
fn parse_id(id: &str) -> Result<OverrideId, Error> {
    OverrideId::try_from(id).map_err(|_| Error::no_such_override(id))
}

fn new_id(random: fn() -> u128) -> Result<OverrideId, Error> {
    let low_bits = || u64::try_from(random() & u128::from(u64::MAX)).unwrap_or_default();
    parse_id(&id::generate("ovr_", ID_LEN, low_bits))
}

async fn send<S: Store>(
    app: &App<'_, S>,
    customer: &CustomerKey,
    command: OverrideCommand,
) -> Result<OverrideReply, Error> {
    let request = OverrideRequest { customer: customer.clone(), command };
    Ok(app.store.ledger().manage_overrides(&request).await?)
}

/// The override of a reply, and the time of its status. `id` and `key` are those of the request.
fn expect_one(
    reply: OverrideReply,
    id: &str,
    key: Option<&str>,
) -> Result<(Override, Timestamp), Error> {
    match reply {
        OverrideReply::One { value, at } => Ok((value, at)),
        OverrideReply::NotFound => Err(Error::no_such_override(id)),
        OverrideReply::Refused(refusal) => Err(Error::override_refused(refusal, key)),
        OverrideReply::List { .. } => Err(unexpected_reply()),
    }
}

fn unexpected_reply() -> Error {
    let cause = "unexpected reply about overrides".to_owned();
    store::Error::Unreadable { port: "ledger", cause }.into()
}
