//! How one event, or the complete list of the source, changes a set.
//!
//! | the event is                              | result                                           |
//! |-------------------------------------------|--------------------------------------------------|
//! | a duplicate                               | [`SetUpdate::Duplicate`]: no change              |
//! | older than the set, or without a list     | [`SetUpdate::Stale`]: no change                  |
//! | newer or of the same second, complete     | the set becomes the list of the event            |
//! | newer or of the same second, truncated    | the page is added; the set is partial            |
//!
//! A set of another source counts as unknown. A list of the source replaces the set. Events arrive late, twice and out of order. `created` has a
//! resolution of one second: of two events of the same second, the later arrival wins.
//!
//! Not here: when the source is read.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    entitlement::{ActiveEntitlement, Completeness, SourceSet, Summary, SummaryPage},
    id::Timestamp,
    policy::SourcePolicy,
};

/// How long an event id is stored, in seconds: 30 days. Stripe can resend an event for that long
/// (<https://docs.stripe.com/webhooks>).
pub const EVENT_RETENTION: i64 = 30 * 24 * 60 * 60;

/// Whether the ledger has processed an event id before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dedup {
    /// The id is new.
    New,
    /// The id was processed within [`EVENT_RETENTION`].
    Duplicate,
}

/// The effect of an event or a source list on a set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SetUpdate {
    /// The set changed.
    Changed(SourceSet),
    /// The same set, valid as of a later time, perhaps read under another policy.
    Unchanged(SourceSet),
    /// The event was applied before.
    Duplicate,
    /// The current set is newer, or the event has no list.
    Stale,
}

/// Why a set cannot be updated.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The new set would exceed [`SourceSet::MAX_LEN`].
    #[error("the set would have {count} entitlements, the limit is {}", SourceSet::MAX_LEN)]
    TooMany {
        /// The number of entitlements in the new set.
        count: usize,
    },
}

/// Applies an event of a source to the current set.
///
/// # Errors
///
/// [`Error::TooMany`]: the event was not applied, so the caller must not acknowledge it.
pub fn apply(
    current: Option<&SourceSet>,
    dedup: Dedup,
    summary: &Summary,
    policy: SourcePolicy,
) -> Result<SetUpdate, Error> {
    if dedup == Dedup::Duplicate {
        return Ok(SetUpdate::Duplicate);
    }
    let known = current.filter(|set| set.policy.has_same_source(policy));
    if known.is_some_and(|set| summary.created < set.as_of) {
        return Ok(SetUpdate::Stale);
    }
    let grants = known.map_or(&[][..], |set| &set.data);
    let (completeness, policy, data) = match &summary.page {
        Some(SummaryPage::Complete(page)) => {
            (Completeness::Complete, policy, merge(grants, page, Unlisted::Remove))
        }
        Some(SummaryPage::Deleted) => (Completeness::Complete, policy, Vec::new()),
        Some(SummaryPage::Truncated(page)) => {
            // The other grants were read under the policy of before.
            let policy = known.map_or(policy, |set| set.policy);
            (Completeness::Partial, policy, merge(grants, page, Unlisted::Retain))
        }
        None => return Ok(SetUpdate::Stale),
    };
    if data.len() > SourceSet::MAX_LEN {
        return Err(Error::TooMany { count: data.len() });
    }
    Ok(to_update(current, summary.created, completeness, policy, data))
}

/// Replaces the current set with the complete list of the source, read under `policy` at `as_of`.
///
/// # Errors
///
/// [`Error::TooMany`]: the current set stays.
pub fn replace(
    current: Option<&SourceSet>,
    list: &[ActiveEntitlement],
    policy: SourcePolicy,
    as_of: Timestamp,
) -> Result<SetUpdate, Error> {
    if list.len() > SourceSet::MAX_LEN {
        return Err(Error::TooMany { count: list.len() });
    }
    let grants = current.map_or(&[][..], |set| &set.data);
    // `created` is Stripe's clock and `as_of` is ours, which may be slow.
    let known = current.filter(|set| set.policy.has_same_source(policy));
    let as_of = known.map_or(as_of, |set| set.as_of.max(as_of));
    let data = merge(grants, list, Unlisted::Remove);
    Ok(to_update(current, as_of, Completeness::Complete, policy, data))
}

/// Compares the new data with the current set.
fn to_update(
    current: Option<&SourceSet>,
    as_of: Timestamp,
    completeness: Completeness,
    policy: SourcePolicy,
    data: Vec<ActiveEntitlement>,
) -> SetUpdate {
    let set = SourceSet { as_of, completeness, policy, data };
    match current {
        Some(before) if before.completeness == set.completeness && before.data == set.data => {
            SetUpdate::Unchanged(set)
        }
        Some(_) | None => SetUpdate::Changed(set),
    }
}

/// What happens to a current grant that the page does not list.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Unlisted {
    Remove,
    Retain,
}

/// Merges a page into the current grants. New grants come first, in the order of the page. Current
/// grants keep their position: a client that reads the list in pages would see a moved grant twice or
/// not at all.
fn merge(
    current: &[ActiveEntitlement],
    page: &[ActiveEntitlement],
    unlisted: Unlisted,
) -> Vec<ActiveEntitlement> {
    let mut current_features = BTreeSet::new();
    current_features.extend(current.iter().map(|grant| &grant.feature));
    let mut listed = BTreeMap::new();
    let mut ids = BTreeSet::new();
    let mut data = Vec::with_capacity(current.len() + page.len());
    for grant in page {
        if listed.contains_key(&grant.feature) || !ids.insert(&grant.id) {
            continue;
        }
        listed.insert(&grant.feature, grant);
        if !current_features.contains(&grant.feature) {
            data.push(grant.clone());
        }
    }
    for grant in current {
        match listed.get(&grant.feature) {
            Some(&renewed) => data.push(renewed.clone()),
            // A current grant is outdated if the page assigns its id to another feature.
            None if unlisted == Unlisted::Retain && !ids.contains(&grant.id) => {
                data.push(grant.clone());
            }
            None => {}
        }
    }
    data
}
