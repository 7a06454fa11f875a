//! The rules: what an event does to what is held.

use entgate::{
    entitlement::{
        Completeness::{Complete, Partial},
        Entitlements, SummaryPage, Version,
    },
    id::Timestamp,
    ledger::{
        Dedup, Error,
        SetUpdate::{Changed, Duplicate, Stale, Unchanged},
        apply,
    },
};
use proptest::prelude::*;

use crate::support::{grants, summary};

fn set(
    version: u64,
    as_of: i64,
    coverage: entgate::entitlement::Completeness,
    keys: &[&str],
) -> Entitlements {
    Entitlements {
        version: Version(version),
        as_of: Timestamp(as_of),
        completeness: coverage,
        data: grants(keys),
    }
}

#[test]
fn every_row_of_the_table_of_rules_holds() {
    let whole = |keys: &[&str]| SummaryPage::Complete(grants(keys));
    let first = |keys: &[&str]| SummaryPage::Truncated(grants(keys));
    let held = set(4, 100, Complete, &["a", "b"]);
    let partial = set(4, 100, Partial, &["a", "b"]);
    for (why, held, created, page, expected) in [
        ("the first event", None, 100, whole(&["a"]), Changed(set(1, 100, Complete, &["a"]))),
        ("the first event, of nothing", None, 100, whole(&[]), Changed(set(1, 100, Complete, &[]))),
        (
            "the first event, a page",
            None,
            100,
            first(&["a"]),
            Changed(set(1, 100, Partial, &["a"])),
        ),
        (
            "a newer grant",
            Some(&held),
            101,
            whole(&["a", "b", "c"]),
            Changed(set(5, 101, Complete, &["c", "a", "b"])),
        ),
        (
            "a newer revocation",
            Some(&held),
            101,
            whole(&["b"]),
            Changed(set(5, 101, Complete, &["b"])),
        ),
        ("the end of it", Some(&held), 101, whole(&[]), Changed(set(5, 101, Complete, &[]))),
        (
            "the same, later",
            Some(&held),
            101,
            whole(&["a", "b"]),
            Unchanged(set(4, 101, Complete, &["a", "b"])),
        ),
        (
            "the same in another order",
            Some(&held),
            101,
            whole(&["b", "a"]),
            Unchanged(set(4, 101, Complete, &["a", "b"])),
        ),
        ("a tie", Some(&held), 100, whole(&["c"]), Changed(set(5, 100, Complete, &["c"]))),
        ("one second older", Some(&held), 99, whole(&["c"]), Stale),
        ("a page one second older", Some(&held), 99, first(&["c"]), Stale),
        (
            "a page of what is held",
            Some(&held),
            101,
            first(&["a"]),
            Changed(set(5, 101, Partial, &["a", "b"])),
        ),
        (
            "a page with something new",
            Some(&held),
            101,
            first(&["c"]),
            Changed(set(5, 101, Partial, &["c", "a", "b"])),
        ),
        (
            "a page again",
            Some(&partial),
            101,
            first(&["b"]),
            Unchanged(set(4, 101, Partial, &["a", "b"])),
        ),
        (
            "the whole after a page",
            Some(&partial),
            101,
            whole(&["a", "b"]),
            Changed(set(5, 101, Complete, &["a", "b"])),
        ),
    ] {
        let summary = summary("evt_1", created, page);
        assert_eq!(apply(held, Dedup::New, &summary), Ok(expected), "{why}");
    }
}

#[test]
fn an_event_seen_before_is_a_duplicate_whatever_it_says() {
    let newer = summary("evt_1", 200, SummaryPage::Complete(grants(&["c"])));
    let held = set(1, 100, Complete, &["a"]);
    assert_eq!(apply(Some(&held), Dedup::Duplicate, &newer), Ok(Duplicate));
}

#[test]
fn a_feature_granted_anew_keeps_its_place_and_takes_its_new_id() {
    let held = set(1, 100, Complete, &["a", "b"]);
    let mut again = grants(&["b", "a"]);
    again[0].id = "ent_test_new".try_into().unwrap();
    let upgrade = summary("evt_2", 101, SummaryPage::Complete(again));

    let Ok(Changed(set)) = apply(Some(&held), Dedup::New, &upgrade) else { panic!("unchanged") };
    let ids: Vec<_> = set.data.iter().map(|granted| granted.id.as_str()).collect();
    assert_eq!(ids, ["ent_test_a", "ent_test_new"]);
}

#[test]
fn an_id_that_a_page_gives_to_another_feature_is_not_held_twice() {
    let held = set(1, 100, Complete, &["a"]);
    let mut page = grants(&["b"]);
    page[0].id = "ent_test_a".try_into().unwrap();
    let Ok(Changed(set)) =
        apply(Some(&held), Dedup::New, &summary("evt_2", 101, SummaryPage::Truncated(page)))
    else {
        panic!("unchanged")
    };
    assert_eq!(set.data.len(), 1);
    assert_eq!(set.data[0].lookup_key.as_str(), "b");
}

#[test]
fn a_set_ends_at_100_000_entitlements() {
    let keys: Vec<_> = (0..=Entitlements::MAX_LEN).map(|n| n.to_string()).collect();
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    let most = summary("evt_1", 1, SummaryPage::Complete(grants(&keys[1..])));
    let Ok(Changed(set)) = apply(None, Dedup::New, &most) else { panic!("refused") };
    assert_eq!(set.data.len(), 100_000);

    let one_more = summary("evt_2", 2, SummaryPage::Truncated(grants(&keys[..1])));
    assert_eq!(apply(Some(&set), Dedup::New, &one_more), Err(Error::TooMany { count: 100_001 }));
}

/// Some features of a few, as a page has them: none twice.
fn pages() -> impl Strategy<Value = SummaryPage> {
    let keys = proptest::sample::subsequence(vec!["a", "b", "c", "d", "e"], 0..=5).prop_shuffle();
    (keys, any::<bool>()).prop_map(|(keys, more)| {
        if more {
            SummaryPage::Truncated(grants(&keys))
        } else {
            SummaryPage::Complete(grants(&keys))
        }
    })
}

proptest! {
    #[test]
    fn versions_only_grow_and_nothing_stands_twice(
        pages in proptest::collection::vec((pages(), 0_i64..4), 1..20),
    ) {
        let mut held: Option<Entitlements> = None;
        for (index, (page, created)) in pages.into_iter().enumerate() {
            let summary = summary(&format!("evt_{index}"), created, page);
            let before = held.clone();
            match apply(held.as_ref(), Dedup::New, &summary).unwrap() {
                Changed(set) => {
                    let last = before.map_or(Version(0), |set| set.version);
                    prop_assert_eq!(set.version, last.next());
                    held = Some(set);
                }
                Unchanged(set) => {
                    let before = before.unwrap();
                    prop_assert_eq!(&set.data, &before.data);
                    prop_assert_eq!(set.version, before.version);
                    held = Some(set);
                }
                Duplicate => prop_assert!(false, "no event came twice"),
                Stale => prop_assert!(before.unwrap().as_of > summary.created),
            }
            let data = &held.as_ref().unwrap().data;
            let features: std::collections::BTreeSet<_> = data.iter().map(|g| &g.feature).collect();
            prop_assert_eq!(features.len(), data.len());
        }
    }
}
