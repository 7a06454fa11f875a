//! The strings that the fast path's shell exchanges with `worker/entry.js`. `worker/wire.js` is the
//! JavaScript side of this module, and `tests/vectors/fast-path.json` has strings for the tests of
//! both.
//!
//! | string      | format                                                                            |
//! |-------------|-----------------------------------------------------------------------------------|
//! | query       | `?`, the record's key, `at_least`, the route and its arguments, separated by line feeds |
//! | check       | the JSON object                                                                   |
//! | response    | the status, a line `name: value` for each header, an empty line, the body         |
//! | placement   | jurisdiction, location hint, prefix of a record's key, and the record of the deployment, separated by line feeds |
//! | event       | `!`, the customer's key, the event's id and the ledger request, separated by line feeds |
//!
//! The first character tells the strings apart: `?`, `{`, a digit or `!`. The placement stands alone. Ids and lookup keys contain
//! no line feed. Each header occurs once, and its value is ASCII.
//!
//! | route       | arguments                                                              |
//! |-------------|------------------------------------------------------------------------|
//! | `check`     | the feature                                                            |
//! | `authorize` | the feature                                                            |
//! | `list`      | `limit`, `starting_after` and `ending_before`; an absent one is empty  |

use super::{
    FastAnswer, FastQuery, FastRoute,
    list::{FastList, RawPageParams},
};
use crate::{
    api::{app::Response, deployment::deployment_record, settings::Placement},
    entitlement::{Summary, Version},
    id::{CustomerId, CustomerKey, EventId, LookupKey},
    ledger::LedgerRequest,
    pagination::Cursor,
    store::record::FeatureLookup,
};

/// The first character of a query.
const QUERY_MARKER: &str = "?";

/// The first character of an event.
const EVENT_MARKER: &str = "!";

/// Encodes a query.
#[must_use]
pub fn encode_query(query: &FastQuery) -> String {
    let FastQuery { route, customer: CustomerKey { livemode, id }, at_least } = query;
    let (mut at_least_buffer, mut limit) = (itoa::Buffer::new(), itoa::Buffer::new());
    let at_least = at_least_buffer.format(at_least.0);
    let head = [QUERY_MARKER, livemode.key_prefix(), id.as_str(), "\n", at_least];
    match route {
        FastRoute::Check(feature) => [&head[..], &["\ncheck\n", feature.as_str()]].concat(),
        FastRoute::Authorize(feature) => [&head[..], &["\nauthorize\n", feature.as_str()]].concat(),
        FastRoute::List(page) => {
            let (after, before) = match &page.cursor {
                Cursor::Start => ("", ""),
                Cursor::After(id) => (id.as_str(), ""),
                Cursor::Before(id) => ("", id.as_str()),
            };
            let limit = limit.format(page.limit);
            [&head[..], &["\nlist\n", limit, "\n", after, "\n", before]].concat()
        }
    }
    .concat()
}

/// Decodes a query of [`encode_query()`].
#[must_use]
pub fn decode_query(encoded: &str) -> Option<FastQuery> {
    let mut parts = encoded.strip_prefix(QUERY_MARKER)?.split('\n');
    let mut next = || parts.next();
    let customer = CustomerKey::from_key(next()?)?;
    let at_least = Version(next()?.parse().ok()?);
    let route = match next()? {
        "check" => FastRoute::Check(LookupKey::try_from(next()?).ok()?),
        "authorize" => FastRoute::Authorize(LookupKey::try_from(next()?).ok()?),
        "list" => {
            let (limit, after, before) = (next()?, next()?, next()?);
            let non_empty = |id| Some(id).filter(|id: &&str| !id.is_empty());
            let page = RawPageParams {
                limit: Some(limit),
                starting_after: non_empty(after),
                ending_before: non_empty(before),
            };
            FastRoute::List(page.to_request()?)
        }
        _ => return None,
    };
    next().is_none().then_some(FastQuery { route, customer, at_least })
}

/// Encodes an answer: as the JSON object of a check, or as a response.
#[must_use]
pub fn encode_answer(answer: FastAnswer, customer: &CustomerId) -> String {
    let (status, version, as_of, served_by, header, body) = match answer {
        FastAnswer::Check(object) => return object,
        FastAnswer::Granted(FeatureLookup { version, as_of, .. }, served_by) => {
            ("204", version, as_of, served_by, ["\nentgate-customer: ", customer.as_str()], None)
        }
        FastAnswer::List(FastList { body, version, as_of, served_by }) => {
            let content_type = ["\ncontent-type: ", "application/json"];
            ("200", version, Some(as_of), served_by, content_type, Some(body))
        }
    };
    let (mut version_buffer, mut as_of_buffer) = (itoa::Buffer::new(), itoa::Buffer::new());
    let [name, value] = header;
    [
        status,
        "\nentgate-version: ",
        version_buffer.format(version.0),
        if as_of.is_some() { "\nentgate-as-of: " } else { "" },
        as_of.map_or("", |as_of| as_of_buffer.format(as_of.0)),
        "\nentgate-served-by: ",
        served_by.as_str(),
        "\ncache-control: no-store\nvary: Origin",
        name,
        value,
        "\n\n",
        body.as_deref().unwrap_or_default(),
    ]
    .concat()
}

/// Encodes a response.
#[must_use]
pub fn encode_response(response: &Response) -> String {
    let mut encoded = response.status().as_str().to_owned();
    for (name, value) in response.headers() {
        let value = value.to_str().unwrap_or_default();
        encoded.extend(["\n", name.as_str(), ": ", value]);
    }
    encoded.push_str("\n\n");
    encoded.push_str(std::str::from_utf8(response.body()).unwrap_or_default());
    encoded
}

/// Encodes where the objects and the records of the deployment are. What is not set is empty.
#[must_use]
pub fn encode_placement(placement: &Placement) -> String {
    [
        placement.jurisdiction().unwrap_or_default(),
        placement.location_hint().unwrap_or_default(),
        placement.key_prefix(),
        &deployment_record(placement),
    ]
    .join("\n")
}

/// Encodes an event for the customer's ledger.
#[must_use]
pub fn encode_event(summary: Summary) -> Option<String> {
    let head =
        [EVENT_MARKER, &summary.customer.to_key(), "\n", summary.event.as_str(), "\n"].concat();
    Some(head + &serde_json::to_string(&LedgerRequest::Apply(summary)).ok()?)
}

/// Decodes the customer and the event's id of [`encode_event()`].
#[must_use]
pub fn decode_event(encoded: &str) -> Option<(CustomerKey, EventId)> {
    let mut parts = encoded.strip_prefix(EVENT_MARKER)?.splitn(3, '\n');
    Some((CustomerKey::from_key(parts.next()?)?, EventId::try_from(parts.next()?).ok()?))
}
