//! `GET /v1/activity`: recent decisions of the ledgers, newest first.
//!
//! There is one entry for each event that a ledger applied or had applied before, and one for each
//! read of the source's list that confirmed or corrected a set. Each has the lookup keys that it added and
//! removed. The list is for people who observe a deployment: an entry may be missing, and old ones are
//! deleted. `complete_since` says from when on none was deleted. Other routes return the entitlements
//! themselves.

use http::StatusCode;
use serde::Serialize;

use super::{
    app::{App, Request, Response, json_response},
    auth,
    error::Error,
    form::Params,
    page,
};
use crate::{
    customer_index::{ActivityEntry, ActivityFilter, ActivityId, ActivityPage, MAX_NUMBER},
    entitlement::Version,
    id::{CustomerId, EventId, Livemode, LookupKey, Timestamp, UnixMillis},
    ledger::{Activity, ActivityKind, ActivityOutcome, EventOrigin, KeyChange},
    pagination::PageOf,
    store::{CustomerIndex as _, Store},
};

const ACTIVITY_PATH: &str = "/v1/activity";

#[derive(Serialize)]
struct ActivityList {
    object: &'static str,
    data: Vec<ActivityItem>,
    has_more: bool,
    url: &'static str,
    /// In milliseconds. Each entry since then is listed, if it arrived.
    complete_since: UnixMillis,
}

#[derive(Serialize)]
struct ActivityItem {
    id: String,
    object: &'static str,
    livemode: bool,
    customer: CustomerId,
    /// `null` if no event caused the entry.
    event: Option<EventId>,
    event_created: Option<Timestamp>,
    outcome: ActivityOutcome,
    /// How the event arrived; `null` without one.
    origin: Option<EventOrigin>,
    /// `null` if more than [`KeyChange::MAX_KEYS`] keys were added and removed.
    added: Option<Vec<LookupKey>>,
    removed: Option<Vec<LookupKey>>,
    added_count: u64,
    removed_count: u64,
    version: Version,
    /// In milliseconds, unlike all other timestamps, because many entries share a second.
    at: UnixMillis,
}

/// Lists the activity of all customers or of one.
pub(super) async fn list<S: Store>(app: &App<'_, S>, request: &Request) -> Result<Response, Error> {
    let livemode = auth::authenticate_server(app.settings, request)?;
    let mut params = Params::from_query(request)?;
    let filter = take_filter(&mut params)?;
    let page = page::take_page(&mut params)?;
    params.reject_unknown()?;

    let page = page.try_map(|id, param| {
        ActivityId::parse(id).ok_or_else(|| Error::resource_missing("activity", id, param))
    })?;
    let index = app.store.customer_index();
    let ActivityPage { entries, complete_since } =
        index.list_activity(livemode, &filter, &page).await?;
    let PageOf { data, has_more } = entries;
    let list = ActivityList {
        object: "list",
        data: data.into_iter().map(|entry| to_item(entry, livemode)).collect(),
        has_more,
        url: ACTIVITY_PATH,
        complete_since,
    };
    Ok(json_response(StatusCode::OK, &list))
}

fn take_filter(params: &mut Params) -> Result<ActivityFilter, Error> {
    let customer = params.take_string("customer")?.map(CustomerId::try_from).transpose();
    let feature = params.take_string("feature")?.map(LookupKey::try_from).transpose();
    let first = params.take_integer("from", 0..=MAX_NUMBER)?.map(UnixMillis);
    let last = params.take_integer("until", 0..=MAX_NUMBER)?.map(UnixMillis);
    Ok(ActivityFilter {
        customer: customer.map_err(|error| Error::invalid_id("customer", &error))?,
        outcome: params.one_of("outcome", ActivityOutcome::ALL)?,
        feature: feature.map_err(|error| Error::invalid_id("feature", &error))?,
        first,
        last,
    })
}

fn to_item(entry: ActivityEntry, livemode: Livemode) -> ActivityItem {
    let ActivityEntry { id, customer, activity } = entry;
    let outcome = activity.outcome();
    let Activity { kind, version, at, change } = activity;
    let (event, event_created, origin) = match kind {
        ActivityKind::Event { id, created, origin, .. } => (Some(id), Some(created), Some(origin)),
        ActivityKind::Confirmed | ActivityKind::Corrected | ActivityKind::Drift => {
            (None, None, None)
        }
    };
    let (added_count, removed_count) = change.as_ref().map_or((0, 0), KeyChange::counts);
    let (added, removed) = match change {
        None => (Some(Vec::new()), Some(Vec::new())),
        Some(KeyChange::Keys { added, removed }) => (Some(added), Some(removed)),
        Some(KeyChange::Counts { .. }) => (None, None),
    };
    ActivityItem {
        id: id.to_string(),
        object: "activity",
        livemode: livemode.into(),
        customer,
        event,
        event_created,
        outcome,
        origin,
        added,
        removed,
        added_count,
        removed_count,
        version,
        at,
    }
}
