//! `GET /v1/activity`: what was decided lately, newest first.
//!
//! An entry for every event that a ledger took in or had seen before, and for every read of the
//! source's list that came to something. It is for people who want to see what happens: an entry may
//! be missing, and what a set is or was is told by other routes.

use serde::Serialize;

use super::{
    App, Request, Response, auth,
    error::Error,
    form::Params,
    page::{self, PageParams},
};
use crate::{
    entitlement::Version,
    id::{ActivityId, CustomerId, EventId, Livemode, Timestamp, UnixMillis},
    ledger::{Activity, ActivityKind, ApplyOutcome},
    store::{ActivityEntry, ActivityLog as _, ActivityPage, Store, pagination::Cursor},
};

const ACTIVITY_PATH: &str = "/v1/activity";

#[derive(Serialize)]
struct ActivityItem {
    id: String,
    object: &'static str,
    livemode: bool,
    customer: CustomerId,
    /// `null` where no event is behind it.
    event: Option<EventId>,
    event_created: Option<Timestamp>,
    outcome: ActivityOutcome,
    version: Version,
    /// In milliseconds, as no other moment is: much happens in a second.
    at: UnixMillis,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ActivityOutcome {
    Event(ApplyOutcome),
    /// `confirmed` or `drift`.
    Reconciliation(&'static str),
}

/// Lists what was decided, of everybody or of one customer.
pub(super) async fn list<S: Store>(app: &App<'_, S>, request: &Request) -> Result<Response, Error> {
    let livemode = auth::authenticate_server(app.settings, request)?;
    let mut params = Params::from_query(request)?;
    let customer = params.take_string("customer")?.map(CustomerId::try_from).transpose();
    let customer = customer.map_err(|error| Error::invalid_id("customer", &error))?;
    let page = PageParams::from_params(&mut params)?;
    params.reject_unknown()?;

    let part = page
        .to_request(|id, param| ActivityId::parse(id).ok_or_else(|| unknown_activity(id, param)))?;
    let excerpt = app.store.activity_log().list(livemode, customer.as_ref(), &part).await?;
    let ActivityPage { entries, newest } = excerpt;
    match part.cursor {
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
    let ActivityEntry { id, customer, activity: Activity { kind: decided, version, at } } = entry;
    let (event, outcome) = match decided {
        ActivityKind::Event { id, created, outcome: effect } => {
            (Some((id, created)), ActivityOutcome::Event(effect))
        }
        ActivityKind::Confirmed => (None, ActivityOutcome::Reconciliation("confirmed")),
        ActivityKind::Drift => (None, ActivityOutcome::Reconciliation("drift")),
    };
    let (event, event_created) = event.unzip();
    ActivityItem {
        id: id.to_string(),
        object: "activity",
        livemode: livemode.into(),
        customer,
        event,
        event_created,
        outcome,
        version,
        at,
    }
}
