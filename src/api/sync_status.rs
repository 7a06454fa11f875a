//! `GET /v1/sync_status`: the known customers, ordered by id, and the sync status of each.
//!
//! A customer is known once its ledger has reported to the customer index. The source may have more.

use serde::Serialize;

use super::{
    app::{App, Request, Response},
    auth,
    error::Error,
    form::Params,
    page,
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
    /// The last successful comparison with the source, as far as it was reported.
    confirmed_at: Option<Timestamp>,
    /// The number of tasks that failed at least once.
    pending: u32,
    pending_since: Option<Timestamp>,
    problem: Option<SyncProblem>,
}

/// Lists known customers, or those whose id starts with `prefix`.
pub(super) async fn list<S: Store>(app: &App<'_, S>, request: &Request) -> Result<Response, Error> {
    let livemode = auth::authenticate_server(app.settings, request)?;
    let mut params = Params::from_query(request)?;
    let prefix = params.take_string("prefix")?.map(CustomerId::try_from).transpose();
    let prefix = prefix.map_err(|error| Error::invalid_id("prefix", &error))?;
    let page = page::take_page(&mut params)?;
    params.reject_unknown()?;

    let page = page.try_map(|id, param| {
        CustomerId::try_from(id.as_str()).map_err(|error| Error::invalid_id(param, &error))
    })?;
    let index = app.store.customer_index();
    let customers = index.list_customers(livemode, prefix.as_ref(), &page).await?;
    Ok(page::list_response(customers, SYNC_STATUS_PATH, |customer| to_item(customer, livemode)))
}

fn to_item(customer: CustomerSyncStatus, livemode: Livemode) -> SyncStatusItem {
    let SyncStatus { confirmed_at, pending, pending_since, problem } = customer.status;
    SyncStatusItem {
        id: customer.id,
        object: "customer_sync_status",
        livemode: livemode.into(),
        confirmed_at,
        pending,
        pending_since: pending_since.map(UnixMillis::to_timestamp),
        problem,
    }
}
