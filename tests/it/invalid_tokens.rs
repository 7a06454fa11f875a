//! Tokens that are not taken: what is wrong with each, and how little is needed.

use entgate::token::jws::MAX_TOKEN_LEN;
use serde_json::json;

use crate::{
    support::{NOW, Service},
    token_fixtures::{
        CHECK, HS256, TAKEN, TOKEN_SECRET, claims, encoded, hs256, invalid, issued, token, told,
        with_ada,
    },
};

#[test]
fn a_token_is_taken_within_its_time_and_a_minute_around_it() {
    let service = with_ada(&[]);
    let now = NOW.0;
    let expired =
        |at: i64| (401, "token_expired", format!("the token expired at {at}, and it is {now}."));
    let early = |at: i64| {
        (401, "token_invalid", format!("the token is not valid before {at}, and it is {now}."))
    };
    let none = |claim: &str| {
        (401, "token_invalid", format!("the token's `{claim}` is no moment in Unix seconds."))
    };
    let taken = || (200, "", String::new());
    for (why, more, expected) in [
        ("a second of leeway is left", json!({ "exp": now - 59 }), taken()),
        ("the leeway is over", json!({ "exp": now - 60 }), expired(now - 60)),
        ("long over", json!({ "exp": 0 }), expired(0)),
        ("before all time", json!({ "exp": i64::MIN }), expired(i64::MIN)),
        ("below zero", json!({ "exp": -1.5 }), expired(-2)),
        ("a part of a second, within", json!({ "exp": 1_700_000_041.5 }), taken()),
        ("a part of a second, over", json!({ "exp": 1_700_000_040.5 }), expired(now - 60)),
        ("never", json!({ "exp": i64::MAX }), taken()),
        ("more seconds than there are", json!({ "exp": u64::MAX }), taken()),
        (
            "not said",
            json!({ "exp": null }),
            (401, "token_invalid", "the token lacks `exp`.".into()),
        ),
        ("a text", json!({ "exp": (now + 900).to_string() }), none("exp")),
        ("a list", json!({ "exp": [now + 900] }), none("exp")),
        ("true", json!({ "exp": true }), none("exp")),
        ("a minute early", json!({ "nbf": now + 60 }), taken()),
        ("more than a minute early", json!({ "nbf": now + 61 }), early(now + 61)),
        ("at the end of time", json!({ "nbf": i64::MAX }), early(i64::MAX)),
        ("a text", json!({ "nbf": "now" }), none("nbf")),
        ("made in a minute", json!({ "iat": now + 60 }), taken()),
        ("made in more than a minute", json!({ "iat": now + 61 }), early(now + 61)),
        ("not said when it was made", json!({ "iat": null }), taken()),
        ("a text", json!({ "iat": "now" }), none("iat")),
    ] {
        for token in [token(&more), issued("one", &more)] {
            let answer = service.get_with(&token, CHECK);
            let (status, code, message) = &expected;
            assert_eq!(told(&answer), (*status, *code, message.as_str()), "{why}: {more}");
        }
    }
}

/// Whether each of these tokens is a 401 that names what is wrong with it.
#[track_caller]
fn assert_invalid(service: &Service, rows: &[(&str, String, &str)]) {
    for (why, token, expected) in rows {
        let answer = service.get_with(token, CHECK);
        assert_eq!(told(&answer), invalid(expected), "{why}");
        assert_eq!(answer.body["error"]["type"], "invalid_request_error", "{why}");
        let challenge = "Bearer realm=\"entgate\", error=\"invalid_token\"";
        assert_eq!(answer.header("www-authenticate"), Some(challenge), "{why}");
    }
}

const JSON: &str = "the token is malformed: a part of it is no JSON.";
const OBJECT: &str = "the token is malformed: a part of it is no JSON object.";

/// A token with this header.
fn sign(header: &str) -> String {
    hs256(TOKEN_SECRET, header, &claims(&json!({})).to_string())
}

/// A token with these words.
fn say(words: &str) -> String {
    hs256(TOKEN_SECRET, HS256, words)
}

#[test]
fn a_token_has_three_parts_in_base64url() {
    let good = token(&json!({}));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, words) = message.split_once('.').unwrap();
    let form = "the token is malformed: it is not three parts with dots between them.";
    let base64 = "the token is malformed: a part of it is no base64url without padding.";
    let mismatch = "the token's signature does not match.";
    let rows = [
        ("no signature", message.to_owned(), form),
        ("a header alone", header.to_owned(), form),
        ("a fourth part", format!("{good}.{signature}"), form),
        ("five parts, as if encrypted", format!("{header}....{signature}"), form),
        ("an empty signature", format!("{message}."), mismatch),
        ("an empty header", format!(".{words}.{signature}"), JSON),
        ("no words", format!("{header}..{signature}"), mismatch),
        ("half a signature", format!("{message}.{}", &signature[..22]), base64),
        ("padding", format!("{good}="), base64),
        ("the other alphabet", format!("{message}.+/{}", &signature[2..]), base64),
        ("white space within", format!("{header} .{words}.{signature}"), base64),
    ];
    assert_invalid(&with_ada(&[]), &rows);
}

#[test]
fn each_header_that_is_wrong_is_a_401_that_names_it() {
    let texts = "the token is malformed: `alg`, `kid` and `typ` have to be texts.";
    let unsigned = "the token is not signed.";
    let words = encoded(&claims(&json!({})).to_string());
    let rows = [
        ("a header that is no JSON", sign("alg: HS256"), JSON),
        ("a header that is a list", sign(r#"["HS256"]"#), OBJECT),
        ("a byte order mark", sign("\u{feff}{\"alg\":\"HS256\"}"), JSON),
        ("no algorithm", sign("{}"), "the token is malformed: it lacks `alg`."),
        ("an algorithm in a list", sign(r#"{"alg":["HS256"]}"#), texts),
        ("no algorithm at all", sign(r#"{"alg":null}"#), texts),
        ("unsigned", format!("{}.{words}.", encoded(r#"{"alg":"none"}"#)), unsigned),
        ("unsigned, said to be signed", sign(r#"{"alg":"nOnE"}"#), unsigned),
        (
            "its case",
            sign(r#"{"alg":"hs256"}"#),
            "the token is signed with `hs256`, and only HS256, RS256, ES256 and EdDSA are taken.",
        ),
        (
            "another hash",
            sign(r#"{"alg":"HS512"}"#),
            "the token is signed with `HS512`, and only HS256, RS256, ES256 and EdDSA are taken.",
        ),
        (
            "an algorithm that is no word",
            sign(&json!({ "alg": format!("{}\n{}", "x".repeat(30), "y".repeat(30)) }).to_string()),
            "the token is signed with `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxyy`, and only HS256, RS256, ES256 and EdDSA are taken.",
        ),
        (
            "a snapshot's type",
            sign(r#"{"alg":"HS256","typ":"entitlements+jwt"}"#),
            "the token is of the type `entitlements+jwt`, which opens nothing.",
        ),
        ("a type that is no text", sign(r#"{"alg":"HS256","typ":1}"#), texts),
        ("a name that is no text", sign(r#"{"alg":"HS256","kid":{"a":1}}"#), texts),
        (
            "what has to be understood",
            sign(r#"{"alg":"HS256","crit":["exp"],"exp":1}"#),
            "the token wants something understood that is not: `crit`.",
        ),
        (
            "nothing that has to be understood",
            sign(r#"{"alg":"HS256","crit":[]}"#),
            "the token wants something understood that is not: `crit`.",
        ),
        ("two algorithms", sign(r#"{"alg":"none","alg":"HS256"}"#), "the token says `alg` twice."),
        (
            "two algorithms, one of them disguised",
            sign(r#"{"alg":"HS256","\u0061lg":"none"}"#),
            "the token says `alg` twice.",
        ),
    ];
    assert_invalid(&with_ada(&[]), &rows);
}

#[test]
fn words_are_json_and_say_nothing_twice() {
    let deep = |depth: usize| {
        let nested = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let words = claims(&json!({})).to_string();
        format!("{},\"deep\":{nested}}}", words.strip_suffix('}').unwrap())
    };
    let rows = [
        (
            "two customers",
            say(&claims(&json!({})).to_string().replacen('{', r#"{"sub":"cus_bob","#, 1)),
            "the token says `sub` twice.",
        ),
        (
            "something twice further down",
            say(&claims(&json!({})).to_string().replacen('{', r#"{"a":[{"b":{"c":1,"c":1}}],"#, 1)),
            "the token says `c` twice.",
        ),
        ("words that are no JSON", say("sub=cus_ada"), JSON),
        ("words that are a list", say("[]"), OBJECT),
        ("half a character", say(r#"{"sub":"\ud800"}"#), JSON),
        ("a number beyond all", say(r#"{"exp":1e999}"#), JSON),
        ("one level too deep", say(&deep(127)), JSON),
        ("endlessly deep", say(&deep(2_000)), JSON),
    ];
    assert_invalid(&with_ada(&[]), &rows);
    let most = with_ada(&[]).get_with(&say(&deep(126)), CHECK);
    assert_eq!(told(&most), TAKEN, "as deep as can be");
}

#[test]
fn each_word_that_is_wrong_is_a_401_that_names_it() {
    let rows = [
        (
            "another audience",
            token(&json!({ "aud": "other" })),
            "the token is for another audience.",
        ),
        (
            "other audiences",
            token(&json!({ "aud": ["other", "entgate:stream"] })),
            "the token is for another audience.",
        ),
        (
            "a token for a stream",
            token(&json!({ "aud": "entgate:stream" })),
            "the token is for another audience.",
        ),
        ("no audience", token(&json!({ "aud": null })), "the token lacks `aud`."),
        (
            "an empty list of them",
            token(&json!({ "aud": [] })),
            "the token is for another audience.",
        ),
        (
            "an audience of another kind",
            token(&json!({ "aud": { "entgate": true } })),
            "the token's `aud` is neither a text nor a list of texts.",
        ),
        (
            "an audience of another kind among them",
            token(&json!({ "aud": ["entgate", 1] })),
            "the token's `aud` is neither a text nor a list of texts.",
        ),
        ("no mode", token(&json!({ "livemode": null })), "the token lacks `livemode`."),
        (
            "a mode in words",
            token(&json!({ "livemode": "false" })),
            "the token's `livemode` is neither true nor false.",
        ),
    ];
    assert_invalid(&with_ada(&[]), &rows);
}

#[test]
fn each_changed_character_of_a_signature_is_noticed() {
    let service = with_ada(&[]);
    let good = token(&json!({}));
    let signature = good.rfind('.').unwrap() + 1;
    for at in signature..good.len() {
        let mut changed = good.clone().into_bytes();
        // The next one in the alphabet: of the last character also what counts for nothing.
        changed[at] = match changed[at] {
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
fn a_token_has_8192_bytes_at_most() {
    let service = with_ada(&[]);
    let padded = |pad: usize| token(&json!({ "pad": "x".repeat(pad) }));
    let pad =
        (MAX_TOKEN_LEN / 2..MAX_TOKEN_LEN).find(|pad| padded(*pad).len() == MAX_TOKEN_LEN).unwrap();
    assert_eq!(told(&service.get_with(&padded(pad), CHECK)), TAKEN);

    let more = padded(pad + 1);
    assert_eq!(more.len(), MAX_TOKEN_LEN + 1);
    let answer = service.get_with(&more, CHECK);
    assert_eq!(told(&answer), invalid("the token is longer than 8192 bytes."));
}

#[test]
fn a_token_that_names_no_customer_is_a_403_since_another_one_would_not_either() {
    let service = with_ada(&[]);
    let long = "x".repeat(256);
    for (why, sub, message) in [
        ("none", json!(null), "the token names no customer in `sub`."),
        ("a number", json!(7), "the token names no customer in `sub`."),
        ("a list", json!(["cus_ada"]), "the token names no customer in `sub`."),
        ("an object", json!({ "id": "cus_ada" }), "the token names no customer in `sub`."),
        ("an empty text", json!(""), "the token's customer is an empty text."),
        (
            "a line break",
            json!("cus_ada\n"),
            "the token's customer is a text with control characters.",
        ),
        ("a NUL", json!("cus_ada\0"), "the token's customer is a text with control characters."),
        ("a long text", json!(long), "the token's customer is longer than 255 bytes."),
    ] {
        for token in [token(&json!({ "sub": sub })), issued("one", &json!({ "sub": sub }))] {
            let answer = service.get_with(&token, CHECK);
            assert_eq!(told(&answer), (403, "customer_missing", message), "{why}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic_or_is_taken(text in "[ -~]{0,80}", parts in proptest::collection::vec(".{0,40}", 3)) {
        let service = with_ada(&[]);
        let made = parts.iter().map(|part| encoded(part)).collect::<Vec<_>>().join(".");
        for token in [text, made] {
            let answer = service.get_with(&token, CHECK);
            proptest::prop_assert_eq!(answer.status, 401, "{}", token);
        }
    }
}
