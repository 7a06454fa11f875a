//! The last event that a reconnecting client of a stream received.
//!
//! | client                                                        | says it with                         |
//! |---------------------------------------------------------------|--------------------------------------|
//! | a browser's `EventSource`                                     | the header `Last-Event-ID`           |
//! | the usual polyfills and wrappers, which reconnect by a URL    | `lastEventId`                        |
//! | a polyfill for old browsers, which sets no headers            | `evs_last_event_id`                  |
//! | programs                                                      | the header, or `last_event_id`       |
//!
//! The parameter is therefore accepted in any usual spelling. A wrapper around a polyfill adds it
//! twice, and each adds it to the URL that the application gave: the newest id counts. Polyfills also
//! add parameters against caches and for old browsers, which are ignored here.
//!
//! Specification: <https://html.spec.whatwg.org/multipage/server-sent-events.html#last-event-id>.

use http::HeaderName;

use super::{
    app::{Request, header_str},
    error::Error,
    form::{OneOrMany, Params, is_all_digits},
};
use crate::entitlement::Version;

/// The header that a browser sends when it reconnects.
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The other parameters of polyfills: a random number or the time against caches (`r`, `_`), and a
/// request for padding. Those of one polyfill begin with `evs_`.
const POLYFILL_PARAMS: [&str; 3] = ["r", "_", "padding"];

/// Takes the last event that the client received, and drops the other parameters of polyfills.
///
/// # Errors
///
/// 400 if a parameter is not an id of an event.
pub(super) fn take_last_event_id(
    request: &Request,
    params: &mut Params,
) -> Result<Option<Version>, Error> {
    let mut newest = None;
    while let Some(name) = params.find_name(is_last_event_id) {
        let ids = match params.take_one_or_many(&name)? {
            OneOrMany::One(id) => vec![id],
            OneOrMany::Many(ids) => ids,
        };
        // A polyfill that has received no event sends an empty id.
        for id in ids.iter().filter(|id| !id.is_empty()) {
            newest = newest.max(Some(params.parse_integer(&name, id, 0..=u64::MAX)?));
        }
    }
    while let Some(name) = params.find_name(is_of_polyfill) {
        params.take_value(&name);
    }
    // The header is newer: a browser repeats the parameters of its first request when it reconnects.
    let header = header_str(request, LAST_EVENT_ID)
        .filter(|id| is_all_digits(id))
        .and_then(|id| id.parse().ok());
    Ok(header.or(newest).map(Version))
}

/// Whether a parameter is the last event's id: `last_event_id`, `lastEventId`, `Last-Event-ID`.
fn is_last_event_id(name: &str) -> bool {
    let name = name.strip_prefix("evs_").unwrap_or(name);
    let letters = name.bytes().filter(|byte| !matches!(byte, b'_' | b'-'));
    letters.map(|byte| byte.to_ascii_lowercase()).eq(*b"lasteventid")
}

fn is_of_polyfill(name: &str) -> bool {
    POLYFILL_PARAMS.contains(&name) || name.starts_with("evs_")
}
