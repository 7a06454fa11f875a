//! The crate as the targets call it: everything that depends on keys, secrets and settings.

use entgate::{
    id::{CustomerKey, Livemode, Timestamp},
    policy::GrantRule,
    token::{Error as TokenError, Jws, LEEWAY, TokenSecret, Validation, claims, hs256},
    webhook::{
        signature::{self, EndpointSecret, SigningSecret},
        stripe::{self, Incoming},
    },
};
use serde_json::Value;

use crate::{
    support::{LIVE_KEY, NOW},
    token_fixtures::{OLD_TOKEN_SECRET, TOKEN_SECRET},
};

/// The server key of test mode of the deployments in `support`.
pub(super) const TEST_KEY: &str = "sk_test_entgate";

/// The server key of live mode of the deployments in `support`.
pub(super) const SERVER_KEY_LIVE: &str = LIVE_KEY;

/// The secrets of the webhook endpoints of test mode and of live mode.
pub(super) const WEBHOOK_SECRETS: [&str; 2] = ["whsec_fuzz_one", "whsec_fuzz_two"];

/// The secrets of customer tokens.
pub(super) const TOKEN_SECRETS: [&str; 2] = [TOKEN_SECRET, OLD_TOKEN_SECRET];

/// How long after `exp` a token is accepted, in seconds.
pub(super) const EXPIRY_LEEWAY: i64 = LEEWAY;

/// How long before `nbf` and `iat` a token is accepted, in seconds.
pub(super) const START_LEEWAY: i64 = LEEWAY;

/// The codes of the documented 503s of a deployment whose stores do not fail: the answer is not known.
const UNAVAILABLE: [&str; 2] = ["entitlements_incomplete", "version_not_reached"];

/// Asserts that a response is no error of the server, or a documented one.
pub(super) fn assert_documented_status(status: u16, body: &Value, target: &str) {
    let has_code = body["error"]["code"].as_str().is_some_and(|code| UNAVAILABLE.contains(&code));
    // The errors of OFREP have codes of their own.
    let is_documented = status == 503 && (has_code || target.starts_with("/ofrep/"));
    assert!(status < 500 || is_documented, "{status} {target}: {body}");
}

fn webhook_secrets() -> Vec<EndpointSecret> {
    let modes = [Livemode::Test, Livemode::Live].into_iter().zip(WEBHOOK_SECRETS);
    modes
        .filter_map(|(livemode, secret)| {
            Some(EndpointSecret { livemode, secret: SigningSecret::new(secret)? })
        })
        .collect()
}

/// Verifies the signature of a body.
pub(super) fn verify_signature(
    header: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<(), signature::Error> {
    signature::verify(header, body, &webhook_secrets(), now).map(drop)
}

/// Signs an event for both modes, verifies it and parses it.
pub(super) fn parse_event(body: &[u8], paused: GrantRule) -> Result<Incoming, stripe::Error> {
    let secrets = webhook_secrets();
    let header = signature::sign(body, secrets.iter().map(|secret| secret.secret.clone()), NOW);
    let verified = signature::verify(&header, body, &secrets, NOW);
    stripe::parse(verified.unwrap_or_else(|error| panic!("{header}: {error}")), paused)
}

/// The ids of the secrets of customer tokens.
pub(super) fn token_secret_ids() -> [String; 2] {
    TOKEN_SECRETS.map(|secret| {
        let secret = TokenSecret::new(secret).unwrap_or_else(|| panic!("a secret is too short"));
        secret.kid().to_owned()
    })
}

/// Verifies that one of the secrets signed a token.
pub(super) fn verify_token(token: &Jws<'_>) -> Result<(), TokenError> {
    let secrets: Vec<_> = TOKEN_SECRETS.into_iter().filter_map(TokenSecret::new).collect();
    hs256::verify(&secrets, token)
}

/// What a token must claim.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    pub(super) issuer: Option<&'static str>,
    pub(super) audiences: &'static [&'static str],
    pub(super) customer_claim: &'static str,
    pub(super) livemode: Option<Livemode>,
}

/// Validates the claims of a token. Returns its customer, and until when it is accepted.
pub(super) fn validate_claims(
    token: &Jws<'_>,
    expected: Expected,
    now: Timestamp,
) -> Result<(CustomerKey, Timestamp), TokenError> {
    let Expected { issuer, audiences, customer_claim, livemode } = expected;
    let expiry_leeway = EXPIRY_LEEWAY;
    let validation = Validation { issuer, audiences, customer_claim, livemode, expiry_leeway };
    let subject = claims::validate(token, &validation, now)?;
    Ok((subject.customer, subject.accepted_until))
}
