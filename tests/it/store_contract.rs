//! What every store has to do, failing before and after its work included. A new store adds a line.

use entgate::{
    entitlement::{Completeness, Entitlements, SummaryPage, Version},
    id::{ActivityId, CustomerId, CustomerKey, Livemode, Timestamp, UnixMillis},
    ledger::{
        ACTIVITY_RETENTION, Activity, ActivityKind, ApplyOutcome, ApplyReceipt, EVENT_RETENTION,
        StatusReport, SyncStatus,
    },
    store::{
        ActivityEntry, ActivityLog, ActivityPage, CustomerIndex, Error, Ledger, LoadedSet, Replica,
        ServedBy,
        memory::{Fault, MemoryStore},
        pagination::{Cursor, PageOf, PageRequest},
    },
};
use pollster::block_on;

use crate::support::{customer, grants, summary};

const NOW: Timestamp = Timestamp(1_700_000_000);

#[expect(clippy::unnecessary_wraps, reason = "it stands beside what a store answered")]
fn receipt(effect: ApplyOutcome, version: u64) -> Result<ApplyReceipt, Error> {
    Ok(ApplyReceipt { outcome: effect, version: Version(version) })
}

fn ledger_keeps_the_rules(ledger: &impl Ledger) {
    let ada = customer("cus_ada");
    let grant = summary("evt_1", 10, SummaryPage::Complete(grants(&["a"])));
    let nothing = Ok(LoadedSet { entitlements: None, served_by: ServedBy::Ledger });
    assert_eq!(block_on(ledger.load(&ada, &[])), nothing, "before the first event");
    assert_eq!(block_on(ledger.apply(&grant, NOW)), receipt(ApplyOutcome::Applied, 1));
    assert_eq!(block_on(ledger.apply(&grant, NOW)), receipt(ApplyOutcome::Duplicate, 1));
    let same = summary("evt_2", 11, SummaryPage::Complete(grants(&["a"])));
    assert_eq!(block_on(ledger.apply(&same, NOW)), receipt(ApplyOutcome::Unchanged, 1));
    let late = summary("evt_3", 9, SummaryPage::Complete(vec![]));
    assert_eq!(block_on(ledger.apply(&late, NOW)), receipt(ApplyOutcome::Stale, 1));
    assert_eq!(block_on(ledger.apply(&late, NOW)), receipt(ApplyOutcome::Duplicate, 1));

    let held = block_on(ledger.load(&ada, &[])).unwrap().entitlements.unwrap();
    let (version, as_of) = (Version(1), Timestamp(11));
    let data = grants(&["a"]);
    assert_eq!(held, Entitlements { version, as_of, completeness: Completeness::Complete, data });
    assert_eq!(block_on(ledger.load(&customer("cus_bob"), &[])), nothing, "a neighbour");
}

fn ledger_forgets_events_after_30_days(ledger: &impl Ledger) {
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

fn ledger_that_fails_can_be_asked_again(ledger: &impl Ledger, fail: impl Fn(Fault)) {
    let grant = |event| summary(event, 10, SummaryPage::Complete(grants(&[event])));
    fail(Fault::Before);
    assert!(matches!(block_on(ledger.apply(&grant("a"), NOW)), Err(Error::Unreachable { .. })));
    assert_eq!(block_on(ledger.apply(&grant("a"), NOW)), receipt(ApplyOutcome::Applied, 1));

    fail(Fault::After);
    assert!(matches!(block_on(ledger.apply(&grant("b"), NOW)), Err(Error::Unreachable { .. })));
    assert_eq!(block_on(ledger.apply(&grant("b"), NOW)), receipt(ApplyOutcome::Duplicate, 2));
}

fn replica_keeps_what_was_saved_last(replica: &impl Replica, fail: impl Fn(Fault)) {
    let (ada, bob) = (customer("cus_ada"), customer("cus_bob"));
    let set = |version| {
        let (version, as_of) = (Version(version), Timestamp(1));
        Entitlements { version, as_of, completeness: Completeness::Complete, data: grants(&["a"]) }
    };
    assert_eq!(block_on(replica.load(&ada)), Ok(None));
    assert_eq!(block_on(replica.save(&ada, &set(1))), Ok(()));
    assert_eq!(block_on(replica.save(&ada, &set(2))), Ok(()));
    assert_eq!(block_on(replica.load(&ada)), Ok(Some(set(2))));
    assert_eq!(block_on(replica.load(&bob)), Ok(None), "a neighbour");

    fail(Fault::Before);
    assert!(block_on(replica.save(&ada, &set(3))).is_err());
    assert_eq!(block_on(replica.load(&ada)), Ok(Some(set(2))));
    fail(Fault::After);
    assert!(block_on(replica.save(&ada, &set(3))).is_err());
    assert_eq!(block_on(replica.load(&ada)), Ok(Some(set(3))));
}

fn roster_remembers_what_anybody_held(
    ledger: &impl Ledger,
    roster: &impl CustomerIndex,
    fail: impl Fn(Fault),
    report: impl Fn(),
) {
    let features = |livemode| {
        let told = block_on(roster.list_features(livemode));
        told.map(|keys| keys.into_iter().map(String::from).collect::<Vec<_>>())
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

/// The places of a part, and whether there are more.
fn places<T, P>(listed: PageOf<T>, place: impl Fn(T) -> P) -> (Vec<P>, bool) {
    (listed.data.into_iter().map(place).collect(), listed.has_more)
}

fn roster_lists_who_is_known(
    roster: &impl CustomerIndex,
    note: impl Fn(&CustomerKey, StatusReport),
) {
    let part = |limit, cursor| PageRequest { limit, cursor };
    let id = |id: &str| CustomerId::try_from(id).unwrap();
    let listed = |livemode, prefix: Option<&str>, part| {
        let prefix = prefix.map(id);
        let known = block_on(roster.list_customers(livemode, prefix.as_ref(), &part)).unwrap();
        places(known, |known| String::from(known.id))
    };
    let known = |ids: &[&str], has_more| (ids.iter().map(ToString::to_string).collect(), has_more);
    assert_eq!(listed(Livemode::Test, None, part(10, Cursor::Start)), known(&[], false));
    for name in ["b", "aé", "a", "ab", "a\u{10ffff}", "a\u{10ffff}b"] {
        note(&customer(name), StatusReport::default());
    }
    note(&CustomerKey { livemode: Livemode::Live, id: id("a") }, StatusReport::default());
    let all = ["a", "ab", "aé", "a\u{10ffff}", "a\u{10ffff}b", "b"];
    for (why, prefix, part, expected) in [
        ("all of them", None, part(6, Cursor::Start), known(&all, false)),
        ("one less", None, part(5, Cursor::Start), known(&all[..5], true)),
        ("behind one", None, part(2, Cursor::After(id("a"))), known(&all[1..3], true)),
        ("behind nobody", None, part(9, Cursor::After(id("aa"))), known(&all[1..], false)),
        ("before one", None, part(2, Cursor::Before(id("aé"))), known(&all[..2], false)),
        ("the nearest before one", None, part(1, Cursor::Before(id("aé"))), known(&["ab"], true)),
        ("before the first", None, part(9, Cursor::Before(id("a"))), known(&[], false)),
        ("behind the last", None, part(9, Cursor::After(id("b"))), known(&[], false)),
        ("by prefix", Some("a"), part(9, Cursor::Start), known(&all[..5], false)),
        ("by the longest prefix", Some("ab"), part(9, Cursor::Start), known(&["ab"], false)),
        (
            "by the last letter",
            Some("a\u{10ffff}"),
            part(9, Cursor::Start),
            known(&all[3..5], false),
        ),
        ("by none's", Some("aa"), part(9, Cursor::Start), known(&[], false)),
        ("by a pattern", Some("a%"), part(9, Cursor::Start), known(&[], false)),
        ("by prefix, behind", Some("a"), part(1, Cursor::After(id("ab"))), known(&["aé"], true)),
        ("by prefix, behind all", Some("a"), part(9, Cursor::After(id("b"))), known(&[], false)),
        (
            "by prefix, before all",
            Some("a"),
            part(9, Cursor::Before(id("b"))),
            known(&all[..5], false),
        ),
        (
            "by prefix, behind none",
            Some("b"),
            part(9, Cursor::After(id("a"))),
            known(&["b"], false),
        ),
    ] {
        assert_eq!(listed(Livemode::Test, prefix, part), expected, "{why}");
    }
    assert_eq!(listed(Livemode::Live, None, part(9, Cursor::Start)), known(&["a"], false));

    let standing = SyncStatus {
        confirmed_at: Some(NOW),
        pending: 2,
        pending_since: Some(UnixMillis(1)),
        problem: None,
    };
    note(&customer("b"), StatusReport { status: standing, ..StatusReport::default() });
    let told =
        block_on(roster.list_customers(Livemode::Test, Some(&id("b")), &part(1, Cursor::Start)));
    assert_eq!(told.unwrap().data[0].status, standing, "the last report counts");
}

fn journal_remembers_the_last_thousand(
    journal: &impl ActivityLog,
    fail: impl Fn(Fault),
    note: impl Fn(&CustomerKey, Activity),
) {
    let activity = |version| {
        let (decided, at) = (ActivityKind::Confirmed, UnixMillis(version));
        Activity { kind: decided, version: Version(version), at }
    };
    let (ada, bob) = (customer("cus_ada"), customer("cus_bob"));
    let read = |livemode, of: Option<&CustomerKey>, limit, cursor| {
        let of = of.map(|customer| &customer.id);
        let ActivityPage { entries, newest } =
            block_on(journal.list(livemode, of, &PageRequest { limit, cursor })).unwrap();
        for ActivityEntry { id, activity: kept, .. } in &entries.data {
            assert_eq!(*kept, activity(id.0));
        }
        (places(entries, |entry| entry.id.0), newest.map(|id| id.0))
    };
    let all = |cursor| read(Livemode::Test, None, 3, cursor);
    let of_bob = |cursor| read(Livemode::Test, Some(&bob), 3, cursor);
    let (after, before) = (|id| Cursor::After(ActivityId(id)), |id| Cursor::Before(ActivityId(id)));
    assert_eq!(all(Cursor::Start), ((vec![], false), None));
    for version in 1..=9 {
        note(if version % 3 == 0 { &bob } else { &ada }, activity(version));
    }
    for (why, answer, expected) in [
        ("newest first", all(Cursor::Start), (vec![9, 8, 7], true)),
        ("older ones", all(after(4)), (vec![3, 2, 1], false)),
        ("some older ones", all(after(5)), (vec![4, 3, 2], true)),
        ("the oldest of the newer ones", all(before(5)), (vec![8, 7, 6], true)),
        ("newer ones", all(before(6)), (vec![9, 8, 7], false)),
        ("none newer", all(before(9)), (vec![], false)),
        ("none older", all(after(1)), (vec![], false)),
        ("before one that is to come", all(before(u64::MAX)), (vec![], false)),
        ("of one", of_bob(Cursor::Start), (vec![9, 6, 3], false)),
        ("of one, older than another's", of_bob(after(8)), (vec![6, 3], false)),
        ("of one, newer", of_bob(before(3)), (vec![9, 6], false)),
    ] {
        assert_eq!(answer, (expected, Some(9)), "{why}");
    }
    let stranger = read(Livemode::Test, Some(&customer("cus_eve")), 3, Cursor::Start);
    assert_eq!(stranger, ((vec![], false), Some(9)));
    assert_eq!(read(Livemode::Live, None, 3, Cursor::Start), ((vec![], false), None));

    let memory = u64::try_from(ACTIVITY_RETENTION).unwrap();
    (10..=memory).for_each(|version| note(&ada, activity(version)));
    assert_eq!(all(after(2)), ((vec![1], false), Some(memory)), "a thousand");
    note(&ada, activity(memory + 1));
    assert_eq!(all(after(3)), ((vec![2], false), Some(memory + 1)), "and one more");
    assert_eq!(
        all(before(1)),
        ((vec![4, 3, 2], true), Some(memory + 1)),
        "from a forgotten one on"
    );

    let part = PageRequest { limit: 1, cursor: Cursor::Start };
    for fault in [Fault::Before, Fault::After] {
        fail(fault);
        let answer = block_on(journal.list(Livemode::Test, None, &part));
        assert!(matches!(answer, Err(Error::Unreachable { port: "activity log", .. })));
    }
}

#[test]
fn memory_keeps_the_contract() {
    ledger_keeps_the_rules(&MemoryStore::default().ledger);
    ledger_forgets_events_after_30_days(&MemoryStore::default().ledger);
    let memory = MemoryStore::default();
    ledger_that_fails_can_be_asked_again(&memory.ledger, |fault| memory.ledger.fail_next(fault));
    let fail = |fault| memory.replica.fail_next(fault);
    replica_keeps_what_was_saved_last(&memory.replica, fail);
    let memory = MemoryStore::default();
    let fail = |fault| memory.customer_index.fail_next(fault);
    let report = || memory.replicate();
    roster_remembers_what_anybody_held(&memory.ledger, &memory.customer_index, fail, report);
    let roster = MemoryStore::default().customer_index;
    roster_lists_who_is_known(&roster, |customer, report| roster.record(customer, report));
    let journal = MemoryStore::default().activity_log;
    let note = |customer: &CustomerKey, activity| journal.record(customer, activity);
    journal_remembers_the_last_thousand(&journal, |fault| journal.fail_next(fault), note);
}
