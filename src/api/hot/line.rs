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

use super::{Question, Route, digits::Digits, list};
use crate::{
    entitlement::Version,
    id::{Customer, LookupKey},
    store::part::Cursor,
};

/// What a question begins with.
const MARK: &str = "?";

impl Question {
    /// The question, written down.
    #[must_use]
    pub fn to_line(&self) -> String {
        let Self { route, customer: Customer { livemode, id }, at_least } = self;
        let at_least = Digits::of(at_least.0);
        let head = [MARK, livemode.prefix(), id.as_str(), "\n", at_least.text()];
        let limit;
        match route {
            Route::Check(feature) => [&head[..], &["\ncheck\n", feature.as_str()]].concat(),
            Route::Authorize(feature) => [&head[..], &["\nauthorize\n", feature.as_str()]].concat(),
            Route::List(part) => {
                let (after, before) = match &part.cursor {
                    Cursor::Start => ("", ""),
                    Cursor::After(id) => (id.as_str(), ""),
                    Cursor::Before(id) => ("", id.as_str()),
                };
                limit = Digits::of(part.limit as u64);
                [&head[..], &["\nlist\n", limit.text(), "\n", after, "\n", before]].concat()
            }
        }
        .concat()
    }

    /// The question that [`Question::to_line()`] wrote down.
    #[must_use]
    pub fn from_line(line: &str) -> Option<Self> {
        let mut parts = line.strip_prefix(MARK)?.split('\n');
        let mut part = || parts.next();
        let customer = Customer::of_key(part()?)?;
        let at_least = Version(part()?.parse().ok()?);
        let route = match part()? {
            "check" => Route::Check(LookupKey::try_from(part()?).ok()?),
            "authorize" => Route::Authorize(LookupKey::try_from(part()?).ok()?),
            "list" => {
                let (limit, after, before) = (part()?, part()?, part()?);
                let given = |id| Some(id).filter(|id: &&str| !id.is_empty());
                let (starting_after, ending_before) = (given(after), given(before));
                let limit = Some(limit);
                Route::List(list::Parameters { limit, starting_after, ending_before }.part()?)
            }
            _ => return None,
        };
        part().is_none().then_some(Self { route, customer, at_least })
    }
}
