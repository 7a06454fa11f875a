//! `GET /v1/sync_status`: the known customers and the sync status of each.
//!
//! | list              | customers                                   | order                      |
//! |-------------------|---------------------------------------------|----------------------------|
//! | without `problem` | all, or those whose id starts with `prefix` | id                         |
//! | with `problem`    | of these, those that have this problem      | since when they have it    |
//!
//! A customer is known once its ledger has reported to the customer index. The source may have more. The
//! cursor of an item is its `cursor`: in the first list, the id.

use serde::Serialize;

use super::{
    app::{App, Request, Response},
    auth,
    error::Error,
    form::{self, Params},
    page,
};
use crate::{
    customer_index::{
        CustomerPosition, CustomerQuery, CustomerSyncStatus, MAX_NUMBER, ProblemFilter,
    },
    id::{CustomerId, Livemode, Timestamp, UnixMillis},
    ledger::{SyncProblem, SyncStatus},
    store::{CustomerIndex as _, Store},
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
    /// When the first of the reports with a failed task or a problem arrived.
    problem_since: Option<Timestamp>,
    /// What `starting_after` and `ending_before` take.
    cursor: String,
}

/// Lists known customers: those whose id starts with `prefix`, and that have a problem.
pub(super) async fn list<S: Store>(app: &App<'_, S>, request: &Request) -> Result<Response, Error> {
    let livemode = auth::authenticate_server(app.settings, request)?;
    let mut params = Params::from_query(request)?;
    let prefix = params.take_string("prefix")?.map(CustomerId::try_from).transpose();
    let prefix = prefix.map_err(|error| Error::invalid_id("prefix", &error))?;
    let problem = params.one_of("problem", ProblemFilter::ALL)?;
    let page = page::take_page(&mut params)?;
    params.reject_unknown()?;

    let page = page.try_map(|cursor, param| match problem {
        None => parse_id_cursor(cursor, param),
        Some(_) => parse_problem_cursor(cursor).ok_or_else(|| {
            let message = format!(
                "Invalid {param}: with `problem`, pass the `cursor` of an item of the same list."
            );
            Error::parameter(param, "parameter_invalid", message)
        }),
    })?;
    let query = CustomerQuery { prefix, problem, page };
    let customers = app.store.customer_index().list_customers(livemode, &query).await?;
    let to_item = |customer| to_item(customer, &query, livemode);
    Ok(page::list_response(customers, SYNC_STATUS_PATH, to_item))
}

fn parse_id_cursor(id: &str, param: &str) -> Result<CustomerPosition, Error> {
    let id = CustomerId::try_from(id).map_err(|error| Error::invalid_id(param, &error))?;
    Ok(CustomerPosition { problem_since: None, id })
}

fn parse_problem_cursor(cursor: &str) -> Option<CustomerPosition> {
    let (since, id) = cursor.split_once('_')?;
    let since = form::is_all_digits(since).then(|| since.parse().ok())??;
    if since > MAX_NUMBER {
        return None;
    }
    Some(CustomerPosition {
        problem_since: Some(UnixMillis(since)),
        id: CustomerId::try_from(id).ok()?,
    })
}

fn cursor(position: &CustomerPosition) -> String {
    let CustomerPosition { problem_since, id } = position;
    problem_since.map_or_else(|| id.to_string(), |since| format!("{}_{id}", since.0))
}

fn to_item(
    customer: CustomerSyncStatus,
    query: &CustomerQuery,
    livemode: Livemode,
) -> SyncStatusItem {
    let cursor = cursor(&query.position(&customer));
    let CustomerSyncStatus { id, status, problem_since } = customer;
    let SyncStatus { confirmed_at, pending, pending_since, problem } = status;
    SyncStatusItem {
        id,
        object: "customer_sync_status",
        livemode: livemode.into(),
        confirmed_at,
        pending,
        pending_since: pending_since.map(UnixMillis::to_timestamp),
        problem,
        problem_since: problem_since.map(UnixMillis::to_timestamp),
        cursor,
    }
}
