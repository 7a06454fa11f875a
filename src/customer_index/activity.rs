//! The list of recent decisions, and how long a shard keeps them.
//!
//! Entries are ordered by the time at which their shard received them, then by shard, then by number. A
//! shard counts its entries, and its time never goes back: both orders of one shard are the same.
//!
//! A shard keeps [`ACTIVITY_RETENTION`] entries, and none older than [`ACTIVITY_MAX_AGE`]. So a list is
//! complete only since some time, which it names. Entries that never arrived are not counted: activity is
//! best effort.

use std::fmt;

use serde::Serialize;

use super::{merge::merge_pages, shard::Shard};
use crate::{
    id::{CustomerId, LookupKey, UnixMillis},
    json::json_type,
    ledger::{Activity, ActivityOutcome},
    pagination::{Cursor, PageOf, PageRequest},
};

/// How many entries a shard keeps: 320,000 of one mode.
pub const ACTIVITY_RETENTION: u64 = 10_000;

/// How long a shard keeps an entry, in milliseconds: 30 days, as long as Stripe lists events.
pub const ACTIVITY_MAX_AGE: u64 = 30 * 24 * 60 * 60 * 1_000;

/// The largest number of an entry: `Number.MAX_SAFE_INTEGER`.
pub const MAX_NUMBER: u64 = (1 << 53) - 1;

/// The id of an entry, `act_…`: its place in the order of all entries.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ActivityId {
    /// When the shard received the entry.
    pub received_at: UnixMillis,
    /// The shard.
    pub shard: Shard,
    /// The number of the entry in its shard, from 1.
    pub number: u64,
}

json_type! {
    /// The place of an entry in its shard.
    #[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd, Serialize)]
    pub struct ActivityPosition {
        /// When the shard received the entry.
        pub received_at: UnixMillis,
        /// The number of the entry, from 1.
        pub number: u64,
    }

    /// A request for a page of a shard's entries, newest first.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct ActivityQuery {
        /// Which entries.
        pub filter: ActivityFilter,
        /// The page.
        pub page: PageRequest<ActivityPosition>,
    }

    /// Which entries are listed: those that fulfil each condition.
    #[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
    pub struct ActivityFilter {
        /// The customer.
        pub customer: Option<CustomerId>,
        /// The outcome.
        pub outcome: Option<ActivityOutcome>,
        /// A feature that was added or removed.
        pub feature: Option<LookupKey>,
        /// The earliest time of the decision.
        pub first: Option<UnixMillis>,
        /// The latest time of the decision.
        pub last: Option<UnixMillis>,
    }

    /// A page of a shard's entries.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct ShardActivity {
        /// The page.
        pub entries: PageOf<StoredActivity>,
        /// Since when the shard has every entry that it received.
        pub complete_since: UnixMillis,
    }

    /// An entry of a shard.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct StoredActivity {
        /// The place in the shard.
        pub position: ActivityPosition,
        /// The customer that the decision is about.
        pub customer: CustomerId,
        /// The decision.
        pub activity: Activity,
    }
}

/// An entry of the list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ActivityEntry {
    /// The id: later entries have higher ids.
    pub id: ActivityId,
    /// The customer that the decision is about.
    pub customer: CustomerId,
    /// The decision.
    pub activity: Activity,
}

/// A page of the list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ActivityPage {
    /// The page, newest entry first.
    pub entries: PageOf<ActivityEntry>,
    /// Since when the list has every entry that was received.
    pub complete_since: UnixMillis,
}

/// Which entries a shard keeps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RetainedActivity {
    /// The number of the newest entry that is not kept, or 0.
    pub last_expired: u64,
    /// The earliest time of an entry that is kept.
    pub since: UnixMillis,
}

impl ActivityId {
    /// Parses an id. Returns `None` if no entry can have this id.
    #[must_use]
    pub fn parse(string: &str) -> Option<Self> {
        let mut parts = string.strip_prefix("act_")?.split('_');
        let id = Self {
            received_at: UnixMillis(parts.next()?.parse().ok()?),
            shard: Shard::from_number(parts.next()?.parse().ok()?)?,
            number: parts.next()?.parse().ok()?,
        };
        let is_stored = (1..=MAX_NUMBER).contains(&id.number) && id.received_at.0 <= MAX_NUMBER;
        // A sign or leading zeros would give one entry several ids.
        (is_stored && id.to_string() == string).then_some(id)
    }
}

impl fmt::Display for ActivityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "act_{}_{}_{}", self.received_at.0, self.shard.number(), self.number)
    }
}

impl ActivityFilter {
    /// Whether an entry is in the list.
    #[must_use]
    pub fn includes(&self, customer: &CustomerId, activity: &Activity) -> bool {
        let Self { customer: only, outcome, feature, first, last } = self;
        only.as_ref().is_none_or(|only| only == customer)
            && outcome.is_none_or(|outcome| outcome == activity.outcome())
            && feature.as_ref().is_none_or(|feature| activity.features().any(|key| key == feature))
            && first.is_none_or(|first| first <= activity.at)
            && last.is_none_or(|last| activity.at <= last)
    }
}

impl ActivityPosition {
    /// The place of the next entry. Its time is not before that of this one.
    #[must_use]
    pub fn next(self, now: UnixMillis) -> Self {
        let received_at = self.received_at.max(now);
        Self { received_at, number: self.number.saturating_add(1) }
    }
}

impl RetainedActivity {
    /// What a shard keeps whose newest entry has this place.
    #[must_use]
    pub fn new(newest: ActivityPosition, now: UnixMillis) -> Self {
        Self {
            last_expired: newest.number.saturating_sub(ACTIVITY_RETENTION),
            since: now.saturating_sub(ACTIVITY_MAX_AGE),
        }
    }

    /// Since when the shard has every entry, if the newest entry that it does not keep arrived then.
    #[must_use]
    pub fn complete_since(self, last_expired_at: Option<UnixMillis>) -> UnixMillis {
        let after = last_expired_at.map(|at| at.saturating_add(1)).unwrap_or_default();
        self.since.max(after)
    }

    /// Whether an entry is kept.
    #[must_use]
    pub fn keeps(self, position: ActivityPosition) -> bool {
        position.number > self.last_expired && position.received_at >= self.since
    }
}

/// The cursor of a shard for a cursor of the list, which may be an entry of another shard.
#[must_use]
pub fn shard_cursor(cursor: &Cursor<ActivityId>, shard: Shard) -> Cursor<ActivityPosition> {
    let position = |id: &ActivityId| ActivityPosition {
        received_at: id.received_at,
        // Of the entries of one time, those of a lower shard are older.
        number: match shard.cmp(&id.shard) {
            std::cmp::Ordering::Less => MAX_NUMBER,
            std::cmp::Ordering::Equal => id.number,
            std::cmp::Ordering::Greater => 0,
        },
    };
    match cursor {
        Cursor::Start => Cursor::Start,
        Cursor::After(id) => Cursor::After(position(id)),
        Cursor::Before(id) => Cursor::Before(position(id)),
    }
}

/// Merges the pages of these shards.
#[must_use]
pub fn merge_activity(
    page: &PageRequest<ActivityId>,
    shards: Vec<(Shard, ShardActivity)>,
) -> ActivityPage {
    let complete_since = shards.iter().map(|(_, found)| found.complete_since).max();
    let pages = shards.into_iter().map(|(shard, ShardActivity { entries, .. })| PageOf {
        has_more: entries.has_more,
        data: entries.data.into_iter().map(|stored| stored.in_shard(shard)).collect(),
    });
    let newest_first = |one: &ActivityEntry, other: &ActivityEntry| other.id.cmp(&one.id);
    let entries = merge_pages(page, pages.collect(), newest_first);
    ActivityPage { entries, complete_since: complete_since.unwrap_or_default() }
}

impl StoredActivity {
    fn in_shard(self, shard: Shard) -> ActivityEntry {
        let Self { position: ActivityPosition { received_at, number }, customer, activity } = self;
        ActivityEntry { id: ActivityId { received_at, shard, number }, customer, activity }
    }
}
