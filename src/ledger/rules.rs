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
    entitlement::{ActiveEntitlement, Completeness, Entitlements, Summary, SummaryPage, Version},
    id::Timestamp,
};

/// How long an event's id is remembered, in seconds: 30 days, the time in which Stripe can send it
/// again (<https://docs.stripe.com/webhooks>).
pub const EVENT_RETENTION: i64 = 30 * 24 * 60 * 60;

/// Whether the ledger has seen an event's id before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dedup {
    /// This is the first time.
    New,
    /// It was seen within [`EVENT_MEMORY`].
    Duplicate,
}

/// What an event does to a ledger.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SetUpdate {
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
    #[error("a set of {count} entitlements, more than {}", Entitlements::MAX_LEN)]
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
    sighting: Dedup,
    summary: &Summary,
) -> Result<SetUpdate, Error> {
    if sighting == Dedup::Duplicate {
        return Ok(SetUpdate::Duplicate);
    }
    if held.is_some_and(|held| summary.created < held.as_of) {
        return Ok(SetUpdate::Stale);
    }
    let known = held.map_or(&[][..], |held| &held.data);
    let (coverage, data) = match &summary.page {
        Some(SummaryPage::Complete(page)) => {
            (Completeness::Complete, merge(known, page, Unlisted::Remove))
        }
        Some(SummaryPage::Truncated(page)) => {
            (Completeness::Partial, merge(known, page, Unlisted::Retain))
        }
        None => return Ok(SetUpdate::Stale),
    };
    if data.len() > Entitlements::MAX_LEN {
        return Err(Error::TooMany { count: data.len() });
    }
    Ok(to_update(held, summary.created, coverage, data))
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
) -> Result<SetUpdate, Error> {
    if list.len() > Entitlements::MAX_LEN {
        return Err(Error::TooMany { count: list.len() });
    }
    let known = held.map_or(&[][..], |held| &held.data);
    // Of two clocks, Stripe's in `created` and ours here, ours may be behind.
    let as_of = held.map_or(as_of, |held| held.as_of.max(as_of));
    Ok(to_update(held, as_of, Completeness::Complete, merge(known, list, Unlisted::Remove)))
}

/// Whether this is another set than the one held, and then its next version.
fn to_update(
    held: Option<&Entitlements>,
    as_of: Timestamp,
    coverage: Completeness,
    data: Vec<ActiveEntitlement>,
) -> SetUpdate {
    match held {
        Some(held) if held.completeness == coverage && held.data == data => {
            SetUpdate::Unchanged(Entitlements {
                version: held.version,
                as_of,
                completeness: coverage,
                data,
            })
        }
        held => {
            let version = held.map_or(Version::default(), |held| held.version).next();
            SetUpdate::Changed(Entitlements { version, as_of, completeness: coverage, data })
        }
    }
}

/// What becomes of a grant that is held and that the page does not name.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Unlisted {
    Remove,
    Retain,
}

/// New grants first, in the page's order; each held one stays in its place, because a grant that
/// moved between the pages of a list would be read twice or never.
fn merge(
    known: &[ActiveEntitlement],
    page: &[ActiveEntitlement],
    untold: Unlisted,
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
            None if untold == Unlisted::Retain && !ids.contains(&granted.id) => {
                data.push(granted.clone());
            }
            None => {}
        }
    }
    data
}
