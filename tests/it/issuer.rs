//! Tokens of an external issuer: required claims, and claims that settings override.

use serde_json::json;

use crate::token_fixtures::{
    ACCEPTED, CHECK, HS256, TOKEN_SECRET, claims, hs256, invalid, issued, issued_as,
    issuers_claims, status_and_error, with_ada,
};

#[test]
fn a_token_of_the_issuer_needs_its_iss_and_the_configured_audience() {
    const AUDIENCE: (&str, &str) = ("ENTGATE_JWT_AUDIENCE", "https://api.example");
    let our_audience = "https://api.example";
    let audience = invalid("The token is for another audience.");
    for (why, settings, changes, expected) in [
        ("no audience expected, none in the token", vec![], json!({}), ACCEPTED),
        (
            "no audience expected, one in the token",
            vec![],
            json!({ "aud": our_audience }),
            audience,
        ),
        ("no audience expected, an empty list", vec![], json!({ "aud": [] }), audience),
        (
            "an audience expected, none in the token",
            vec![AUDIENCE],
            json!({}),
            invalid("The token has no `aud`."),
        ),
        ("the expected audience", vec![AUDIENCE], json!({ "aud": our_audience }), ACCEPTED),
        (
            "the expected audience and another one",
            vec![AUDIENCE],
            json!({ "aud": ["a", our_audience] }),
            ACCEPTED,
        ),
        ("other audiences", vec![AUDIENCE], json!({ "aud": ["a", "b"] }), audience),
        (
            "the expected audience with a suffix",
            vec![AUDIENCE],
            json!({ "aud": "https://api.example/" }),
            audience,
        ),
        ("the audience of our own tokens", vec![AUDIENCE], json!({ "aud": "entgate" }), audience),
        (
            "another issuer",
            vec![],
            json!({ "iss": "https://login.example/" }),
            invalid("The token is from another issuer."),
        ),
        ("no issuer", vec![], json!({ "iss": null }), invalid("The token has no `iss`.")),
        (
            "an issuer in a list",
            vec![],
            json!({ "iss": ["https://login.example"] }),
            invalid("The token's `iss` is not a string."),
        ),
        ("a claim about the mode is ignored", vec![], json!({ "livemode": true }), ACCEPTED),
    ] {
        let service = with_ada(&settings);
        assert_eq!(
            status_and_error(&service.get_with(&issued("one", &changes), CHECK)),
            expected,
            "{why}"
        );
    }
}

#[test]
fn a_customer_claim_is_a_name_or_a_path_of_names_and_any_name_may_have_dots() {
    let no_customer = |message: &'static str| (403, "customer_missing", message);
    for (why, claim, changes, expected) in [
        (
            "another customer claim",
            "customer",
            json!({ "sub": "user_1", "customer": "cus_ada" }),
            ACCEPTED,
        ),
        (
            "the claim is missing, and `sub` is not used instead",
            "customer",
            json!({}),
            no_customer("The token has no customer in `customer`."),
        ),
        (
            "a path through objects",
            "app_metadata.billing.customer",
            json!({ "sub": "user_1", "app_metadata": { "billing": { "customer": "cus_ada" } } }),
            ACCEPTED,
        ),
        (
            "a path that ends too early",
            "app_metadata.billing.customer",
            json!({ "app_metadata": { "billing": "cus_ada" } }),
            no_customer("The token has no customer in `app_metadata.billing.customer`."),
        ),
        (
            "a path through a list",
            "app_metadata.0",
            json!({ "app_metadata": ["cus_ada"] }),
            no_customer("The token has no customer in `app_metadata.0`."),
        ),
        (
            "a claim name with dots",
            "https://app.example/customer",
            json!({ "sub": "user_1", "https://app.example/customer": "cus_ada" }),
            ACCEPTED,
        ),
        (
            "a path that begins with a name with dots",
            "https://app.example/claims.stripe.customer",
            json!({ "https://app.example/claims": { "stripe": { "customer": "cus_ada" } } }),
            ACCEPTED,
        ),
        (
            "a path that ends with a name with dots",
            "app_metadata.https://app.example/customer",
            json!({ "app_metadata": { "https://app.example/customer": "cus_ada" } }),
            ACCEPTED,
        ),
        (
            "a name with dots between two others",
            "a.b.c.d.e",
            json!({ "a": { "b.c.d": { "e": "cus_ada" } }, "a.b": { "c": { "x": "cus_bob" } } }),
            ACCEPTED,
        ),
        (
            "the longest first name is used",
            "a.b.c",
            json!({ "a": { "b": { "c": "cus_bob" }, "b.c": "cus_bob" }, "a.b": { "c": "cus_ada" } }),
            ACCEPTED,
        ),
        (
            "a part of the path is missing",
            "https://app.example/claims.customer",
            json!({ "https://app.example/claims": { "customers": "cus_ada" }, "customer": "cus_ada" }),
            no_customer("The token has no customer in `https://app.example/claims.customer`."),
        ),
        ("a path with empty names", "..", json!({ "": { "": { "": "cus_ada" } } }), ACCEPTED),
    ] {
        let service = with_ada(&[("ENTGATE_JWT_CUSTOMER_CLAIM", claim)]);
        let answer = service.get_with(&issued("one", &changes), CHECK);
        assert_eq!(status_and_error(&answer), expected, "{why}");
    }
}

#[test]
fn the_mode_of_an_issuers_customers_is_a_setting() {
    for (livemode, reason) in [("true", "unknown_customer"), ("false", "active_entitlement")] {
        let service = with_ada(&[("ENTGATE_JWT_LIVEMODE", livemode)]);
        let answer = service.get_with(&issued("one", &json!({ "livemode": false })), CHECK);
        assert_eq!(answer.body["reason"], reason, "{livemode}");
    }
}

#[test]
fn the_signing_key_determines_the_required_claims() {
    let service = with_ada(&[]);
    let issuers = issuers_claims(&json!({})).to_string();
    let ours_with_theirs = hs256(TOKEN_SECRET, HS256, &issuers);
    let theirs_with_ours = issued_as("one", r#"{"alg":"ES256"}"#, &claims(&json!({})).to_string());
    for (why, token, message) in [
        ("our secret, the issuer's claims", ours_with_theirs, "The token has no `aud`."),
        ("the issuer's key, our claims", theirs_with_ours, "The token has no `iss`."),
    ] {
        assert_eq!(status_and_error(&service.get_with(&token, CHECK)), invalid(message), "{why}");
    }
}
