//! Why a customer has a feature, now and in the past.

use entgate::{
    entitlement::{Completeness, Version},
    id::Timestamp,
    ledger::{
        CauseType, ExplainQuery, ExplainReply, Explanation, NewOverride, OverrideCommand,
        OverrideEnd,
    },
    store::Ledger as _,
};
use pollster::block_on;

use super::{at, denial, deployment, grant};
use crate::support::{NOW, Service, customer, event, grants, service_with_stripe_and};

fn explain(service: &Service, feature: &str, at: Option<Timestamp>) -> ExplainReply {
    let feature = feature.try_into().unwrap();
    let query = ExplainQuery { customer: customer("cus_ada"), feature, at };
    block_on(service.store.ledger.explain(&query)).unwrap()
}

#[track_caller]
fn explained(service: &Service, feature: &str, at: Option<Timestamp>) -> Explanation {
    match explain(service, feature, at) {
        ExplainReply::Explained(explanation) => *explanation,
        reply @ ExplainReply::TooOld { .. } => panic!("{reply:?}"),
    }
}

/// The answer, its reason, its version, and what changed it last.
fn summary(explanation: &Explanation) -> (Option<bool>, Option<&str>, u64, Option<CauseType>) {
    let Explanation { entitled, reason, version, last_change, .. } = explanation;
    let cause = last_change.as_ref().map(|change| change.cause.kind);
    (*entitled, reason.as_deref(), version.0, cause)
}

#[test]
fn a_present_answer_names_each_contribution() {
    let service = deployment(&[("ENTGATE_DEFAULT_FEATURES", "sms")]);
    service.receive(&event("cus_ada", NOW.0, &["sms", "sso"], true));
    service.create(denial("ovr_1", "sms"));
    service.create(grant("ovr_2", "fax"));
    let explanation = explained(&service, "sms", None);
    // The default feature was granted before the customer was known.
    let expected = (Some(false), Some("denied_by_override"), 3, Some(CauseType::Override));
    assert_eq!(summary(&explanation), expected);
    assert_eq!(explanation.at, NOW);
    assert_eq!(explanation.as_of, Some(NOW));
    assert_eq!(explanation.is_default, Some(true));
    let source = &explanation.source;
    assert_eq!((source.completeness, source.grants), (Some(Completeness::Partial), true));
    assert_eq!(source.entitlement.as_ref().unwrap().as_str(), "ent_test_sms");
    assert_eq!(source.last_change.as_ref().unwrap().cause.kind, CauseType::Event);
    let ids: Vec<_> = explanation.overrides.iter().map(|value| value.period.id.as_str()).collect();
    assert_eq!(ids, ["ovr_1"]);
    let undecided = explained(&service, "api", None);
    assert_eq!(summary(&undecided), (None, None, 3, None));
    assert_eq!(undecided.is_default, Some(false));
}

#[test]
fn a_present_answer_reads_the_source_as_a_check_does() {
    let service = service_with_stripe_and(&[]);
    service.stripe().set_entitlements("cus_ada", grants(&["sms"]));
    let explanation = explained(&service, "sms", None);
    let expected = (Some(true), Some("active_entitlement"), 1, Some(CauseType::Read));
    assert_eq!(summary(&explanation), expected);
    assert_eq!(explanation.source.confirmed_at, Some(NOW));
}

#[test]
fn an_unknown_customer_is_one_only_if_that_is_certain() {
    let service = service_with_stripe_and(&[]);
    let unknown = (Some(false), Some("unknown_customer"), 0, None);
    assert_eq!(summary(&explained(&service, "sms", None)), unknown);
    let service = deployment(&[]);
    assert_eq!(summary(&explained(&service, "sms", None)), unknown, "the operator's choice");
    let service = deployment(&[("ENTGATE_UNKNOWN_CUSTOMERS", "")]);
    assert_eq!(summary(&explained(&service, "sms", None)), (None, None, 0, None));
    let too_old = ExplainReply::TooOld { oldest: NOW };
    assert_eq!(explain(&service, "sms", Some(at(-1))), too_old, "there is no history");
}

#[test]
fn a_past_answer_is_what_the_ledger_answered_then() {
    let mut service = deployment(&[]);
    service.receive(&event("cus_ada", NOW.0, &["fax", "sms"], false));
    service.set_time(at(10));
    service.create(NewOverride {
        starts_at: Some(at(20)),
        end: OverrideEnd::At(at(40)),
        ..denial("ovr_1", "sms")
    });
    service.set_time(at(30));
    service.create(grant("ovr_2", "sso"));
    service.set_time(at(50));
    service.manage(OverrideCommand::Delete {
        id: "ovr_2".try_into().unwrap(),
        reason: None,
        actor: "ops@example.com".to_owned(),
    });
    service.set_time(at(60));
    service.receive(&event("cus_ada", NOW.0 + 60, &["fax"], false));
    service.set_time(at(70));
    let (granted, denied) = (Some("active_entitlement"), Some("denied_by_override"));
    let (start, end) = (Some(CauseType::OverrideStart), Some(CauseType::OverrideEnd));
    let (by_event, by_operator) = (Some(CauseType::Event), Some(CauseType::Override));
    let not = Some("not_entitled");
    for (feature, second, expected) in [
        ("sms", 0, (Some(true), granted, 1, by_event)),
        ("sms", 19, (Some(true), granted, 2, by_event)),
        ("sms", 20, (Some(false), denied, 3, start)),
        ("sms", 39, (Some(false), denied, 4, start)),
        ("sms", 40, (Some(true), granted, 5, end)),
        ("sms", 59, (Some(true), granted, 6, end)),
        ("sms", 60, (Some(false), not, 7, by_event)),
        ("sso", 29, (Some(false), not, 3, None)),
        ("sso", 30, (Some(true), Some("override"), 4, by_operator)),
        ("sso", 49, (Some(true), Some("override"), 5, by_operator)),
        ("sso", 50, (Some(false), not, 6, by_operator)),
        ("fax", 45, (Some(true), granted, 5, by_event)),
        ("api", 45, (Some(false), not, 5, None)),
    ] {
        let explanation = explained(&service, feature, Some(at(second)));
        assert_eq!(summary(&explanation), expected, "{feature} in second {second}");
        assert_eq!((explanation.is_default, explanation.at), (None, at(second)));
    }
    let overrides = |second| explained(&service, "sms", Some(at(second))).overrides.len();
    assert_eq!((overrides(9), overrides(10)), (0, 1), "those that were made by then");
    assert_eq!(explain(&service, "sms", Some(at(-1))), ExplainReply::TooOld { oldest: NOW });
    let future = explained(&service, "sms", Some(at(100)));
    assert_eq!((future.at, future.version), (at(70), Version(7)), "the present");
}

#[test]
fn a_past_answer_is_unknown_after_a_change_that_was_only_counted() {
    let mut service = deployment(&[]);
    service.receive(&event("cus_ada", NOW.0, &["sms"], false));
    service.set_time(at(10));
    let many: Vec<_> = (0..1_002).map(|number| format!("f{number}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    service.receive(&event("cus_ada", NOW.0 + 10, &many, false));
    service.set_time(at(20));
    service.receive(&event("cus_ada", NOW.0 + 20, &["f1"], false));
    service.set_time(at(30));
    let entitled = |feature, second| explained(&service, feature, Some(at(second))).entitled;
    assert_eq!(entitled("sms", 5), Some(true));
    assert_eq!(entitled("f1", 5), None);
    assert_eq!(entitled("f1", 15), None);
    assert_eq!(entitled("f1", 25), Some(true), "nothing has changed since");
}
