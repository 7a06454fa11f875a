//! Live changes: what changed, who listens, and the texts that are told.

use entgate::{
    api::stream::{self, EndReason, StreamEncoder, StreamKind, StreamProtocol, StreamRequest},
    entitlement::{Completeness, Entitlements, Version},
    id::{Livemode, Timestamp, UnixMillis},
    json,
    ledger::{ChangeNotification, MAX_CHANGE_BYTES, SetChange, changes_since},
    store,
};
use serde_json::json;

use crate::support::{Answer, LIVE_KEY, NOW, customer, grants, service};

fn set(version: u64, keys: &[&str]) -> Entitlements {
    let coverage = Completeness::Complete;
    Entitlements {
        version: Version(version),
        as_of: NOW,
        completeness: coverage,
        data: grants(keys),
    }
}

fn change(version: u64, added: &[&str], removed: &[&str]) -> SetChange {
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).try_into().unwrap()).collect();
    SetChange { version: Version(version), added: keys(added), removed: keys(removed) }
}

#[test]
fn a_change_tells_which_lookup_keys_came_and_went() {
    for (why, held, after, expected) in [
        ("the first set", None, set(1, &["sso", "sms"]), Some(change(1, &["sms", "sso"], &[]))),
        ("a first set of nothing", None, set(1, &[]), Some(change(1, &[], &[]))),
        (
            "one for another",
            Some(set(1, &["sms", "sso"])),
            set(2, &["sso", "api"]),
            Some(change(2, &["api"], &["sms"])),
        ),
        ("all gone", Some(set(4, &["sms"])), set(5, &[]), Some(change(5, &[], &["sms"]))),
        (
            "another order only",
            Some(set(1, &["a", "b"])),
            set(2, &["b", "a"]),
            Some(change(2, &[], &[])),
        ),
        (
            "the second of two grants with one key",
            Some(set(1, &["sms", "sms"])),
            set(2, &["sms"]),
            Some(change(2, &[], &[])),
        ),
        (
            "a second grant with the same key",
            Some(set(1, &["sms"])),
            set(2, &["sms", "sms"]),
            Some(change(2, &[], &[])),
        ),
        (
            "known in part, and whole since",
            Some(Entitlements { completeness: Completeness::Partial, ..set(1, &["sms"]) }),
            set(2, &["sms"]),
            Some(change(2, &[], &[])),
        ),
        ("the same version", Some(set(2, &["sms"])), set(2, &["sms"]), None),
    ] {
        assert_eq!(SetChange::between(held.as_ref(), &after), expected, "{why}");
    }
}

#[test]
fn a_change_is_told_as_such_up_to_a_limit_of_bytes() {
    let half = "é".repeat(4_096);
    let most = vec![half.as_str(); MAX_CHANGE_BYTES / half.len() / 2];
    assert!(change(1, &most, &most).fits_in_message());
    assert!(!change(1, &[&most[..], &["x"]].concat(), &most).fits_in_message());
}

#[test]
fn who_missed_changes_hears_all_of_them_or_none() {
    let all: Vec<_> = (3..=5).map(|version| change(version, &["sms"], &[])).collect();
    let hole = [change(3, &[], &[]), change(5, &[], &[])];
    let short = [change(3, &[], &[]), change(4, &[], &[])];
    for (why, since, current, remembered, expected) in [
        ("some", 3, 5, &all[..], Some(&all[1..])),
        ("all that are remembered", 2, 5, &all, Some(&all[..])),
        ("one more", 1, 5, &all, None),
        ("nothing", 5, 5, &all, Some(&[][..])),
        ("a version that never was", 9, 5, &all, Some(&[])),
        ("the end of numbers", u64::MAX, 5, &all, Some(&[])),
        ("a change is not remembered", 2, 5, &hole, None),
        ("and none after the hole", 3, 5, &hole, None),
        ("only changes after the hole", 4, 5, &hole, Some(&hole[1..])),
        ("the last one is not remembered", 2, 5, &short, None),
        ("nothing is remembered", 4, 5, &[], None),
        ("a stranger", 0, 0, &[], Some(&[])),
    ] {
        assert_eq!(changes_since(Version(since), Version(current), remembered), expected, "{why}");
    }
}

fn open(target: &str, headers: &[(&str, &str)]) -> Answer {
    let key = [("authorization", "Bearer sk_test_entgate")];
    service().request("GET", target, &[&key, headers].concat(), b"")
}

/// What a server key of test mode opens for `cus_ada`.
fn listen(since: Option<u64>, form: StreamProtocol, notices: StreamKind) -> StreamRequest {
    StreamRequest {
        customer: customer("cus_ada"),
        last_version: since.map(Version),
        expires_at: Timestamp(NOW.0 + 86_400),
        end_reason: EndReason::MaxAge,
        protocol: form,
        kind: notices,
    }
}

#[test]
fn a_stream_is_opened_by_its_parameters_and_headers() {
    use {
        StreamKind::{Changes, Refetch},
        StreamProtocol::{Sse, WebSocket},
    };
    const ADA: &str = "/v1/stream?customer=cus_ada";
    const SINCE_3: &str = "/v1/stream?customer=cus_ada&last_event_id=3";
    const OFREP: &str = "/ofrep/v1/stream?customer=cus_ada&last_event_id=3";
    for (why, target, headers, expected) in [
        ("from now on", ADA, &[][..], listen(None, Sse, Changes)),
        ("a parameter", SINCE_3, &[], listen(Some(3), Sse, Changes)),
        ("a header", ADA, &[("last-event-id", "7")], listen(Some(7), Sse, Changes)),
        ("the header is newer", SINCE_3, &[("last-event-id", "7")], listen(Some(7), Sse, Changes)),
        ("a header of another server", ADA, &[("last-event-id", "x7")], listen(None, Sse, Changes)),
        ("an empty header", SINCE_3, &[("last-event-id", "")], listen(Some(3), Sse, Changes)),
        ("a signed number", SINCE_3, &[("last-event-id", "+7")], listen(Some(3), Sse, Changes)),
        (
            "a number past all numbers",
            ADA,
            &[("last-event-id", "18446744073709551616")],
            listen(None, Sse, Changes),
        ),
        ("a WebSocket", ADA, &[("upgrade", "WebSocket")], listen(None, WebSocket, Changes)),
        ("another protocol", ADA, &[("upgrade", "h2c")], listen(None, Sse, Changes)),
        ("OpenFeature", OFREP, &[], listen(Some(3), Sse, Refetch)),
        (
            "which takes events only",
            OFREP,
            &[("upgrade", "websocket")],
            listen(Some(3), Sse, Refetch),
        ),
    ] {
        let answer = open(target, headers);
        assert_eq!((answer.status, answer.listen()), (200, Some(&expected)), "{why}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{why}");
        let events = (expected.protocol == Sse).then_some("text/event-stream");
        assert_eq!(answer.header("content-type"), events, "{why}");
        assert_eq!(answer.header("x-accel-buffering"), events.map(|_| "no"), "{why}");
    }
}

#[test]
fn a_key_listens_in_its_own_mode() {
    let authorization = format!("Bearer {LIVE_KEY}");
    let headers = [("authorization", authorization.as_str())];
    let answer = service().request("GET", "/v1/stream?customer=cus_ada", &headers, b"");
    assert_eq!(answer.listen().unwrap().customer.livemode, Livemode::Live);
}

#[test]
fn a_stream_that_cannot_be_opened_says_why() {
    let (code, integer) = ("parameter_missing", "parameter_invalid_integer");
    for target in ["/v1/stream", "/ofrep/v1/stream"] {
        let refused = open(target, &[]);
        refused.assert_refuses("customer", code, "Missing required param: customer.", target);
        let empty = open(&format!("{target}?customer="), &[]);
        assert_eq!((empty.status, empty.error("code")), (400, "parameter_invalid_empty"));
        for (id, message) in [
            ("x", "Invalid integer: x"),
            ("-1", "This value must be greater than or equal to 0 (it currently is '-1')."),
        ] {
            // A good header does not excuse it.
            let given = format!("{target}?customer=cus_ada&last_event_id={id}");
            let refused = open(&given, &[("last-event-id", "7")]);
            refused.assert_refuses("last_event_id", integer, message, target);
            assert_eq!(refused.listen(), None);
        }
        let unknown = open(&format!("{target}?customer=cus_ada&x=1"), &[]);
        assert_eq!((unknown.status, unknown.error("code")), (400, "parameter_unknown"));
        assert_eq!(service().request("GET", target, &[], b"").status, 401);
        assert_eq!(service().request("POST", target, &[], b"").status, 405);
    }
}

#[test]
fn a_head_opens_nothing() {
    let headers = [("authorization", "Bearer sk_test_entgate")];
    let answer = service().request("HEAD", "/v1/stream?customer=cus_ada", &headers, b"");
    assert_eq!((answer.status, answer.listen()), (200, None));
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
}

/// What is told of a notice.
fn told(listen: StreamRequest, notices: &[ChangeNotification]) -> Vec<Option<String>> {
    let mut feed = StreamEncoder::new(listen);
    notices.iter().map(|notice| feed.encode_notification(notice)).collect()
}

#[test]
fn events_are_told_with_their_version_as_id() {
    let feed = StreamEncoder::new(listen(None, StreamProtocol::Sse, StreamKind::Changes));
    assert_eq!(feed.preamble().as_deref(), Some("retry: 2000\n\n"));
    assert_eq!(feed.encode_heartbeat(), ": heartbeat\n\n");
    assert_eq!(
        feed.encode_end().as_deref(),
        Some("event: expired\ndata: {\"object\":\"stream_end\",\"reason\":\"max_age\"}\n\n")
    );
    let notices = [
        ChangeNotification::Version(Version(5)),
        ChangeNotification::Change(change(6, &["sms"], &[])),
    ];
    assert_eq!(
        told(listen(None, StreamProtocol::Sse, StreamKind::Changes), &notices),
        [
            "id: 5\nevent: version\ndata: {\"object\":\"entitlement_version\",\"customer\":\"cus_ada\",\
             \"livemode\":false,\"version\":5}\n\n",
            "id: 6\nevent: change\ndata: {\"object\":\"entitlement_change\",\"customer\":\"cus_ada\",\
             \"livemode\":false,\"version\":6,\"added\":[\"sms\"],\"removed\":[]}\n\n",
        ]
        .map(|text| Some(text.to_owned()))
    );
}

#[test]
fn a_web_socket_is_told_the_same_data_without_more() {
    let feed = StreamEncoder::new(listen(None, StreamProtocol::WebSocket, StreamKind::Changes));
    assert_eq!(feed.preamble(), None);
    assert_eq!(feed.encode_heartbeat(), r#"{"object":"heartbeat"}"#);
    assert_eq!(feed.encode_end().as_deref(), Some(r#"{"object":"stream_end","reason":"max_age"}"#));
    let notices = [
        ChangeNotification::Version(Version(0)),
        ChangeNotification::Change(change(1, &["a\"b"], &["é", "ü"])),
        ChangeNotification::Version(Version(u64::MAX)),
    ];
    let texts = told(listen(None, StreamProtocol::WebSocket, StreamKind::Changes), &notices);
    let events = told(listen(None, StreamProtocol::Sse, StreamKind::Changes), &notices);
    for (text, event) in texts.iter().zip(&events) {
        let (text, event) = (text.as_deref().unwrap(), event.as_deref().unwrap());
        assert!(event.ends_with(&format!("\ndata: {text}\n\n")), "{event}");
    }
    let parsed: serde_json::Value = serde_json::from_str(texts[1].as_deref().unwrap()).unwrap();
    assert_eq!((&parsed["added"], &parsed["removed"]), (&json!(["a\"b"]), &json!(["é", "ü"])));
}

/// How OpenFeature's clients are told.
fn refetch(version: u64) -> String {
    format!(
        "id: {version}\nevent: message\n\
         data: {{\"type\":\"refetchEvaluation\",\"etag\":\"{version}\"}}\n\n"
    )
}

#[test]
fn who_evaluates_anew_hears_so_once_at_first_and_then_for_each_change() {
    let version = |version| ChangeNotification::Version(Version(version));
    let change = |version| ChangeNotification::Change(change(version, &["sms"], &[]));
    for (why, since, notices, expected) in [
        (
            "from now on",
            None,
            vec![version(5), change(6)],
            vec![Some(refetch(5)), Some(refetch(6))],
        ),
        (
            "who missed something",
            Some(3),
            vec![version(5), change(6)],
            vec![Some(refetch(5)), Some(refetch(6))],
        ),
        ("who missed nothing", Some(5), vec![version(5), change(6)], vec![None, Some(refetch(6))]),
        ("a stranger", None, vec![version(0), change(1)], vec![Some(refetch(0)), Some(refetch(1))]),
        (
            "a change that is told by its version",
            Some(5),
            vec![version(5), version(6)],
            vec![None, Some(refetch(6))],
        ),
        (
            "the same version twice",
            Some(5),
            vec![version(5), change(6), version(6)],
            vec![None, Some(refetch(6)), Some(refetch(6))],
        ),
    ] {
        let listen = listen(since, StreamProtocol::Sse, StreamKind::Refetch);
        assert_eq!(listen.resume_from(), None, "{why}");
        assert_eq!(told(listen, &notices), expected, "{why}");
    }
}

#[test]
fn who_evaluates_anew_does_it_once_more_at_the_end() {
    let mut feed = StreamEncoder::new(listen(Some(5), StreamProtocol::Sse, StreamKind::Refetch));
    assert_eq!(feed.preamble().as_deref(), Some("retry: 2000\n\n"));
    assert_eq!(feed.encode_heartbeat(), ": heartbeat\n\n");
    assert_eq!(feed.encode_end(), None, "nothing was heard of the customer yet");
    assert_eq!(feed.encode_notification(&ChangeNotification::Version(Version(5))), None);
    assert_eq!(feed.encode_end(), Some(refetch(5)));
}

#[test]
fn a_stream_ends_when_its_time_does_and_one_of_refetches_a_little_before() {
    let until = UnixMillis::from(Timestamp(NOW.0 + 86_400)).0;
    for (notices, chance, before) in [
        (StreamKind::Changes, 0.0, 0),
        (StreamKind::Changes, 0.999, 0),
        (StreamKind::Refetch, 0.0, 5_000),
        (StreamKind::Refetch, 0.5, 32_500),
        (StreamKind::Refetch, 1.0, 60_000),
        (StreamKind::Refetch, f64::NAN, 5_000),
        (StreamKind::Refetch, 2.0, 60_000),
    ] {
        let ends = listen(None, StreamProtocol::Sse, notices).closes_at(chance);
        assert_eq!(ends, UnixMillis(until - before), "{notices:?} {chance}");
    }
    let early = StreamRequest {
        expires_at: Timestamp(1),
        ..listen(None, StreamProtocol::Sse, StreamKind::Refetch)
    };
    assert_eq!(early.closes_at(0.0), UnixMillis(0));
}

#[test]
fn a_stream_says_why_it_ends() {
    for (end, reason, code) in
        [(EndReason::TokenExpired, "token_expired", 4401), (EndReason::MaxAge, "max_age", 4408)]
    {
        let listen = StreamRequest {
            end_reason: end,
            ..listen(None, StreamProtocol::WebSocket, StreamKind::Changes)
        };
        assert_eq!(listen.resume_from(), None);
        let feed = StreamEncoder::new(listen);
        assert_eq!(feed.close_frame(), (code, reason));
        let told = json!({ "object": "stream_end", "reason": reason });
        assert_eq!(feed.encode_end(), Some(told.to_string()));
    }
}

#[test]
fn a_stream_of_changes_resumes_where_it_was() {
    let since = listen(Some(3), StreamProtocol::WebSocket, StreamKind::Changes);
    assert_eq!(since.resume_from(), Some(Version(3)));
}

#[test]
fn where_too_many_listen_or_nobody_can_the_answer_says_when_to_come_again() {
    let crowded = stream::too_many_streams(&listen(None, StreamProtocol::Sse, StreamKind::Changes));
    assert_eq!(
        (crowded.status().as_u16(), crowded.headers()["retry-after"].as_bytes()),
        (429, &b"30"[..])
    );
    let error: serde_json::Value = serde_json::from_slice(crowded.body()).unwrap();
    let message = "Too many streams of 'cus_ada' are open at once. Close some, or try again later.";
    let expected = json!({ "error": {
        "type": "invalid_request_error",
        "code": "rate_limit",
        "message": message,
    }});
    assert_eq!(error, expected);
    let lost = store::Error::Unreachable { port: "ledger", cause: "it is away".to_owned() };
    let unreachable = stream::stream_unavailable(lost);
    assert_eq!(
        (unreachable.status().as_u16(), unreachable.headers()["retry-after"].as_bytes()),
        (503, &b"1"[..])
    );
}

#[test]
fn a_notice_is_written_as_documented_and_read_back() {
    for (notice, written) in [
        (ChangeNotification::Version(Version(6)), json!({ "version": 6 })),
        (
            ChangeNotification::Change(change(6, &["sms"], &[])),
            json!({ "change": { "version": 6, "added": ["sms"], "removed": [] } }),
        ),
    ] {
        assert_eq!(serde_json::to_value(&notice).unwrap(), written);
        assert_eq!(
            json::from_slice::<ChangeNotification>(written.to_string().as_bytes()),
            Ok(notice)
        );
    }
}
