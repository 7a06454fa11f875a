//! What a request of an operator changes, and when it is refused.

use std::collections::BTreeMap;

use entgate::{
    id::Timestamp,
    ledger::{
        NewOverride, Override, OverrideCommand, OverrideDeletion, OverrideEnd, OverrideIdempotency,
        OverrideRefusal, OverrideReply, OverrideUpdate,
    },
    override_period::OverrideStatus,
};

use super::{at, deployment, grant};
use crate::support::Service;

/// An update that changes nothing.
fn update(id: &str) -> OverrideUpdate {
    OverrideUpdate {
        id: id.try_into().unwrap(),
        starts_at: None,
        end: None,
        reason: None,
        actor: "ops@example.com".to_owned(),
        metadata: BTreeMap::new(),
        clears_metadata: false,
    }
}

fn delete(id: &str) -> OverrideCommand {
    let (reason, actor) = (Some("a mistake".to_owned()), "lead@example.com".to_owned());
    OverrideCommand::Delete { id: id.try_into().unwrap(), reason, actor }
}

/// The ids and the statuses of the overrides, newest first.
fn list(service: &Service, includes_ended: bool) -> Vec<(String, OverrideStatus)> {
    match service.manage(OverrideCommand::List { includes_ended }) {
        OverrideReply::List { data, at } => {
            data.iter().map(|value| (value.period.id.to_string(), value.status_at(at))).collect()
        }
        reply => panic!("{reply:?}"),
    }
}

#[track_caller]
fn one(reply: OverrideReply) -> Override {
    match reply {
        OverrideReply::One { value, .. } => value,
        reply => panic!("{reply:?}"),
    }
}

fn refused(refusal: OverrideRefusal) -> OverrideReply {
    OverrideReply::Refused(refusal)
}

#[test]
fn a_start_in_the_past_is_now_and_an_end_counts_from_the_start() {
    let service = deployment(&[]);
    for (why, starts_at, end, period) in [
        ("neither", None, OverrideEnd::Never, Some((0, None))),
        ("a start in the past", Some(-5), OverrideEnd::After(10), Some((0, Some(10)))),
        ("a later start", Some(5), OverrideEnd::After(10), Some((5, Some(15)))),
        ("one second", Some(5), OverrideEnd::At(at(6)), Some((5, Some(6)))),
        ("no second", Some(5), OverrideEnd::At(at(5)), None),
        ("an end in the past", None, OverrideEnd::At(at(-1)), None),
        ("an end now", None, OverrideEnd::Now, None),
        ("an end after no second", None, OverrideEnd::After(0), None),
        ("the end of time", None, OverrideEnd::After(i64::MAX), Some((0, Some(i64::MAX)))),
    ] {
        let starts_at = starts_at.map(at);
        let new = NewOverride { starts_at, end, ..grant(&format!("ovr_{why}"), "sso") };
        let reply = service.manage(OverrideCommand::Create(new));
        let Some((start, end)) = period else {
            assert_eq!(reply, refused(OverrideRefusal::EndNotAfterStart), "{why}");
            continue;
        };
        let time = |second: i64| if second == i64::MAX { Timestamp(second) } else { at(second) };
        let value = one(reply).period;
        assert_eq!((value.starts_at, value.expires_at), (time(start), end.map(time)), "{why}");
    }
}

#[test]
fn a_customer_has_at_most_100_overrides_that_have_not_ended() {
    let mut service = deployment(&[]);
    let new = |number: i64| {
        let end = OverrideEnd::At(at(1_000 + number));
        NewOverride { end, ..grant(&format!("ovr_{number}"), "sso") }
    };
    for number in 0..100 {
        service.create(new(number));
    }
    let too_many = refused(OverrideRefusal::TooMany);
    assert_eq!(service.manage(OverrideCommand::Create(new(100))), too_many);
    service.set_time(at(999));
    assert_eq!(
        service.manage(OverrideCommand::Create(new(100))),
        too_many,
        "a second before an end"
    );
    service.set_time(at(1_000));
    service.create(new(100));
    assert_eq!(service.manage(OverrideCommand::Create(new(101))), too_many);
    assert_eq!((list(&service, false).len(), list(&service, true).len()), (100, 101));
}

#[test]
fn a_repeated_request_with_an_idempotency_key_returns_the_same_override_for_a_day() {
    let mut service = deployment(&[]);
    let new = |id: &str, fingerprint: &str| NewOverride {
        idempotency: Some(OverrideIdempotency {
            key: "key_1".to_owned(),
            fingerprint: fingerprint.to_owned(),
        }),
        ..grant(id, "sso")
    };
    let first = service.create(new("ovr_1", "a"));
    service.set_time(at(86_400));
    assert_eq!(service.create(new("ovr_2", "a")), first);
    let other = service.manage(OverrideCommand::Create(new("ovr_3", "b")));
    assert_eq!(other, refused(OverrideRefusal::OtherRequest));
    assert_eq!(service.history().len(), 1, "a repetition changes nothing");
    service.set_time(at(86_401));
    assert_eq!(service.create(new("ovr_4", "b")).period.id.as_str(), "ovr_4");
}

#[test]
fn an_update_is_refused_for_what_has_passed() {
    let mut service = deployment(&[]);
    service.create(NewOverride {
        starts_at: Some(at(10)),
        end: OverrideEnd::At(at(20)),
        ..grant("ovr_1", "sso")
    });
    let starts_at = |second| OverrideUpdate { starts_at: Some(at(second)), ..update("ovr_1") };
    let ends = |end| OverrideUpdate { end: Some(end), ..update("ovr_1") };
    let ends_at = |second| ends(OverrideEnd::At(at(second)));
    let reason = OverrideUpdate { reason: Some("b".to_owned()), ..update("ovr_1") };
    let metadata = OverrideUpdate {
        metadata: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
        ..update("ovr_1")
    };
    let (early, started, ended) =
        (OverrideRefusal::EndNotAfterStart, OverrideRefusal::Started, OverrideRefusal::Ended);
    for (why, second, update, expected) in [
        ("a start at the end", 9, starts_at(20), Err(early)),
        ("an end before the start", 9, ends(OverrideEnd::Now), Err(early)),
        ("a later start", 9, starts_at(12), Ok((12, Some(20)))),
        ("an end after the start", 9, ends(OverrideEnd::After(9)), Ok((12, Some(21)))),
        ("the start that has passed", 12, starts_at(13), Err(started)),
        ("the same start", 12, starts_at(12), Ok((12, Some(21)))),
        ("an end in the past", 14, ends_at(13), Err(early)),
        ("an end now, as a time", 14, ends_at(14), Err(early)),
        ("no end", 14, ends(OverrideEnd::Never), Ok((12, None))),
        ("another reason", 14, reason.clone(), Ok((12, None))),
        ("an end now", 14, ends(OverrideEnd::Now), Ok((12, Some(14)))),
        ("a reason after the end", 14, reason, Err(ended)),
        ("a later end after the end", 14, ends_at(30), Err(ended)),
        ("metadata after the end", 14, metadata, Ok((12, Some(14)))),
    ] {
        service.set_time(at(second));
        let reply = service.manage(OverrideCommand::Update(update));
        match expected {
            Err(refusal) => assert_eq!(reply, refused(refusal), "{why}"),
            Ok((start, end)) => {
                let period = one(reply).period;
                let expected = (at(start), end.map(at));
                assert_eq!((period.starts_at, period.expires_at), expected, "{why}");
            }
        }
    }
    let unknown = service.manage(OverrideCommand::Update(update("ovr_9")));
    assert_eq!(unknown, OverrideReply::NotFound);
}

#[test]
fn an_update_sets_and_removes_metadata_and_makes_a_version_only_if_it_changes_something() {
    let service = deployment(&[]);
    let pairs = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let metadata: BTreeMap<_, _> = pairs(&[("a", "1"), ("b", "2")]);
    service.create(NewOverride { metadata, ..grant("ovr_1", "sso") });
    for (metadata, clears_metadata, expected, version) in [
        (pairs(&[("a", "1")]), false, pairs(&[("a", "1"), ("b", "2")]), 1),
        (pairs(&[("b", ""), ("c", "3")]), false, pairs(&[("a", "1"), ("c", "3")]), 2),
        (pairs(&[("d", "4")]), true, pairs(&[("d", "4")]), 3),
        (pairs(&[]), true, pairs(&[]), 4),
    ] {
        let update = OverrideUpdate { metadata, clears_metadata, ..update("ovr_1") };
        let value = one(service.manage(OverrideCommand::Update(update)));
        assert_eq!((value.metadata, value.version.0), (expected, version));
    }
}

#[test]
fn a_deletion_ends_an_override_and_keeps_who_deleted_it() {
    let mut service = deployment(&[]);
    service.create(grant("ovr_1", "sso"));
    service.create(NewOverride { starts_at: Some(at(100)), ..grant("ovr_2", "fax") });
    service.set_time(at(5));
    let deletion = Some(OverrideDeletion {
        at: at(5),
        reason: Some("a mistake".to_owned()),
        actor: "lead@example.com".to_owned(),
    });
    for id in ["ovr_1", "ovr_2"] {
        let value = one(service.manage(delete(id)));
        assert_eq!((&value.deletion, value.status_at(at(5))), (&deletion, OverrideStatus::Ended));
        assert_eq!(value.status_at(at(200)), OverrideStatus::Ended);
        assert_eq!(service.manage(delete(id)), refused(OverrideRefusal::Ended));
    }
    assert_eq!(service.manage(delete("ovr_9")), OverrideReply::NotFound);
    assert_eq!(list(&service, false), []);
    let ended = |id: &str| (id.to_owned(), OverrideStatus::Ended);
    assert_eq!(list(&service, true), [ended("ovr_2"), ended("ovr_1")]);
    assert_eq!(service.decision("sso&fresh=true").0, Some(false));
    service.set_time(at(5 + 365 * 24 * 60 * 60));
    service.create(grant("ovr_3", "sso"));
    assert_eq!(list(&service, true).len(), 3, "a year after the end");
    service.set_time(at(6 + 365 * 24 * 60 * 60));
    service.create(grant("ovr_4", "sso"));
    assert_eq!(list(&service, true).len(), 2, "a second later");
}

#[test]
fn a_request_that_is_refused_stores_nothing_for_an_unknown_customer() {
    let service = deployment(&[("ENTGATE_DEFAULT_FEATURES", "zip")]);
    let new = NewOverride { end: OverrideEnd::After(0), ..grant("ovr_1", "sso") };
    let reply = service.manage(OverrideCommand::Create(new));
    assert_eq!(reply, refused(OverrideRefusal::EndNotAfterStart));
    assert_eq!(service.history(), []);
    assert_eq!(service.decision("sso"), (Some(false), "unknown_customer".to_owned(), 0));
}
