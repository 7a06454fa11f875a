//! Customer tokens: how they are created, and which routes accept them.

use entgate::api::{Access, ROUTES, catalog};
use serde_json::{Value, json};

use crate::{
    support::{NOW, service},
    token_fixtures::{
        ACCEPTED, CHECK, HS256, OLD_TOKEN_SECRET, TOKEN_SECRET, claims, hs256, invalid, issued,
        kid, part, status_and_error, token, with_ada,
    },
};

#[test]
fn a_token_is_created_with_a_server_key_and_gives_access_to_its_customer() {
    let service = with_ada(&[]);
    let headers = [("authorization", "Bearer sk_test_entgate")];
    let form = service.request("POST", "/v1/tokens", &headers, b"customer=cus_ada");
    let json = service.post_json("/v1/tokens", &json!({ "customer": "cus_ada" }));
    assert_eq!(form.body, json.body);

    let token = json.body["token"].as_str().unwrap();
    let expected = json!({
        "object": "customer_token", "customer": "cus_ada", "livemode": false,
        "token": token, "expires_at": NOW.0 + 900,
    });
    assert_eq!((json.status, &json.body), (200, &expected));
    assert_eq!(json.header("cache-control"), Some("no-store"));
    assert_eq!(part(token, 0), json!({ "alg": "HS256", "typ": "JWT", "kid": kid(TOKEN_SECRET) }));
    let claims = json!({
        "sub": "cus_ada", "aud": "entgate", "iat": NOW, "exp": NOW.0 + 900,
        "jti": "tok_00000000000000000000000000000abc", "livemode": false,
    });
    assert_eq!(part(token, 1), claims);
    // The bytes too: another library must create the same signature.
    let header = part(token, 0).to_string();
    assert_eq!(token, hs256(TOKEN_SECRET, &header, &claims.to_string()));

    assert_eq!(service.get_with(token, CHECK).body["entitled"], true);
    let with_customer = service.get_with(token, &format!("{CHECK}&customer=cus_ada"));
    assert_eq!(with_customer.body["entitled"], true);
}

#[test]
fn a_token_expires_after_fifteen_minutes_or_after_expires_in_up_to_an_hour() {
    let service = with_ada(&[]);
    let below = "This value must be greater than or equal to 1 (it currently is '0').";
    let above = "This value must be less than or equal to 3600 (it currently is '3601').";
    for (expires_in, expected) in [
        (json!(null), Ok(900)),
        (json!(1), Ok(1)),
        (json!("60"), Ok(60)),
        (json!(3_600), Ok(3_600)),
        (json!(0), Err(below)),
        (json!(3_601), Err(above)),
        (json!("soon"), Err("Invalid integer: soon")),
        (json!(1.5), Err("Invalid integer: 1.5")),
    ] {
        let body = json!({ "customer": "cus_ada", "expires_in": expires_in });
        let answer = service.post_json("/v1/tokens", &body);
        match expected {
            Ok(lifetime) => assert_eq!(answer.body["expires_at"], NOW.0 + lifetime, "{body}"),
            Err(message) => {
                answer.assert_refuses("expires_in", "parameter_invalid_integer", message, message);
            }
        }
    }
}

#[test]
fn creating_a_token_requires_a_customer_and_a_server_key() {
    let service = with_ada(&[]);
    let post = |key: &str, body: &Value| {
        let authorization = format!("Bearer {key}");
        let headers =
            [("authorization", authorization.as_str()), ("content-type", "application/json")];
        service.request("POST", "/v1/tokens", &headers, body.to_string().as_bytes())
    };
    let missing = post("sk_test_entgate", &json!({}));
    missing.assert_refuses(
        "customer",
        "parameter_missing",
        "Missing required param: customer.",
        "",
    );
    let unknown = post("sk_test_entgate", &json!({ "customer": "cus_ada", "livemode": true }));
    let message = "Received unknown parameter: livemode";
    unknown.assert_refuses("livemode", "parameter_unknown", message, "the key decides the mode");
    let several = post("sk_test_entgate", &json!({ "customer": ["cus_ada", "cus_bob"] }));
    assert_eq!((several.status, several.error("param")), (400, "customer"));
    let with_token = post(&token(&json!({})), &json!({ "customer": "cus_ada" }));
    assert_eq!((with_token.status, with_token.error("code")), (403, "server_key_required"));
    assert_eq!(post("sk_test_other", &json!({ "customer": "cus_ada" })).status, 401);
}

#[test]
fn without_a_secret_no_token_is_created_or_accepted() {
    let service = service();
    let answer = service.post_json("/v1/tokens", &json!({ "customer": "cus_ada" }));
    let message = "Customer tokens are disabled: ENTGATE_TOKEN_SECRETS is not set.";
    assert_eq!(status_and_error(&answer), (503, "", message));
    let given = service.get_with(&token(&json!({})), CHECK);
    let message = "Customer tokens are not accepted: ENTGATE_TOKEN_SECRETS is not set.";
    assert_eq!(status_and_error(&given), invalid(message));
    let given = service.get_with(&issued("one", &json!({})), CHECK);
    let message = "Tokens of external issuers are not accepted: ENTGATE_JWKS_URL is not set.";
    assert_eq!(status_and_error(&given), invalid(message));
}

#[test]
fn a_token_has_the_mode_of_the_server_key_that_created_it() {
    let service = with_ada(&[]);
    let headers = [("authorization", "Bearer sk_live_entgate")];
    let live = service.request("POST", "/v1/tokens", &headers, b"customer=cus_ada");
    assert_eq!(live.body["livemode"], true);
    let live = live.body["token"].as_str().unwrap();
    assert_eq!(service.get_with(live, CHECK).body["reason"], "unknown_customer");
    let other_mode = service.get_with(live, &format!("{CHECK}&livemode=false"));
    assert_eq!((other_mode.status, other_mode.error("code")), (400, "parameter_unknown"));
    assert_eq!(service.get_with(&token(&json!({})), CHECK).body["reason"], "active_entitlement");
}

#[test]
fn tokens_that_jose_and_pyjwt_sign_with_our_secret_are_accepted() {
    let service = with_ada(&[]);
    for vectors in
        [include_str!("../fixtures/tokens.json"), include_str!("../fixtures/tokens.python.json")]
    {
        let vectors: Value = serde_json::from_str(vectors).unwrap();
        assert_eq!((&vectors["now"], &vectors["secret"]), (&json!(NOW), &json!(TOKEN_SECRET)));
        for vector in vectors["tokens"].as_array().unwrap() {
            let token = vector["token"].as_str().unwrap();
            assert_eq!(
                status_and_error(&service.get_with(token, CHECK)),
                ACCEPTED,
                "{}",
                vector["why"]
            );
        }
    }
}

#[test]
fn each_of_two_secrets_verifies_and_the_first_one_signs() {
    let both = format!("{TOKEN_SECRET},{OLD_TOKEN_SECRET}");
    let service = with_ada(&[("ENTGATE_TOKEN_SECRETS", Box::leak(both.into_boxed_str()))]);
    let headers = [("authorization", "Bearer sk_test_entgate")];
    let created = service.request("POST", "/v1/tokens", &headers, b"customer=cus_ada");
    let created = created.body["token"].as_str().unwrap().to_owned();
    assert_eq!(part(&created, 0)["kid"], kid(TOKEN_SECRET));

    let retired = "secret-of-32-characters-number-x";
    let claims = claims(&json!({})).to_string();
    let sign_with_kid = |secret: &str, kid: &str| {
        let header = json!({ "alg": "HS256", "kid": kid }).to_string();
        hs256(secret, &header, &claims)
    };
    let unknown = invalid("The token is signed with an unknown key.");
    let mismatch = invalid("The token's signature does not match.");
    for (why, token, expected) in [
        ("created by the service", created, ACCEPTED),
        (
            "the first secret, with its key id",
            sign_with_kid(TOKEN_SECRET, &kid(TOKEN_SECRET)),
            ACCEPTED,
        ),
        (
            "the old secret, with its key id",
            sign_with_kid(OLD_TOKEN_SECRET, &kid(OLD_TOKEN_SECRET)),
            ACCEPTED,
        ),
        ("the first secret, without a key id", hs256(TOKEN_SECRET, HS256, &claims), ACCEPTED),
        ("the old secret, without a key id", hs256(OLD_TOKEN_SECRET, HS256, &claims), ACCEPTED),
        ("a retired secret, with its key id", sign_with_kid(retired, &kid(retired)), unknown),
        ("a retired secret, without a key id", hs256(retired, HS256, &claims), mismatch),
        (
            "a retired secret, with the key id of the first",
            sign_with_kid(retired, &kid(TOKEN_SECRET)),
            mismatch,
        ),
        (
            "the old secret, with the key id of the first",
            sign_with_kid(OLD_TOKEN_SECRET, &kid(TOKEN_SECRET)),
            mismatch,
        ),
        ("the key id of the issuer", sign_with_kid(TOKEN_SECRET, "one"), unknown),
        ("an empty key id", sign_with_kid(TOKEN_SECRET, ""), unknown),
    ] {
        assert_eq!(status_and_error(&service.get_with(&token, CHECK)), expected, "{why}");
    }
}

#[test]
fn a_token_is_sent_like_a_server_key() {
    let service = with_ada(&[]);
    let token = token(&json!({}));
    let basic = format!("Basic {}", base64_of(&format!("{token}:")));
    let bearer = format!("bearer  {token} ");
    for (why, name, value) in [
        ("as Bearer", "authorization", bearer.as_str()),
        ("as the user name of Basic", "authorization", basic.as_str()),
        ("in `X-API-Key`", "x-api-key", token.as_str()),
    ] {
        let answer = service.request("GET", CHECK, &[(name, value)], b"");
        assert_eq!(status_and_error(&answer), ACCEPTED, "{why}");
    }
    let both = [("authorization", "Bearer sk_test_other"), ("x-api-key", token.as_str())];
    assert_eq!(service.request("GET", CHECK, &both, b"").status, 401, "Authorization comes first");
    let url = service.request("GET", &format!("{CHECK}&token={token}"), &[], b"");
    assert_eq!(url.status, 401, "a token in the URL is not accepted");
    let both = service.get_with(&token, &format!("{CHECK}&token={token}"));
    both.assert_refuses("token", "parameter_unknown", "Received unknown parameter: token", "");
}

fn base64_of(string: &str) -> String {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    BASE64_STANDARD.encode(string)
}

/// The methods and paths of all routes with this access, with a customer's id for every parameter.
pub(crate) fn paths(access: Access) -> Vec<(String, String)> {
    let path = |path: &str| {
        let segments =
            path.split('/').map(|part| if part.starts_with('{') { "cus_ada" } else { part });
        segments.collect::<Vec<_>>().join("/")
    };
    let edge = ROUTES.iter().map(|route| (route.access, &route.method, route.path));
    let catalog = catalog::routes().map(|(method, path)| (Access::ServerKey, method, path));
    // The edge handles a route that both have.
    let all = edge.chain(catalog.filter(|(_, method, path)| {
        !ROUTES.iter().any(|route| route.method == *method && route.path == *path)
    }));
    let matching = all.filter(|(route_access, _, _)| *route_access == access);
    matching.map(|(_, method, pattern)| (method.to_string(), path(pattern))).collect()
}

#[test]
fn a_token_is_rejected_on_every_route_that_needs_a_server_key() {
    for source in ["stripe", "catalog"] {
        let service = with_ada(&[("ENTGATE_SOURCE", source)]);
        let server = [paths(Access::ServerKey), paths(Access::ReadKey)].concat();
        assert!(server.len() >= 50, "{} routes", server.len());
        for (method, path) in server {
            for token in [token(&json!({})), issued("one", &json!({})), "eyJhbGciOi".to_owned()] {
                let headers = [("authorization", format!("Bearer {token}"))];
                let headers = [(headers[0].0, headers[0].1.as_str())];
                let answer = service.request(&method, &path, &headers, b"");
                let message = "This route needs a server key (sk_…). A customer token gives access only to what its customer may read.";
                assert_eq!(
                    status_and_error(&answer),
                    (403, "server_key_required", message),
                    "{method} {path}"
                );
            }
        }
    }
}

#[test]
fn another_customer_is_a_403_on_every_route_that_accepts_tokens() {
    let service = with_ada(&[]);
    let routes: Vec<_> =
        paths(Access::CustomerToken).into_iter().filter(|(method, _)| method == "GET").collect();
    assert!(routes.len() >= 4);
    for (_, path) in routes {
        for token in [token(&json!({})), issued("one", &json!({}))] {
            for customer in ["cus_bob", "CUS_ADA", "cus_ada%20", ""] {
                let feature = if path == "/v1/snapshot" { "" } else { "feature=sms&" };
                let target = format!("{path}?{feature}customer={customer}");
                let answer = service.get_with(&token, &target);
                let message = "The token belongs to another customer. Leave the customer out: the token names it.";
                assert_eq!(
                    status_and_error(&answer),
                    (403, "customer_mismatch", message),
                    "{target}"
                );
                assert_eq!(answer.error("param"), "customer", "{target}");
            }
        }
    }
}
