//! The history of a customer: one entry for each version.

use entgate::{
    entitlement::Version,
    ledger::{
        CauseType, ChangeCause, HistoryEntry, HistoryQuery, KeyChange, NewOverride, OverrideEnd,
    },
    store::Ledger as _,
};
use pollster::block_on;

use super::{at, denial, deployment, grant};
use crate::support::{NOW, customer, event};

fn keys(added: &[&str], removed: &[&str]) -> KeyChange {
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).try_into().unwrap()).collect();
    KeyChange::Keys { added: keys(added), removed: keys(removed) }
}

fn entry(version: u64, second: i64, cause: (CauseType, &str), change: KeyChange) -> HistoryEntry {
    let (kind, id) = cause;
    let actor = (kind == CauseType::Override).then(|| "ops@example.com".to_owned());
    let id = Some(id.to_owned()).filter(|id| !id.is_empty());
    HistoryEntry {
        version: Version(version),
        created: at(second),
        cause: ChangeCause { kind, id, actor },
        change,
        source_change: None,
    }
}

#[test]
fn each_version_has_one_entry_that_is_dated_at_its_moment() {
    let mut service = deployment(&[]);
    let first = event("cus_ada", NOW.0, &["sms"], false);
    service.receive(&first);
    service.create(NewOverride {
        starts_at: Some(at(10)),
        end: OverrideEnd::At(at(20)),
        ..grant("ovr_1", "sso")
    });
    service.create(NewOverride {
        starts_at: Some(at(10)),
        end: OverrideEnd::At(at(30)),
        ..denial("ovr_2", "sms")
    });
    // A grant that begins when another one ends.
    service.create(NewOverride { starts_at: Some(at(20)), ..grant("ovr_3", "sso") });
    service.set_time(at(60));
    service.store.set_default_features(vec!["sso".try_into().unwrap(), "zip".try_into().unwrap()]);
    let event_id = first["id"].as_str().unwrap();
    let (start, end) = (CauseType::OverrideStart, CauseType::OverrideEnd);
    let expected = [
        entry(1, 0, (CauseType::Event, event_id), keys(&["sms"], &[])),
        entry(2, 0, (CauseType::Override, "ovr_1"), keys(&[], &[])),
        entry(3, 0, (CauseType::Override, "ovr_2"), keys(&[], &[])),
        entry(4, 0, (CauseType::Override, "ovr_3"), keys(&[], &[])),
        entry(5, 10, (start, "ovr_1"), keys(&["sso"], &[])),
        entry(6, 10, (start, "ovr_2"), keys(&[], &["sms"])),
        entry(7, 20, (start, "ovr_3"), keys(&[], &[])),
        entry(8, 20, (end, "ovr_1"), keys(&[], &[])),
        entry(9, 30, (end, "ovr_2"), keys(&["sms"], &[])),
        entry(10, 60, (CauseType::Setting, ""), keys(&["zip"], &[])),
    ];
    assert_eq!(service.history(), expected);
    assert_eq!(service.history(), expected, "what was carried out is not carried out again");
}

#[test]
fn a_change_of_the_source_that_an_override_hides_is_kept_apart() {
    let service = deployment(&[("ENTGATE_DEFAULT_FEATURES", "zip")]);
    service.create(denial("ovr_1", "sms"));
    service.create(grant("ovr_2", "sso"));
    let first = event("cus_ada", NOW.0, &["fax", "sms", "sso", "zip"], false);
    service.receive(&first);
    let id = first["id"].as_str().unwrap();
    let expected = HistoryEntry {
        source_change: Some(keys(&["fax", "sms", "sso", "zip"], &[])),
        ..entry(3, 0, (CauseType::Event, id), keys(&["fax"], &[]))
    };
    assert_eq!(service.history().last(), Some(&expected));
    service.receive(&event("cus_ada", NOW.0 + 1, &[], false));
    let last = service.history().pop().unwrap();
    assert_eq!(last.change, keys(&[], &["fax"]));
    assert_eq!(last.source_change, Some(keys(&[], &["fax", "sms", "sso", "zip"])));
}

#[test]
fn a_page_of_the_history_is_newest_first_in_either_direction() {
    let mut service = deployment(&[]);
    for number in 0..6 {
        service.set_time(at(number * 10));
        service.create(grant(&format!("ovr_{number}"), "sso"));
    }
    let all = HistoryQuery {
        customer: customer("cus_ada"),
        after: None,
        before: None,
        first: None,
        last: None,
        limit: 2,
    };
    let version = |version| Some(Version(version));
    for (why, query, versions, has_more) in [
        ("the newest", all.clone(), &[6, 5][..], true),
        ("before one", HistoryQuery { before: version(3), ..all.clone() }, &[2, 1], false),
        ("before the first", HistoryQuery { before: version(1), ..all.clone() }, &[], false),
        ("after one", HistoryQuery { after: version(2), ..all.clone() }, &[4, 3], true),
        (
            "after the last but one",
            HistoryQuery { after: version(4), ..all.clone() },
            &[6, 5],
            false,
        ),
        ("from a time on", HistoryQuery { first: Some(at(40)), ..all.clone() }, &[6, 5], false),
        ("until a time", HistoryQuery { last: Some(at(10)), ..all.clone() }, &[2, 1], false),
        (
            "within an hour that has none",
            HistoryQuery { first: Some(at(11)), last: Some(at(19)), ..all },
            &[],
            false,
        ),
    ] {
        let page = block_on(service.store.ledger.list_history(&query)).unwrap();
        let found: Vec<_> = page.entries.iter().map(|entry| entry.version.0).collect();
        assert_eq!((&found[..], page.has_more), (versions, has_more), "{why}");
        assert_eq!(page.complete_since, version(1), "{why}");
    }
}

#[test]
fn a_ledger_keeps_1000_entries_and_none_longer_than_400_days() {
    let mut service = deployment(&[]);
    for number in 0..501 {
        let id = format!("ovr_{number}");
        service.create(grant(&id, "sso"));
        let (reason, actor) = (None, "ops@example.com".to_owned());
        let id = id.as_str().try_into().unwrap();
        service.manage(entgate::ledger::OverrideCommand::Delete { id, reason, actor });
    }
    let history = service.history();
    assert_eq!((history.len(), history[0].version), (1_000, Version(3)));
    service.set_time(at(400 * 24 * 60 * 60));
    assert_eq!(service.history().len(), 1_000);
    service.set_time(at(400 * 24 * 60 * 60 + 1));
    assert_eq!(service.history(), []);
}

#[test]
fn other_default_features_are_noted_once_and_not_for_a_customer_without_a_record() {
    let service = deployment(&[]);
    let set = |features: &[&str]| {
        let features = features.iter().map(|key| (*key).try_into().unwrap()).collect();
        service.store.set_default_features(features);
    };
    set(&["zip"]);
    assert_eq!(service.history(), []);
    service.receive(&event("cus_ada", NOW.0, &["sms"], false));
    assert_eq!(service.history().len(), 1, "the default features of the first version");
    set(&["api", "sms"]);
    let noted = entry(2, 0, (CauseType::Setting, ""), keys(&["api"], &["zip"]));
    assert_eq!(service.history().pop(), Some(noted.clone()));
    assert_eq!(service.history().pop(), Some(noted), "noted once");
}
