//! `GET /v1/sync_status`: the known customers and the sync status of each.
//!
//! | list               | customers                                              | order                   |
//! |--------------------|--------------------------------------------------------|-------------------------|
//! | without both       | all, or those whose id starts with `prefix`            | id                      |
//! | with `problem`     | of these, those that have this problem                 | since when they have it |
//! | with `ends_before` | of these, those with an override that ends before then | the first of these ends |
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
        CustomerPosition, CustomerQuery, CustomerSelection, CustomerSyncStatus, MAX_NUMBER,
        ProblemFilter,
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
    /// When the first of the customer's overrides ends that have an end.
    next_override_end: Option<Timestamp>,
    /// What `starting_after` and `ending_before` take.
    cursor: String,
}

/// Lists known customers: those whose id starts with `prefix`, and that have a problem or an override that
/// ends.
pub(super) async fn list<S: Store>(app: &App<'_, S>, request: &Request) -> Result<Response, Error> {
    let livemode = auth::authenticate_server(app.settings, request)?;
    let mut params = Params::from_query(request)?;
    let prefix = params.take_string("prefix")?.map(CustomerId::try_from).transpose();
    let prefix = prefix.map_err(|error| Error::invalid_id("prefix", &error))?;
    let selection = take_selection(&mut params)?;
    let page = page::take_page(&mut params)?;
    params.reject_unknown()?;

    let page = page.try_map(|cursor, param| {
        let filter = match selection {
            CustomerSelection::All => return parse_id_cursor(cursor, param),
            CustomerSelection::Problem(_) => "problem",
            CustomerSelection::EndsBefore(_) => "ends_before",
        };
        parse_time_cursor(cursor).ok_or_else(|| {
            let message = format!(
                "Invalid {param}: with `{filter}`, pass the `cursor` of an item of the same list."
            );
            Error::parameter(param, "parameter_invalid", message)
        })
    })?;
    let query = CustomerQuery { prefix, selection, page };
    let customers = app.store.customer_index().list_customers(livemode, &query).await?;
    let to_item = |customer| to_item(customer, &query, livemode);
    Ok(page::list_response(customers, SYNC_STATUS_PATH, to_item))
}

fn take_selection(params: &mut Params) -> Result<CustomerSelection, Error> {
    let problem = params.one_of("problem", ProblemFilter::ALL)?;
    match (problem, params.timestamp("ends_before")?) {
        (None, None) => Ok(CustomerSelection::All),
        (Some(problem), None) => Ok(CustomerSelection::Problem(problem)),
        (None, Some(time)) => Ok(CustomerSelection::EndsBefore(time)),
        (Some(_), Some(_)) => Err(Error::parameter(
            "ends_before",
            "parameters_exclusive",
            "You may only specify one of these parameters: ends_before, problem.",
        )),
    }
}

fn parse_id_cursor(id: &str, param: &str) -> Result<CustomerPosition, Error> {
    let id = CustomerId::try_from(id).map_err(|error| Error::invalid_id(param, &error))?;
    Ok(CustomerPosition { time: None, id })
}

fn parse_time_cursor(cursor: &str) -> Option<CustomerPosition> {
    let (time, id) = cursor.split_once('_')?;
    let time = form::is_all_digits(time).then(|| time.parse().ok())??;
    if time > MAX_NUMBER {
        return None;
    }
    Some(CustomerPosition { time: Some(time), id: CustomerId::try_from(id).ok()? })
}

fn cursor(position: &CustomerPosition) -> String {
    let CustomerPosition { time, id } = position;
    time.map_or_else(|| id.to_string(), |time| format!("{time}_{id}"))
}

fn to_item(
    customer: CustomerSyncStatus,
    query: &CustomerQuery,
    livemode: Livemode,
) -> SyncStatusItem {
    let cursor = cursor(&query.position(&customer));
    let CustomerSyncStatus { id, status, problem_since } = customer;
    let SyncStatus { confirmed_at, pending, pending_since, problem, next_override_end } = status;
    SyncStatusItem {
        id,
        object: "customer_sync_status",
        livemode: livemode.into(),
        confirmed_at: confirmed_at.map(UnixMillis::to_timestamp),
        pending,
        pending_since: pending_since.map(UnixMillis::to_timestamp),
        problem,
        problem_since: problem_since.map(UnixMillis::to_timestamp),
        next_override_end,
        cursor,
    }
}
