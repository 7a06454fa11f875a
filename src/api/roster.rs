//! `GET /v1/roster`: the customers of whom something was heard, in the order of their ids, and where
//! each of them stands. What the source knows beside them is for the source to list.

use serde::Serialize;

use super::{
    App, Request, Response, auth,
    error::Error,
    form::Params,
    page::{self, Page},
};
use crate::{
    id::{CustomerId, Livemode, Millis, Timestamp},
    ledger::{Standing, Trouble},
    store::{Known, Roster as _, Store},
};

const PATH: &str = "/v1/roster";

#[derive(Serialize)]
struct Item {
    id: CustomerId,
    object: &'static str,
    livemode: bool,
    /// When the set was last confirmed, as far as that was reported.
    confirmed_at: Option<Timestamp>,
    /// How many debts were tried in vain.
    pending: u32,
    pending_since: Option<Timestamp>,
    trouble: Option<Trouble>,
}

/// Lists who is known, or those of them whose id begins as `prefix` says.
pub(super) async fn list<S: Store>(app: &App<'_, S>, request: &Request) -> Result<Response, Error> {
    let livemode = auth::authenticate(app.settings, request)?;
    let mut params = Params::query(request)?;
    let prefix = params.text("prefix")?.map(CustomerId::try_from).transpose();
    let prefix = prefix.map_err(|error| Error::unnameable("prefix", &error))?;
    let page = Page::take(&mut params)?;
    params.finish()?;

    let part = page.part(|id, param| {
        CustomerId::try_from(id).map_err(|error| Error::unnameable(param, &error))
    })?;
    let known = app.store.roster().customers(livemode, prefix.as_ref(), &part).await?;
    Ok(page::answer(known, PATH, |known| item(known, livemode)))
}

fn item(known: Known, livemode: Livemode) -> Item {
    let Standing { confirmed, pending, since, trouble } = known.standing;
    Item {
        id: known.id,
        object: "roster_entry",
        livemode: livemode.into(),
        confirmed_at: confirmed,
        pending,
        pending_since: since.map(Millis::second),
        trouble,
    }
}
