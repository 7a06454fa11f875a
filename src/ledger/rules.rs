//! What one event, or the source's whole list, makes of a set.
//!
//! | the event is                    | the set becomes                                           |
//! |---------------------------------|-----------------------------------------------------------|
//! | one that was seen before        | nothing else: [`Outcome::Duplicate`]                      |
//! | older than what is held, or does not say what is held | nothing else: [`Outcome::Stale`]    |
//! | the whole, newer or a tie       | what the event says                                       |
//! | a first page, newer or a tie    | what it was and the page, and known only in part          |
//!
//! The list of the source becomes the set as it is. Events arrive late, twice and out of order;
//! `created` has a resolution of one second, and of two events of one second the later arrival
//! counts. When the list is read is not here.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    entitlement::{ActiveEntitlement, Coverage, Entitlements, Page, Summary, Version},
    id::Timestamp,
};

/// How long an event's id is remembered, in seconds: 30 days, the time in which Stripe can send it
/// again (<https://docs.stripe.com/webhooks>).
pub const EVENT_MEMORY: i64 = 30 * 24 * 60 * 60;

/// Whether the ledger has seen an event's id before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sighting {
    /// This is the first time.
    First,
    /// It was seen within [`EVENT_MEMORY`].
    Repeated,
}

/// What an event does to a ledger.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The set is another one, and its version the next.
    Changed(Entitlements),
    /// The same set and version, true as of a later moment.
    Unchanged(Entitlements),
    /// The event was applied before.
    Duplicate,
    /// Something newer is held.
    Stale,
}

/// Why an event cannot be applied.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The set would outgrow what can be stored.
    #[error("a set of {count} entitlements, more than {}", Entitlements::LIMIT)]
    TooMany {
        /// How many grants it would hold.
        count: usize,
    },
}

/// Applies an event to what is held.
///
/// # Errors
///
/// [`Error::TooMany`]: the event must not be acknowledged, since it was not kept.
pub fn apply(
    held: Option<&Entitlements>,
    sighting: Sighting,
    summary: &Summary,
) -> Result<Outcome, Error> {
    if sighting == Sighting::Repeated {
        return Ok(Outcome::Duplicate);
    }
    if held.is_some_and(|held| summary.created < held.as_of) {
        return Ok(Outcome::Stale);
    }
    let known = held.map_or(&[][..], |held| &held.data);
    let (coverage, data) = match &summary.page {
        Some(Page::Whole(page)) => (Coverage::Whole, merged(known, page, Untold::Dropped)),
        Some(Page::First(page)) => (Coverage::Partial, merged(known, page, Untold::Kept)),
        None => return Ok(Outcome::Stale),
    };
    if data.len() > Entitlements::LIMIT {
        return Err(Error::TooMany { count: data.len() });
    }
    Ok(outcome(held, summary.created, coverage, data))
}

/// Takes the source's whole list, read at `as_of`, for what is held.
///
/// # Errors
///
/// [`Error::TooMany`]: what is held stays.
pub fn replace(
    held: Option<&Entitlements>,
    list: &[ActiveEntitlement],
    as_of: Timestamp,
) -> Result<Outcome, Error> {
    if list.len() > Entitlements::LIMIT {
        return Err(Error::TooMany { count: list.len() });
    }
    let known = held.map_or(&[][..], |held| &held.data);
    // Of two clocks, Stripe's in `created` and ours here, ours may be behind.
    let as_of = held.map_or(as_of, |held| held.as_of.max(as_of));
    Ok(outcome(held, as_of, Coverage::Whole, merged(known, list, Untold::Dropped)))
}

/// Whether this is another set than the one held, and then its next version.
fn outcome(
    held: Option<&Entitlements>,
    as_of: Timestamp,
    coverage: Coverage,
    data: Vec<ActiveEntitlement>,
) -> Outcome {
    match held {
        Some(held) if held.coverage == coverage && held.data == data => {
            Outcome::Unchanged(Entitlements { version: held.version, as_of, coverage, data })
        }
        held => {
            let version = held.map_or(Version::default(), |held| held.version).next();
            Outcome::Changed(Entitlements { version, as_of, coverage, data })
        }
    }
}

/// What becomes of a grant that is held and that the page does not name.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Untold {
    Dropped,
    Kept,
}

/// New grants first, in the page's order; each held one stays in its place, because a grant that
/// moved between the pages of a list would be read twice or never.
fn merged(
    known: &[ActiveEntitlement],
    page: &[ActiveEntitlement],
    untold: Untold,
) -> Vec<ActiveEntitlement> {
    let mut held = BTreeSet::new();
    held.extend(known.iter().map(|granted| &granted.feature));
    let mut told = BTreeMap::new();
    let mut ids = BTreeSet::new();
    let mut data = Vec::with_capacity(known.len() + page.len());
    for granted in page {
        if told.contains_key(&granted.feature) || !ids.insert(&granted.id) {
            continue;
        }
        told.insert(&granted.feature, granted);
        if !held.contains(&granted.feature) {
            data.push(granted.clone());
        }
    }
    for granted in known {
        match told.get(&granted.feature) {
            Some(&again) => data.push(again.clone()),
            // A held grant whose id the page gives to another feature is out of date.
            None if untold == Untold::Kept && !ids.contains(&granted.id) => {
                data.push(granted.clone());
            }
            None => {}
        }
    }
    data
}
