//! The contract of the stores, including failures before and after an operation.
//!
//! To test a new store, call these functions with it.

use entgate::{
    customer_index::{
        ACTIVITY_MAX_AGE, ACTIVITY_RETENTION, ActivityEntry, ActivityFilter, ActivityId,
        ActivityPage, CustomerPosition, CustomerQuery, CustomerSelection, CustomerSyncStatus,
        ProblemFilter, Shard,
    },
    entitlement::{Completeness, SourceSet, SummaryPage, Version},
    id::{CustomerId, CustomerKey, Livemode, Timestamp, UnixMillis},
    ledger::{
        Activity, ActivityKind, ActivityOutcome, ApplyOutcome, ApplyReceipt, EVENT_RETENTION,
        KeyChange, StatusReport, SyncProblem, SyncStatus,
    },
    pagination::{Cursor, PageOf, PageRequest},
    policy::SourcePolicy,
    store::{
        Coordinator, CustomerIndex, Error, Ledger, LoadedSet, Replica, ServedBy, SourceCoverage,
        memory::{Fault, MemoryStore},
    },
};
use pollster::block_on;

use crate::support::{customer, grants, record_of, summary};

const NOW: Timestamp = Timestamp(1_700_000_000);

#[expect(clippy::unnecessary_wraps, reason = "it is compared with the result of a store")]
fn receipt(outcome: ApplyOutcome, version: u64) -> Result<ApplyReceipt, Error> {
    Ok(ApplyReceipt { outcome, version: Version(version) })
}

fn ledger_applies_events_by_the_rules(ledger: &impl Ledger) {
    let ada = customer("cus_ada");
    let grant = summary("evt_1", 10, SummaryPage::Complete(grants(&["a"])));
    let (served_by, coverage) = (ServedBy::Ledger, SourceCoverage::Asked);
    let unknown = Ok(LoadedSet { entitlements: None, served_by, coverage });
    assert_eq!(block_on(ledger.load(&ada, &[])), unknown, "before the first event");
    assert_eq!(block_on(ledger.apply(&grant, NOW)), receipt(ApplyOutcome::Applied, 1));
    assert_eq!(block_on(ledger.apply(&grant, NOW)), receipt(ApplyOutcome::Duplicate, 1));
    let same = summary("evt_2", 11, SummaryPage::Complete(grants(&["a"])));
    assert_eq!(block_on(ledger.apply(&same, NOW)), receipt(ApplyOutcome::Unchanged, 1));
    let late = summary("evt_3", 9, SummaryPage::Complete(vec![]));
    assert_eq!(block_on(ledger.apply(&late, NOW)), receipt(ApplyOutcome::Stale, 1));
    assert_eq!(block_on(ledger.apply(&late, NOW)), receipt(ApplyOutcome::Duplicate, 1));

    let set = block_on(ledger.load(&ada, &[])).unwrap().entitlements.unwrap();
    let as_of = Timestamp(11);
    let data = grants(&["a"]);
    assert_eq!(
        set,
        record_of(
            1,
            SourceSet {
                as_of,
                completeness: Completeness::Complete,
                policy: SourcePolicy::default(),
                data
            }
        )
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
        let set = SourceSet {
            as_of: Timestamp(1),
            completeness: Completeness::Complete,
            policy: SourcePolicy::default(),
            data: grants(&["a"]),
        };
        record_of(version, set)
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

fn coordinator_lists_the_features_of_all_sets(
    ledger: &impl Ledger,
    coordinator: &impl Coordinator,
    fail: impl Fn(Fault),
    report: impl Fn(),
) {
    let features = |livemode| {
        let features = block_on(coordinator.list_features(livemode));
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
    record: impl Fn(&CustomerKey, &StatusReport, UnixMillis),
) {
    let request = |limit, cursor| PageRequest { limit, cursor };
    let id = |id: &str| CustomerId::try_from(id).unwrap();
    let list = |livemode, prefix: Option<&str>, page: PageRequest<CustomerId>| {
        let position =
            |id: &CustomerId, _| Ok::<_, ()>(CustomerPosition { time: None, id: id.clone() });
        let page = page.try_map(position).unwrap();
        let (prefix, selection) = (prefix.map(id), CustomerSelection::All);
        let query = CustomerQuery { prefix, selection, page };
        let page = block_on(index.list_customers(livemode, &query)).unwrap();
        ids(page, |entry| String::from(entry.id))
    };
    let page = |ids: &[&str], has_more| (ids.iter().map(ToString::to_string).collect(), has_more);
    assert_eq!(list(Livemode::Test, None, request(10, Cursor::Start)), page(&[], false));
    for name in ["b", "aé", "a", "ab", "a\u{10ffff}", "a\u{10ffff}b"] {
        record(&customer(name), &StatusReport::default(), UnixMillis(1));
    }
    let live = CustomerKey { livemode: Livemode::Live, id: id("a") };
    record(&live, &StatusReport::default(), UnixMillis(1));
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
        confirmed_at: Some(NOW.into()),
        pending: 2,
        pending_since: Some(UnixMillis(1)),
        problem: None,
        next_override_end: Some(NOW),
    };
    let report = StatusReport { status, ..StatusReport::default() };
    record(&customer("b"), &report, UnixMillis(7));
    let page = PageRequest { limit: 1, cursor: Cursor::Start };
    let (prefix, selection) = (Some(id("b")), CustomerSelection::All);
    let query = CustomerQuery { prefix, selection, page };
    let page = block_on(index.list_customers(Livemode::Test, &query)).unwrap();
    let problem_since = Some(UnixMillis(7));
    let expected = CustomerSyncStatus { id: id("b"), status, problem_since };
    assert_eq!(page.data, [expected], "the last report wins");
}

fn customer_index_lists_problems_by_their_age(
    index: &impl CustomerIndex,
    record: impl Fn(&CustomerKey, &StatusReport, UnixMillis),
) {
    let report = |name: &str, pending, problem, at| {
        let status = SyncStatus { pending, problem, ..SyncStatus::default() };
        let report = StatusReport { status, ..StatusReport::default() };
        record(&customer(name), &report, UnixMillis(at));
    };
    let id = |id: &str| CustomerId::try_from(id).unwrap();
    let list = |problem, prefix: Option<&str>, limit, cursor| {
        let page = PageRequest { limit, cursor };
        let (prefix, selection) = (prefix.map(id), CustomerSelection::Problem(problem));
        let query = CustomerQuery { prefix, selection, page };
        let page = block_on(index.list_customers(Livemode::Test, &query)).unwrap();
        ids(page, |entry| String::from(entry.id))
    };
    let at = |since, name: &str| CustomerPosition { time: Some(since), id: id(name) };
    let page = |ids: &[&str], has_more| (ids.iter().map(ToString::to_string).collect(), has_more);
    let (any, start) = (ProblemFilter::Any, Cursor::Start);
    report("healthy", 0, None, 1);
    report("new", 1, None, 30);
    report("b", 0, Some(SyncProblem::KeyRefused), 20);
    report("a", 2, Some(SyncProblem::UnknownCustomer), 20);
    report("old", 1, None, 10);
    // Still the same problem.
    report("old", 3, None, 40);
    for (why, expected, found) in [
        ("oldest first", page(&["old", "a", "b", "new"], false), list(any, None, 4, start.clone())),
        ("two", page(&["old", "a"], true), list(any, None, 2, start.clone())),
        ("the rest", page(&["b", "new"], false), list(any, None, 2, Cursor::After(at(20, "a")))),
        ("before", page(&["a", "b"], true), list(any, None, 2, Cursor::Before(at(30, "new")))),
        ("by prefix", page(&["old"], false), list(any, Some("o"), 9, start.clone())),
        (
            "failed tasks",
            page(&["old", "a", "new"], false),
            list(ProblemFilter::Pending, None, 9, start.clone()),
        ),
        ("refused", page(&["b"], false), list(ProblemFilter::KeyRefused, None, 9, start.clone())),
        (
            "unknown at the source",
            page(&["a"], false),
            list(ProblemFilter::UnknownCustomer, None, 9, start.clone()),
        ),
    ] {
        assert_eq!(found, expected, "{why}");
    }
    // A cursor whose customer has recovered, or has another problem since.
    report("a", 0, None, 50);
    let after_a = || list(any, None, 9, Cursor::After(at(20, "a")));
    assert_eq!(after_a(), page(&["b", "new"], false));
    report("a", 1, None, 60);
    assert_eq!(after_a(), page(&["b", "new", "a"], false));
}

fn customer_index_lists_ends_of_overrides_in_order(
    index: &impl CustomerIndex,
    record: impl Fn(&CustomerKey, &StatusReport, UnixMillis),
) {
    let report = |name: &str, end: Option<i64>| {
        let next_override_end = end.map(Timestamp);
        let status = SyncStatus { next_override_end, ..SyncStatus::default() };
        record(&customer(name), &StatusReport { status, ..StatusReport::default() }, UnixMillis(1));
    };
    let id = |id: &str| CustomerId::try_from(id).unwrap();
    let list = |time, prefix: Option<&str>, limit, cursor| {
        let selection = CustomerSelection::EndsBefore(Timestamp(time));
        let page = PageRequest { limit, cursor };
        let query = CustomerQuery { prefix: prefix.map(id), selection, page };
        let page = block_on(index.list_customers(Livemode::Test, &query)).unwrap();
        ids(page, |entry| String::from(entry.id))
    };
    let at = |end, name: &str| CustomerPosition { time: Some(end), id: id(name) };
    let page = |ids: &[&str], has_more| (ids.iter().map(ToString::to_string).collect(), has_more);
    let start = Cursor::Start;
    for (name, end) in
        [("never", None), ("late", Some(30)), ("b", Some(20)), ("a", Some(20)), ("soon", Some(10))]
    {
        report(name, end);
    }
    for (why, expected, found) in [
        (
            "soonest first",
            page(&["soon", "a", "b", "late"], false),
            list(31, None, 9, start.clone()),
        ),
        ("not at the time", page(&["soon", "a", "b"], false), list(30, None, 9, start.clone())),
        ("two", page(&["soon", "a"], true), list(31, None, 2, start.clone())),
        ("the rest", page(&["b", "late"], false), list(31, None, 2, Cursor::After(at(20, "a")))),
        ("before", page(&["a", "b"], true), list(31, None, 2, Cursor::Before(at(30, "late")))),
        ("by prefix", page(&["soon"], false), list(31, Some("s"), 9, start.clone())),
        ("none", page(&[], false), list(10, None, 9, start)),
    ] {
        assert_eq!(found, expected, "{why}");
    }
    // A cursor whose override has ended, or ends later.
    report("a", None);
    let after_a = || list(31, None, 9, Cursor::After(at(20, "a")));
    assert_eq!(after_a(), page(&["b", "late"], false));
    report("a", Some(25));
    assert_eq!(after_a(), page(&["b", "a", "late"], false));
}

fn activity(version: u64, at: u64) -> Activity {
    let (kind, at) = (ActivityKind::Confirmed, UnixMillis(at));
    Activity { kind, version: Version(version), at, change: None }
}

/// The versions of a page, and whether there are more.
fn versions(page: ActivityPage) -> (Vec<u64>, bool) {
    ids(page.entries, |entry| entry.activity.version.0)
}

fn customer_index_lists_activity_of_all_shards(
    index: &impl CustomerIndex,
    fail: impl Fn(Fault),
    record: impl Fn(&CustomerKey, Activity),
) {
    let customers = ["cus_ada", "cus_bob", "cus_eve"].map(customer);
    let shards = customers.each_ref().map(|customer| Shard::of(customer.id.as_str()));
    assert_eq!(shards.map(Shard::number), [25, 22, 15], "three shards");
    let list = |livemode, filter: &ActivityFilter, limit, cursor| {
        block_on(index.list_activity(livemode, filter, &PageRequest { limit, cursor })).unwrap()
    };
    let all = ActivityFilter::default();
    assert_eq!(versions(list(Livemode::Test, &all, 3, Cursor::Start)), (vec![], false));
    // Three entries of each time, in the order of their shards: Eve's, Bob's, Ada's.
    for version in 1..=9_usize {
        let customer = &customers[[2, 1, 0][(version - 1) % 3]];
        let version = u64::try_from(version).unwrap();
        record(customer, activity(version, 1_000 + (version - 1) / 3));
    }
    let entries = list(Livemode::Test, &all, 9, Cursor::Start).entries.data;
    let id = |version: u64| {
        let is_version = |entry: &&ActivityEntry| entry.activity.version.0 == version;
        entries.iter().find(is_version).unwrap().id
    };
    let page = |cursor| versions(list(Livemode::Test, &all, 3, cursor));
    for version in 1..=9 {
        let older: Vec<_> = (1..version).rev().collect();
        let newer: Vec<_> = (version + 1..=9).rev().collect();
        let (nearest, is_full) = (newer.len().saturating_sub(3), newer.len() > 3);
        let expected = (newer[nearest..].to_vec(), is_full);
        assert_eq!(page(Cursor::Before(id(version))), expected, "newer than {version}");
        let expected = (older[..older.len().min(3)].to_vec(), older.len() > 3);
        assert_eq!(page(Cursor::After(id(version))), expected, "older than {version}");
    }
    let missing = ActivityId { number: 7, ..id(5) };
    assert_eq!(page(Cursor::After(missing)), (vec![5, 4, 3], true), "after an unknown id");
    record(&customers[0], activity(10, 1_003));
    assert_eq!(page(Cursor::After(id(7))), (vec![6, 5, 4], true), "while entries arrive");

    let of_bob =
        ActivityFilter { customer: Some(customers[1].id.clone()), ..ActivityFilter::default() };
    assert_eq!(versions(list(Livemode::Test, &of_bob, 9, Cursor::Start)), (vec![8, 5, 2], false));
    let after = list(Livemode::Test, &of_bob, 9, Cursor::After(id(6)));
    assert_eq!(versions(after), (vec![5, 2], false), "after an entry of another shard");
    assert_eq!(versions(list(Livemode::Live, &all, 9, Cursor::Start)), (vec![], false));

    for fault in [Fault::Before, Fault::After] {
        fail(fault);
        let request = PageRequest { limit: 1, cursor: Cursor::Start };
        let result = block_on(index.list_activity(Livemode::Test, &all, &request));
        assert!(matches!(result, Err(Error::Unreachable { port: "customer index", .. })));
    }
}

fn customer_index_filters_activity(
    index: &impl CustomerIndex,
    record: impl Fn(&CustomerKey, Activity),
) {
    let keys = |keys: &[&str]| grants(keys).into_iter().map(|grant| grant.lookup_key).collect();
    let change = |added: &[&str], removed: &[&str]| {
        Some(KeyChange::Keys { added: keys(added), removed: keys(removed) })
    };
    for (version, kind, change) in [
        (1, ActivityKind::Confirmed, change(&["sms"], &[])),
        (2, ActivityKind::Drift, change(&["sso"], &["sms"])),
        (3, ActivityKind::Confirmed, None),
        (4, ActivityKind::Drift, Some(KeyChange::Counts { added: 2_000, removed: 0 })),
    ] {
        let at = UnixMillis(version * 10);
        let activity = Activity { kind, version: Version(version), at, change };
        record(&customer(&format!("cus_{version}")), activity);
    }
    let feature = |key: &str| keys(&[key]).into_iter().next();
    let at = |millis| Some(UnixMillis(millis));
    let none = ActivityFilter::default;
    for (why, filter, expected) in [
        ("all", none(), vec![4, 3, 2, 1]),
        ("drift", ActivityFilter { outcome: Some(ActivityOutcome::Drift), ..none() }, vec![4, 2]),
        (
            "a feature that came and went",
            ActivityFilter { feature: feature("sms"), ..none() },
            vec![2, 1],
        ),
        ("part of a key", ActivityFilter { feature: feature("sm"), ..none() }, vec![]),
        ("from its time", ActivityFilter { first: at(20), ..none() }, vec![4, 3, 2]),
        ("from later", ActivityFilter { first: at(21), ..none() }, vec![4, 3]),
        ("until its time", ActivityFilter { last: at(20), ..none() }, vec![2, 1]),
        ("until earlier", ActivityFilter { last: at(19), ..none() }, vec![1]),
        (
            "all conditions",
            ActivityFilter {
                customer: Some(customer("cus_2").id),
                outcome: Some(ActivityOutcome::Drift),
                feature: feature("sso"),
                first: at(20),
                last: at(20),
            },
            vec![2],
        ),
    ] {
        let request = PageRequest { limit: 9, cursor: Cursor::Start };
        let page = block_on(index.list_activity(Livemode::Test, &filter, &request)).unwrap();
        assert_eq!(versions(page), (expected, false), "{why}");
    }
}

fn customer_index_keeps_ten_thousand_entries_of_a_shard_for_30_days(
    index: &impl CustomerIndex,
    record: impl Fn(&CustomerKey, Activity),
) {
    let (ada, bob) = (customer("cus_ada"), customer("cus_bob"));
    let oldest = || {
        let request = PageRequest { limit: 1, cursor: Cursor::Before(id_of_no_entry()) };
        let page = block_on(index.list_activity(Livemode::Test, &of(&ada), &request)).unwrap();
        (page.entries.data[0].activity.version.0, page.complete_since.0)
    };
    let start = ACTIVITY_MAX_AGE + 100;
    (1..=ACTIVITY_RETENTION).for_each(|version| record(&ada, activity(version, start + version)));
    let last = start + ACTIVITY_RETENTION;
    assert_eq!(oldest(), (1, last - ACTIVITY_MAX_AGE), "as many as are kept");
    record(&ada, activity(ACTIVITY_RETENTION + 1, last));
    assert_eq!(oldest(), (2, start + 2), "one more");
    record(&bob, activity(1, start));
    let request = PageRequest { limit: 1, cursor: Cursor::Start };
    let all = ActivityFilter::default();
    let page = block_on(index.list_activity(Livemode::Test, &all, &request)).unwrap();
    assert_eq!(page.complete_since.0, start + 2, "as complete as the least complete shard");

    record(&ada, activity(20_000, start + 3 + ACTIVITY_MAX_AGE));
    assert_eq!(oldest(), (3, start + 3), "30 days");
    record(&ada, activity(20_001, start + 4 + ACTIVITY_MAX_AGE));
    assert_eq!(oldest(), (4, start + 4), "a millisecond more");
}

fn of(customer: &CustomerKey) -> ActivityFilter {
    ActivityFilter { customer: Some(customer.id.clone()), ..ActivityFilter::default() }
}

/// The id before all entries.
fn id_of_no_entry() -> ActivityId {
    ActivityId { received_at: UnixMillis(0), shard: Shard::from_number(0).unwrap(), number: 1 }
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
    let fail = |fault| store.coordinator.fail_next(fault);
    let report = || store.replicate();
    coordinator_lists_the_features_of_all_sets(&store.ledger, &store.coordinator, fail, report);
    let index = MemoryStore::default().customer_index;
    customer_index_lists_customers_in_pages(&index, |customer, report, now| {
        index.record_at(customer, report, now);
    });
    let index = MemoryStore::default().customer_index;
    customer_index_lists_problems_by_their_age(&index, |customer, report, now| {
        index.record_at(customer, report, now);
    });
    let index = MemoryStore::default().customer_index;
    customer_index_lists_ends_of_overrides_in_order(&index, |customer, report, now| {
        index.record_at(customer, report, now);
    });
    let index = MemoryStore::default().customer_index;
    let record = |customer: &CustomerKey, activity| index.record_activity(customer, activity);
    let fail = |fault| index.fail_next(fault);
    customer_index_lists_activity_of_all_shards(&index, fail, record);
    let index = MemoryStore::default().customer_index;
    let record = |customer: &CustomerKey, activity| index.record_activity(customer, activity);
    customer_index_filters_activity(&index, record);
    let index = MemoryStore::default().customer_index;
    let record = |customer: &CustomerKey, activity| index.record_activity(customer, activity);
    customer_index_keeps_ten_thousand_entries_of_a_shard_for_30_days(&index, record);
}
