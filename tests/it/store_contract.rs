//! What every store has to do, failing before and after its work included. A new store adds a line.

use entgate::{
    entitlement::{Coverage, Entitlements, Page, Version},
    id::{Livemode, Timestamp},
    ledger::{EVENT_MEMORY, Effect, Receipt},
    store::{
        Error, Found, Ledger, Replica, Roster, ServedBy,
        memory::{Fault, Memory},
    },
};
use pollster::block_on;

use crate::support::{customer, grants, summary};

const NOW: Timestamp = Timestamp(1_700_000_000);

#[expect(clippy::unnecessary_wraps, reason = "it stands beside what a store answered")]
fn receipt(effect: Effect, version: u64) -> Result<Receipt, Error> {
    Ok(Receipt { effect, version: Version(version) })
}

fn ledger_keeps_the_rules(ledger: &impl Ledger) {
    let ada = customer("cus_ada");
    let grant = summary("evt_1", 10, Page::Whole(grants(&["a"])));
    let nothing = Ok(Found { held: None, served_by: ServedBy::Ledger });
    assert_eq!(block_on(ledger.find(&ada, &[])), nothing, "before the first event");
    assert_eq!(block_on(ledger.apply(&grant, NOW)), receipt(Effect::Applied, 1));
    assert_eq!(block_on(ledger.apply(&grant, NOW)), receipt(Effect::Duplicate, 1));
    let same = summary("evt_2", 11, Page::Whole(grants(&["a"])));
    assert_eq!(block_on(ledger.apply(&same, NOW)), receipt(Effect::Unchanged, 1));
    let late = summary("evt_3", 9, Page::Whole(vec![]));
    assert_eq!(block_on(ledger.apply(&late, NOW)), receipt(Effect::Stale, 1));
    assert_eq!(block_on(ledger.apply(&late, NOW)), receipt(Effect::Duplicate, 1));

    let held = block_on(ledger.find(&ada, &[])).unwrap().held.unwrap();
    let (version, as_of) = (Version(1), Timestamp(11));
    let data = grants(&["a"]);
    assert_eq!(held, Entitlements { version, as_of, coverage: Coverage::Whole, data });
    assert_eq!(block_on(ledger.find(&customer("cus_bob"), &[])), nothing, "a neighbour");
}

fn ledger_forgets_events_after_30_days(ledger: &impl Ledger) {
    let grant = summary("evt_1", 10, Page::Whole(grants(&["a"])));
    let at = |seconds| Timestamp(NOW.0 + seconds);
    assert_eq!(block_on(ledger.apply(&grant, NOW)), receipt(Effect::Applied, 1));
    assert_eq!(block_on(ledger.apply(&grant, at(EVENT_MEMORY))), receipt(Effect::Duplicate, 1));
    assert_eq!(block_on(ledger.apply(&grant, at(EVENT_MEMORY + 1))), receipt(Effect::Unchanged, 1));
}

fn ledger_that_fails_can_be_asked_again(ledger: &impl Ledger, fail: impl Fn(Fault)) {
    let grant = |event| summary(event, 10, Page::Whole(grants(&[event])));
    fail(Fault::Before);
    assert!(matches!(block_on(ledger.apply(&grant("a"), NOW)), Err(Error::Unreachable { .. })));
    assert_eq!(block_on(ledger.apply(&grant("a"), NOW)), receipt(Effect::Applied, 1));

    fail(Fault::After);
    assert!(matches!(block_on(ledger.apply(&grant("b"), NOW)), Err(Error::Unreachable { .. })));
    assert_eq!(block_on(ledger.apply(&grant("b"), NOW)), receipt(Effect::Duplicate, 2));
}

fn replica_keeps_what_was_saved_last(replica: &impl Replica, fail: impl Fn(Fault)) {
    let (ada, bob) = (customer("cus_ada"), customer("cus_bob"));
    let set = |version| {
        let (version, as_of) = (Version(version), Timestamp(1));
        Entitlements { version, as_of, coverage: Coverage::Whole, data: grants(&["a"]) }
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
    roster: &impl Roster,
    fail: impl Fn(Fault),
    report: impl Fn(),
) {
    let features = |livemode| {
        let told = block_on(roster.features(livemode));
        told.map(|keys| keys.into_iter().map(String::from).collect::<Vec<_>>())
    };
    assert_eq!(features(Livemode::Test), Ok(vec![]));
    for (event, created, keys) in
        [("evt_1", 10, &["b", "a"][..]), ("evt_2", 11, &["c"]), ("evt_3", 12, &[])]
    {
        block_on(ledger.apply(&summary(event, created, Page::Whole(grants(keys))), NOW)).unwrap();
    }
    report();
    for fault in [Fault::Before, Fault::After] {
        fail(fault);
        assert!(matches!(features(Livemode::Test), Err(Error::Unreachable { .. })));
    }
    assert_eq!(features(Livemode::Test), Ok(vec!["a".into(), "b".into(), "c".into()]));
    assert_eq!(features(Livemode::Live), Ok(vec![]), "the other mode");
}

#[test]
fn memory_keeps_the_contract() {
    ledger_keeps_the_rules(&Memory::default().ledger);
    ledger_forgets_events_after_30_days(&Memory::default().ledger);
    let memory = Memory::default();
    ledger_that_fails_can_be_asked_again(&memory.ledger, |fault| memory.ledger.fail_next(fault));
    let fail = |fault| memory.replica.fail_next(fault);
    replica_keeps_what_was_saved_last(&memory.replica, fail);
    let memory = Memory::default();
    let fail = |fault| memory.roster.fail_next(fault);
    let report = || memory.replicate();
    roster_remembers_what_anybody_held(&memory.ledger, &memory.roster, fail, report);
}
