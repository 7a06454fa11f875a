//! `/v1/customers/{customer}/overrides`: what an operator may ask for, and what the responses say.

use entgate::{id::Timestamp, store::memory::Fault};
use serde_json::{Value, json};

use crate::support::{
    Answer, NOW, Service, configured, draw_distinct_numbers, event, service_with_stripe,
    service_with_stripe_and,
};

const PATH: &str = "/v1/customers/cus_ada/overrides";

/// A valid form. A test appends further parameters.
const GRANT: &str = "feature=sms&effect=grant&reason=Trial";

/// Ten years, in seconds.
const TEN_YEARS: u64 = 315_360_000;

/// A deployment that reads from Stripe, at [`NOW`], and creates ids that differ. There is one feature.
fn service() -> Service {
    draw_distinct_numbers();
    let service = service_with_stripe();
    service.stripe().set_features(&["sms"]);
    service
}

fn send(service: &Service, method: &str, target: &str, form: &str) -> Answer {
    let headers = [("authorization", "Bearer sk_test_entgate")];
    service.request(method, target, &headers, form.as_bytes())
}

fn post(service: &Service, form: &str) -> Answer {
    send(service, "POST", PATH, form)
}

/// Creates an override, and returns its object.
#[track_caller]
fn create(service: &Service, form: &str) -> Value {
    let answer = post(service, form);
    assert_eq!(answer.status, 200, "{form}: {}", answer.body);
    answer.body
}

#[track_caller]
fn id_of(created: &Value) -> &str {
    created["id"].as_str().unwrap()
}

fn path_of(created: &Value) -> String {
    format!("{PATH}/{}", id_of(created))
}

/// Sets the time of the API and of the ledgers.
fn set_time(service: &mut Service, now: Timestamp) {
    service.now = now;
    service.stripe().set_clock(now.into());
}

fn listed(service: &Service, query: &str) -> (Vec<String>, bool) {
    let answer = service.get(&format!("{PATH}?{query}"));
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    let data = answer.body["data"].as_array().unwrap();
    let ids = data.iter().map(|value| id_of(value).to_owned()).collect();
    (ids, answer.body["has_more"].as_bool().unwrap())
}

#[test]
fn an_override_of_a_customer_without_any_data_is_created_and_retrieved() {
    let service = service();
    let created = create(&service, GRANT);
    let expected = json!({
        "id": created["id"],
        "object": "entitlement_override",
        "customer": "cus_ada",
        "livemode": false,
        "feature": "sms",
        "effect": "grant",
        "reason": "Trial",
        "actor": "sk_test_****",
        "status": "active",
        "starts_at": NOW,
        "expires_at": null,
        "created": NOW,
        "metadata": {},
        "version": 1,
        "deletion": null,
    });
    assert_eq!(created, expected);
    assert_eq!(service.get(&path_of(&created)).body, expected);
    let id = id_of(&created).strip_prefix("ovr_").unwrap();
    assert!(id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
}

#[test]
fn a_check_with_the_version_of_the_response_sees_the_override() {
    let service = service();
    service.stripe().set_entitlements("cus_ada", Vec::new());
    let version = &create(&service, GRANT)["version"];
    let check = format!("/v1/check?customer=cus_ada&feature=sms&at_least={version}");
    let answer = service.get(&check).body;
    assert_eq!((&answer["entitled"], &answer["reason"]), (&json!(true), &json!("override")));

    let version = &create(&service, "feature=sms&effect=deny&reason=Fraud")["version"];
    let check = format!("/v1/check?customer=cus_ada&feature=sms&at_least={version}");
    let answer = service.get(&check).body;
    let denied = (&json!(false), &json!("denied_by_override"));
    assert_eq!((&answer["entitled"], &answer["reason"]), denied);
}

#[test]
fn a_form_and_json_have_the_same_parameters() {
    let service = service();
    let form = "feature=sms&effect=deny&reason=Fraud+%23123&actor=ada%40example.com&starts_at=1700000200\
                &expires_at=1700000300&metadata[ticket]=123&metadata[empty]=";
    let from_form = create(&service, form);
    let from_json = service.post_json(
        PATH,
        &json!({
            "feature": "sms", "effect": "deny", "reason": "Fraud #123", "actor": "ada@example.com",
            "starts_at": 1_700_000_200, "expires_at": 1_700_000_300,
            "metadata": { "ticket": "123", "empty": "" },
        }),
    );
    let mut expected = from_form.clone();
    for member in ["id", "version"] {
        expected[member] = from_json.body[member].clone();
    }
    assert_eq!(from_json.body, expected);
    assert_eq!(
        json!([
            from_form["reason"],
            from_form["actor"],
            from_form["status"],
            from_form["starts_at"],
            from_form["expires_at"],
            from_form["metadata"],
        ]),
        json!([
            "Fraud #123",
            "ada@example.com",
            "scheduled",
            1_700_000_200,
            1_700_000_300,
            { "ticket": "123" },
        ])
    );
}

#[test]
fn the_default_actor_is_the_key_of_which_only_the_end_is_shown() {
    let key = "sk_test_0123456789abcdef01234567";
    let service = configured(&[("ENTGATE_API_KEYS", key)]);
    let authorization = format!("Bearer {key}");
    let headers = [("authorization", authorization.as_str())];
    let answer = service.request("POST", PATH, &headers, GRANT.as_bytes());
    assert_eq!(answer.body["actor"], "sk_test_****4567");
    assert!(!answer.text().contains("0123456789"), "{}", answer.text());
}

#[test]
fn a_parameter_that_is_not_valid_is_rejected_by_name() {
    let service = service();
    let empty = |param: &str| {
        format!(
            "You passed an empty string for '{param}'. We assume empty values are an attempt to unset \
             a parameter; however '{param}' cannot be unset. You should remove '{param}' from your \
             request or supply a non-empty value."
        )
    };
    let missing = |param: &str| format!("Missing required param: {param}.");
    for (form, param, code, message) in [
        ("effect=grant&reason=x", "feature", "parameter_missing", missing("feature")),
        ("feature=sms&reason=x", "effect", "parameter_missing", missing("effect")),
        ("feature=sms&effect=grant", "reason", "parameter_missing", missing("reason")),
        (
            "feature=&effect=grant&reason=x",
            "feature",
            "parameter_invalid_empty",
            "You passed an empty string for 'feature'. Leave it out, or give it a value.".to_owned(),
        ),
        (
            "feature=a%00&effect=grant&reason=x",
            "feature",
            "parameter_invalid_string",
            "Invalid string for 'feature': a string with control characters".to_owned(),
        ),
        (
            "feature=sms&effect=allow&reason=x",
            "effect",
            "parameter_invalid",
            "Invalid effect: must be one of grant, deny".to_owned(),
        ),
        ("feature=sms&effect=grant&reason=", "reason", "parameter_invalid_empty", empty("reason")),
        (&format!("{GRANT}&actor="), "actor", "parameter_invalid_empty", empty("actor")),
        (
            &format!("{GRANT}&starts_at=tomorrow"),
            "starts_at",
            "parameter_invalid_integer",
            "Invalid integer: tomorrow".to_owned(),
        ),
        (
            &format!("{GRANT}&expires_at=1.5"),
            "expires_at",
            "parameter_invalid_integer",
            "Invalid integer: 1.5".to_owned(),
        ),
        (
            &format!("{GRANT}&expires_at=now"),
            "expires_at",
            "parameter_invalid_integer",
            "Invalid integer: now".to_owned(),
        ),
        (
            &format!("{GRANT}&expires_at=253402300800"),
            "expires_at",
            "parameter_invalid_integer",
            "This value must be less than or equal to 253402300799 (it currently is '253402300800')."
                .to_owned(),
        ),
        (
            &format!("{GRANT}&expires_at=1800000000&expires_in=60"),
            "expires_in",
            "parameters_exclusive",
            "You may only specify one of these parameters: expires_at, expires_in.".to_owned(),
        ),
        (
            &format!("{GRANT}&metadata=x"),
            "metadata",
            "parameter_invalid",
            "Invalid metadata: it accepts a map, not a single value.".to_owned(),
        ),
        (
            &format!("{GRANT}&color=red"),
            "color",
            "parameter_unknown",
            "Received unknown parameter: color".to_owned(),
        ),
    ] {
        post(&service, form).assert_refuses(param, code, &message, form);
    }
    assert_eq!(listed(&service, "status=all"), (Vec::new(), false));
}

#[test]
fn each_limit_of_a_parameter_is_accepted_and_one_more_is_rejected() {
    let service = service();
    let repeated = |length: usize| "é".repeat(length);
    let keys = |count: usize| {
        let keys = (0..count).map(|index| (format!("key_{index}"), json!("x")));
        Value::Object(keys.collect())
    };
    let long_string = |length: usize| {
        format!("Invalid string: {}…; must be at most {length} characters", repeated(60))
    };
    for (param, at_limit, past_limit, error_param, message) in [
        ("reason", json!(repeated(500)), json!(repeated(501)), "reason", long_string(500)),
        ("actor", json!(repeated(255)), json!(repeated(256)), "actor", long_string(255)),
        (
            "expires_in",
            json!(1),
            json!(0),
            "expires_in",
            "This value must be greater than or equal to 1 (it currently is '0').".to_owned(),
        ),
        (
            "expires_in",
            json!(TEN_YEARS),
            json!(TEN_YEARS + 1),
            "expires_in",
            "This value must be less than or equal to 315360000 (it currently is '315360001')."
                .to_owned(),
        ),
        (
            "metadata",
            keys(50),
            keys(51),
            "metadata",
            "An object can have up to 50 metadata keys, and this would make 51.".to_owned(),
        ),
        (
            "metadata",
            json!({ repeated(40): "x" }),
            json!({ repeated(41): "x" }),
            &format!("metadata[{}]", repeated(41)),
            format!("Metadata keys have 1 to 40 characters; `{}` does not.", repeated(41)),
        ),
        (
            "metadata",
            json!({ "a": repeated(500) }),
            json!({ "a": repeated(501) }),
            "metadata[a]",
            "Metadata values can have up to 500 characters, but you passed in a value of 501."
                .to_owned(),
        ),
    ] {
        let body = |value: &Value| {
            let mut body = json!({ "feature": "sms", "effect": "grant", "reason": "Trial" });
            body[param] = value.clone();
            body
        };
        let accepted = service.post_json(PATH, &body(&at_limit));
        assert_eq!(accepted.status, 200, "{param}: {}", accepted.body);
        let code =
            if param == "expires_in" { "parameter_invalid_integer" } else { "parameter_invalid" };
        let rejected = service.post_json(PATH, &body(&past_limit));
        rejected.assert_refuses(error_param, code, &message, param);
    }
}

#[test]
fn updates_give_an_override_at_most_fifty_metadata_keys() {
    let service = service();
    let created = create(&service, &format!("{GRANT}&metadata[first]=x"));
    let add = |count: usize| {
        let keys = (0..count).map(|index| (format!("key_{index}"), json!("x")));
        let metadata = Value::Object(keys.collect());
        service.post_json(&path_of(&created), &json!({ "metadata": metadata }))
    };
    let message = "An object can have up to 50 metadata keys, and this would make more.";
    add(50).assert_refuses("metadata", "parameter_invalid", message, "51 keys");
    assert_eq!(service.get(&path_of(&created)).body["metadata"], json!({ "first": "x" }));
    assert_eq!(add(49).body["metadata"].as_object().unwrap().len(), 50);
}

#[test]
fn a_hundred_overrides_may_not_have_ended_and_one_more_is_rejected() {
    let service = service();
    for _ in 0..100 {
        create(&service, GRANT);
    }
    let rejected = post(&service, GRANT);
    let message = "The customer has 100 overrides that have not ended, which is the maximum. Delete one that is not needed.";
    assert_eq!(
        (rejected.status, &rejected.body["error"]),
        (
            400,
            &json!({
                "type": "invalid_request_error",
                "code": "override_limit_exceeded",
                "message": message,
            })
        )
    );
    let newest = &service.get(PATH).body["data"][0].clone();
    assert_eq!(send(&service, "DELETE", &path_of(newest), "").status, 200);
    create(&service, GRANT);
}

#[test]
fn a_repeated_request_with_an_idempotency_key_returns_the_first_override_for_a_day() {
    let mut service = service();
    let with_key = |service: &Service, key: &str, form: &str| {
        let headers = [("authorization", "Bearer sk_test_entgate"), ("idempotency-key", key)];
        service.request("POST", PATH, &headers, form.as_bytes())
    };
    let first = with_key(&service, "key_1", GRANT);
    assert_eq!((first.status, first.header("idempotency-key")), (200, Some("key_1")));
    assert_eq!(first.header("idempotent-replayed"), None);

    let reordered = "reason=Trial&effect=grant&feature=sms";
    let second = with_key(&service, "key_1", reordered);
    assert_eq!((second.status, &second.body), (200, &first.body));
    assert_eq!(second.header("idempotent-replayed"), Some("true"));
    assert_eq!(second.header("idempotency-key"), Some("key_1"));

    let other = with_key(&service, "key_1", "feature=sms&effect=deny&reason=Trial");
    let message = "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than 'key_1' if you meant to execute a different request.";
    let error = json!({ "type": "idempotency_error", "message": message });
    assert_eq!((other.status, &other.body["error"]), (400, &error));
    assert_ne!(with_key(&service, "key_2", GRANT).body["id"], first.body["id"]);

    set_time(&mut service, Timestamp(NOW.0 + 86_399));
    assert_eq!(with_key(&service, "key_1", GRANT).body["id"], first.body["id"]);
    set_time(&mut service, Timestamp(NOW.0 + 86_401));
    assert_ne!(with_key(&service, "key_1", GRANT).body["id"], first.body["id"]);

    assert_eq!(with_key(&service, &"k".repeat(255), GRANT).status, 200);
    let too_long = with_key(&service, &"k".repeat(256), GRANT);
    let message = "The Idempotency-Key must have 1 to 255 characters, all of them ASCII.";
    assert_eq!((too_long.status, too_long.error("message")), (400, message));
}

#[test]
fn the_status_follows_the_time_and_selects_what_is_listed() {
    let mut service = service();
    let start = NOW.0 + 100;
    let later = create(&service, &format!("{GRANT}&starts_at={start}&expires_in=50"));
    let forever = create(&service, GRANT);
    let (later, forever) = (id_of(&later).to_owned(), id_of(&forever).to_owned());
    for (now, scheduled, active, ended) in [
        (start - 1, vec![&later], vec![&forever], vec![]),
        (start, vec![], vec![&forever, &later], vec![]),
        (start + 49, vec![], vec![&forever, &later], vec![]),
        (start + 50, vec![], vec![&forever], vec![&later]),
    ] {
        set_time(&mut service, Timestamp(now));
        let ids = |query: &str| listed(&service, query).0;
        assert_eq!(ids("status=scheduled").iter().collect::<Vec<_>>(), scheduled, "{now}");
        assert_eq!(ids("status=active").iter().collect::<Vec<_>>(), active, "{now}");
        assert_eq!(ids("status=ended").iter().collect::<Vec<_>>(), ended, "{now}");
        assert_eq!(ids("status=all"), [forever.clone(), later.clone()], "{now}");
        assert_eq!(ids("").len(), scheduled.len() + active.len(), "{now}");
    }
}

#[test]
fn pages_are_newest_first_and_continue_at_a_cursor() {
    let service = service();
    let ids: Vec<_> = (0..4).map(|_| id_of(&create(&service, GRANT)).to_owned()).collect();
    let newest_first = [3, 2, 1, 0].map(|index| ids[index].clone());
    assert_eq!(listed(&service, "limit=2"), (newest_first[..2].to_vec(), true));
    let after = format!("limit=2&starting_after={}", newest_first[1]);
    assert_eq!(listed(&service, &after), (newest_first[2..].to_vec(), false));
    let before = format!("limit=1&ending_before={}", newest_first[2]);
    assert_eq!(listed(&service, &before), (newest_first[1..2].to_vec(), true));
    assert_eq!(service.get(PATH).body["url"], PATH);
    let unknown = service.get(&format!("{PATH}?starting_after=ovr_x"));
    let message = "No such entitlement_override: 'ovr_x'";
    unknown.assert_refuses("starting_after", "resource_missing", message, "an unknown cursor");
    let status = service.get(&format!("{PATH}?status=new"));
    let message = "Invalid status: must be one of scheduled, active, ended, all";
    status.assert_refuses("status", "parameter_invalid", message, "an unknown status");
}

#[test]
fn an_update_changes_the_end_the_reason_and_the_metadata() {
    let service = service();
    let created = create(&service, &format!("{GRANT}&expires_in=60&metadata[a]=1&metadata[b]=2"));
    let path = path_of(&created);
    let version = created["version"].as_u64().unwrap();
    let cases = [
        ("expires_at=1800000000", "expires_at", json!(1_800_000_000)),
        ("expires_in=10", "expires_at", json!(NOW.0 + 10)),
        ("expires_at=", "expires_at", json!(null)),
        ("reason=Paid+by+invoice", "reason", json!("Paid by invoice")),
        ("metadata[a]=&metadata[c]=3", "metadata", json!({ "b": "2", "c": "3" })),
        ("metadata=", "metadata", json!({})),
    ];
    for (next, (form, member, expected)) in (version + 1..).zip(cases) {
        let updated = send(&service, "POST", &path, form);
        assert_eq!(updated.status, 200, "{form}: {}", updated.body);
        assert_eq!(updated.body[member], expected, "{form}");
        assert_eq!(updated.body["version"], next, "{form}");
        assert_eq!(service.get(&path).body, updated.body, "{form}");
    }
    let fixed = send(&service, "POST", &path, "feature=fax");
    let message = "Received unknown parameter: feature";
    fixed.assert_refuses("feature", "parameter_unknown", message, "the feature is fixed");
    let ended = send(&service, "POST", &path, "expires_at=now&actor=bob").body;
    assert_eq!(json!([ended["status"], ended["expires_at"]]), json!(["ended", NOW]));
    assert_eq!(ended["deletion"], json!(null));
}

#[test]
fn the_start_can_change_until_the_override_has_started() {
    let mut service = service();
    let start = NOW.0 + 100;
    let created = create(&service, &format!("{GRANT}&starts_at={start}"));
    let path = path_of(&created);
    let moved = send(&service, "POST", &path, &format!("starts_at={}", start + 100));
    assert_eq!((moved.status, &moved.body["starts_at"]), (200, &json!(start + 100)));
    set_time(&mut service, Timestamp(start + 100));
    let rejected = send(&service, "POST", &path, &format!("starts_at={}", start + 200));
    let message =
        "The override has started, so that its start cannot change. Leave `starts_at` out.";
    rejected.assert_refuses("starts_at", "override_started", message, "it has started");
}

#[test]
fn an_end_that_is_not_after_the_start_is_rejected() {
    let service = service();
    let message = "The override must end after its start, and not in the past.";
    let start = NOW.0 + 100;
    for form in [
        format!("{GRANT}&expires_at={NOW}"),
        format!("{GRANT}&starts_at={start}&expires_at={start}"),
    ] {
        post(&service, &form).assert_refuses("expires_at", "parameter_invalid", message, &form);
    }
    let scheduled =
        create(&service, &format!("{GRANT}&starts_at={start}&expires_at={}", start + 1));
    let path = path_of(&scheduled);
    for form in [format!("expires_at={start}"), format!("starts_at={}", start + 1)] {
        let rejected = send(&service, "POST", &path, &form);
        rejected.assert_refuses("expires_at", "parameter_invalid", message, &form);
    }
}

#[test]
fn a_deletion_ends_the_override_now_and_is_kept_with_its_reason() {
    let service = service();
    for (why, target_suffix, body, reason, actor) in [
        ("in the query", "?reason=Paid&actor=bob", "", json!("Paid"), "bob"),
        ("in the body", "", "reason=Paid&actor=bob", json!("Paid"), "bob"),
        ("without parameters", "", "", json!(null), "sk_test_****"),
    ] {
        let created = create(&service, GRANT);
        let path = path_of(&created);
        let deleted = send(&service, "DELETE", &format!("{path}{target_suffix}"), body);
        let version = created["version"].as_u64().unwrap() + 1;
        let expected = json!({
            "id": created["id"],
            "object": "entitlement_override",
            "deleted": true,
            "customer": "cus_ada",
            "version": version,
        });
        assert_eq!((deleted.status, &deleted.body), (200, &expected), "{why}");
        let mut expected = created.clone();
        expected["status"] = json!("ended");
        expected["version"] = json!(version);
        expected["deletion"] = json!({ "created": NOW, "reason": reason, "actor": actor });
        assert_eq!(service.get(&path).body, expected, "{why}");
    }
    assert_eq!(listed(&service, ""), (Vec::new(), false));
    assert_eq!(listed(&service, "status=ended").0.len(), 3);
}

#[test]
fn an_override_that_has_ended_changes_only_its_metadata() {
    let service = service();
    let created = create(&service, GRANT);
    let path = path_of(&created);
    assert_eq!(send(&service, "DELETE", &path, "").status, 200);
    let message =
        "The override has ended, so that only its metadata can change. Create another one.";
    let error =
        json!({ "type": "invalid_request_error", "code": "override_ended", "message": message });
    for (method, form) in [
        ("DELETE", ""),
        ("POST", "reason=Other"),
        ("POST", "expires_in=60"),
        ("POST", "starts_at=1800000000"),
    ] {
        let rejected = send(&service, method, &path, form);
        assert_eq!((rejected.status, &rejected.body["error"]), (400, &error), "{method} {form}");
    }
    let noted = send(&service, "POST", &path, "metadata[note]=kept");
    assert_eq!((noted.status, &noted.body["metadata"]), (200, &json!({ "note": "kept" })));
}

#[test]
fn an_override_belongs_to_one_customer_of_one_mode() {
    draw_distinct_numbers();
    let service = service_with_stripe_and(&[]);
    let created = create(&service, GRANT);
    let id = id_of(&created);
    let long = format!("ovr_{}", "x".repeat(300));
    for path in [
        format!("/v1/customers/cus_bob/overrides/{id}"),
        format!("{PATH}/ovr_unknown"),
        format!("{PATH}/{long}"),
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let answer = send(&service, method, &path, "");
            let error = (answer.status, answer.error("code"), answer.error("param"));
            assert_eq!(error, (404, "resource_missing", "id"), "{method} {path}");
        }
    }
    let unknown = service.get(&format!("{PATH}/ovr_unknown"));
    assert_eq!(unknown.error("message"), "No such entitlement_override: 'ovr_unknown'");

    let service = crate::support::service();
    let created = create(&service, GRANT);
    let headers = [("authorization", "Bearer sk_live_entgate")];
    let live = service.request("GET", &path_of(&created), &headers, b"");
    assert_eq!((live.status, live.error("code")), (404, "resource_missing"));
}

#[test]
fn a_feature_that_the_source_does_not_list_is_accepted_with_a_warning() {
    let service = service();
    assert_eq!(create(&service, GRANT).get("warnings"), None);
    let created = create(&service, "feature=smss&effect=grant&reason=Trial");
    assert_eq!(
        created["warnings"],
        json!([{
            "code": "unknown_feature",
            "param": "feature",
            "message": "No feature has the lookup key 'smss'. Was it mistyped? The override is stored.",
        }])
    );
    assert_eq!(service.get(&path_of(&created)).body.get("warnings"), None);
}

#[test]
fn there_is_no_warning_while_the_features_are_not_known() {
    draw_distinct_numbers();
    let without_source = crate::support::service();
    without_source.stripe_sends(&event("cus_ada", 1_700_000_000, &["sso"], false));
    assert_eq!(create(&without_source, GRANT).get("warnings"), None);

    let failing = service();
    for _ in 0..3 {
        failing.stripe().queue_response(Err("connection refused".to_owned()));
    }
    assert_eq!(create(&failing, GRANT).get("warnings"), None);
}

#[test]
fn a_customer_id_that_is_not_valid_is_rejected() {
    let service = service();
    let message =
        "Invalid string for 'customer': a string with white space or invisible characters";
    for (method, path) in [
        ("GET", "/v1/customers/cus%20ada/overrides"),
        ("POST", "/v1/customers/cus%20ada/overrides"),
        ("GET", "/v1/customers/cus%20ada/overrides/ovr_1"),
        ("POST", "/v1/customers/cus%20ada/overrides/ovr_1"),
        ("DELETE", "/v1/customers/cus%20ada/overrides/ovr_1"),
        ("GET", "/v1/customers/cus%20ada/history"),
    ] {
        let rejected = send(&service, method, path, "");
        rejected.assert_refuses("customer", "parameter_invalid_string", message, path);
    }
}

#[test]
fn a_ledger_that_fails_is_a_503() {
    let service = service();
    let created = create(&service, GRANT);
    let path = path_of(&created);
    for (method, path, form) in [
        ("GET", PATH, ""),
        ("POST", PATH, GRANT),
        ("GET", path.as_str(), ""),
        ("POST", path.as_str(), "expires_in=60"),
        ("DELETE", path.as_str(), ""),
    ] {
        service.store.ledger.fail_next(Fault::Before);
        let answer = send(&service, method, path, form);
        let error = (answer.status, answer.error("type"), answer.header("retry-after"));
        assert_eq!(error, (503, "api_error", Some("1")), "{method} {path}");
    }
}
