//! Settings of tokens, snapshots and allowed origins, and the errors of malformed ones.

use entgate::{
    api::settings::{AllowedOrigins, Error, Settings},
    id::Livemode,
};

use crate::token_fixtures::SIGNING_KEY;

#[test]
fn a_token_secret_has_at_least_32_characters() {
    let name = "ENTGATE_TOKEN_SECRETS";
    let secrets = |value: &str| {
        let settings = Settings::parse(|key| (key == name).then(|| value.to_owned()));
        settings.map(|settings| settings.token_secrets.len())
    };
    let failed = |problem| Err(Error { name, problem });
    let short =
        "has a secret of fewer than 32 characters: generate one with `openssl rand -hex 32`";
    let (shortest, too_short) = ("a".repeat(32), "a".repeat(31));
    for (why, value, expected) in [
        ("none", String::new(), Ok(0)),
        ("32 characters", shortest.clone(), Ok(1)),
        ("31 characters", too_short.clone(), failed(short)),
        ("two", format!("{shortest},b{shortest}"), Ok(2)),
        ("one that is too short", format!("{shortest},{too_short}"), failed(short)),
        (
            "white space in a secret",
            format!("{too_short} b"),
            failed("has white space inside an item: separate items by commas"),
        ),
    ] {
        assert_eq!(secrets(&value), expected, "{why}");
    }
}

#[test]
fn the_settings_of_an_issuer_require_each_other() {
    let url = ("ENTGATE_JWKS_URL", "https://login.example/jwks.json");
    let issuer = ("ENTGATE_JWT_ISSUER", "https://login.example");
    let parse_issuer = |values: &[(&str, &str)]| {
        let settings = Settings::parse(|key| {
            values.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned())
        });
        settings.map(|settings| {
            settings.issuer.map(|issuer| {
                let audience = issuer.audience.map(String::from);
                (String::from(issuer.customer_claim), audience, issuer.livemode)
            })
        })
    };
    let failed = |name, problem| Err(Error { name, problem });
    let needs_url = "is set, which requires ENTGATE_JWKS_URL";
    let not_https = "is neither https://… nor http:// on localhost";
    let not_a_url = "is not a URL: it begins with https://host or https://host:port";
    let missing =
        "is missing: with ENTGATE_JWKS_URL, set it to what the issuer's tokens have in `iss`";
    let sub = || "sub".to_owned();
    for (why, values, expected) in [
        ("no settings", vec![], Ok(None)),
        ("the required settings", vec![url, issuer], Ok(Some((sub(), None, Livemode::Live)))),
        (
            "all settings",
            vec![
                url,
                issuer,
                ("ENTGATE_JWT_AUDIENCE", "api"),
                ("ENTGATE_JWT_CUSTOMER_CLAIM", "a.b"),
                ("ENTGATE_JWT_LIVEMODE", "false"),
            ],
            Ok(Some(("a.b".to_owned(), Some("api".to_owned()), Livemode::Test))),
        ),
        ("a URL without an issuer", vec![url], failed("ENTGATE_JWT_ISSUER", missing)),
        ("an issuer without a URL", vec![issuer], failed("ENTGATE_JWT_ISSUER", needs_url)),
        (
            "only an audience",
            vec![("ENTGATE_JWT_AUDIENCE", "api")],
            failed("ENTGATE_JWT_AUDIENCE", needs_url),
        ),
        (
            "an invalid mode",
            vec![url, issuer, ("ENTGATE_JWT_LIVEMODE", "live")],
            failed("ENTGATE_JWT_LIVEMODE", "is neither `true` nor `false`"),
        ),
        (
            "http on localhost",
            vec![("ENTGATE_JWKS_URL", "http://localhost:1/jwks.json"), issuer],
            Ok(Some((sub(), None, Livemode::Live))),
        ),
        (
            "http on another host",
            vec![("ENTGATE_JWKS_URL", "http://login.example/jwks.json"), issuer],
            failed("ENTGATE_JWKS_URL", not_https),
        ),
        (
            "a host that begins with localhost",
            vec![("ENTGATE_JWKS_URL", "http://localhost.example/jwks.json"), issuer],
            failed("ENTGATE_JWKS_URL", not_https),
        ),
        (
            "a URL with a user and a password",
            vec![("ENTGATE_JWKS_URL", "https://user:word@login.example/jwks.json"), issuer],
            failed("ENTGATE_JWKS_URL", not_a_url),
        ),
        (
            "not a URL",
            vec![("ENTGATE_JWKS_URL", "login.example"), issuer],
            failed("ENTGATE_JWKS_URL", not_https),
        ),
    ] {
        assert_eq!(parse_issuer(&values), expected, "{why}");
    }
}

#[test]
fn a_customer_claim_that_users_can_write_is_rejected() {
    let issuer_claim = |claim: &str| {
        let settings = Settings::parse(|key| {
            let value = match key {
                "ENTGATE_JWKS_URL" => "https://login.example/jwks.json",
                "ENTGATE_JWT_ISSUER" => "https://login.example",
                "ENTGATE_JWT_CUSTOMER_CLAIM" => claim,
                _ => return None,
            };
            Some(value.to_owned())
        });
        settings.map(|settings| String::from(settings.issuer.unwrap().customer_claim))
    };
    let problem = "names a claim that users can change themselves, and so become any customer: use one that only your backend can change, such as app_metadata";
    for claim in [
        "user_metadata.stripe_customer",
        "unsafe_metadata.stripe_customer",
        "untrusted_metadata.stripe_customer",
        "raw_user_metadata.customer",
        "user_metadata",
        "a.user_metadata.customer",
        "a.unsafe_metadata",
        "userMetadata.customer",
        "unsafeMetadata.customer",
        "User-Metadata.customer",
        "https://example.com/user_metadata",
        "https://example.com/user_metadata/customer",
        "https://example.com/claims.user_metadata.customer",
        "https://example.com/unsafe_metadata.customer",
        "https://example.com#user_metadata",
        "urn:example:user_metadata",
        " user_metadata.customer ",
        "user_metadata[customer]",
    ] {
        let error = Error { name: "ENTGATE_JWT_CUSTOMER_CLAIM", problem };
        assert_eq!(issuer_claim(claim), Err(error), "{claim}");
    }
    for claim in [
        "sub",
        "app_metadata.stripe_customer",
        "public_metadata.stripe_customer",
        "private_metadata.customer",
        "trusted_metadata.customer",
        "metadata.customer",
        "user.customer",
        "user_id",
        "user.metadata_id",
        "https://example.com/claims.stripe_customer",
        "my_user_metadata_id",
    ] {
        assert_eq!(issuer_claim(claim), Ok(claim.to_owned()));
    }
}

#[test]
fn signing_keys_are_ed25519_and_the_first_one_can_sign() {
    let name = "ENTGATE_SIGNING_KEY";
    let kids = |value: &str| {
        let settings = Settings::parse(|key| match key {
            "ENTGATE_DEVELOPMENT" => Some("true".to_owned()),
            key => (key == name).then(|| value.to_owned()),
        });
        settings.map(|settings| {
            let keys = settings.signing_keys.iter();
            keys.map(|key| format!("{} {}", key.kid(), key.can_sign())).collect::<Vec<_>>()
        })
    };
    let failed = |problem| Err(Error { name, problem });
    let thumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
    let not_ed25519 = "has a key that is not an Ed25519 JWK";
    let named = SIGNING_KEY.replacen('{', r#"{"kid":"one","#, 1);
    let public =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    for (why, value, expected) in [
        ("none", String::new(), Ok(vec![])),
        ("a key without `kid`", SIGNING_KEY.to_owned(), Ok(vec![format!("{thumbprint} true")])),
        ("a key with `kid`", named.clone(), Ok(vec!["one true".to_owned()])),
        (
            "a set whose second key is only public",
            format!(r#"{{"keys":[{named},{public}]}}"#),
            Ok(vec!["one true".to_owned(), format!("{thumbprint} false")]),
        ),
        (
            "a first key that cannot sign",
            format!(r#"{{"keys":[{public},{named}]}}"#),
            failed("has a first key without `d`, which cannot sign"),
        ),
        (
            "two keys with the same `kid`",
            format!(r#"{{"keys":[{named},{named}]}}"#),
            failed("has two keys with one `kid`"),
        ),
        (
            "an empty set",
            r#"{"keys":[]}"#.to_owned(),
            failed("has a first key without `d`, which cannot sign"),
        ),
        ("a secret of another length", SIGNING_KEY.replace("yuf2A", "y"), failed(not_ed25519)),
        (
            "a secret that is not a string",
            SIGNING_KEY.replace(r#""nWGx"#, r#"1,"e":"nWGx"#),
            failed(not_ed25519),
        ),
        ("a key for key agreement", SIGNING_KEY.replace("Ed25519", "X25519"), failed(not_ed25519)),
        (
            "an RSA key",
            r#"{"kty":"RSA","n":"AQAB","e":"AQAB","d":"AQAB"}"#.to_owned(),
            failed(not_ed25519),
        ),
        (
            "not JSON",
            "-----BEGIN PRIVATE KEY-----".to_owned(),
            failed("is not valid JSON: give a JWK, {\"kty\":\"OKP\",\"crv\":\"Ed25519\",…}"),
        ),
    ] {
        assert_eq!(kids(&value), expected, "{why}");
    }
}

#[test]
fn an_origin_must_have_the_form_that_browsers_send() {
    let name = "ENTGATE_ALLOWED_ORIGINS";
    let origins = |value: &str| {
        let settings = Settings::parse(|key| (key == name).then(|| value.to_owned()));
        settings.map(|settings| settings.allowed_origins)
    };
    let not_an_origin =
        "has an item that is not an origin as browsers send it: https://app.example.com";
    let some = |origins: &[&str]| {
        Ok(AllowedOrigins::List(origins.iter().map(|origin| (*origin).into()).collect()))
    };
    let failed = |problem| Err(Error { name, problem });
    for (value, expected) in [
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
        ("https://app.example.com/", failed(not_an_origin)),
        ("https://app.example.com/page", failed(not_an_origin)),
        ("https://app.example.com?a", failed(not_an_origin)),
        ("https://app.example.com#a", failed(not_an_origin)),
        ("https://App.example.com", failed(not_an_origin)),
        ("https://bücher.example", failed(not_an_origin)),
        ("https://*.example.com", failed(not_an_origin)),
        ("https://user@example.com", failed(not_an_origin)),
        ("https://app.example.com:443", failed(not_an_origin)),
        ("http://app.example.com:80", failed(not_an_origin)),
        ("https://app.example.com:80", some(&["https://app.example.com:80"])),
        ("https://app.example.com:", failed(not_an_origin)),
        ("https://app.example.com:0443", failed(not_an_origin)),
        ("https://app.example.com:65536", failed(not_an_origin)),
        ("http://[0:0:0:0:0:0:0:1]", failed(not_an_origin)),
        ("capacitor://localhost", some(&["capacitor://localhost"])),
        ("ionic://localhost", some(&["ionic://localhost"])),
        ("tauri://localhost", some(&["tauri://localhost"])),
        (
            "https://a.example, app://localhost:3000",
            some(&["https://a.example", "app://localhost:3000"]),
        ),
        ("app://.", some(&["app://."])),
        (
            "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            some(&["chrome-extension://abcdefghijklmnopabcdefghijklmnop"]),
        ),
        (
            "moz-extension://c5a1f5b6-6a4c-4d5b-9a5e-0a1b2c3d4e5f",
            some(&["moz-extension://c5a1f5b6-6a4c-4d5b-9a5e-0a1b2c3d4e5f"]),
        ),
        (
            "safari-web-extension://C5A1F5B6-6A4C-4D5B-9A5E-0A1B2C3D4E5F",
            some(&["safari-web-extension://C5A1F5B6-6A4C-4D5B-9A5E-0A1B2C3D4E5F"]),
        ),
        ("com.example.app+1://localhost", some(&["com.example.app+1://localhost"])),
        ("app://localhost:80", some(&["app://localhost:80"])),
        ("capacitor://", failed(not_an_origin)),
        ("capacitor://localhost/", failed(not_an_origin)),
        ("capacitor://localhost?a", failed(not_an_origin)),
        ("capacitor://user@localhost", failed(not_an_origin)),
        ("capacitor://localhost:080", failed(not_an_origin)),
        ("capacitor://*", failed(not_an_origin)),
        ("capacitor:localhost", failed(not_an_origin)),
        ("Capacitor://localhost", failed(not_an_origin)),
        ("1app://localhost", failed(not_an_origin)),
        ("a_b://localhost", failed(not_an_origin)),
        ("://localhost", failed(not_an_origin)),
        ("file://", failed(not_an_origin)),
        ("file://localhost", failed(not_an_origin)),
        ("wss://app.example.com", failed(not_an_origin)),
        ("data://localhost", failed(not_an_origin)),
        ("https://", failed(not_an_origin)),
        ("http://", failed(not_an_origin)),
        ("app.example.com", failed(not_an_origin)),
        ("ftp://app.example.com", failed(not_an_origin)),
        ("null", failed(not_an_origin)),
    ] {
        assert_eq!(origins(value), expected, "{value}");
    }
}
