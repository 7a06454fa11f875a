//! Requests to the edge, written as in HTTP/1.1: method and target, headers, an empty line, the body.
//!
//! In headers, `$KEY` and `$LIVE` stand for server keys, `$TOKEN` and `$ISSUED` for customer tokens, and
//! `$SIGNED` for the signature of the body.

use std::str;

use serde_json::json;

use super::{
    lines::split_line,
    subject::{SERVER_KEY_LIVE, TEST_KEY, assert_documented_status},
};
use crate::{
    support::{NOW, SECRET, Service, event, signed},
    token_fixtures::{self, issued, token},
};

thread_local! {
    static DEPLOYMENT: Service = deployment();
}

pub(crate) fn run(input: &[u8]) {
    let Some((start, mut rest)) = split_line(input) else { return };
    let Some((method, target)) = start.split_once(' ') else { return };
    let mut lines = Vec::new();
    let body = loop {
        let Some((line, after)) = split_line(rest) else { return };
        rest = after;
        match line.split_once(": ") {
            Some(header) => lines.push(header),
            None if line.is_empty() => break rest,
            None => return,
        }
    };
    let values: Vec<_> = lines.iter().map(|(_, value)| replace_markers(value, body)).collect();
    let names = lines.iter().map(|(name, _)| *name);
    let headers: Vec<_> = names.zip(values.iter().map(String::as_str)).collect();
    if !is_valid_http(method, target, &headers) {
        return;
    }
    // Only a `POST` changes the deployment.
    if method == "POST" {
        let service = deployment();
        send(&service, method, target, &headers, body);
        // The second time, an event is a duplicate.
        send(&service, method, target, &headers, body);
    } else {
        DEPLOYMENT.with(|service| send(service, method, target, &headers, body));
    }
}

/// Sends a request, which asserts that the fast path and the slow path agree.
fn send(service: &Service, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) {
    let answer = service.request(method, target, headers, body);
    assert_documented_status(answer.status, &answer.body, target);
    service.store.replicate();
}

fn replace_markers(value: &str, body: &[u8]) -> String {
    let mut value = value.replace("$KEY", TEST_KEY).replace("$LIVE", SERVER_KEY_LIVE);
    if value.contains("$TOKEN") {
        value = value.replace("$TOKEN", &token(&json!({})));
    }
    if value.contains("$ISSUED") {
        value = value.replace("$ISSUED", &issued("one", &json!({})));
    }
    match str::from_utf8(body) {
        Ok(body) if value.contains("$SIGNED") => {
            value.replace("$SIGNED", &signed(body, SECRET, NOW))
        }
        _ => value,
    }
}

/// Whether the platform passes such a request on. Its URLs always have a path.
fn is_valid_http(method: &str, target: &str, headers: &[(&str, &str)]) -> bool {
    let mut request = http::Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    // The platform joins two headers of one name.
    let names: Vec<_> = headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    let is_unique = |name: &String| names.iter().filter(|other| *other == name).count() == 1;
    target.starts_with('/') && names.iter().all(is_unique) && request.body(()).is_ok()
}

/// Three customers: one with features of all kinds, one of whose features only some are known, and one
/// without features.
fn deployment() -> Service {
    let service = token_fixtures::with_tokens(&[]);
    let ada = ["sms", "sso", "say \"hi\"", "back\\slash", "größe", "a:b/c@d"];
    service.stripe_sends(&event("cus_ada", 1_700_000_000, &ada, false));
    service.stripe_sends(&event("cus_bob", 1_700_000_001, &["sms"], true));
    service.stripe_sends(&event("cus_eve", 1_700_000_002, &[], false));
    service
}
