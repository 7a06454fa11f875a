//! `GET /v1/customers/{customer}/history`: the changes of one customer's entitlements, newest first.
//!
//! Each version of the customer's record has one entry with its cause. `added` and `removed` are of the
//! effective set: the keys that a check grants. The history is the record of one customer; the activity
//! of `/v1/activity` shows recent decisions of all customers.

use serde::Serialize;

use super::{
    app::{App, Request, Response},
    auth,
    error::Error,
    form::{self, Params, TimestampRange},
    page,
};
use crate::{
    entitlement::Version,
    id::{CustomerId, CustomerKey, LookupKey, Timestamp},
    ledger::{CauseType, ChangeCause, HistoryEntry, HistoryPage, HistoryQuery, KeyChange},
    pagination::{Cursor, PageOf, PageRequest},
    store::{Ledger as _, Store},
};

/// The prefix of the ids. The rest is the version.
const ID_PREFIX: &str = "chg_";

#[derive(Serialize)]
struct HistoryItem<'a> {
    id: String,
    object: &'static str,
    customer: &'a CustomerId,
    livemode: bool,
    created: Timestamp,
    version: Version,
    cause: CauseObject,
    /// `null` if more than [`KeyChange::MAX_KEYS`] keys were added and removed.
    added: Option<Vec<LookupKey>>,
    removed: Option<Vec<LookupKey>>,
    added_count: u64,
    removed_count: u64,
}

/// What caused a change, in a response.
#[derive(Serialize)]
pub(super) struct CauseObject {
    r#type: CauseType,
    id: Option<String>,
    actor: Option<String>,
}

impl From<ChangeCause> for CauseObject {
    fn from(ChangeCause { kind, id, actor }: ChangeCause) -> Self {
        Self { r#type: kind, id, actor }
    }
}

/// Lists a page of the history.
pub(super) async fn list<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    customer: &str,
) -> Result<Response, Error> {
    let livemode = auth::authenticate_server(app.settings, request)?;
    let id =
        CustomerId::try_from(customer).map_err(|error| Error::invalid_id("customer", &error))?;
    let customer = CustomerKey { livemode, id };
    let mut params = Params::from_query(request)?;
    let created = params.timestamp_range("created")?;
    let page = page::take_page(&mut params)?;
    params.reject_unknown()?;

    let page = page.try_map(|id, param| {
        parse_id(id).ok_or_else(|| Error::resource_missing("entitlement_change", id, param))
    })?;
    let query = to_query(customer, &page, created);
    let HistoryPage { entries, has_more, .. } = app.store.ledger().list_history(&query).await?;
    let page = PageOf { data: entries, has_more };
    let to_item = |entry| to_item(entry, &query.customer);
    Ok(page::list_response(page, request.uri().path(), to_item))
}

/// The version in an id.
fn parse_id(id: &str) -> Option<Version> {
    let version = id.strip_prefix(ID_PREFIX).filter(|version| form::is_all_digits(version))?;
    version.parse().ok().map(Version)
}

/// The entries after a cursor have lower versions, since the newest entry is the first.
fn to_query(
    customer: CustomerKey,
    page: &PageRequest<Version>,
    TimestampRange { first, last }: TimestampRange,
) -> HistoryQuery {
    let (after, before) = match page.cursor {
        Cursor::Start => (None, None),
        Cursor::After(version) => (None, Some(version)),
        Cursor::Before(version) => (Some(version), None),
    };
    let limit = u32::try_from(page.limit).unwrap_or(u32::MAX);
    HistoryQuery { customer, after, before, first, last, limit }
}

fn to_item(entry: HistoryEntry, customer: &CustomerKey) -> HistoryItem<'_> {
    let HistoryEntry { version, created, cause, change, source_change: _ } = entry;
    let (added_count, removed_count) = change.counts();
    let (added, removed) = match change {
        KeyChange::Keys { added, removed } => (Some(added), Some(removed)),
        KeyChange::Counts { .. } => (None, None),
    };
    HistoryItem {
        id: format!("{ID_PREFIX}{version}"),
        object: "entitlement_change",
        customer: &customer.id,
        livemode: customer.livemode.into(),
        created,
        version,
        cause: cause.into(),
        added,
        removed,
        added_count,
        removed_count,
    }
}
