//! What overrides and default features mean for answers.

use entgate::{
    ledger::{NewOverride, OverrideEnd},
    store::memory::Fault,
};
use serde_json::{Value, json};

use super::{at, denial, deployment, grant};
use crate::{
    support::{NOW, event, service_with_stripe_and},
    token_fixtures::SIGNING_KEY,
};

#[test]
fn an_override_counts_from_its_first_second_to_the_last_one_before_its_end() {
    let mut service = deployment(&[]);
    service.receive(&event("cus_ada", NOW.0, &["sms"], false));
    service.create(NewOverride {
        starts_at: Some(at(10)),
        end: OverrideEnd::At(at(20)),
        ..grant("ovr_1", "sso")
    });
    service.create(NewOverride {
        starts_at: Some(at(10)),
        end: OverrideEnd::At(at(20)),
        ..denial("ovr_2", "sms")
    });
    service.replicate();
    let (granted, denied) = ("active_entitlement", "denied_by_override");
    for (second, sso, sms, version) in [
        (9, (false, "not_entitled"), (true, granted), 3),
        (10, (true, "override"), (false, denied), 5),
        (19, (true, "override"), (false, denied), 5),
        (20, (false, "not_entitled"), (true, granted), 7),
        (21, (false, "not_entitled"), (true, granted), 7),
    ] {
        service.now = at(second);
        let expected =
            |(entitled, reason): (bool, &str)| (Some(entitled), reason.to_owned(), version);
        assert_eq!(service.decision("sso"), expected(sso), "second {second}, by the replica");
        assert_eq!(service.decision("sms"), expected(sms), "second {second}, by the replica");
        service.set_time(at(second));
        assert_eq!(
            service.decision("sso&fresh=true"),
            expected(sso),
            "second {second}, by the ledger"
        );
        assert_eq!(
            service.decision("sms&fresh=true"),
            expected(sms),
            "second {second}, by the ledger"
        );
    }
}

#[test]
fn a_clock_that_is_set_back_undoes_nothing() {
    let mut service = deployment(&[]);
    service.create(NewOverride { end: OverrideEnd::After(10), ..grant("ovr_1", "sso") });
    service.create(grant("ovr_2", "sms"));
    service.set_time(at(10));
    assert_eq!(service.decision("sso&fresh=true"), (Some(false), "unknown_customer".to_owned(), 3));
    service.set_time(at(5));
    assert_eq!(service.decision("sso&fresh=true"), (Some(false), "unknown_customer".to_owned(), 3));
    let value = service.create(grant("ovr_3", "fax"));
    assert_eq!(value.created, at(10), "no change is dated before the last one");
}

#[test]
fn a_denial_wins_over_the_source_a_grant_and_a_default() {
    let service = deployment(&[("ENTGATE_DEFAULT_FEATURES", "sso")]);
    service.receive(&event("cus_ada", NOW.0, &["sso"], false));
    service.create(grant("ovr_1", "sso"));
    assert_eq!(
        service.decision("sso&fresh=true"),
        (Some(true), "active_entitlement".to_owned(), 2)
    );
    service.create(denial("ovr_2", "sso"));
    let denied = (Some(false), "denied_by_override".to_owned(), 3);
    assert_eq!(service.decision("sso&fresh=true"), denied);
    service.create(grant("ovr_3", "sso"));
    let denied = (Some(false), "denied_by_override".to_owned(), 4);
    assert_eq!(service.decision("sso&fresh=true"), denied, "whichever came first");
    let proxy = service.get("/v1/authorize?customer=cus_ada&feature=sso&fresh=true");
    assert_eq!((proxy.status, proxy.error("code")), (403, "denied_by_override"));
}

#[test]
fn a_grant_counts_in_a_partial_set_and_decides_nothing_else() {
    let service = deployment(&[]);
    service.receive(&event("cus_ada", NOW.0, &["sms"], true));
    service.create(grant("ovr_1", "sso"));
    assert_eq!(service.decision("sso"), (Some(true), "override".to_owned(), 2));
    assert_eq!(service.decision("fax"), (None, "entitlements_incomplete".to_owned(), 0));
    let list = service.get("/v1/entitlements/active_entitlements?customer=cus_ada");
    assert_eq!((list.status, list.error("code")), (503, "entitlements_incomplete"));
}

#[test]
fn an_override_of_an_unknown_customer_decides_its_feature_only() {
    let service = deployment(&[("ENTGATE_UNKNOWN_CUSTOMERS", "")]);
    service.create(grant("ovr_1", "sso"));
    service.replicate();
    assert_eq!(service.decision("sso"), (Some(true), "override".to_owned(), 1));
    assert_eq!(service.decision("sms"), (None, "customer_not_verifiable".to_owned(), 0));
    let batch = service.get("/v1/check?customer=cus_ada&feature=sso&feature=sms");
    assert_eq!(batch.body["data"][0]["entitled"], true);
    assert_eq!(batch.body["data"][0]["as_of"], Value::Null);
    assert_eq!(batch.body["data"][1]["entitled"], Value::Null);
    let list = service.get("/v1/entitlements/active_entitlements?customer=cus_ada");
    assert_eq!((list.status, list.error("code")), (503, "customer_not_verifiable"));
}

#[test]
fn a_customer_that_stripe_does_not_know_has_its_overrides_and_nothing_else() {
    let service = service_with_stripe_and(&[]);
    service.create(grant("ovr_1", "sso"));
    assert_eq!(service.decision("sso"), (Some(true), "override".to_owned(), 1));
    assert_eq!(service.decision("sms"), (Some(false), "unknown_customer".to_owned(), 1));
    let list = service.get("/v1/entitlements/active_entitlements?customer=cus_ada");
    assert_eq!(list.status, 200);
    assert_eq!(list.body["data"][0]["lookup_key"], "sso");
}

#[test]
fn a_default_feature_is_granted_to_everybody_unless_the_ledger_fails() {
    let service =
        deployment(&[("ENTGATE_DEFAULT_FEATURES", "sso"), ("ENTGATE_UNKNOWN_CUSTOMERS", "")]);
    assert_eq!(service.decision("sso"), (Some(true), "default_feature".to_owned(), 0));
    assert_eq!(service.decision("sms"), (None, "customer_not_verifiable".to_owned(), 0));
    service.store.ledger.fail_next(Fault::Before);
    assert_eq!(service.decision("sso").0, None, "without record and ledger");
    service.receive(&event("cus_ada", NOW.0, &[], false));
    assert_eq!(service.decision("sso"), (Some(true), "default_feature".to_owned(), 1));
    assert_eq!(service.decision("sms"), (Some(false), "not_entitled".to_owned(), 1));
}

#[test]
fn a_list_has_the_rows_of_the_source_then_those_of_overrides_then_those_of_defaults() {
    let service = deployment(&[("ENTGATE_DEFAULT_FEATURES", "zoom, fax, sso")]);
    service.receive(&event("cus_ada", NOW.0, &["sms", "sso", "tv"], false));
    service.create(denial("ovr_1", "tv"));
    service.create(grant("ovr_2", "zip"));
    service.create(grant("ovr_3", "api"));
    service.create(grant("ovr_4", "sms"));
    service.replicate();
    let path = "/v1/entitlements/active_entitlements";
    let list = service.get(&format!("{path}?customer=cus_ada"));
    let rows = list.body["data"].as_array().unwrap().clone();
    let keys: Vec<_> = rows.iter().map(|row| row["lookup_key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["sms", "sso", "api", "zip", "fax", "zoom"]);
    // The digits are of SHA-256 of "test\ncus_ada\napi", and of "api", as Python's hashlib computes it.
    assert_eq!(
        rows[2],
        json!({
            "id": "ent_entgate_8ab9efafc517d16b12551bde",
            "object": "entitlements.active_entitlement",
            "feature": "feat_entgate_14c2529eb4498c5d1ffd6915",
            "livemode": false,
            "lookup_key": "api",
        })
    );
    let after = rows[2]["id"].as_str().unwrap();
    let next = service.get(&format!("{path}?customer=cus_ada&limit=1&starting_after={after}"));
    assert_eq!(next.body["data"][0]["lookup_key"], "zip");
    assert_eq!(next.body["has_more"], true);
    let gone = service.get(&format!("{path}?customer=cus_ada&starting_after=ent_entgate_0"));
    assert_eq!((gone.status, gone.error("code")), (400, "resource_missing"));
    let retrieved = service.get(&format!("{path}/{after}"));
    assert_eq!((retrieved.status, retrieved.error("code")), (404, "resource_missing"));
}

#[test]
fn a_snapshot_expires_a_minute_after_a_loss_and_names_the_next_change() {
    let mut service = deployment(&[("ENTGATE_SIGNING_KEY", SIGNING_KEY)]);
    service.receive(&event("cus_ada", NOW.0, &["sms"], false));
    let snapshot = |service: &crate::support::Service| {
        let body = service.get("/v1/snapshot?customer=cus_ada&fresh=true").body;
        (body["expires_at"].as_i64().unwrap(), body["changes_at"].clone())
    };
    assert_eq!(snapshot(&service), (at(3_600).0, Value::Null));
    service.create(NewOverride { starts_at: Some(at(30)), ..grant("ovr_1", "sso") });
    assert_eq!(snapshot(&service), (at(3_600).0, json!(at(30).0)), "a start loses nothing");
    service.create(NewOverride { end: OverrideEnd::At(at(100)), ..grant("ovr_2", "fax") });
    assert_eq!(snapshot(&service), (at(160).0, json!(at(30).0)));
    service.create(NewOverride { starts_at: Some(at(50)), ..denial("ovr_3", "sms") });
    assert_eq!(snapshot(&service), (at(110).0, json!(at(30).0)), "a denial is a loss");
    service.set_time(at(50));
    assert_eq!(snapshot(&service), (at(160).0, json!(at(100).0)));
}
