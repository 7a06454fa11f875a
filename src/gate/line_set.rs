//! A set in the form that the browser stores: lines of text, which JavaScript passes on unchanged.
//!
//! | line            | meaning                                                    |
//! |-----------------|------------------------------------------------------------|
//! | `+sms`          | the customer has this feature                              |
//! | `-sms`          | a newer change removed this feature                        |
//! | `v6`            | the version                                                |
//! | `e1795400109`   | the set expires at this Unix timestamp                     |
//! | `ccus_ada`      | the customer's id                                          |
//! | `l`             | the customer is in live mode                               |
//! | `u`             | the customer is unknown                                    |
//! | `m`             | the customer may have more features                        |

use crate::{
    entitlement::{Decision, DenyReason, GrantReason},
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
    /// Checks whether the customer with this set may use the feature.
    #[must_use]
    pub fn check(self, feature: &[u8], now: Timestamp) -> Decision {
        let expires = self.find_line(EXPIRES, None).map(|digits| Timestamp(parse_digits(digits)));
        if expires.is_none_or(|expires| now >= expires) {
            Decision::Indeterminate
        } else if self.find_line(GRANTED, Some(feature)).is_some() {
            // A list does not say which layer grants a feature.
            Decision::Grant(GrantReason::ActiveEntitlement)
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

    /// Returns the value of the first line of a kind, if `value` is given of the first with that value.
    fn find_line(self, kind: u8, value: Option<&[u8]>) -> Option<&'a [u8]> {
        for line in self.0.split(|byte| *byte == b'\n') {
            if let Some((first, rest)) = line.split_first()
                && *first == kind
                && value.is_none_or(|value| value == rest)
            {
                return Some(rest);
            }
        }
        None
    }
}

/// Parses at most [`super::in_place_json::MAX_DIGITS`] decimal digits.
pub(super) fn parse_digits(digits: &[u8]) -> i64 {
    digits
        .iter()
        .fold(0, |number: i64, digit| number.wrapping_mul(10).wrapping_add(i64::from(*digit & 0xf)))
}
