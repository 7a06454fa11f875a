//! Tokens of another issuer: what they have to say, and what is not theirs to say.

use serde_json::json;

use crate::token_fixtures::{
    CHECK, HS256, TAKEN, TOKEN_SECRET, claims, hs256, invalid, issued, issued_as, issuers_claims,
    told, with_ada,
};

#[test]
fn an_issuers_token_has_to_be_its_own_for_us_and_names_the_customer_where_it_was_said() {
    const AUDIENCE: (&str, &str) = ("ENTGATE_JWT_AUDIENCE", "https://api.example");
    const CLAIM: &str = "ENTGATE_JWT_CUSTOMER_CLAIM";
    let mine = "https://api.example";
    let audience = invalid("the token is for another audience.");
    let nobody = |claim: &'static str| (403, "customer_missing", claim);
    for (why, settings, more, expected) in [
        ("none wanted, none there", vec![], json!({}), TAKEN),
        ("none wanted, one there", vec![], json!({ "aud": mine }), audience),
        ("none wanted, an empty list", vec![], json!({ "aud": [] }), audience),
        ("one wanted, none there", vec![AUDIENCE], json!({}), invalid("the token lacks `aud`.")),
        ("one wanted, it is there", vec![AUDIENCE], json!({ "aud": mine }), TAKEN),
        ("one wanted, among others", vec![AUDIENCE], json!({ "aud": ["a", mine] }), TAKEN),
        ("one wanted, others there", vec![AUDIENCE], json!({ "aud": ["a", "b"] }), audience),
        (
            "one wanted, more of it there",
            vec![AUDIENCE],
            json!({ "aud": "https://api.example/" }),
            audience,
        ),
        ("ours is not theirs", vec![AUDIENCE], json!({ "aud": "entgate" }), audience),
        (
            "another issuer",
            vec![],
            json!({ "iss": "https://login.example/" }),
            invalid("the token is of another issuer."),
        ),
        ("no issuer", vec![], json!({ "iss": null }), invalid("the token lacks `iss`.")),
        (
            "an issuer in a list",
            vec![],
            json!({ "iss": ["https://login.example"] }),
            invalid("the token's `iss` is no text."),
        ),
        ("its own word on the mode", vec![], json!({ "livemode": true }), TAKEN),
        (
            "a claim of another name",
            vec![(CLAIM, "customer")],
            json!({ "sub": "user_1", "customer": "cus_ada" }),
            TAKEN,
        ),
        (
            "that claim is not there, and `sub` is no second choice",
            vec![(CLAIM, "customer")],
            json!({}),
            nobody("the token names no customer in `customer`."),
        ),
        (
            "a way through maps",
            vec![(CLAIM, "app_metadata.billing.customer")],
            json!({ "sub": "user_1", "app_metadata": { "billing": { "customer": "cus_ada" } } }),
            TAKEN,
        ),
        (
            "a way that ends early",
            vec![(CLAIM, "app_metadata.billing.customer")],
            json!({ "app_metadata": { "billing": "cus_ada" } }),
            nobody("the token names no customer in `app_metadata.billing.customer`."),
        ),
        (
            "a way through a list",
            vec![(CLAIM, "app_metadata.0")],
            json!({ "app_metadata": ["cus_ada"] }),
            nobody("the token names no customer in `app_metadata.0`."),
        ),
        (
            "a name with dots in it",
            vec![(CLAIM, "https://app.example/customer")],
            json!({ "sub": "user_1", "https://app.example/customer": "cus_ada" }),
            TAKEN,
        ),
    ] {
        let service = with_ada(&settings);
        assert_eq!(told(&service.get_with(&issued("one", &more), CHECK)), expected, "{why}");
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
fn who_signed_decides_what_a_token_has_to_say() {
    let service = with_ada(&[]);
    let issuers = issuers_claims(&json!({})).to_string();
    let ours_with_theirs = hs256(TOKEN_SECRET, HS256, &issuers);
    let theirs_with_ours = issued_as("one", r#"{"alg":"ES256"}"#, &claims(&json!({})).to_string());
    for (why, token, message) in [
        ("our secret, the issuer's words", ours_with_theirs, "the token lacks `aud`."),
        ("the issuer's key, our words", theirs_with_ours, "the token lacks `iss`."),
    ] {
        assert_eq!(told(&service.get_with(&token, CHECK)), invalid(message), "{why}");
    }
}
