//! Stripe's list of active entitlements where the catalog is the source, and overrides or default features
//! change the set.
//!
//! The rows of the source come from the catalog, which is never behind its own subscriptions. The other
//! layers come from the ledger. Where they change nothing, the catalog answers the request itself. Not here:
//! the list where Stripe is the source ([`super::active_entitlements`]).

use std::collections::HashMap;

use http::{StatusCode, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{
    app::{App, Request, Response},
    checks,
    customer_set::{self, CustomerSet},
    error::Error,
    form::Params,
    known_features, page,
};
use crate::{
    entitlement::{ActiveEntitlement, SourceSet},
    id::{CustomerKey, Timestamp},
    json,
    store::{CatalogClient, Store},
};

/// The most pages that are read of the catalog.
const MAX_PAGES: usize = SourceSet::MAX_LEN / 100 + 1;

/// Answers a request for the list of a customer. Its path is one of the catalog's two.
pub(super) async fn list<S: Store>(
    app: &App<'_, S>,
    catalog: &impl CatalogClient,
    customer: &CustomerKey,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Error> {
    let mut params = Params::from_query(request)?;
    let freshness = checks::take_freshness(&mut params)?;
    let set = customer_set::load(app, customer, &[], freshness, now).await?;
    if !set.effective_set().differs_from_source() {
        return Ok(catalog.send(customer.livemode, request).await?);
    }
    params.take_string("customer")?;
    let page = page::take_page(&mut params)?;
    let expand = params.take_list("expand")?;
    params.reject_unknown()?;

    let (mut response, source_rows) = match read_rows(catalog, customer, request, &expand).await? {
        SourceRows::Read(response, rows) => (response, rows),
        SourceRows::Refused(response) => return Ok(response),
    };
    let rows = merge(&set, customer, source_rows, !expand.is_empty())?;
    let (data, has_more) = page::slice(&page, &rows, "active entitlement", |row| &row.0)?;
    let data: Vec<_> = data.iter().map(|(_, row)| row).collect();
    let url = request.uri().path();
    let body = json!({ "object": "list", "data": data, "has_more": has_more, "url": url });
    *response.status_mut() = StatusCode::OK;
    *response.body_mut() = serde_json::to_vec(&body).unwrap_or_default();
    Ok(response)
}

/// The rows of the catalog.
enum SourceRows {
    /// All rows, and a response of the catalog for its headers.
    Read(Response, Vec<Value>),
    /// The catalog refused the request.
    Refused(Response),
}

/// Reads all pages of the catalog's list. A customer that is not in the catalog has no rows.
async fn read_rows(
    catalog: &impl CatalogClient,
    customer: &CustomerKey,
    request: &Request,
    expand: &[String],
) -> Result<SourceRows, Error> {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut first = format!(
        "/v1/entitlements/active_entitlements?limit=100&customer={}",
        encode(customer.id.as_str())
    );
    for path in expand {
        first.push_str("&expand[]=");
        first.push_str(&encode(path));
    }
    let mut rows: Vec<Value> = Vec::new();
    for _ in 0..MAX_PAGES {
        let last = rows.last().and_then(|row| row.get("id")?.as_str());
        let after = last.map_or(String::new(), |id| format!("&starting_after={}", encode(id)));
        let mut page_request = request.clone();
        // Parsing cannot fail: every value is percent-encoded.
        *page_request.uri_mut() = format!("{first}{after}").parse::<Uri>().unwrap_or_default();
        let response = catalog.send(customer.livemode, &page_request).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST if is_unknown_customer(&response) => {
                return Ok(SourceRows::Read(response, Vec::new()));
            }
            _ => return Ok(SourceRows::Refused(response)),
        }
        let mut page: Value = json::from_slice(response.body()).unwrap_or_default();
        let Some(Value::Array(data)) = page.get_mut("data").map(Value::take) else {
            return Err(Error::source_unavailable("the catalog's list is malformed".to_owned()));
        };
        rows.extend(data);
        if page.get("has_more") != Some(&Value::Bool(true)) {
            return Ok(SourceRows::Read(response, rows));
        }
    }
    Err(Error::source_unavailable("the catalog's list does not end".to_owned()))
}

fn is_unknown_customer(response: &Response) -> bool {
    let body: Value = json::from_slice(response.body()).unwrap_or_default();
    let error = |name| body.get("error").and_then(|error| error.get(name)?.as_str());
    error("code") == Some("resource_missing") && error("param") == Some("customer")
}

/// Returns the rows of the effective set with their ids.
fn merge(
    set: &CustomerSet<'_>,
    customer: &CustomerKey,
    source_rows: Vec<Value>,
    expands: bool,
) -> Result<Vec<(String, Value)>, Error> {
    let data = source_rows.iter().map(parse_row).collect::<Option<Vec<_>>>();
    let data = data.ok_or_else(|| {
        Error::source_unavailable("a row of the catalog's list is malformed".to_owned())
    })?;
    let mut by_id: HashMap<_, _> =
        data.iter().map(|row| row.id.to_string()).zip(source_rows).collect();
    let rows = set.effective_set().rows_with(&data, customer).into_iter().map(|row| {
        let id = row.id.to_string();
        let value = by_id.remove(&id).unwrap_or_else(|| local_row(customer, &row, expands));
        (id, value)
    });
    Ok(rows.collect())
}

fn parse_row(row: &Value) -> Option<ActiveEntitlement> {
    let text = |value: Option<&Value>| value?.as_str().map(str::to_owned);
    let feature = row.get("feature")?;
    Some(ActiveEntitlement {
        id: text(row.get("id"))?.try_into().ok()?,
        feature: text(Some(feature)).or_else(|| text(feature.get("id")))?.try_into().ok()?,
        lookup_key: text(row.get("lookup_key"))?.try_into().ok()?,
    })
}

fn local_row(customer: &CustomerKey, row: &ActiveEntitlement, expands: bool) -> Value {
    let feature = if expands {
        Value::Object(known_features::local_feature(customer.livemode, row))
    } else {
        json!(row.feature)
    };
    json!({
        "id": row.id,
        "object": "entitlements.active_entitlement",
        "feature": feature,
        "livemode": customer.livemode,
        "lookup_key": row.lookup_key,
    })
}
