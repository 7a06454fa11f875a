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
    page::{self, Page},
};
use crate::{
    entitlement::Version,
    id::{ActivityId, CustomerId, EventId, Livemode, Millis, Timestamp},
    ledger::{Activity, Decided, Effect},
    store::{Entry, Excerpt, Journal as _, Store, part::Cursor},
};

const PATH: &str = "/v1/activity";

#[derive(Serialize)]
struct Item {
    id: String,
    object: &'static str,
    livemode: bool,
    customer: CustomerId,
    /// `null` where no event is behind it.
    event: Option<EventId>,
    event_created: Option<Timestamp>,
    outcome: Outcome,
    version: Version,
    /// In milliseconds, as no other moment is: much happens in a second.
    at: Millis,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    Effect(Effect),
    /// `confirmed` or `drift`.
    Finding(&'static str),
}

/// Lists what was decided, of everybody or of one customer.
pub(super) async fn list<S: Store>(app: &App<'_, S>, request: &Request) -> Result<Response, Error> {
    let livemode = auth::authenticate(app.settings, request)?;
    let mut params = Params::query(request)?;
    let customer = params.text("customer")?.map(CustomerId::try_from).transpose();
    let customer = customer.map_err(|error| Error::unnameable("customer", &error))?;
    let page = Page::take(&mut params)?;
    params.finish()?;

    let part = page.part(|id, param| ActivityId::of(id).ok_or_else(|| no_such(id, param)))?;
    let excerpt = app.store.journal().entries(livemode, customer.as_ref(), &part).await?;
    let Excerpt { entries, newest } = excerpt;
    match part.cursor {
        Cursor::After(id) if Some(id) > newest => Err(no_such(&id.to_string(), "starting_after")),
        Cursor::Before(id) if Some(id) > newest => Err(no_such(&id.to_string(), "ending_before")),
        Cursor::Start | Cursor::After(_) | Cursor::Before(_) => {
            Ok(page::answer(entries, PATH, |entry| item(entry, livemode)))
        }
    }
}

fn no_such(id: &str, param: &str) -> Error {
    Error::no_such("activity", id, param)
}

fn item(entry: Entry, livemode: Livemode) -> Item {
    let Entry { id, customer, activity: Activity { decided, version, at } } = entry;
    let (event, outcome) = match decided {
        Decided::Event { id, created, effect } => (Some((id, created)), Outcome::Effect(effect)),
        Decided::Confirmed => (None, Outcome::Finding("confirmed")),
        Decided::Drift => (None, Outcome::Finding("drift")),
    };
    let (event, event_created) = event.unzip();
    Item {
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
