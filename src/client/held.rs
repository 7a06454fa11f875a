//! A set as a client keeps it: lines of text, which pass through JavaScript and back as they are.
//!
//! | line            | says                                                       |
//! |-----------------|------------------------------------------------------------|
//! | `+sms`          | the customer has this feature                              |
//! | `-sms`          | the customer has lost it since                             |
//! | `v6`            | the version                                                |
//! | `e1795400109`   | from this second on, nothing of it is known any more       |
//! | `ccus_ada`      | whose set it is                                            |
//! | `l`             | that customer is of live mode                              |
//! | `u`             | nothing was ever heard of this customer                    |
//! | `m`             | the customer may have more than this                       |

use crate::{
    entitlement::{Decision, Denial},
    id::Timestamp,
};

pub(super) const GRANTED: u8 = b'+';
pub(super) const REVOKED: u8 = b'-';
pub(super) const VERSION: u8 = b'v';
pub(super) const UNTIL: u8 = b'e';
pub(super) const CUSTOMER: u8 = b'c';
pub(super) const LIVE: u8 = b'l';
pub(super) const UNHEARD_OF: u8 = b'u';
pub(super) const MORE: u8 = b'm';

/// The lines of one set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Held<'a>(pub &'a [u8]);

impl<'a> Held<'a> {
    /// May the customer whose set this is use the feature?
    #[must_use]
    pub fn check(self, feature: &[u8], now: Timestamp) -> Decision {
        if self.until().is_none_or(|until| now >= until) {
            Decision::Undecided
        } else if self.of_kind(GRANTED).any(|key| key == feature) {
            Decision::Grant
        } else if self.says(MORE) {
            Decision::Undecided
        } else if self.says(UNHEARD_OF) {
            Decision::Deny(Denial::UnknownCustomer)
        } else {
            Decision::Deny(Denial::NotEntitled)
        }
    }

    /// From when on it is not known any more.
    fn until(self) -> Option<Timestamp> {
        self.of_kind(UNTIL).next().map(|digits| Timestamp(number(digits)))
    }

    fn says(self, kind: u8) -> bool {
        self.of_kind(kind).next().is_some()
    }

    fn of_kind(self, kind: u8) -> impl Iterator<Item = &'a [u8]> {
        let lines = self.0.split(|byte| *byte == b'\n');
        lines
            .filter_map(move |line| line.split_first())
            .filter(move |line| *line.0 == kind)
            .map(|line| line.1)
    }

    /// Whether a line grants or revokes this feature.
    pub(super) fn mentions(self, feature: &[u8]) -> bool {
        self.of_kind(GRANTED).chain(self.of_kind(REVOKED)).any(|key| key == feature)
    }
}

/// The number that digits write; there are at most [`super::json::DIGITS`] of them.
pub(super) fn number(digits: &[u8]) -> i64 {
    digits
        .iter()
        .fold(0, |number: i64, digit| number.wrapping_mul(10).wrapping_add(i64::from(*digit & 0xf)))
}
