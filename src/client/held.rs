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
        let until = self.line(UNTIL, None).map(|digits| Timestamp(number(digits)));
        if until.is_none_or(|until| now >= until) {
            Decision::Undecided
        } else if self.line(GRANTED, Some(feature)).is_some() {
            Decision::Grant
        } else if self.line(MORE, None).is_some() {
            Decision::Undecided
        } else if self.line(UNHEARD_OF, None).is_some() {
            Decision::Deny(Denial::UnknownCustomer)
        } else {
            Decision::Deny(Denial::NotEntitled)
        }
    }

    /// Whether a line grants or revokes this feature.
    pub(super) fn mentions(self, feature: &[u8]) -> bool {
        [GRANTED, REVOKED].iter().any(|kind| self.line(*kind, Some(feature)).is_some())
    }

    /// What the first line of a kind says, or the first one that says this.
    fn line(self, kind: u8, says: Option<&[u8]>) -> Option<&'a [u8]> {
        for line in self.0.split(|byte| *byte == b'\n') {
            if let Some((first, rest)) = line.split_first()
                && *first == kind
                && says.is_none_or(|says| says == rest)
            {
                return Some(rest);
            }
        }
        None
    }
}

/// The number that digits write; there are at most [`super::json::DIGITS`] of them.
pub(super) fn number(digits: &[u8]) -> i64 {
    digits
        .iter()
        .fold(0, |number: i64, digit| number.wrapping_mul(10).wrapping_add(i64::from(*digit & 0xf)))
}
