//! Settings of tokens, snapshots and pages, and what is wrong with malformed ones.

use entgate::{
    api::settings::{AllowedOrigins, Error, Settings},
    id::Livemode,
};

use crate::token_fixtures::SIGNING_KEY;

#[test]
fn a_token_secret_has_32_characters_or_more() {
    let name = "ENTGATE_TOKEN_SECRETS";
    let secrets = |text: &str| {
        let settings = Settings::parse(|asked| (asked == name).then(|| text.to_owned()));
        settings.map(|settings| settings.token_secrets.len())
    };
    let failed = |problem| Err(Error { name, problem });
    let short =
        "has a secret of fewer than 32 characters: generate one with `openssl rand -hex 32`";
    let (least, less) = ("a".repeat(32), "a".repeat(31));
    for (why, text, expected) in [
        ("none", String::new(), Ok(0)),
        ("the shortest", least.clone(), Ok(1)),
        ("one character less", less.clone(), failed(short)),
        ("two", format!("{least},b{least}"), Ok(2)),
        ("a short one beside", format!("{least},{less}"), failed(short)),
        (
            "white space within",
            format!("{less} b"),
            failed("has white space inside an item: separate items by commas"),
        ),
    ] {
        assert_eq!(secrets(&text), expected, "{why}");
    }
}

#[test]
fn another_issuer_is_set_as_a_whole() {
    let url = ("ENTGATE_JWKS_URL", "https://login.example/jwks.json");
    let issuer = ("ENTGATE_JWT_ISSUER", "https://login.example");
    let read = |set: &[(&str, &str)]| {
        let settings = Settings::parse(|asked| {
            set.iter().find(|(name, _)| *name == asked).map(|(_, text)| (*text).to_owned())
        });
        settings.map(|settings| {
            settings.issuer.map(|issuer| {
                let audience = issuer.audience.map(String::from);
                (String::from(issuer.customer_claim), audience, issuer.livemode)
            })
        })
    };
    let failed = |name, problem| Err(Error { name, problem });
    let alone = "is set, which requires ENTGATE_JWKS_URL";
    let clear = "is neither https://… nor http:// on localhost";
    let no_url = "is not a URL: it begins with https://host or https://host:port";
    let missing =
        "is missing: with ENTGATE_JWKS_URL, set it to what the issuer's tokens have in `iss`";
    let sub = || "sub".to_owned();
    for (why, set, expected) in [
        ("nothing", vec![], Ok(None)),
        ("the least", vec![url, issuer], Ok(Some((sub(), None, Livemode::Live)))),
        (
            "all of it",
            vec![
                url,
                issuer,
                ("ENTGATE_JWT_AUDIENCE", "api"),
                ("ENTGATE_JWT_CUSTOMER_CLAIM", "a.b"),
                ("ENTGATE_JWT_LIVEMODE", "false"),
            ],
            Ok(Some(("a.b".to_owned(), Some("api".to_owned()), Livemode::Test))),
        ),
        ("keys without a name", vec![url], failed("ENTGATE_JWT_ISSUER", missing)),
        ("a name without keys", vec![issuer], failed("ENTGATE_JWT_ISSUER", alone)),
        (
            "an audience alone",
            vec![("ENTGATE_JWT_AUDIENCE", "api")],
            failed("ENTGATE_JWT_AUDIENCE", alone),
        ),
        (
            "a mode in another word",
            vec![url, issuer, ("ENTGATE_JWT_LIVEMODE", "live")],
            failed("ENTGATE_JWT_LIVEMODE", "is neither `true` nor `false`"),
        ),
        (
            "this machine, in the clear",
            vec![("ENTGATE_JWKS_URL", "http://localhost:1/jwks.json"), issuer],
            Ok(Some((sub(), None, Livemode::Live))),
        ),
        (
            "another machine, in the clear",
            vec![("ENTGATE_JWKS_URL", "http://login.example/jwks.json"), issuer],
            failed("ENTGATE_JWKS_URL", clear),
        ),
        (
            "a name that only begins like this machine's",
            vec![("ENTGATE_JWKS_URL", "http://localhost.example/jwks.json"), issuer],
            failed("ENTGATE_JWKS_URL", clear),
        ),
        (
            "a name and a password in it",
            vec![("ENTGATE_JWKS_URL", "https://user:word@login.example/jwks.json"), issuer],
            failed("ENTGATE_JWKS_URL", no_url),
        ),
        (
            "no URL",
            vec![("ENTGATE_JWKS_URL", "login.example"), issuer],
            failed("ENTGATE_JWKS_URL", clear),
        ),
    ] {
        assert_eq!(read(&set), expected, "{why}");
    }
}

#[test]
fn the_keys_of_snapshots_are_of_ed25519_and_the_first_one_can_sign() {
    let name = "ENTGATE_SIGNING_KEY";
    let kids = |text: &str| {
        let settings = Settings::parse(|asked| (asked == name).then(|| text.to_owned()));
        settings.map(|settings| {
            let keys = settings.signing_keys.iter();
            keys.map(|key| format!("{} {}", key.kid(), key.can_sign())).collect::<Vec<_>>()
        })
    };
    let failed = |problem| Err(Error { name, problem });
    let thumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
    let no_key = "has a key that is not an Ed25519 JWK";
    let named = SIGNING_KEY.replacen('{', r#"{"kid":"one","#, 1);
    let shown =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    for (why, text, expected) in [
        ("none", String::new(), Ok(vec![])),
        ("a key, named by itself", SIGNING_KEY.to_owned(), Ok(vec![format!("{thumbprint} true")])),
        ("a key with a name", named.clone(), Ok(vec!["one true".to_owned()])),
        (
            "a set, whose second key is only shown",
            format!(r#"{{"keys":[{named},{shown}]}}"#),
            Ok(vec!["one true".to_owned(), format!("{thumbprint} false")]),
        ),
        (
            "a first key that cannot sign",
            format!(r#"{{"keys":[{shown},{named}]}}"#),
            failed("has a first key without `d`, which cannot sign"),
        ),
        (
            "two keys of one name",
            format!(r#"{{"keys":[{named},{named}]}}"#),
            failed("has two keys with one `kid`"),
        ),
        (
            "an empty set",
            r#"{"keys":[]}"#.to_owned(),
            failed("has a first key without `d`, which cannot sign"),
        ),
        ("a secret of another length", SIGNING_KEY.replace("yuf2A", "y"), failed(no_key)),
        (
            "a secret that is no text",
            SIGNING_KEY.replace(r#""nWGx"#, r#"1,"e":"nWGx"#),
            failed(no_key),
        ),
        ("a key for encryption", SIGNING_KEY.replace("Ed25519", "X25519"), failed(no_key)),
        (
            "an RSA key",
            r#"{"kty":"RSA","n":"AQAB","e":"AQAB","d":"AQAB"}"#.to_owned(),
            failed(no_key),
        ),
        (
            "no JSON",
            "-----BEGIN PRIVATE KEY-----".to_owned(),
            failed("is not valid JSON: give a JWK, {\"kty\":\"OKP\",\"crv\":\"Ed25519\",…}"),
        ),
    ] {
        assert_eq!(kids(&text), expected, "{why}");
    }
}

#[test]
fn an_origin_is_written_as_browsers_write_it() {
    let name = "ENTGATE_ALLOWED_ORIGINS";
    let origins = |text: &str| {
        let settings = Settings::parse(|asked| (asked == name).then(|| text.to_owned()));
        settings.map(|settings| settings.allowed_origins)
    };
    let form = "has an item that is not an origin as browsers send it: https://app.example.com";
    let some =
        |all: &[&str]| Ok(AllowedOrigins::List(all.iter().map(|one| (*one).into()).collect()));
    let failed = |problem| Err(Error { name, problem });
    for (text, expected) in [
        ("", Ok(AllowedOrigins::None)),
        ("*", Ok(AllowedOrigins::Any)),
        ("https://app.example.com", some(&["https://app.example.com"])),
        (
            "http://localhost:3000, https://a.example:8443",
            some(&["http://localhost:3000", "https://a.example:8443"]),
        ),
        ("http://shop.example", some(&["http://shop.example"])),
        ("https://xn--bcher-kva.example", some(&["https://xn--bcher-kva.example"])),
        ("http://127.0.0.1:1", some(&["http://127.0.0.1:1"])),
        ("http://[::1]:65535", some(&["http://[::1]:65535"])),
        ("http://[::1]", some(&["http://[::1]"])),
        ("https://a.example,*", failed("has `*` together with other origins")),
        ("https://app.example.com/", failed(form)),
        ("https://app.example.com/page", failed(form)),
        ("https://app.example.com?a", failed(form)),
        ("https://app.example.com#a", failed(form)),
        ("https://App.example.com", failed(form)),
        ("https://bücher.example", failed(form)),
        ("https://*.example.com", failed(form)),
        ("https://user@example.com", failed(form)),
        ("https://app.example.com:443", failed(form)),
        ("http://app.example.com:80", failed(form)),
        ("https://app.example.com:80", some(&["https://app.example.com:80"])),
        ("https://app.example.com:", failed(form)),
        ("https://app.example.com:0443", failed(form)),
        ("https://app.example.com:65536", failed(form)),
        ("http://[0:0:0:0:0:0:0:1]", failed(form)),
        ("https://", failed(form)),
        ("http://", failed(form)),
        ("app.example.com", failed(form)),
        ("ftp://app.example.com", failed(form)),
        ("null", failed(form)),
    ] {
        assert_eq!(origins(text), expected, "{text}");
    }
}
