//! A question in one text, to be carried to where the record is read and back.
//!
//! `?`, with which no answer begins, and parts with a line end between them, which is in no id and no
//! key: the key of the customer's record, `at_least`, the route, and what it asks about.
//!
//! `?test:cus_ada`, `0`, `check`, `sms`

use super::{Digits, Question, Route};
use crate::{
    entitlement::Version,
    id::{Customer, CustomerId, Livemode, LookupKey},
};

/// What a question begins with.
const MARK: &str = "?";

impl Question {
    /// The question, written down.
    #[must_use]
    pub fn to_line(&self) -> String {
        let Self { route, customer: Customer { livemode, id }, feature, at_least } = self;
        let route = match route {
            Route::Check => "check",
            Route::Authorize => "authorize",
        };
        let (key, at_least) = ([MARK, livemode.prefix(), id.as_str()], Digits::of(at_least.0));
        [&key.concat(), at_least.text(), route, feature.as_str()].join("\n")
    }

    /// The question that [`Question::to_line()`] wrote down.
    #[must_use]
    pub fn from_line(line: &str) -> Option<Self> {
        let mut parts = line.strip_prefix(MARK)?.split('\n');
        let key = parts.next()?;
        let (livemode, id) = [Livemode::Test, Livemode::Live]
            .into_iter()
            .find_map(|mode| Some((mode, key.strip_prefix(mode.prefix())?)))?;
        let customer = Customer { livemode, id: CustomerId::try_from(id).ok()? };
        let at_least = Version(parts.next()?.parse().ok()?);
        let route = match parts.next()? {
            "check" => Route::Check,
            "authorize" => Route::Authorize,
            _ => return None,
        };
        let feature = LookupKey::try_from(parts.next()?).ok()?;
        parts.next().is_none().then_some(Self { route, customer, feature, at_least })
    }
}
