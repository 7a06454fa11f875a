//! Tokens that are not accepted: the reason for each, and the limits from both sides.

use entgate::{
    id::{Timestamp, Utc},
    token::jws::MAX_TOKEN_LEN,
};
use serde_json::json;

use crate::{
    support::{NOW, Service},
    token_fixtures::{
        ACCEPTED, CHECK, HS256, TOKEN_SECRET, base64url, claims, hs256, invalid, issued, issued_as,
        issuers_claims, status_and_error, token, with_ada,
    },
};

#[test]
fn a_token_of_the_issuer_is_accepted_in_its_period_and_with_a_minute_of_leeway() {
    let service = with_ada(&[]);
    let now = NOW.0;
    let expired = |at: i64| {
        let (at, now) = (Utc(Timestamp(at)), Utc(NOW));
        (401, "token_expired", format!("The token expired at {at}; the current time is {now}."))
    };
    let early = |at: i64| {
        let (at, now) = (Utc(Timestamp(at)), Utc(NOW));
        (
            401,
            "token_invalid",
            format!("The token is not valid before {at}; the current time is {now}."),
        )
    };
    let not_a_timestamp = |claim: &str| {
        (401, "token_invalid", format!("The token's `{claim}` is not a timestamp in Unix seconds."))
    };
    let accepted = || (200, "", String::new());
    for (why, changes, expected) in [
        ("the last second of leeway", json!({ "exp": now - 59 }), accepted()),
        ("one second after the leeway", json!({ "exp": now - 60 }), expired(now - 60)),
        ("long expired", json!({ "exp": 0 }), expired(0)),
        ("the minimum", json!({ "exp": i64::MIN }), expired(i64::MIN)),
        ("a negative fraction", json!({ "exp": -1.5 }), expired(-2)),
        ("a fraction of a second, in the leeway", json!({ "exp": 1_700_000_041.5 }), accepted()),
        (
            "a fraction of a second, after the leeway",
            json!({ "exp": 1_700_000_040.5 }),
            expired(now - 60),
        ),
        ("the maximum", json!({ "exp": i64::MAX }), accepted()),
        ("more than the maximum", json!({ "exp": u64::MAX }), accepted()),
        (
            "no `exp`",
            json!({ "exp": null }),
            (401, "token_invalid", "The token has no `exp`.".into()),
        ),
        ("a string", json!({ "exp": (now + 900).to_string() }), not_a_timestamp("exp")),
        ("a list", json!({ "exp": [now + 900] }), not_a_timestamp("exp")),
        ("true", json!({ "exp": true }), not_a_timestamp("exp")),
        ("`nbf` in a minute", json!({ "nbf": now + 60 }), accepted()),
        ("`nbf` in more than a minute", json!({ "nbf": now + 61 }), early(now + 61)),
        ("`nbf` at the maximum", json!({ "nbf": i64::MAX }), early(i64::MAX)),
        ("a string", json!({ "nbf": "now" }), not_a_timestamp("nbf")),
        ("`iat` in a minute", json!({ "iat": now + 60 }), accepted()),
        ("`iat` in more than a minute", json!({ "iat": now + 61 }), early(now + 61)),
        ("no `iat`", json!({ "iat": null }), accepted()),
        ("a string", json!({ "iat": "now" }), not_a_timestamp("iat")),
    ] {
        // Our own tokens have the leeway at the start only.
        let own = (changes["exp"].is_null() || expected.0 != 200).then(|| token(&changes));
        for token in [Some(issued("one", &changes)), own].into_iter().flatten() {
            let answer = service.get_with(&token, CHECK);
            let (status, code, message) = &expected;
            assert_eq!(
                status_and_error(&answer),
                (*status, *code, message.as_str()),
                "{why}: {changes}"
            );
        }
    }
}

#[test]
fn a_token_of_this_deployment_is_accepted_until_it_expires() {
    let mut service = with_ada(&[]);
    let start = NOW.0;
    let created =
        service.post_json("/v1/tokens", &json!({ "customer": "cus_ada", "expires_in": 1 }));
    let created = created.body["token"].as_str().unwrap().to_owned();
    let in_ten = token(&json!({ "exp": start + 10 }));
    let fraction = token(&json!({ "exp": 1_700_000_110.9 }));
    let latest = token(&json!({ "exp": u64::MAX }));
    for (why, token, later, expires) in [
        ("the first second", &created, 0, None),
        ("at `expires_at`", &created, 1, Some(start + 1)),
        ("the last second", &in_ten, 9, None),
        ("at `exp`", &in_ten, 10, Some(start + 10)),
        ("a minute later", &in_ten, 69, Some(start + 10)),
        ("before a fraction of a second", &fraction, 9, None),
        ("in a fraction of a second", &fraction, 10, Some(start + 10)),
        ("more than the maximum", &latest, 1_000_000, None),
    ] {
        service.now.0 = start + later;
        let answer = service.get_with(token, CHECK);
        let now = Utc(service.now);
        let message = |at| {
            let at = Utc(Timestamp(at));
            format!("The token expired at {at}; the current time is {now}.")
        };
        let expected = match expires {
            None => (200, "", String::new()),
            Some(at) => (401, "token_expired", message(at)),
        };
        let (status, code, message) = &expected;
        assert_eq!(status_and_error(&answer), (*status, *code, message.as_str()), "{why}");
    }
}

/// Asserts that each of these tokens gives a 401 with this message.
#[track_caller]
fn assert_invalid(service: &Service, rows: &[(&str, String, &str)]) {
    for (why, token, expected) in rows {
        let answer = service.get_with(token, CHECK);
        assert_eq!(status_and_error(&answer), invalid(expected), "{why}");
        assert_eq!(answer.body["error"]["type"], "invalid_request_error", "{why}");
        let challenge = "Bearer realm=\"entgate\", error=\"invalid_token\"";
        assert_eq!(answer.header("www-authenticate"), Some(challenge), "{why}");
    }
}

const JSON: &str = "The token is malformed: a part is not valid JSON.";
const OBJECT: &str = "The token is malformed: a part is not a JSON object.";

/// A token with this header.
fn sign_header(header: &str) -> String {
    hs256(TOKEN_SECRET, header, &claims(&json!({})).to_string())
}

/// A token with these claims.
fn sign_claims(claims: &str) -> String {
    hs256(TOKEN_SECRET, HS256, claims)
}

#[test]
fn a_token_has_three_parts_in_base64url() {
    let good = token(&json!({}));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, claims) = message.split_once('.').unwrap();
    let parts = "The token is malformed: it does not have three parts separated by dots.";
    let base64 = "The token is malformed: a part is not base64url without padding.";
    let mismatch = "The token's signature does not match.";
    let rows = [
        ("no signature", message.to_owned(), parts),
        ("only a header", header.to_owned(), parts),
        ("a fourth part", format!("{good}.{signature}"), parts),
        ("five parts, as in an encrypted token", format!("{header}....{signature}"), parts),
        ("an empty signature", format!("{message}."), mismatch),
        ("an empty header", format!(".{claims}.{signature}"), JSON),
        ("no claims", format!("{header}..{signature}"), mismatch),
        ("half a signature", format!("{message}.{}", &signature[..22]), base64),
        ("padding", format!("{good}="), base64),
        ("the other alphabet", format!("{message}.+/{}", &signature[2..]), base64),
        ("white space in a part", format!("{header} .{claims}.{signature}"), base64),
    ];
    assert_invalid(&with_ada(&[]), &rows);
}

#[test]
fn each_invalid_header_is_a_401_with_the_reason() {
    let not_a_string = "The token is malformed: `alg`, `kid` and `typ` must be strings.";
    let unsigned = "The token is not signed.";
    let payload = base64url(&claims(&json!({})).to_string());
    let rows = [
        ("a header that is not JSON", sign_header("alg: HS256"), JSON),
        ("a header that is a list", sign_header(r#"["HS256"]"#), OBJECT),
        ("a byte order mark", sign_header("\u{feff}{\"alg\":\"HS256\"}"), JSON),
        ("no algorithm", sign_header("{}"), "The token is malformed: it has no `alg`."),
        ("an algorithm in a list", sign_header(r#"{"alg":["HS256"]}"#), not_a_string),
        ("an algorithm that is null", sign_header(r#"{"alg":null}"#), not_a_string),
        ("unsigned", format!("{}.{payload}.", base64url(r#"{"alg":"none"}"#)), unsigned),
        ("`none` in another case, with a signature", sign_header(r#"{"alg":"nOnE"}"#), unsigned),
        (
            "an algorithm in another case",
            sign_header(r#"{"alg":"hs256"}"#),
            "The token is signed with `hs256`, and only HS256, RS256, ES256 and EdDSA are accepted.",
        ),
        (
            "another hash",
            sign_header(r#"{"alg":"HS512"}"#),
            "The token is signed with `HS512`, and only HS256, RS256, ES256 and EdDSA are accepted.",
        ),
        (
            "a long algorithm with a line break",
            sign_header(
                &json!({ "alg": format!("{}\n{}", "x".repeat(30), "y".repeat(30)) }).to_string(),
            ),
            "The token is signed with `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxyy`, and only HS256, RS256, ES256 and EdDSA are accepted.",
        ),
        (
            "a snapshot's type",
            sign_header(r#"{"alg":"HS256","typ":"entitlements+jwt"}"#),
            "The token is of the type `entitlements+jwt`, which is not accepted.",
        ),
        ("a type that is not a string", sign_header(r#"{"alg":"HS256","typ":1}"#), not_a_string),
        (
            "a key id that is not a string",
            sign_header(r#"{"alg":"HS256","kid":{"a":1}}"#),
            not_a_string,
        ),
        (
            "a critical header",
            sign_header(r#"{"alg":"HS256","crit":["exp"],"exp":1}"#),
            "The token has a critical header that is not supported: `crit`.",
        ),
        (
            "an empty list of critical headers",
            sign_header(r#"{"alg":"HS256","crit":[]}"#),
            "The token has a critical header that is not supported: `crit`.",
        ),
        (
            "two algorithms",
            sign_header(r#"{"alg":"none","alg":"HS256"}"#),
            "The token has the duplicate member `alg`.",
        ),
        (
            "two algorithms, one of them in escapes",
            sign_header(r#"{"alg":"HS256","\u0061lg":"none"}"#),
            "The token has the duplicate member `alg`.",
        ),
    ];
    assert_invalid(&with_ada(&[]), &rows);
}

#[test]
fn claims_are_a_json_object_without_duplicate_members() {
    let deep = |depth: usize| {
        let nested = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let claims = claims(&json!({})).to_string();
        format!("{},\"deep\":{nested}}}", claims.strip_suffix('}').unwrap())
    };
    let rows = [
        (
            "two customers",
            sign_claims(&claims(&json!({})).to_string().replacen('{', r#"{"sub":"cus_bob","#, 1)),
            "The token has the duplicate member `sub`.",
        ),
        (
            "a duplicate member in a nested object",
            sign_claims(&claims(&json!({})).to_string().replacen(
                '{',
                r#"{"a":[{"b":{"c":1,"c":1}}],"#,
                1,
            )),
            "The token has the duplicate member `c`.",
        ),
        ("claims that are not JSON", sign_claims("sub=cus_ada"), JSON),
        ("claims that are a list", sign_claims("[]"), OBJECT),
        (
            "a customer with half of a surrogate pair",
            sign_claims(&claims(&json!({})).to_string().replace("cus_ada", r"cus_ada\ud800")),
            JSON,
        ),
        (
            "an audience with half of a surrogate pair",
            sign_claims(&claims(&json!({})).to_string().replace(r#""entgate""#, r#"["\udc00"]"#)),
            JSON,
        ),
        ("a number that is too large", sign_claims(r#"{"exp":1e999}"#), JSON),
        ("one level too deep", sign_claims(&deep(127)), JSON),
        ("2,000 levels", sign_claims(&deep(2_000)), JSON),
    ];
    assert_invalid(&with_ada(&[]), &rows);
    let deepest = with_ada(&[]).get_with(&sign_claims(&deep(126)), CHECK);
    assert_eq!(status_and_error(&deepest), ACCEPTED, "the maximum depth");
}

#[test]
fn a_claim_that_is_not_unicode_is_ignored_if_it_is_not_used() {
    let service = with_ada(&[]);
    for claim in [r#""name":"Ada \ud83d""#, r#""a":[{"sub":"\ude00","\ud83d":1}]"#, r#""\ud83d":1"#]
    {
        let add = |claims: String| claims.replacen('{', &format!("{{{claim},"), 1);
        let ours = sign_claims(&add(claims(&json!({})).to_string()));
        let theirs = add(issuers_claims(&json!({})).to_string());
        let theirs = issued_as("one", r#"{"alg":"ES256"}"#, &theirs);
        for token in [ours, theirs] {
            assert_eq!(status_and_error(&service.get_with(&token, CHECK)), ACCEPTED, "{claim}");
        }
    }
}

#[test]
fn each_invalid_claim_is_a_401_with_the_reason() {
    let rows = [
        (
            "another audience",
            token(&json!({ "aud": "other" })),
            "The token is for another audience.",
        ),
        (
            "other audiences",
            token(&json!({ "aud": ["other", "entgate:stream"] })),
            "The token is for another audience.",
        ),
        (
            "a token for a stream",
            token(&json!({ "aud": "entgate:stream" })),
            "The token is for another audience.",
        ),
        ("no audience", token(&json!({ "aud": null })), "The token has no `aud`."),
        (
            "an empty list of audiences",
            token(&json!({ "aud": [] })),
            "The token is for another audience.",
        ),
        (
            "an audience that is an object",
            token(&json!({ "aud": { "entgate": true } })),
            "The token's `aud` is neither a string nor a list of strings.",
        ),
        (
            "a list of audiences with a number",
            token(&json!({ "aud": ["entgate", 1] })),
            "The token's `aud` is neither a string nor a list of strings.",
        ),
        ("no mode", token(&json!({ "livemode": null })), "The token has no `livemode`."),
        (
            "a mode that is a string",
            token(&json!({ "livemode": "false" })),
            "The token's `livemode` is neither true nor false.",
        ),
    ];
    assert_invalid(&with_ada(&[]), &rows);
}

#[test]
fn changing_any_character_of_a_signature_makes_it_invalid() {
    let service = with_ada(&[]);
    let good = token(&json!({}));
    let signature = good.rfind('.').unwrap() + 1;
    for index in signature..good.len() {
        let mut changed = good.clone().into_bytes();
        // The next character of the alphabet. In the last character this also changes unused bits.
        changed[index] = match changed[index] {
            b'Z' => b'a',
            b'z' => b'0',
            b'9' => b'-',
            b'-' => b'_',
            b'_' => b'A',
            other => other + 1,
        };
        let changed = String::from_utf8(changed).unwrap();
        let answer = service.get_with(&changed, CHECK);
        assert_eq!((answer.status, answer.error("code")), (401, "token_invalid"), "{changed}");
    }
}

#[test]
fn a_token_has_at_most_8192_bytes() {
    let service = with_ada(&[]);
    let padded = |pad: usize| token(&json!({ "pad": "x".repeat(pad) }));
    let pad =
        (MAX_TOKEN_LEN / 2..MAX_TOKEN_LEN).find(|pad| padded(*pad).len() == MAX_TOKEN_LEN).unwrap();
    assert_eq!(status_and_error(&service.get_with(&padded(pad), CHECK)), ACCEPTED);

    let longer = padded(pad + 1);
    assert_eq!(longer.len(), MAX_TOKEN_LEN + 1);
    let answer = service.get_with(&longer, CHECK);
    assert_eq!(status_and_error(&answer), invalid("The token is longer than 8192 bytes."));
}

#[test]
fn a_token_without_a_customer_is_a_403_since_a_new_token_would_not_help() {
    let service = with_ada(&[]);
    let long = "x".repeat(256);
    for (why, sub, message) in [
        ("no `sub`", json!(null), "The token has no customer in `sub`."),
        ("a number", json!(7), "The token has no customer in `sub`."),
        ("a list", json!(["cus_ada"]), "The token has no customer in `sub`."),
        ("an object", json!({ "id": "cus_ada" }), "The token has no customer in `sub`."),
        ("an empty string", json!(""), "The token's customer is an empty string."),
        (
            "a line break",
            json!("cus_ada\n"),
            "The token's customer is a string with control characters.",
        ),
        ("a NUL", json!("cus_ada\0"), "The token's customer is a string with control characters."),
        ("a string of 256 bytes", json!(long), "The token's customer is longer than 255 bytes."),
    ] {
        for token in [token(&json!({ "sub": sub })), issued("one", &json!({ "sub": sub }))] {
            let answer = service.get_with(&token, CHECK);
            assert_eq!(status_and_error(&answer), (403, "customer_missing", message), "{why}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn random_tokens_are_rejected_without_a_panic(string in "[ -~]{0,80}", parts in proptest::collection::vec(".{0,40}", 3)) {
        let service = with_ada(&[]);
        let three_parts = parts.iter().map(|part| base64url(part)).collect::<Vec<_>>().join(".");
        for token in [string, three_parts] {
            let answer = service.get_with(&token, CHECK);
            proptest::prop_assert_eq!(answer.status, 401, "{}", token);
        }
    }
}
