//! `GET /v1/activity`: recent decisions of the ledgers, newest first.
//!
//! There is one entry for each event that a ledger applied or had applied before, and one for each
//! read of the source's list that confirmed or corrected a set. Each has the lookup keys that it added and
//! removed. The log is for people who observe a deployment: an entry may be missing. Other routes return
//! the entitlements themselves.

use serde::Serialize;

use super::{
    app::{App, Request, Response},
    auth,
    error::Error,
    form::Params,
    page,
};
use crate::{
    entitlement::Version,
    id::{ActivityId, CustomerId, EventId, Livemode, LookupKey, Timestamp, UnixMillis},
    ledger::{Activity, ActivityKind, ApplyOutcome, EventOrigin, KeyChange},
    pagination::Cursor,
    store::{ActivityEntry, ActivityLog as _, ActivityPage, Store},
};

const ACTIVITY_PATH: &str = "/v1/activity";

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

#[derive(Serialize)]
#[serde(untagged)]
enum ActivityOutcome {
    Event(ApplyOutcome),
    /// `confirmed`, `corrected` or `drift`.
    Reconciliation(&'static str),
}

/// Lists the activity of all customers or of one.
pub(super) async fn list<S: Store>(app: &App<'_, S>, request: &Request) -> Result<Response, Error> {
    let livemode = auth::authenticate_server(app.settings, request)?;
    let mut params = Params::from_query(request)?;
    let customer = params.take_string("customer")?.map(CustomerId::try_from).transpose();
    let customer = customer.map_err(|error| Error::invalid_id("customer", &error))?;
    let page = page::take_page(&mut params)?;
    params.reject_unknown()?;

    let page =
        page.try_map(|id, param| ActivityId::parse(id).ok_or_else(|| unknown_activity(id, param)))?;
    let log = app.store.activity_log();
    let ActivityPage { entries, newest } = log.list(livemode, customer.as_ref(), &page).await?;
    match page.cursor {
        Cursor::After(id) if Some(id) > newest => {
            Err(unknown_activity(&id.to_string(), "starting_after"))
        }
        Cursor::Before(id) if Some(id) > newest => {
            Err(unknown_activity(&id.to_string(), "ending_before"))
        }
        Cursor::Start | Cursor::After(_) | Cursor::Before(_) => {
            Ok(page::list_response(entries, ACTIVITY_PATH, |entry| to_item(entry, livemode)))
        }
    }
}

fn unknown_activity(id: &str, param: &str) -> Error {
    Error::resource_missing("activity", id, param)
}

fn to_item(entry: ActivityEntry, livemode: Livemode) -> ActivityItem {
    let ActivityEntry { id, customer, activity: Activity { kind, version, at, change } } = entry;
    let mut origin = None;
    let (event, outcome) = match kind {
        ActivityKind::Event { id, created, outcome, origin: event_origin } => {
            origin = Some(event_origin);
            (Some((id, created)), ActivityOutcome::Event(outcome))
        }
        ActivityKind::Confirmed => (None, ActivityOutcome::Reconciliation("confirmed")),
        ActivityKind::Corrected => (None, ActivityOutcome::Reconciliation("corrected")),
        ActivityKind::Drift => (None, ActivityOutcome::Reconciliation("drift")),
    };
    let (event, event_created) = event.unzip();
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
