//! A question in one text, to be carried to where the record is read and back.
//!
//! `?`, with which no answer begins, and parts with a line end between them, which is in no id and no
//! key: the key of the customer's record, `at_least`, the route, and what it asks about.
//!
//! | route       | and what it asks about                                                 |
//! |-------------|------------------------------------------------------------------------|
//! | `check`     | the feature                                                            |
//! | `authorize` | the feature                                                            |
//! | `list`      | `limit`, `starting_after` and `ending_before`, empty where there is none |

use super::{FastQuery, FastRoute, digits::DecimalBuffer, list};
use crate::{
    entitlement::Version,
    id::{CustomerKey, LookupKey},
    store::pagination::Cursor,
};

/// What a question begins with.
const QUERY_MARKER: &str = "?";

impl FastQuery {
    /// The question, written down.
    #[must_use]
    pub fn encode(&self) -> String {
        let Self { route, customer: CustomerKey { livemode, id }, at_least } = self;
        let at_least = DecimalBuffer::new(at_least.0);
        let head = [QUERY_MARKER, livemode.key_prefix(), id.as_str(), "\n", at_least.as_str()];
        let limit;
        match route {
            FastRoute::Check(feature) => [&head[..], &["\ncheck\n", feature.as_str()]].concat(),
            FastRoute::Authorize(feature) => {
                [&head[..], &["\nauthorize\n", feature.as_str()]].concat()
            }
            FastRoute::List(part) => {
                let (after, before) = match &part.cursor {
                    Cursor::Start => ("", ""),
                    Cursor::After(id) => (id.as_str(), ""),
                    Cursor::Before(id) => ("", id.as_str()),
                };
                limit = DecimalBuffer::new(part.limit as u64);
                [&head[..], &["\nlist\n", limit.as_str(), "\n", after, "\n", before]].concat()
            }
        }
        .concat()
    }

    /// The question that [`Question::to_line()`] wrote down.
    #[must_use]
    pub fn decode(line: &str) -> Option<Self> {
        let mut parts = line.strip_prefix(QUERY_MARKER)?.split('\n');
        let mut part = || parts.next();
        let customer = CustomerKey::from_key(part()?)?;
        let at_least = Version(part()?.parse().ok()?);
        let route = match part()? {
            "check" => FastRoute::Check(LookupKey::try_from(part()?).ok()?),
            "authorize" => FastRoute::Authorize(LookupKey::try_from(part()?).ok()?),
            "list" => {
                let (limit, after, before) = (part()?, part()?, part()?);
                let given = |id| Some(id).filter(|id: &&str| !id.is_empty());
                let (starting_after, ending_before) = (given(after), given(before));
                let limit = Some(limit);
                FastRoute::List(
                    list::RawPageParams { limit, starting_after, ending_before }.to_request()?,
                )
            }
            _ => return None,
        };
        part().is_none().then_some(Self { route, customer, at_least })
    }
}
