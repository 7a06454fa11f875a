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
    entitlement::{Decision, DenyReason},
    id::Timestamp,
};

pub(super) const GRANTED: u8 = b'+';
pub(super) const REVOKED: u8 = b'-';
pub(super) const VERSION: u8 = b'v';
pub(super) const EXPIRES: u8 = b'e';
pub(super) const CUSTOMER: u8 = b'c';
pub(super) const LIVE: u8 = b'l';
pub(super) const UNKNOWN_CUSTOMER: u8 = b'u';
pub(super) const HAS_MORE: u8 = b'm';

/// The lines of one set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LineSet<'a>(pub &'a [u8]);

impl<'a> LineSet<'a> {
    /// May the customer whose set this is use the feature?
    #[must_use]
    pub fn check(self, feature: &[u8], now: Timestamp) -> Decision {
        let until = self.find_line(EXPIRES, None).map(|digits| Timestamp(parse_digits(digits)));
        if until.is_none_or(|until| now >= until) {
            Decision::Indeterminate
        } else if self.find_line(GRANTED, Some(feature)).is_some() {
            Decision::Grant
        } else if self.find_line(HAS_MORE, None).is_some() {
            Decision::Indeterminate
        } else if self.find_line(UNKNOWN_CUSTOMER, None).is_some() {
            Decision::Deny(DenyReason::UnknownCustomer)
        } else {
            Decision::Deny(DenyReason::NotEntitled)
        }
    }

    /// Whether a line grants or revokes this feature.
    pub(super) fn contains(self, feature: &[u8]) -> bool {
        [GRANTED, REVOKED].iter().any(|kind| self.find_line(*kind, Some(feature)).is_some())
    }

    /// What the first line of a kind says, or the first one that says this.
    fn find_line(self, kind: u8, says: Option<&[u8]>) -> Option<&'a [u8]> {
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
pub(super) fn parse_digits(digits: &[u8]) -> i64 {
    digits
        .iter()
        .fold(0, |number: i64, digit| number.wrapping_mul(10).wrapping_add(i64::from(*digit & 0xf)))
}
