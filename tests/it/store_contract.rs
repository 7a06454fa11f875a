//! The contract of the stores, including failures before and after an operation.
//!
//! To test a new store, call these functions with it.

use entgate::{
    entitlement::{Completeness, Entitlements, SummaryPage, Version},
    id::{ActivityId, CustomerId, CustomerKey, Livemode, Timestamp, UnixMillis},
    ledger::{
        ACTIVITY_RETENTION, Activity, ActivityKind, ApplyOutcome, ApplyReceipt, EVENT_RETENTION,
        StatusReport, SyncStatus,
    },
    pagination::{Cursor, PageOf, PageRequest},
    policy::SourcePolicy,
    store::{
        ActivityEntry, ActivityLog, ActivityPage, CustomerIndex, Error, Ledger, LoadedSet, Replica,
        ServedBy,
        memory::{Fault, MemoryStore},
    },
};
use pollster::block_on;

use crate::support::{customer, grants, summary};

const NOW: Timestamp = Timestamp(1_700_000_000);

#[expect(clippy::unnecessary_wraps, reason = "it is compared with the result of a store")]
fn receipt(outcome: ApplyOutcome, version: u64) -> Result<ApplyReceipt, Error> {
    Ok(ApplyReceipt { outcome, version: Version(version) })
}

fn ledger_applies_events_by_the_rules(ledger: &impl Ledger) {
    let ada = customer("cus_ada");
    let grant = summary("evt_1", 10, SummaryPage::Complete(grants(&["a"])));
    let unknown = Ok(LoadedSet { entitlements: None, served_by: ServedBy::Ledger });
    assert_eq!(block_on(ledger.load(&ada, &[])), unknown, "before the first event");
    assert_eq!(block_on(ledger.apply(&grant, NOW)), receipt(ApplyOutcome::Applied, 1));
    assert_eq!(block_on(ledger.apply(&grant, NOW)), receipt(ApplyOutcome::Duplicate, 1));
    let same = summary("evt_2", 11, SummaryPage::Complete(grants(&["a"])));
    assert_eq!(block_on(ledger.apply(&same, NOW)), receipt(ApplyOutcome::Unchanged, 1));
    let late = summary("evt_3", 9, SummaryPage::Complete(vec![]));
    assert_eq!(block_on(ledger.apply(&late, NOW)), receipt(ApplyOutcome::Stale, 1));
    assert_eq!(block_on(ledger.apply(&late, NOW)), receipt(ApplyOutcome::Duplicate, 1));

    let set = block_on(ledger.load(&ada, &[])).unwrap().entitlements.unwrap();
    let (version, as_of) = (Version(1), Timestamp(11));
    let data = grants(&["a"]);
    assert_eq!(
        set,
        Entitlements {
            version,
            as_of,
            completeness: Completeness::Complete,
            policy: SourcePolicy::default(),
            data
        }
    );
    assert_eq!(block_on(ledger.load(&customer("cus_bob"), &[])), unknown, "another customer");
}

fn ledger_deletes_event_ids_after_30_days(ledger: &impl Ledger) {
    let grant = summary("evt_1", 10, SummaryPage::Complete(grants(&["a"])));
    let at = |seconds| Timestamp(NOW.0 + seconds);
    assert_eq!(block_on(ledger.apply(&grant, NOW)), receipt(ApplyOutcome::Applied, 1));
    assert_eq!(
        block_on(ledger.apply(&grant, at(EVENT_RETENTION))),
        receipt(ApplyOutcome::Duplicate, 1)
    );
    assert_eq!(
        block_on(ledger.apply(&grant, at(EVENT_RETENTION + 1))),
        receipt(ApplyOutcome::Unchanged, 1)
    );
}

fn ledger_accepts_an_event_again_after_a_failure(ledger: &impl Ledger, fail: impl Fn(Fault)) {
    let grant = |event| summary(event, 10, SummaryPage::Complete(grants(&[event])));
    fail(Fault::Before);
    assert!(matches!(block_on(ledger.apply(&grant("a"), NOW)), Err(Error::Unreachable { .. })));
    assert_eq!(block_on(ledger.apply(&grant("a"), NOW)), receipt(ApplyOutcome::Applied, 1));

    fail(Fault::After);
    assert!(matches!(block_on(ledger.apply(&grant("b"), NOW)), Err(Error::Unreachable { .. })));
    assert_eq!(block_on(ledger.apply(&grant("b"), NOW)), receipt(ApplyOutcome::Duplicate, 2));
}

fn replica_returns_the_last_saved_set(replica: &impl Replica, fail: impl Fn(Fault)) {
    let (ada, bob) = (customer("cus_ada"), customer("cus_bob"));
    let set = |version| {
        let (version, as_of) = (Version(version), Timestamp(1));
        Entitlements {
            version,
            as_of,
            completeness: Completeness::Complete,
            policy: SourcePolicy::default(),
            data: grants(&["a"]),
        }
    };
    assert_eq!(block_on(replica.load(&ada)), Ok(None));
    assert_eq!(block_on(replica.save(&ada, &set(1))), Ok(()));
    assert_eq!(block_on(replica.save(&ada, &set(2))), Ok(()));
    assert_eq!(block_on(replica.load(&ada)), Ok(Some(set(2))));
    assert_eq!(block_on(replica.load(&bob)), Ok(None), "another customer");

    fail(Fault::Before);
    assert!(block_on(replica.save(&ada, &set(3))).is_err());
    assert_eq!(block_on(replica.load(&ada)), Ok(Some(set(2))));
    fail(Fault::After);
    assert!(block_on(replica.save(&ada, &set(3))).is_err());
    assert_eq!(block_on(replica.load(&ada)), Ok(Some(set(3))));
}

fn customer_index_lists_the_features_of_all_sets(
    ledger: &impl Ledger,
    index: &impl CustomerIndex,
    fail: impl Fn(Fault),
    report: impl Fn(),
) {
    let features = |livemode| {
        let features = block_on(index.list_features(livemode));
        features.map(|keys| keys.into_iter().map(String::from).collect::<Vec<_>>())
    };
    assert_eq!(features(Livemode::Test), Ok(vec![]));
    for (event, created, keys) in
        [("evt_1", 10, &["b", "a"][..]), ("evt_2", 11, &["c"]), ("evt_3", 12, &[])]
    {
        block_on(ledger.apply(&summary(event, created, SummaryPage::Complete(grants(keys))), NOW))
            .unwrap();
    }
    report();
    for fault in [Fault::Before, Fault::After] {
        fail(fault);
        assert!(matches!(features(Livemode::Test), Err(Error::Unreachable { .. })));
    }
    assert_eq!(features(Livemode::Test), Ok(vec!["a".into(), "b".into(), "c".into()]));
    assert_eq!(features(Livemode::Live), Ok(vec![]), "the other mode");
}

/// The ids of a page, and whether there are more.
fn ids<T, P>(page: PageOf<T>, id: impl Fn(T) -> P) -> (Vec<P>, bool) {
    (page.data.into_iter().map(id).collect(), page.has_more)
}

fn customer_index_lists_customers_in_pages(
    index: &impl CustomerIndex,
    record: impl Fn(&CustomerKey, StatusReport),
) {
    let request = |limit, cursor| PageRequest { limit, cursor };
    let id = |id: &str| CustomerId::try_from(id).unwrap();
    let list = |livemode, prefix: Option<&str>, request| {
        let prefix = prefix.map(id);
        let page = block_on(index.list_customers(livemode, prefix.as_ref(), &request)).unwrap();
        ids(page, |entry| String::from(entry.id))
    };
    let page = |ids: &[&str], has_more| (ids.iter().map(ToString::to_string).collect(), has_more);
    assert_eq!(list(Livemode::Test, None, request(10, Cursor::Start)), page(&[], false));
    for name in ["b", "aé", "a", "ab", "a\u{10ffff}", "a\u{10ffff}b"] {
        record(&customer(name), StatusReport::default());
    }
    record(&CustomerKey { livemode: Livemode::Live, id: id("a") }, StatusReport::default());
    let all = ["a", "ab", "aé", "a\u{10ffff}", "a\u{10ffff}b", "b"];
    for (why, prefix, request, expected) in [
        ("all customers", None, request(6, Cursor::Start), page(&all, false)),
        ("all but one", None, request(5, Cursor::Start), page(&all[..5], true)),
        ("after a customer", None, request(2, Cursor::After(id("a"))), page(&all[1..3], true)),
        (
            "after an unknown customer",
            None,
            request(9, Cursor::After(id("aa"))),
            page(&all[1..], false),
        ),
        ("before a customer", None, request(2, Cursor::Before(id("aé"))), page(&all[..2], false)),
        (
            "the last one before a customer",
            None,
            request(1, Cursor::Before(id("aé"))),
            page(&["ab"], true),
        ),
        ("before the first", None, request(9, Cursor::Before(id("a"))), page(&[], false)),
        ("after the last", None, request(9, Cursor::After(id("b"))), page(&[], false)),
        ("by prefix", Some("a"), request(9, Cursor::Start), page(&all[..5], false)),
        ("by a whole id as prefix", Some("ab"), request(9, Cursor::Start), page(&["ab"], false)),
        (
            "by the last character",
            Some("a\u{10ffff}"),
            request(9, Cursor::Start),
            page(&all[3..5], false),
        ),
        ("by an unused prefix", Some("aa"), request(9, Cursor::Start), page(&[], false)),
        ("by a pattern", Some("a%"), request(9, Cursor::Start), page(&[], false)),
        (
            "by prefix, after a customer",
            Some("a"),
            request(1, Cursor::After(id("ab"))),
            page(&["aé"], true),
        ),
        (
            "by prefix, after all of them",
            Some("a"),
            request(9, Cursor::After(id("b"))),
            page(&[], false),
        ),
        (
            "by prefix, before an id after all of them",
            Some("a"),
            request(9, Cursor::Before(id("b"))),
            page(&all[..5], false),
        ),
        (
            "by prefix, after an id before all of them",
            Some("b"),
            request(9, Cursor::After(id("a"))),
            page(&["b"], false),
        ),
    ] {
        assert_eq!(list(Livemode::Test, prefix, request), expected, "{why}");
    }
    assert_eq!(list(Livemode::Live, None, request(9, Cursor::Start)), page(&["a"], false));

    let status = SyncStatus {
        confirmed_at: Some(NOW),
        pending: 2,
        pending_since: Some(UnixMillis(1)),
        problem: None,
    };
    record(&customer("b"), StatusReport { status, ..StatusReport::default() });
    let request = request(1, Cursor::Start);
    let page = block_on(index.list_customers(Livemode::Test, Some(&id("b")), &request));
    assert_eq!(page.unwrap().data[0].status, status, "the last report wins");
}

fn activity_log_keeps_the_last_thousand_entries(
    log: &impl ActivityLog,
    fail: impl Fn(Fault),
    record: impl Fn(&CustomerKey, Activity),
) {
    let activity = |version| {
        let (kind, at) = (ActivityKind::Confirmed, UnixMillis(version));
        Activity { kind, version: Version(version), at, change: None }
    };
    let (ada, bob) = (customer("cus_ada"), customer("cus_bob"));
    let list = |livemode, customer: Option<&CustomerKey>, limit, cursor| {
        let customer = customer.map(|customer| &customer.id);
        let ActivityPage { entries, newest } =
            block_on(log.list(livemode, customer, &PageRequest { limit, cursor })).unwrap();
        for ActivityEntry { id, activity: stored, .. } in &entries.data {
            assert_eq!(*stored, activity(id.0));
        }
        (ids(entries, |entry| entry.id.0), newest.map(|id| id.0))
    };
    let all = |cursor| list(Livemode::Test, None, 3, cursor);
    let of_bob = |cursor| list(Livemode::Test, Some(&bob), 3, cursor);
    let (after, before) = (|id| Cursor::After(ActivityId(id)), |id| Cursor::Before(ActivityId(id)));
    assert_eq!(all(Cursor::Start), ((vec![], false), None));
    for version in 1..=9 {
        record(if version % 3 == 0 { &bob } else { &ada }, activity(version));
    }
    for (why, page, expected) in [
        ("newest first", all(Cursor::Start), (vec![9, 8, 7], true)),
        ("older ones", all(after(4)), (vec![3, 2, 1], false)),
        ("some older ones", all(after(5)), (vec![4, 3, 2], true)),
        ("the oldest of the newer ones", all(before(5)), (vec![8, 7, 6], true)),
        ("newer ones", all(before(6)), (vec![9, 8, 7], false)),
        ("after the newest", all(before(9)), (vec![], false)),
        ("before the oldest", all(after(1)), (vec![], false)),
        ("newer than a future id", all(before(u64::MAX)), (vec![], false)),
        ("of one customer", of_bob(Cursor::Start), (vec![9, 6, 3], false)),
        ("of one customer, older than another's", of_bob(after(8)), (vec![6, 3], false)),
        ("of one customer, newer", of_bob(before(3)), (vec![9, 6], false)),
    ] {
        assert_eq!(page, (expected, Some(9)), "{why}");
    }
    let unknown = list(Livemode::Test, Some(&customer("cus_eve")), 3, Cursor::Start);
    assert_eq!(unknown, ((vec![], false), Some(9)));
    assert_eq!(list(Livemode::Live, None, 3, Cursor::Start), ((vec![], false), None));

    let retention = u64::try_from(ACTIVITY_RETENTION).unwrap();
    (10..=retention).for_each(|version| record(&ada, activity(version)));
    assert_eq!(all(after(2)), ((vec![1], false), Some(retention)), "a thousand entries");
    record(&ada, activity(retention + 1));
    assert_eq!(all(after(3)), ((vec![2], false), Some(retention + 1)), "one more entry");
    assert_eq!(
        all(before(1)),
        ((vec![4, 3, 2], true), Some(retention + 1)),
        "newer than a deleted entry"
    );

    let request = PageRequest { limit: 1, cursor: Cursor::Start };
    for fault in [Fault::Before, Fault::After] {
        fail(fault);
        let result = block_on(log.list(Livemode::Test, None, &request));
        assert!(matches!(result, Err(Error::Unreachable { port: "activity log", .. })));
    }
}

#[test]
fn the_stores_in_memory_fulfil_the_contract() {
    ledger_applies_events_by_the_rules(&MemoryStore::default().ledger);
    ledger_deletes_event_ids_after_30_days(&MemoryStore::default().ledger);
    let store = MemoryStore::default();
    ledger_accepts_an_event_again_after_a_failure(&store.ledger, |fault| {
        store.ledger.fail_next(fault);
    });
    let fail = |fault| store.replica.fail_next(fault);
    replica_returns_the_last_saved_set(&store.replica, fail);
    let store = MemoryStore::default();
    let fail = |fault| store.customer_index.fail_next(fault);
    let report = || store.replicate();
    customer_index_lists_the_features_of_all_sets(
        &store.ledger,
        &store.customer_index,
        fail,
        report,
    );
    let index = MemoryStore::default().customer_index;
    customer_index_lists_customers_in_pages(&index, |customer, report| {
        index.record(customer, report);
    });
    let log = MemoryStore::default().activity_log;
    let record = |customer: &CustomerKey, activity| log.record(customer, activity);
    activity_log_keeps_the_last_thousand_entries(&log, |fault| log.fail_next(fault), record);
}
