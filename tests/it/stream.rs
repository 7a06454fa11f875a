//! Live changes: changes of a set, opening a stream, and the encoding of its messages.

use entgate::{
    api::stream::{self, EndReason, StreamEncoder, StreamKind, StreamProtocol, StreamRequest},
    entitlement::{Completeness, SourceSet, Version},
    id::{Livemode, LookupKey, Timestamp},
    json,
    ledger::{
        ChangeCause, ChangeNotification, HistoryEntry, KeyChange, SetChange, notifications_since,
        source_difference,
    },
    policy::SourcePolicy,
    store,
};
use serde_json::json;

use crate::support::{Answer, LIVE_KEY, NOW, customer, grants, service};

fn set(keys: &[&str]) -> SourceSet {
    let (completeness, policy) = (Completeness::Complete, SourcePolicy::default());
    SourceSet { as_of: NOW, completeness, policy, data: grants(keys) }
}

fn lookup_keys(keys: &[&str]) -> Vec<LookupKey> {
    keys.iter().map(|key| (*key).try_into().unwrap()).collect()
}

fn change(version: u64, added: &[&str], removed: &[&str]) -> SetChange {
    let (added, removed) = (lookup_keys(added), lookup_keys(removed));
    SetChange { version: Version(version), added, removed }
}

#[test]
fn a_change_lists_the_added_and_removed_lookup_keys() {
    let before = set(&["sms", "sso"]);
    for (why, before, after, added, removed) in [
        ("the first set", None, set(&["sso", "sms"]), &["sms", "sso"][..], &[][..]),
        ("an empty first set", None, set(&[]), &[], &[]),
        ("one key replaced by another", Some(&before), set(&["sso", "api"]), &["api"], &["sms"]),
        ("all keys removed", Some(&before), set(&[]), &[], &["sms", "sso"]),
        ("only another order", Some(&before), set(&["sso", "sms"]), &[], &[]),
        (
            "the second of two grants with one key",
            Some(&set(&["sms", "sms"])),
            set(&["sms"]),
            &[],
            &[],
        ),
        ("a second grant with the same key", Some(&set(&["sms"])), set(&["sms", "sms"]), &[], &[]),
    ] {
        let expected = (lookup_keys(added), lookup_keys(removed));
        assert_eq!(source_difference(before, &after), expected, "{why}");
    }
}

#[test]
fn a_change_of_too_many_keys_or_bytes_is_only_counted() {
    let numbers: Vec<_> = (0..=KeyChange::MAX_KEYS).map(|number| number.to_string()).collect();
    let numbers = lookup_keys(&numbers.iter().map(String::as_str).collect::<Vec<_>>());
    let (most, one) = (numbers[1..].to_vec(), numbers[..1].to_vec());
    let listed = KeyChange::new(most.clone(), Vec::new());
    assert_eq!(listed, KeyChange::Keys { added: most.clone(), removed: Vec::new() });
    assert_eq!(KeyChange::new(most, one), KeyChange::Counts { added: 1_000, removed: 1 });

    let half = "é".repeat(4_096);
    let at_limit = lookup_keys(&vec![half.as_str(); KeyChange::MAX_BYTES / half.len() / 2]);
    let listed = KeyChange::new(at_limit.clone(), at_limit.clone());
    assert_eq!(listed, KeyChange::Keys { added: at_limit.clone(), removed: at_limit.clone() });
    let past_limit = [&at_limit[..], &lookup_keys(&["x"])].concat();
    assert_eq!(KeyChange::new(past_limit, at_limit), KeyChange::Counts { added: 17, removed: 16 });
}

#[test]
fn a_client_receives_all_missed_changes_or_only_the_version() {
    let entry = |version, change| HistoryEntry {
        version: Version(version),
        created: NOW,
        cause: ChangeCause::setting(),
        change,
        source_change: None,
    };
    let keys = |version| entry(version, KeyChange::new(lookup_keys(&["sms"]), Vec::new()));
    let counted = |version| entry(version, KeyChange::Counts { added: 1_001, removed: 0 });
    let all = [keys(3), keys(4), keys(5)];
    let with_gap = [keys(3), keys(5)];
    let with_count = [keys(3), counted(4), keys(5)];
    for (why, since, current, stored, expected) in [
        ("some changes", 3, 5, &all[..], Some(&[4, 5][..])),
        ("all stored changes", 2, 5, &all, Some(&[3, 4, 5])),
        ("one more than is stored", 1, 5, &all, None),
        ("no change", 5, 5, &all, Some(&[])),
        ("a version that does not exist", 9, 5, &all, Some(&[])),
        ("the maximum of a version", u64::MAX, 5, &all, Some(&[])),
        ("a gap in the stored changes", 2, 5, &with_gap, None),
        ("a gap after the last version", 3, 5, &with_gap, None),
        ("only changes after the gap", 4, 5, &with_gap, Some(&[5])),
        ("a change that was only counted", 2, 5, &with_count, None),
        ("only changes after the counted one", 4, 5, &with_count, Some(&[5])),
        ("the last change is not stored", 2, 5, &all[..2], None),
        ("no stored changes", 4, 5, &[], None),
        ("an unknown customer", 0, 0, &[], Some(&[])),
    ] {
        let expected = match expected {
            Some(versions) => versions
                .iter()
                .map(|version| ChangeNotification::Change(change(*version, &["sms"], &[])))
                .collect(),
            None => vec![ChangeNotification::Version(Version(current))],
        };
        let sent = notifications_since(Version(since), Version(current), stored);
        assert_eq!(sent, expected, "{why}");
    }
}

fn open(target: &str, headers: &[(&str, &str)]) -> Answer {
    let key = [("authorization", "Bearer sk_test_entgate")];
    service().request("GET", target, &[&key, headers].concat(), b"")
}

/// The stream of `cus_ada` that a server key of test mode opens.
pub(crate) fn stream_request(
    last_version: Option<u64>,
    protocol: StreamProtocol,
    kind: StreamKind,
) -> StreamRequest {
    StreamRequest {
        customer: customer("cus_ada"),
        last_version: last_version.map(Version),
        expires_at: Timestamp(NOW.0 + 86_400),
        end_reason: EndReason::MaxAge,
        protocol,
        kind,
    }
}

#[test]
fn parameters_and_headers_determine_the_stream() {
    use {
        StreamKind::{Changes, Refetch},
        StreamProtocol::{Sse, WebSocket},
    };
    const ADA: &str = "/v1/stream?customer=cus_ada";
    const SINCE_3: &str = "/v1/stream?customer=cus_ada&last_event_id=3";
    const OFREP: &str = "/ofrep/v1/stream?customer=cus_ada&last_event_id=3";
    for (why, target, headers, expected) in [
        ("new changes only", ADA, &[][..], stream_request(None, Sse, Changes)),
        ("a parameter", SINCE_3, &[], stream_request(Some(3), Sse, Changes)),
        ("a header", ADA, &[("last-event-id", "7")], stream_request(Some(7), Sse, Changes)),
        (
            "the header is newer",
            SINCE_3,
            &[("last-event-id", "7")],
            stream_request(Some(7), Sse, Changes),
        ),
        (
            "a header of another server",
            ADA,
            &[("last-event-id", "x7")],
            stream_request(None, Sse, Changes),
        ),
        (
            "an empty header",
            SINCE_3,
            &[("last-event-id", "")],
            stream_request(Some(3), Sse, Changes),
        ),
        (
            "a signed number",
            SINCE_3,
            &[("last-event-id", "+7")],
            stream_request(Some(3), Sse, Changes),
        ),
        (
            "a number that overflows",
            ADA,
            &[("last-event-id", "18446744073709551616")],
            stream_request(None, Sse, Changes),
        ),
        ("a WebSocket", ADA, &[("upgrade", "WebSocket")], stream_request(None, WebSocket, Changes)),
        ("another protocol", ADA, &[("upgrade", "h2c")], stream_request(None, Sse, Changes)),
        ("a refetch stream", OFREP, &[], stream_request(Some(3), Sse, Refetch)),
        (
            "a refetch stream is never a WebSocket",
            OFREP,
            &[("upgrade", "websocket")],
            stream_request(Some(3), Sse, Refetch),
        ),
    ] {
        let answer = open(target, headers);
        assert_eq!((answer.status, answer.stream_request()), (200, Some(&expected)), "{why}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{why}");
        let events = (expected.protocol == Sse).then_some("text/event-stream");
        assert_eq!(answer.header("content-type"), events, "{why}");
        assert_eq!(answer.header("x-accel-buffering"), events.map(|_| "no"), "{why}");
    }
}

#[test]
fn the_parameters_of_polyfills_determine_the_stream_too() {
    use {
        StreamKind::{Changes, Refetch},
        StreamProtocol::Sse,
    };
    for (why, target, headers, expected) in [
        (
            "the parameter of the usual polyfills",
            "/v1/stream?customer=cus_ada&lastEventId=3",
            &[][..],
            stream_request(Some(3), Sse, Changes),
        ),
        (
            "another spelling",
            "/v1/stream?customer=cus_ada&Last-Event-ID=3",
            &[],
            stream_request(Some(3), Sse, Changes),
        ),
        (
            "the spelling of Mercure",
            "/v1/stream?customer=cus_ada&lastEventID=3",
            &[],
            stream_request(Some(3), Sse, Changes),
        ),
        (
            "a polyfill before the first event",
            "/v1/stream?customer=cus_ada&lastEventId=&r=4718281828",
            &[],
            stream_request(None, Sse, Changes),
        ),
        (
            "a polyfill for old browsers",
            "/v1/stream?customer=cus_ada&evs_preamble=2056&evs_last_event_id=3&evs_buffer_size_limit=1",
            &[],
            stream_request(Some(3), Sse, Changes),
        ),
        (
            "parameters against caches",
            "/ofrep/v1/stream?customer=cus_ada&padding=true&_=1700000000000&lastEventId=3",
            &[],
            stream_request(Some(3), Sse, Refetch),
        ),
        (
            "a polyfill adds the id to the URL of an application",
            "/v1/stream?customer=cus_ada&last_event_id=3&lastEventId=7",
            &[],
            stream_request(Some(7), Sse, Changes),
        ),
        (
            "a wrapper and a polyfill add an id each",
            "/v1/stream?customer=cus_ada&lastEventId=8&lastEventId=7&lastEventId=",
            &[],
            stream_request(Some(8), Sse, Changes),
        ),
        (
            "the header is newer than a polyfill's parameter",
            "/v1/stream?customer=cus_ada&lastEventId=8",
            &[("last-event-id", "7")],
            stream_request(Some(7), Sse, Changes),
        ),
    ] {
        let answer = open(target, headers);
        assert_eq!((answer.status, answer.stream_request()), (200, Some(&expected)), "{why}");
    }
}

#[test]
fn a_server_key_opens_streams_of_its_own_mode() {
    let authorization = format!("Bearer {LIVE_KEY}");
    let headers = [("authorization", authorization.as_str())];
    let answer = service().request("GET", "/v1/stream?customer=cus_ada", &headers, b"");
    assert_eq!(answer.stream_request().unwrap().customer.livemode, Livemode::Live);
}

#[test]
fn an_invalid_stream_request_returns_an_error() {
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
            // A valid header does not replace it.
            let target_with_id = format!("{target}?customer=cus_ada&last_event_id={id}");
            let refused = open(&target_with_id, &[("last-event-id", "7")]);
            refused.assert_refuses("last_event_id", integer, message, target);
            assert_eq!(refused.stream_request(), None);
        }
        let refused = open(&format!("{target}?customer=cus_ada&lastEventId=3&lastEventId=x"), &[]);
        refused.assert_refuses("lastEventId", integer, "Invalid integer: x", target);
        for unknown in ["x", "last_event", "lastEventIds", "rr", "evs"] {
            let answer = open(&format!("{target}?customer=cus_ada&{unknown}=1"), &[]);
            let message = format!("Received unknown parameter: {unknown}");
            answer.assert_refuses(unknown, "parameter_unknown", &message, target);
        }
        assert_eq!(service().request("GET", target, &[], b"").status, 401);
        assert_eq!(service().request("POST", target, &[], b"").status, 405);
    }
}

#[test]
fn a_head_request_opens_no_stream() {
    let headers = [("authorization", "Bearer sk_test_entgate")];
    let answer = service().request("HEAD", "/v1/stream?customer=cus_ada", &headers, b"");
    assert_eq!((answer.status, answer.stream_request()), (200, None));
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
}

/// The encoded notifications of a new stream.
fn encode(request: StreamRequest, notifications: &[ChangeNotification]) -> Vec<Option<String>> {
    let mut encoder = StreamEncoder::new(request);
    notifications.iter().map(|notification| encoder.encode_notification(notification)).collect()
}

#[test]
fn an_event_has_its_version_as_id() {
    let encoder =
        StreamEncoder::new(stream_request(None, StreamProtocol::Sse, StreamKind::Changes));
    assert_eq!(encoder.preamble().as_deref(), Some("retry: 2000\n\n"));
    assert_eq!(encoder.encode_heartbeat(), ": heartbeat\n\n");
    assert_eq!(
        encoder.encode_end().as_deref(),
        Some("event: expired\ndata: {\"object\":\"stream_end\",\"reason\":\"max_age\"}\n\n")
    );
    let notifications = [
        ChangeNotification::Version(Version(5)),
        ChangeNotification::Change(change(6, &["sms"], &[])),
    ];
    assert_eq!(
        encode(stream_request(None, StreamProtocol::Sse, StreamKind::Changes), &notifications),
        [
            "id: 5\nevent: version\ndata: {\"object\":\"entitlement_version\",\"customer\":\"cus_ada\",\
             \"livemode\":false,\"version\":5}\n\n",
            "id: 6\nevent: change\ndata: {\"object\":\"entitlement_change\",\"customer\":\"cus_ada\",\
             \"livemode\":false,\"version\":6,\"added\":[\"sms\"],\"removed\":[]}\n\n",
        ]
        .map(|event| Some(event.to_owned()))
    );
}

#[test]
fn a_web_socket_message_is_the_data_of_the_event() {
    let encoder =
        StreamEncoder::new(stream_request(None, StreamProtocol::WebSocket, StreamKind::Changes));
    assert_eq!(encoder.preamble(), None);
    assert_eq!(encoder.encode_heartbeat(), r#"{"object":"heartbeat"}"#);
    assert_eq!(
        encoder.encode_end().as_deref(),
        Some(r#"{"object":"stream_end","reason":"max_age"}"#)
    );
    let notifications = [
        ChangeNotification::Version(Version(0)),
        ChangeNotification::Change(change(1, &["a\"b"], &["é", "ü"])),
        ChangeNotification::Version(Version(u64::MAX)),
    ];
    let messages = encode(
        stream_request(None, StreamProtocol::WebSocket, StreamKind::Changes),
        &notifications,
    );
    let events =
        encode(stream_request(None, StreamProtocol::Sse, StreamKind::Changes), &notifications);
    for (message, event) in messages.iter().zip(&events) {
        let (message, event) = (message.as_deref().unwrap(), event.as_deref().unwrap());
        assert!(event.ends_with(&format!("\ndata: {message}\n\n")), "{event}");
    }
    let parsed: serde_json::Value = serde_json::from_str(messages[1].as_deref().unwrap()).unwrap();
    assert_eq!((&parsed["added"], &parsed["removed"]), (&json!(["a\"b"]), &json!(["é", "ü"])));
}

/// A refetch notification.
fn refetch(version: u64) -> String {
    format!(
        "id: {version}\nevent: message\n\
         data: {{\"type\":\"refetchEvaluation\",\"etag\":\"{version}\"}}\n\n"
    )
}

#[test]
fn a_refetch_stream_notifies_once_at_the_start_and_then_for_each_change() {
    let version = |version| ChangeNotification::Version(Version(version));
    let change = |version| ChangeNotification::Change(change(version, &["sms"], &[]));
    for (why, last_version, notifications, expected) in [
        (
            "a new client",
            None,
            vec![version(5), change(6)],
            vec![Some(refetch(5)), Some(refetch(6))],
        ),
        (
            "a client that missed a change",
            Some(3),
            vec![version(5), change(6)],
            vec![Some(refetch(5)), Some(refetch(6))],
        ),
        (
            "a client that missed nothing",
            Some(5),
            vec![version(5), change(6)],
            vec![None, Some(refetch(6))],
        ),
        (
            "an unknown customer",
            None,
            vec![version(0), change(1)],
            vec![Some(refetch(0)), Some(refetch(1))],
        ),
        (
            "a change without its keys",
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
        let request = stream_request(last_version, StreamProtocol::Sse, StreamKind::Refetch);
        assert_eq!(request.resume_from(), None, "{why}");
        assert_eq!(encode(request, &notifications), expected, "{why}");
    }
}

#[test]
fn a_refetch_stream_notifies_once_more_at_the_end() {
    let mut encoder =
        StreamEncoder::new(stream_request(Some(5), StreamProtocol::Sse, StreamKind::Refetch));
    assert_eq!(encoder.preamble().as_deref(), Some("retry: 2000\n\n"));
    assert_eq!(encoder.encode_heartbeat(), ": heartbeat\n\n");
    assert_eq!(encoder.encode_end(), None, "the version is not known yet");
    assert_eq!(encoder.encode_notification(&ChangeNotification::Version(Version(5))), None);
    assert_eq!(encoder.encode_end(), Some(refetch(5)));
}

#[test]
fn a_stream_ends_with_its_reason() {
    for (end_reason, reason, code) in
        [(EndReason::TokenExpired, "token_expired", 4401), (EndReason::MaxAge, "max_age", 4408)]
    {
        let request = StreamRequest {
            end_reason,
            ..stream_request(None, StreamProtocol::WebSocket, StreamKind::Changes)
        };
        assert_eq!(request.resume_from(), None);
        let encoder = StreamEncoder::new(request);
        assert_eq!(encoder.close_frame(), (code, reason));
        let message = json!({ "object": "stream_end", "reason": reason });
        assert_eq!(encoder.encode_end(), Some(message.to_string()));
    }
}

#[test]
fn a_change_stream_resumes_from_the_last_version() {
    let request = stream_request(Some(3), StreamProtocol::WebSocket, StreamKind::Changes);
    assert_eq!(request.resume_from(), Some(Version(3)));
}

#[test]
fn a_stream_that_cannot_open_returns_retry_after() {
    let too_many =
        stream::too_many_streams(&stream_request(None, StreamProtocol::Sse, StreamKind::Changes));
    assert_eq!(
        (too_many.status().as_u16(), too_many.headers()["retry-after"].as_bytes()),
        (429, &b"30"[..])
    );
    let error: serde_json::Value = serde_json::from_slice(too_many.body()).unwrap();
    let message = "Too many streams of 'cus_ada' are open at once. Close some, or try again later.";
    let expected = json!({ "error": {
        "type": "invalid_request_error",
        "code": "rate_limit",
        "message": message,
    }});
    assert_eq!(error, expected);
    let error = store::Error::Unreachable { port: "ledger", cause: "no response".to_owned() };
    let unavailable = stream::stream_unavailable(error);
    assert_eq!(
        (unavailable.status().as_u16(), unavailable.headers()["retry-after"].as_bytes()),
        (503, &b"1"[..])
    );
}

#[test]
fn a_notification_is_encoded_as_documented_and_decoded_again() {
    for (notification, encoded) in [
        (ChangeNotification::Version(Version(6)), json!({ "version": 6 })),
        (
            ChangeNotification::Change(change(6, &["sms"], &[])),
            json!({ "change": { "version": 6, "added": ["sms"], "removed": [] } }),
        ),
    ] {
        assert_eq!(serde_json::to_value(&notification).unwrap(), encoded);
        assert_eq!(
            json::from_slice::<ChangeNotification>(encoded.to_string().as_bytes()),
            Ok(notification)
        );
    }
}
