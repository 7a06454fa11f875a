//! The rules of the customer index: 32 shards per mode, and one answer from all of them.
//!
//! | file        | contents                                                                       |
//! |-------------|--------------------------------------------------------------------------------|
//! | `shard`     | which shard has a customer: [`Shard`]                                          |
//! | `merge`     | one page out of the pages of all shards: [`merge_pages()`]                     |
//! | `customers` | the lists of customers, by id, problem or end of an override: [`CustomerQuery`] |
//! | `activity`  | the list of recent decisions, and how long a shard keeps them: [`ActivityQuery`] |
//! | `slot_block` | the slots of routine reads that a shard assigns: [`SlotBlock`]                |
//! | `survey`    | what the coordinator asks: [`ShardReport`], [`Survey`]                         |
//!
//! A customer has one shard, which receives all reports of its ledger. A list of all customers asks all
//! shards at once, and merges their pages. Each shard reads from the cursor on, so a page continues where
//! the previous one ended, even if rows changed in between.
//!
//! Not here: I/O. The shards are Durable Objects (`worker::customer_index`).

mod shard;

mod merge;

mod customers;

mod activity;

mod slot_block;

mod survey;

pub use self::{
    activity::{
        ACTIVITY_MAX_AGE, ACTIVITY_RETENTION, ActivityEntry, ActivityFilter, ActivityId,
        ActivityPage, ActivityPosition, ActivityQuery, MAX_NUMBER, RetainedActivity, ShardActivity,
        StoredActivity, merge_activity, shard_cursor,
    },
    customers::{
        CustomerPosition, CustomerQuery, CustomerSelection, CustomerSyncStatus, ProblemFilter,
    },
    merge::merge_pages,
    shard::{SHARD_COUNT, Shard, fnv1a_32},
    slot_block::{MAX_SLOT_BLOCK, SlotBlock},
    survey::{Candidate, KeyProblem, Lease, LeaseKind, ShardReport, Survey, merge_reports},
};
