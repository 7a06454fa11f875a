//! `GET /v1/sync_status`: the customers of whom something was heard, in the order of their ids, and where
//! each of them stands. What the source knows beside them is for the source to list.

use serde::Serialize;

use super::{
    App, Request, Response, auth,
    error::Error,
    form::Params,
    page::{self, PageParams},
};
use crate::{
    id::{CustomerId, Livemode, Timestamp, UnixMillis},
    ledger::{SyncProblem, SyncStatus},
    store::{CustomerIndex as _, CustomerSyncStatus, Store},
};

const SYNC_STATUS_PATH: &str = "/v1/sync_status";

#[derive(Serialize)]
struct SyncStatusItem {
    id: CustomerId,
    object: &'static str,
    livemode: bool,
    /// When the set was last confirmed, as far as that was reported.
    confirmed_at: Option<Timestamp>,
    /// How many debts were tried in vain.
    pending: u32,
    pending_since: Option<Timestamp>,
    problem: Option<SyncProblem>,
}

/// Lists who is known, or those of them whose id begins as `prefix` says.
pub(super) async fn list<S: Store>(app: &App<'_, S>, request: &Request) -> Result<Response, Error> {
    let livemode = auth::authenticate_server(app.settings, request)?;
    let mut params = Params::from_query(request)?;
    let prefix = params.take_string("prefix")?.map(CustomerId::try_from).transpose();
    let prefix = prefix.map_err(|error| Error::invalid_id("prefix", &error))?;
    let page = PageParams::from_params(&mut params)?;
    params.reject_unknown()?;

    let part = page.to_request(|id, param| {
        CustomerId::try_from(id).map_err(|error| Error::invalid_id(param, &error))
    })?;
    let known = app.store.customer_index().list_customers(livemode, prefix.as_ref(), &part).await?;
    Ok(page::list_response(known, SYNC_STATUS_PATH, |known| to_item(known, livemode)))
}

fn to_item(known: CustomerSyncStatus, livemode: Livemode) -> SyncStatusItem {
    let SyncStatus { confirmed_at: confirmed, pending, pending_since: since, problem: trouble } =
        known.status;
    SyncStatusItem {
        id: known.id,
        object: "customer_sync_status",
        livemode: livemode.into(),
        confirmed_at: confirmed,
        pending,
        pending_since: since.map(UnixMillis::to_timestamp),
        problem: trouble,
    }
}
