//! All answers about one effective set agree: on random sets of the source, overrides, default features and
//! times, each surface answers as a simple reference does, on the fast path, by the replica and by the ledger.
//! `PROPTEST_CASES` sets the number of cases.

use std::collections::{BTreeMap, BTreeSet};

use entgate::{
    id::Timestamp,
    ledger::{NewOverride, OverrideCommand, OverrideEnd, OverrideReply, OverrideRequest},
    override_period::OverrideEffect,
    store::Ledger as _,
};
use pollster::block_on;
use proptest::{
    collection::{btree_set, vec},
    option,
    prelude::*,
    sample::subsequence,
};
use serde_json::{Value, json};

use crate::{
    support::{Answer, NOW, Service, configured, customer, event},
    token_fixtures::{SIGNING_KEY, TOKEN_SECRET, part},
};

/// The features of the tests. No layer contains the last one.
const FEATURES: [&str; 7] = ["api", "export", "fax", "sms", "sso", "zip", "none"];

/// What a customer has, and when it is asked for. Times are seconds after the start.
#[derive(Clone, Debug)]
struct Case {
    source: Option<Source>,
    overrides: Vec<Period>,
    default_features: Vec<&'static str>,
    denies_unknown: bool,
    times: BTreeSet<i64>,
}

/// The list of an event.
#[derive(Clone, Debug)]
struct Source {
    features: Vec<&'static str>,
    is_complete: bool,
}

#[derive(Clone, Copy, Debug)]
struct Period {
    feature: &'static str,
    effect: OverrideEffect,
    start: i64,
    end: Option<i64>,
}

impl Period {
    fn is_active(&self, at: i64) -> bool {
        self.start <= at && self.end.is_none_or(|end| at < end)
    }

    /// Its start, if it is later than its creation, and its end.
    fn edges(&self) -> impl Iterator<Item = i64> {
        Some(self.start).filter(|start| *start > 0).into_iter().chain(self.end)
    }
}

/// Whether the customer has a feature, and why; `None` if what is known does not decide it.
type Decided = Option<(bool, &'static str)>;

impl Case {
    fn is_overridden(&self, feature: &str, effect: OverrideEffect, at: i64) -> bool {
        let mut active = self.overrides.iter().filter(|period| period.is_active(at));
        active.any(|period| period.feature == feature && period.effect == effect)
    }

    fn decide(&self, feature: &str, at: i64) -> Decided {
        if self.is_overridden(feature, OverrideEffect::Deny, at) {
            return Some((false, "denied_by_override"));
        }
        if self.source.as_ref().is_some_and(|source| source.features.contains(&feature)) {
            return Some((true, "active_entitlement"));
        }
        if self.is_overridden(feature, OverrideEffect::Grant, at) {
            return Some((true, "override"));
        }
        if self.default_features.contains(&feature) {
            return Some((true, "default_feature"));
        }
        match &self.source {
            Some(source) => source.is_complete.then_some((false, "not_entitled")),
            None => self.denies_unknown.then_some((false, "unknown_customer")),
        }
    }

    fn is_granted(&self, feature: &str, at: i64) -> bool {
        self.decide(feature, at).is_some_and(|(entitled, _)| entitled)
    }

    /// The lookup keys of the list: of the source, of overrides, and of the default features. `None` if it is
    /// not complete.
    fn list(&self, at: i64) -> Option<Vec<&'static str>> {
        self.decide("none", at)?;
        let reason = |key: &str| self.decide(key, at).map(|(_, reason)| reason);
        let of_source = self.source.iter().flat_map(|source| source.features.iter().copied());
        let with_reason = |expected| move |key: &&'static str| reason(key) == Some(expected);
        let of_overrides = FEATURES.into_iter().filter(with_reason("override"));
        let of_defaults = FEATURES.into_iter().filter(with_reason("default_feature"));
        let of_source = of_source.filter(with_reason("active_entitlement"));
        Some(of_source.chain(of_overrides).chain(of_defaults).collect())
    }

    fn edges(&self) -> impl Iterator<Item = i64> {
        self.overrides.iter().flat_map(Period::edges)
    }

    /// One version for the set of the source, for each override, and for each start and end.
    fn version(&self, at: i64) -> usize {
        let passed = self.edges().filter(|edge| *edge <= at).count();
        usize::from(self.source.is_some()) + self.overrides.len() + passed
    }

    fn next_change(&self, at: i64) -> Option<i64> {
        self.edges().filter(|edge| *edge > at).min()
    }

    /// When the customer first loses a feature.
    fn next_loss(&self, at: i64) -> Option<i64> {
        let is_loss = |edge: &i64| {
            let mut granted = FEATURES.into_iter().filter(|key| self.is_granted(key, at));
            *edge > at && granted.any(|key| !self.is_granted(key, *edge))
        };
        self.edges().filter(is_loss).min()
    }

    /// A deployment with all of this, as of the start.
    fn deploy(&self) -> Service {
        let default_features = self.default_features.join(",");
        let service = configured(&[
            ("ENTGATE_API_KEYS", "sk_test_entgate"),
            ("STRIPE_WEBHOOK_SECRETS", "whsec_test_entgate"),
            ("ENTGATE_SIGNING_KEY", SIGNING_KEY),
            ("ENTGATE_TOKEN_SECRETS", TOKEN_SECRET),
            ("ENTGATE_DEFAULT_FEATURES", &default_features),
            ("ENTGATE_UNKNOWN_CUSTOMERS", if self.denies_unknown { "deny" } else { "" }),
        ]);
        if let Some(Source { features, is_complete }) = &self.source {
            let event = event("cus_ada", NOW.0, features, !is_complete);
            assert_eq!(service.stripe_sends(&event).status, 200);
            service.store.ledger.set_time(NOW);
        }
        for (number, period) in self.overrides.iter().enumerate() {
            let command = OverrideCommand::Create(NewOverride {
                id: format!("ovr_{number}").as_str().try_into().unwrap(),
                feature: period.feature.try_into().unwrap(),
                effect: period.effect,
                starts_at: Some(at(period.start)),
                end: period.end.map_or(OverrideEnd::Never, |end| OverrideEnd::At(at(end))),
                reason: "a reason".to_owned(),
                actor: "an operator".to_owned(),
                metadata: BTreeMap::new(),
                idempotency: None,
            });
            let request = OverrideRequest { customer: customer("cus_ada"), command };
            let reply = block_on(service.store.ledger.manage_overrides(&request)).unwrap();
            assert!(matches!(reply, OverrideReply::One { .. }), "{reply:?}");
        }
        service.store.replicate();
        service.store.ledger.set_time(NOW);
        service
    }
}

fn at(second: i64) -> Timestamp {
    NOW.saturating_add(second)
}

/// The periods start now, or once the replica was written.
fn period() -> impl Strategy<Value = Period> {
    let effect = prop_oneof![3 => Just(OverrideEffect::Grant), 2 => Just(OverrideEffect::Deny)];
    let start = prop_oneof![2 => Just(0_i64), 3 => 10_i64..40];
    (0..FEATURES.len() - 1, effect, start, option::of(1_i64..40)).prop_map(
        |(feature, effect, start, length)| {
            let end = length.map(|length| start.max(10) + length);
            Period { feature: FEATURES[feature], effect, start, end }
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    let keys = || subsequence(FEATURES[..FEATURES.len() - 1].to_vec(), 0..5).prop_shuffle();
    let source = (keys(), any::<bool>())
        .prop_map(|(features, is_complete)| Source { features, is_complete });
    let source = prop_oneof![3 => source.prop_map(Some), 1 => Just(None)];
    let times = btree_set(0_i64..85, 1..5);
    (source, vec(period(), 0..7), keys(), any::<bool>(), any::<bool>(), times).prop_map(
        |(source, overrides, defaults, has_defaults, denies_unknown, times)| {
            let default_features = if has_defaults { defaults } else { Vec::new() };
            Case { source, overrides, default_features, denies_unknown, times }
        },
    )
}

/// All surfaces, at one time, where a read is `fresh` or not.
struct Surfaces<'a> {
    case: &'a Case,
    service: &'a Service,
    second: i64,
    /// The parameters of each `GET` beside the feature.
    query: &'static str,
    headers: &'a [(&'a str, &'a str)],
}

impl Surfaces<'_> {
    fn get(&self, target: &str) -> Answer {
        self.service.request("GET", target, self.headers, b"")
    }

    fn expected(&self, feature: &str) -> Decided {
        self.case.decide(feature, self.second)
    }

    fn version(&self) -> Value {
        json!(self.case.version(self.second))
    }

    /// The code of a 503.
    fn undecided(&self) -> (u16, &'static str) {
        let is_known = self.case.source.is_some();
        (503, if is_known { "entitlements_incomplete" } else { "customer_not_verifiable" })
    }

    /// Asserts that a check or a part of a batch is the decision about this feature.
    #[track_caller]
    fn assert_check(&self, check: &Value, feature: &str) {
        assert_eq!(check["feature"], feature, "{check}");
        if let Some((entitled, reason)) = self.expected(feature) {
            let members = (&check["entitled"], &check["reason"], &check["version"]);
            assert_eq!(members, (&json!(entitled), &json!(reason), &self.version()), "{check}");
        } else {
            let code = self.undecided().1;
            let members = (&check["entitled"], &check["error"]["code"]);
            assert_eq!(members, (&Value::Null, &json!(code)), "{check}");
        }
    }

    fn assert_checks(&self) {
        for feature in FEATURES {
            let answer = self.get(&format!("/v1/check?feature={feature}{}", self.query));
            match self.expected(feature) {
                Some(_) => {
                    assert_eq!(answer.status, 200, "{answer:?}");
                    self.assert_check(&answer.body, feature);
                }
                None => assert_eq!((answer.status, answer.error("code")), self.undecided()),
            }
        }
    }

    #[track_caller]
    fn assert_list_of_checks(&self, answer: &Answer) {
        if FEATURES.iter().all(|feature| self.expected(feature).is_none()) {
            assert_eq!((answer.status, answer.error("code")), self.undecided());
            return;
        }
        assert_eq!(answer.status, 200, "{answer:?}");
        let checks = answer.body["data"].as_array().unwrap();
        assert_eq!(checks.len(), FEATURES.len());
        for (check, feature) in checks.iter().zip(FEATURES) {
            self.assert_check(check, feature);
        }
    }

    fn assert_batches(&self) {
        let features = FEATURES.join("&feature=");
        self.assert_list_of_checks(
            &self.get(&format!("/v1/check?{}&feature={features}", &self.query[1..])),
        );
        let is_fresh = self.query.contains("fresh");
        let check = |feature: &&str| json!({ "customer": "cus_ada", "feature": feature, "fresh": is_fresh });
        let checks: Vec<_> = FEATURES.iter().map(check).collect();
        self.assert_list_of_checks(
            &self.service.post_json("/v1/check", &json!({ "checks": checks })),
        );
    }

    fn assert_authorizations(&self) {
        for feature in FEATURES {
            let answer = self.get(&format!("/v1/authorize?feature={feature}{}", self.query));
            match self.expected(feature) {
                Some((true, _)) => {
                    assert_eq!(answer.status, 204, "{answer:?}");
                    let version = self.version().to_string();
                    assert_eq!(answer.header("entgate-version"), Some(version.as_str()));
                }
                Some((false, reason)) => {
                    assert_eq!((answer.status, answer.error("code")), (403, reason));
                }
                None => assert_eq!((answer.status, answer.error("code")), self.undecided()),
            }
        }
    }

    /// The list as one page, and in pages of two.
    fn assert_lists(&self) {
        let path = "/v1/entitlements/active_entitlements";
        let whole = self.get(&format!("{path}?{}", &self.query[1..]));
        let Some(expected) = self.case.list(self.second) else {
            assert_eq!((whole.status, whole.error("code")), self.undecided());
            return;
        };
        assert_eq!(whole.status, 200, "{whole:?}");
        assert_eq!(whole.keys(), expected);
        let version = self.version().to_string();
        assert_eq!(whole.header("entgate-version"), Some(version.as_str()));
        let (mut rows, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("{path}?limit=2{cursor}{}", self.query));
            let data = page.body["data"].as_array().unwrap();
            rows.extend(data.iter().cloned());
            if page.body["has_more"] == false {
                break;
            }
            assert_eq!(data.len(), 2);
            cursor = format!("&starting_after={}", data[1]["id"].as_str().unwrap());
        }
        assert_eq!(&json!(rows), &whole.body["data"]);
    }

    fn assert_snapshot(&self) {
        let answer = self.get(&format!("/v1/snapshot?{}", &self.query[1..]));
        let Some(expected) = self.case.list(self.second) else {
            assert_eq!((answer.status, answer.error("code")), self.undecided());
            return;
        };
        assert_eq!(answer.status, 200, "{answer:?}");
        let claims = part(answer.body["snapshot"].as_str().unwrap(), 1);
        let expires_at = match self.case.next_loss(self.second) {
            Some(loss) => (loss + 60).min(self.second + 3_600),
            None => self.second + 3_600,
        };
        let changes_at = self.case.next_change(self.second).map(at);
        assert_eq!(claims["entitlements"], json!(expected));
        assert_eq!(claims["version"], self.version());
        assert_eq!(claims["iat"], json!(at(self.second)));
        assert_eq!(claims["exp"], json!(at(expires_at)));
        assert_eq!(claims["changes_at"], json!(changes_at));
        for (member, claim) in [("expires_at", "exp"), ("changes_at", "changes_at")] {
            assert_eq!(answer.body[member], claims[claim]);
        }
    }

    /// The answers that have no parameter `fresh`, to a server key.
    fn assert_evaluations(&self) {
        let path = "/ofrep/v1/evaluate/flags";
        let context = json!({ "context": { "targetingKey": "cus_ada" } });
        let assert_flag = |flag: &Value, feature: &str| {
            let members = (&flag["value"], &flag["metadata"]["reason"]);
            let (entitled, reason) = self.expected(feature).unwrap();
            assert_eq!(members, (&json!(entitled), &json!(reason)), "{feature}: {flag}");
        };
        let is_named = |feature: &&str| {
            self.case.source.as_ref().is_some_and(|source| source.features.contains(feature))
                || self.case.default_features.contains(feature)
                || self.case.overrides.iter().any(|period| period.feature == *feature)
        };
        for feature in FEATURES {
            let answer = self.service.post_json(&format!("{path}/{feature}"), &context);
            match self.expected(feature) {
                Some(_) if is_named(&feature) => {
                    assert_eq!(answer.status, 200, "{feature}: {answer:?}");
                    assert_flag(&answer.body, feature);
                    assert_eq!(answer.body["metadata"]["version"], self.version());
                }
                Some(_) => assert_eq!(answer.status, 404, "{feature}: {answer:?}"),
                None => assert_eq!(answer.status, 500, "{feature}: {answer:?}"),
            }
        }
        let named: BTreeSet<_> = FEATURES.into_iter().filter(is_named).collect();
        let answer = self.service.post_json(path, &context);
        let is_complete = self.case.list(self.second).is_some();
        let is_partial = self.case.source.is_some() && !is_complete;
        if is_complete || is_partial && named.iter().all(|key| self.expected(key).is_some()) {
            assert_eq!(answer.status, 200, "{answer:?}");
            let flags = answer.body["flags"].as_array().unwrap();
            let keys: Vec<_> = flags.iter().map(|flag| flag["key"].as_str().unwrap()).collect();
            assert_eq!(keys, named.into_iter().collect::<Vec<_>>());
            flags.iter().zip(keys).for_each(|(flag, key)| assert_flag(flag, key));
            assert_eq!(answer.body["metadata"]["version"], self.version());
        } else {
            assert_eq!(answer.status, 500, "{answer:?}");
        }
    }

    fn assert_explanations(&self) {
        for feature in FEATURES {
            let target = format!("/v1/explain?customer=cus_ada&feature={feature}");
            let answer = self.service.get(&target);
            assert_eq!(answer.status, 200, "{answer:?}");
            let body = &answer.body;
            let (entitled, reason) = self.expected(feature).unzip();
            let members = (&body["entitled"], &body["reason"], &body["version"]);
            assert_eq!(members, (&json!(entitled), &json!(reason), &self.version()), "{body}");
            assert_eq!(body["at"], json!(at(self.second)));
        }
    }

    /// The fast path answers what the replica decides. `request` compares each of its answers with the slow
    /// path's.
    fn assert_fast_path(&self) {
        let ada = customer("cus_ada");
        let is_in_replica = self.service.store.replica.stored_set(&ada).is_some();
        for feature in FEATURES {
            let target = format!("/v1/check?feature={feature}{}", self.query);
            let mut request = http::Request::get(target);
            for (name, value) in self.headers {
                request = request.header(*name, *value);
            }
            let answer = self.service.fast_path(&request.body(Vec::new()).unwrap());
            // Only the ledger knows that a customer is unknown.
            let is_decided = |(_, reason)| reason != "unknown_customer";
            let expected = is_in_replica && self.expected(feature).is_some_and(is_decided);
            assert_eq!(answer.is_some(), expected, "{feature}: {answer:?}");
        }
    }
}

fn assert_surfaces_agree(case: &Case) {
    let mut service = case.deploy();
    for &second in &case.times {
        service.now = at(second);
        service.store.ledger.set_time(service.now);
        let issued = service.post_json("/v1/tokens", &json!({ "customer": "cus_ada" }));
        let token = format!("Bearer {}", issued.body["token"].as_str().unwrap());
        let server = [("authorization", "Bearer sk_test_entgate")];
        let token = [("authorization", token.as_str())];
        let surfaces =
            |query, headers| Surfaces { case, service: &service, second, query, headers };
        // First without the ledger, which carries out what is due when it is asked.
        for surfaces in [
            surfaces("&customer=cus_ada", &server),
            surfaces("&customer=cus_ada", &token),
            surfaces("&customer=cus_ada&fresh=true", &server),
        ] {
            surfaces.assert_checks();
            surfaces.assert_batches();
            surfaces.assert_authorizations();
            surfaces.assert_lists();
            surfaces.assert_snapshot();
        }
        let surfaces = surfaces("&customer=cus_ada", &server);
        surfaces.assert_fast_path();
        surfaces.assert_evaluations();
        surfaces.assert_explanations();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_answers_about_one_effective_set_agree(case in case()) {
        assert_surfaces_agree(&case);
    }
}
