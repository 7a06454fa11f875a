//! The rules by which an event changes a set.

use entgate::{
    entitlement::{
        Completeness::{Complete, Partial},
        SourceSet, Summary, SummaryPage,
    },
    id::Timestamp,
    ledger::{
        self, Dedup, Error,
        SetUpdate::{self, Changed, Duplicate, Stale, Unchanged},
    },
    policy::{GrantRule::Revoke, SourcePolicy, StatusPolicy},
};
use proptest::prelude::*;

use crate::support::{grants, summary};

fn set(as_of: i64, completeness: entgate::entitlement::Completeness, keys: &[&str]) -> SourceSet {
    SourceSet {
        as_of: Timestamp(as_of),
        completeness,
        policy: SourcePolicy::default(),
        data: grants(keys),
    }
}

/// Applies an event of Stripe.
fn apply(current: Option<&SourceSet>, dedup: Dedup, summary: &Summary) -> Result<SetUpdate, Error> {
    ledger::apply(current, dedup, summary, SourcePolicy::default())
}

#[test]
fn an_event_changes_a_set_by_the_table_of_rules() {
    let complete = |keys: &[&str]| SummaryPage::Complete(grants(keys));
    let truncated = |keys: &[&str]| SummaryPage::Truncated(grants(keys));
    let current = set(100, Complete, &["a", "b"]);
    let partial = set(100, Partial, &["a", "b"]);
    for (why, entitlements, created, page, expected) in [
        ("the first event", None, 100, complete(&["a"]), Changed(set(100, Complete, &["a"]))),
        (
            "the first event, with an empty list",
            None,
            100,
            complete(&[]),
            Changed(set(100, Complete, &[])),
        ),
        (
            "the first event, truncated",
            None,
            100,
            truncated(&["a"]),
            Changed(set(100, Partial, &["a"])),
        ),
        (
            "a newer grant",
            Some(&current),
            101,
            complete(&["a", "b", "c"]),
            Changed(set(101, Complete, &["c", "a", "b"])),
        ),
        (
            "a newer revocation",
            Some(&current),
            101,
            complete(&["b"]),
            Changed(set(101, Complete, &["b"])),
        ),
        ("an empty list", Some(&current), 101, complete(&[]), Changed(set(101, Complete, &[]))),
        (
            "the same set, later",
            Some(&current),
            101,
            complete(&["a", "b"]),
            Unchanged(set(101, Complete, &["a", "b"])),
        ),
        (
            "the same set in another order",
            Some(&current),
            101,
            complete(&["b", "a"]),
            Unchanged(set(101, Complete, &["a", "b"])),
        ),
        ("a tie", Some(&current), 100, complete(&["c"]), Changed(set(100, Complete, &["c"]))),
        ("one second older", Some(&current), 99, complete(&["c"]), Stale),
        ("a truncated page one second older", Some(&current), 99, truncated(&["c"]), Stale),
        (
            "a truncated page without a new grant",
            Some(&current),
            101,
            truncated(&["a"]),
            Changed(set(101, Partial, &["a", "b"])),
        ),
        (
            "a truncated page with a new grant",
            Some(&current),
            101,
            truncated(&["c"]),
            Changed(set(101, Partial, &["c", "a", "b"])),
        ),
        (
            "a second truncated page",
            Some(&partial),
            101,
            truncated(&["b"]),
            Unchanged(set(101, Partial, &["a", "b"])),
        ),
        (
            "a complete list after a truncated page",
            Some(&partial),
            101,
            complete(&["a", "b"]),
            Changed(set(101, Complete, &["a", "b"])),
        ),
        ("a deletion", Some(&current), 100, SummaryPage::Deleted, Changed(set(100, Complete, &[]))),
        ("an older deletion", Some(&current), 99, SummaryPage::Deleted, Stale),
    ] {
        let summary = summary("evt_1", created, page);
        assert_eq!(apply(entitlements, Dedup::New, &summary), Ok(expected), "{why}");
    }
}

#[test]
fn a_set_of_another_source_is_unknown() {
    let catalog = SourcePolicy::Catalog(StatusPolicy::default());
    let current = SourceSet { policy: catalog, ..set(100, Complete, &["a", "b"]) };
    let complete = |keys: &[&str]| SummaryPage::Complete(grants(keys));
    for (why, created, page, expected) in [
        ("a newer event", 101, complete(&["b"]), Changed(set(101, Complete, &["b"]))),
        ("an older event", 1, complete(&["b"]), Changed(set(1, Complete, &["b"]))),
        ("the same set", 1, complete(&["a", "b"]), Unchanged(set(1, Complete, &["a", "b"]))),
        (
            "a truncated page",
            1,
            SummaryPage::Truncated(grants(&["c"])),
            Changed(set(1, Partial, &["c"])),
        ),
    ] {
        let event = summary("evt_1", created, page);
        assert_eq!(apply(Some(&current), Dedup::New, &event), Ok(expected), "{why}");
    }
}

#[test]
fn a_complete_list_is_of_the_policy_of_now_and_a_truncated_page_of_the_policy_before() {
    let before = SourcePolicy::Stripe(Revoke);
    let current = SourceSet { policy: before, ..set(100, Complete, &["a"]) };
    let complete = summary("evt_1", 101, SummaryPage::Complete(grants(&["a"])));
    let expected = Unchanged(set(101, Complete, &["a"]));
    assert_eq!(apply(Some(&current), Dedup::New, &complete), Ok(expected));
    let truncated = summary("evt_1", 101, SummaryPage::Truncated(grants(&["b"])));
    let expected = SourceSet { policy: before, ..set(101, Partial, &["b", "a"]) };
    assert_eq!(apply(Some(&current), Dedup::New, &truncated), Ok(Changed(expected)));
}

#[test]
fn a_processed_event_is_a_duplicate_whatever_it_contains() {
    let newer = summary("evt_1", 200, SummaryPage::Complete(grants(&["c"])));
    let current = set(100, Complete, &["a"]);
    assert_eq!(apply(Some(&current), Dedup::Duplicate, &newer), Ok(Duplicate));
}

#[test]
fn a_renewed_grant_keeps_its_position_and_gets_its_new_id() {
    let current = set(100, Complete, &["a", "b"]);
    let mut renewed = grants(&["b", "a"]);
    renewed[0].id = "ent_test_new".try_into().unwrap();
    let upgrade = summary("evt_2", 101, SummaryPage::Complete(renewed));

    let Ok(Changed(set)) = apply(Some(&current), Dedup::New, &upgrade) else { panic!("unchanged") };
    let ids: Vec<_> = set.data.iter().map(|grant| grant.id.as_str()).collect();
    assert_eq!(ids, ["ent_test_a", "ent_test_new"]);
}

#[test]
fn an_id_that_a_page_assigns_to_another_feature_occurs_once() {
    let current = set(100, Complete, &["a"]);
    let mut page = grants(&["b"]);
    page[0].id = "ent_test_a".try_into().unwrap();
    let Ok(Changed(set)) =
        apply(Some(&current), Dedup::New, &summary("evt_2", 101, SummaryPage::Truncated(page)))
    else {
        panic!("unchanged")
    };
    assert_eq!(set.data.len(), 1);
    assert_eq!(set.data[0].lookup_key.as_str(), "b");
}

#[test]
fn a_set_has_at_most_100_000_entitlements() {
    let keys: Vec<_> = (0..=SourceSet::MAX_LEN).map(|n| n.to_string()).collect();
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    let largest = summary("evt_1", 1, SummaryPage::Complete(grants(&keys[1..])));
    let Ok(Changed(set)) = apply(None, Dedup::New, &largest) else { panic!("rejected") };
    assert_eq!(set.data.len(), 100_000);

    let one_more = summary("evt_2", 2, SummaryPage::Truncated(grants(&keys[..1])));
    assert_eq!(apply(Some(&set), Dedup::New, &one_more), Err(Error::TooMany { count: 100_001 }));
}

/// A page with some of five features, none of them twice.
fn pages() -> impl Strategy<Value = SummaryPage> {
    let keys = proptest::sample::subsequence(vec!["a", "b", "c", "d", "e"], 0..=5).prop_shuffle();
    (keys, any::<bool>()).prop_map(|(keys, has_more)| {
        if has_more {
            SummaryPage::Truncated(grants(&keys))
        } else {
            SummaryPage::Complete(grants(&keys))
        }
    })
}

proptest! {
    #[test]
    fn only_a_change_is_one_and_no_feature_occurs_twice(
        pages in proptest::collection::vec((pages(), 0_i64..4), 1..20),
    ) {
        let mut current: Option<SourceSet> = None;
        for (index, (page, created)) in pages.into_iter().enumerate() {
            let summary = summary(&format!("evt_{index}"), created, page);
            let before = current.clone();
            match apply(current.as_ref(), Dedup::New, &summary).unwrap() {
                Changed(set) => {
                    let content = |set: &SourceSet| (set.completeness, set.data.clone());
                    prop_assert_ne!(before.as_ref().map(content), Some(content(&set)));
                    current = Some(set);
                }
                Unchanged(set) => {
                    let before = before.unwrap();
                    prop_assert_eq!(&set.data, &before.data);
                    prop_assert_eq!(set.completeness, before.completeness);
                    current = Some(set);
                }
                Duplicate => prop_assert!(false, "no event was sent twice"),
                Stale => prop_assert!(before.unwrap().as_of > summary.created),
            }
            let data = &current.as_ref().unwrap().data;
            let features: std::collections::BTreeSet<_> = data.iter().map(|grant| &grant.feature).collect();
            prop_assert_eq!(features.len(), data.len());
        }
    }
}
