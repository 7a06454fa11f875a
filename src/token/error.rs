//! Why a token is not accepted, for every step: parsing, the signature, the claims.
//!
//! HTTP statuses and codes are assigned in the API.

use crate::id::{self, Timestamp, Utc};

/// Why a token is not accepted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The token is longer than any token of a usual issuer.
    #[error("the token is longer than {limit} bytes")]
    TooLong {
        /// The maximum number of bytes.
        limit: usize,
    },
    /// The token is not in the compact form, or one of its parts is malformed.
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    /// The header or the claims have a duplicate member. Parsers differ in which one they use.
    #[error("the token has the duplicate member `{0}`")]
    DuplicateMember(String),
    /// `alg` is `none`.
    #[error("the token is not signed")]
    AlgNone,
    /// `alg` is not supported.
    #[error("the token is signed with `{0}`, and only HS256, RS256, ES256 and EdDSA are accepted")]
    UnsupportedAlgorithm(String),
    /// `typ` is that of another kind of token.
    #[error("the token is of the type `{0}`, which is not accepted")]
    UnsupportedType(String),
    /// The header has `crit`, which names extensions that must be supported.
    #[error("the token has a critical header that is not supported: `crit`")]
    UnsupportedCrit,
    /// The token is signed with HS256, and no secret is configured.
    #[error("customer tokens are not accepted: ENTGATE_TOKEN_SECRETS is not set")]
    NoSecrets,
    /// The token is signed with a public-key algorithm, and no issuer is configured.
    #[error("tokens of external issuers are not accepted: ENTGATE_JWKS_URL is not set")]
    NoIssuer,
    /// `kid` does not match a known key.
    #[error("the token is signed with an unknown key")]
    UnknownKey,
    /// The signature is not valid for any known key.
    #[error("the token's signature does not match")]
    InvalidSignature,
    /// A required claim is missing.
    #[error("the token has no `{0}`")]
    MissingClaim(&'static str),
    /// A claim has the wrong type.
    #[error("the token's `{claim}` is {problem}")]
    InvalidClaim {
        /// The name of the claim.
        claim: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The token is expired.
    #[error("the token expired at {}; the current time is {}", Utc(*expired), Utc(*now))]
    Expired {
        /// The claim `exp`.
        expired: Timestamp,
        /// The time of validation.
        now: Timestamp,
    },
    /// The token is not valid yet.
    #[error("the token is not valid before {}; the current time is {}", Utc(*from), Utc(*now))]
    NotYetValid {
        /// The claim `nbf` or `iat`.
        from: Timestamp,
        /// The time of validation.
        now: Timestamp,
    },
    /// `iss` is another issuer.
    #[error("the token is from another issuer")]
    InvalidIssuer,
    /// `aud` does not include an expected audience.
    #[error("the token is for another audience")]
    InvalidAudience,
    /// The token is valid, but the customer claim is missing or not a string.
    #[error("the token has no customer in `{0}`")]
    MissingCustomer(String),
    /// The customer claim is not a valid customer id.
    #[error("the token's customer is {0}")]
    InvalidCustomer(id::Error),
}
