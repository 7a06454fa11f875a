//! The rules of the customer index: shards, merged pages, and the survey.

use std::collections::BTreeSet;

use entgate::{
    coordinator::{Backlog, IndexQuery, IndexReport},
    customer_index::{
        ACTIVITY_MAX_AGE, ACTIVITY_RETENTION, ActivityId, ActivityPosition, Candidate, KeyProblem,
        Lease, LeaseKind, MAX_SLOT_BLOCK, RetainedActivity, SHARD_COUNT, Shard, ShardReport,
        SlotBlock, Survey, fnv1a_32, merge_pages, merge_reports, shard_cursor,
    },
    id::{CustomerId, Livemode, UnixMillis},
    ledger::SyncProblem,
    pagination::{Cursor, PageOf, PageRequest},
};
use proptest::prelude::*;

#[test]
fn the_hash_is_fnv_1a() {
    // <https://www.ietf.org/archive/id/draft-eastlake-fnv-21.html>, and test_fnv.c of its authors.
    for (input, hash) in [
        ("", 0x811c_9dc5),
        ("a", 0xe40c_292c),
        ("b", 0xe70c_2de5),
        ("fo", 0x6222_e842),
        ("foo", 0xa9f3_7ed7),
        ("foob", 0x3f50_76ef),
        ("fooba", 0x39aa_a18a),
        ("foobar", 0xbf9c_f968),
    ] {
        assert_eq!(fnv1a_32(input.as_bytes()), hash, "{input:?}");
    }
}

#[test]
fn the_shard_is_the_hash_of_the_utf_8_of_the_id_modulo_32() {
    // Computed with Python.
    for (id, number) in [("", 5), ("a", 12), ("foobar", 8), ("cus_ada", 25), ("cüs_ädä", 11)] {
        assert_eq!(Shard::of(id).number(), number, "{id:?}");
    }
    let names: BTreeSet<_> = Shard::all().map(|shard| shard.object_name(Livemode::Live)).collect();
    assert_eq!((SHARD_COUNT, names.len()), (32, 32));
    assert_eq!(Shard::of("cus_ada").object_name(Livemode::Test), "test:25");
    assert_eq!(Shard::from_number(31).map(Shard::number), Some(31));
    assert_eq!(Shard::from_number(32), None);
}

#[test]
fn customers_are_spread_over_all_shards() {
    let mut counts = [0_u32; 32];
    (0..32_000).for_each(|i| counts[usize::from(Shard::of(&format!("cus_{i:014}")).number())] += 1);
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!((850..=1_150).contains(least) && (850..=1_150).contains(most), "{counts:?}");
}

fn page(data: &[u32], has_more: bool) -> PageOf<u32> {
    PageOf { data: data.to_vec(), has_more }
}

#[test]
fn nothing_beyond_the_end_of_a_page_with_more_items_is_part_of_the_merged_page() {
    let merge = |cursor, pages| merge_pages(&PageRequest { limit: 4, cursor }, pages, u32::cmp);
    // The second shard has skipped items that it could not decode.
    let pages = || vec![page(&[1, 5, 9], false), page(&[2, 3], true)];
    assert_eq!(merge(Cursor::Start, pages()), page(&[1, 2, 3], true));
    assert_eq!(merge(Cursor::Before(10), pages()), page(&[2, 3, 5, 9], true));
    let pages = vec![page(&[1, 2, 3], false), page(&[8, 9], true)];
    assert_eq!(merge(Cursor::Before(10), pages), page(&[8, 9], true));
}

/// The page of one sorted list, read as a store does.
fn read_page(all: &[u32], request: &PageRequest<u32>) -> PageOf<u32> {
    let items = all.iter().copied();
    match request.cursor {
        Cursor::Start => PageOf::from_fetched(request, items),
        Cursor::After(cursor) => PageOf::from_fetched(request, items.filter(|item| *item > cursor)),
        Cursor::Before(cursor) => {
            PageOf::from_fetched(request, items.rev().filter(|item| *item < cursor))
        }
    }
}

proptest! {
    #[test]
    fn the_merged_page_is_the_page_of_the_whole_list(
        items in prop::collection::btree_map(0_u32..60, 0_usize..4, 0..40),
        limit in 1_usize..12,
        cursor in prop_oneof![
            Just(Cursor::Start),
            (0_u32..60).prop_map(Cursor::After),
            (0_u32..60).prop_map(Cursor::Before),
        ],
    ) {
        let request = PageRequest { limit, cursor };
        let all: Vec<u32> = items.keys().copied().collect();
        let pages = (0..4).map(|shard| {
            let of_shard = items.iter().filter(|(_, other)| **other == shard);
            read_page(&of_shard.map(|(item, _)| *item).collect::<Vec<_>>(), &request)
        });
        let merged = merge_pages(&request, pages.collect(), u32::cmp);
        prop_assert_eq!(merged, read_page(&all, &request));
    }

    #[test]
    fn a_cursor_has_the_same_place_in_its_list_and_in_each_shard(
        cursor in (0_u64..3, 0_u8..3, 1_u64..4),
        other in (0_u64..3, 0_u8..3, 1_u64..4),
    ) {
        let id = |(at, shard, number)| ActivityId {
            received_at: UnixMillis(at), shard: Shard::from_number(shard).unwrap(), number,
        };
        let (cursor, other) = (id(cursor), id(other));
        // Within a shard, the order of numbers is the order of times.
        prop_assume!(cursor.shard != other.shard
            || (cursor.received_at.cmp(&other.received_at) == cursor.number.cmp(&other.number)));
        let position =
            ActivityPosition { received_at: other.received_at, number: other.number };
        match shard_cursor(&Cursor::After(cursor), other.shard) {
            Cursor::After(bound) => prop_assert_eq!(position < bound, other < cursor),
            bound => panic!("{bound:?}"),
        }
        match shard_cursor(&Cursor::Before(cursor), other.shard) {
            Cursor::Before(bound) => prop_assert_eq!(position > bound, other > cursor),
            bound => panic!("{bound:?}"),
        }
    }
}

#[test]
fn a_shard_keeps_ten_thousand_entries_and_thirty_days() {
    let now = UnixMillis(ACTIVITY_MAX_AGE + 500);
    let at =
        |received_at, number| ActivityPosition { received_at: UnixMillis(received_at), number };
    let full = RetainedActivity::new(at(900, ACTIVITY_RETENTION), now);
    assert!(full.keeps(at(500, 1)));
    assert!(!full.keeps(at(499, 1)), "older than 30 days");
    let over = RetainedActivity::new(at(900, ACTIVITY_RETENTION + 1), now);
    assert!(over.keeps(at(500, 2)));
    assert!(!over.keeps(at(500, 1)), "one too many");
    assert_eq!(over.complete_since(None), UnixMillis(500));
    assert_eq!(over.complete_since(Some(UnixMillis(499))), UnixMillis(500));
    assert_eq!(over.complete_since(Some(UnixMillis(500))), UnixMillis(501));
}

#[test]
fn the_place_of_an_entry_never_goes_back() {
    let newest = ActivityPosition { received_at: UnixMillis(10), number: 3 };
    let next = |now| newest.next(UnixMillis(now));
    assert_eq!(next(11), ActivityPosition { received_at: UnixMillis(11), number: 4 });
    assert_eq!(next(9), ActivityPosition { received_at: UnixMillis(10), number: 4 });
}

#[test]
fn a_shard_reserves_one_slot_while_the_queue_is_short_and_a_block_while_it_is_long() {
    for (first, size) in [(0, 1), (60_000, 1), (60_001, MAX_SLOT_BLOCK)] {
        let mut block = SlotBlock::default();
        let now = UnixMillis(1_000);
        assert_eq!((block.take(now), block.next_size()), (None, 1), "{first}");
        let slot = now.saturating_add(first);
        assert_eq!(block.add(vec![slot], now), Some(slot), "{first}");
        assert_eq!((block.take(now), block.next_size()), (None, size), "{first}");
    }
}

#[test]
fn a_shard_assigns_each_slot_of_a_block_once_and_none_that_is_over() {
    let mut block = SlotBlock::default();
    let reserved = [10, 20, 30, 40].map(UnixMillis).to_vec();
    assert_eq!(block.add(reserved, UnixMillis(10)), Some(UnixMillis(10)));
    assert_eq!(block.take(UnixMillis(20)), Some(UnixMillis(20)));
    assert_eq!(block.take(UnixMillis(31)), Some(UnixMillis(40)));
    assert_eq!(block.take(UnixMillis(31)), None);
    assert_eq!(block.add(Vec::new(), UnixMillis(50)), None);
}

fn candidate(since: u64, id: &str) -> Candidate {
    Candidate { since, id: CustomerId::try_from(id).unwrap() }
}

fn shard(number: u8) -> Shard {
    Shard::from_number(number).unwrap()
}

const QUERY: IndexQuery = IndexQuery {
    livemode: Livemode::Live,
    max_overdue: 2,
    max_unread: 3,
    read_before: UnixMillis(100),
};

#[test]
fn a_survey_adds_up_all_shards_and_leases_the_first_customers_only() {
    let reports = vec![
        (
            shard(1),
            ShardReport {
                pending: 2,
                pending_since: Some(UnixMillis(70)),
                overdue: vec![candidate(0, "a"), candidate(5, "b")],
                unread: vec![candidate(3, "c"), candidate(8, "d")],
                unread_count: 9,
                ..ShardReport::default()
            },
        ),
        (
            shard(2),
            ShardReport {
                pending: 1,
                pending_since: Some(UnixMillis(60)),
                overdue: vec![candidate(4, "e")],
                unread: vec![candidate(1, "f"), candidate(2, "g")],
                unread_count: 2,
                ..ShardReport::default()
            },
        ),
        (shard(3), ShardReport::default()),
    ];
    let keys = |ids: &[&str]| ids.iter().map(|id| format!("live:{id}")).collect();
    let lease = |kind, ids: &[&str]| {
        let ids = ids.iter().map(|id| CustomerId::try_from(*id).unwrap()).collect();
        Lease { kind, ids }
    };
    let report = IndexReport {
        backlog: Backlog { pending: 3, pending_since: Some(UnixMillis(60)), problem: None },
        overdue: keys(&["a", "e"]),
        unread: keys(&["f", "g", "c"]),
        unread_count: 11,
    };
    let leases = vec![
        (shard(1), lease(LeaseKind::Overdue, &["a"])),
        (shard(2), lease(LeaseKind::Overdue, &["e"])),
        (shard(1), lease(LeaseKind::Unread, &["c"])),
        (shard(2), lease(LeaseKind::Unread, &["f", "g"])),
    ];
    assert_eq!(merge_reports(QUERY, reports), Survey { report, leases });
}

#[test]
fn the_problem_of_the_key_is_over_once_a_set_is_confirmed_later() {
    let key_refused =
        |at| Some(KeyProblem { problem: SyncProblem::KeyRefused, reported_at: UnixMillis(at) });
    let unknown = |at| {
        Some(KeyProblem { problem: SyncProblem::UnknownCustomer, reported_at: UnixMillis(at) })
    };
    for (why, key_problem, problem, confirmed_at, expected) in [
        ("no problem", None, None, None, None),
        ("reported", key_refused(5_500), None, None, Some(SyncProblem::KeyRefused)),
        ("confirmed before", key_refused(5_500), None, Some(5_499), Some(SyncProblem::KeyRefused)),
        ("at the same time", key_refused(5_500), None, Some(5_500), Some(SyncProblem::KeyRefused)),
        ("confirmed after", key_refused(5_500), None, Some(5_501), None),
        ("of a customer", None, unknown(1), Some(6_000), Some(SyncProblem::UnknownCustomer)),
        ("the last one", key_refused(2), unknown(1), None, Some(SyncProblem::KeyRefused)),
        (
            "the other last one",
            key_refused(1),
            unknown(2),
            None,
            Some(SyncProblem::UnknownCustomer),
        ),
    ] {
        let last_confirmed_at = confirmed_at.map(UnixMillis);
        let reports = vec![
            (shard(0), ShardReport { key_problem, ..ShardReport::default() }),
            (shard(1), ShardReport { problem, last_confirmed_at, ..ShardReport::default() }),
        ];
        assert_eq!(merge_reports(QUERY, reports).report.backlog.problem, expected, "{why}");
    }
}
