//! Tokens: signed words about one customer, which whoever has them may show again.
//!
//! | file       | is                                                                                |
//! |------------|-----------------------------------------------------------------------------------|
//! | [`jws`]    | the compact form, taken apart and put together                                    |
//! | [`claims`] | what a token says: whose it is, from when and until when, by whom and for whom     |
//! | [`secret`] | HS256: our own secrets, which make and check customers' tokens                    |
//! | [`jwk`]    | RS256, ES256, EdDSA: public keys, and the ones that sign snapshots                |
//! | [`keyring`] | the keys of an issuer, and when they are fetched anew                            |
//!
//! JWT (<https://www.rfc-editor.org/rfc/rfc7519>) with what RFC 8725 advises: an algorithm belongs to
//! a key, so that nothing in a token chooses it; a kind of token is told by its `typ` and `aud`; what
//! is said twice is refused. The arithmetic of public keys and the way to an issuer are the
//! platform's; who may do what with a token is the API's business.

pub mod claims;
pub mod hs256;
pub mod jwk;
pub mod jwks_cache;
pub mod jws;

pub use self::{
    claims::{Claims, Validation},
    hs256::TokenSecret,
    jwk::{PublicKey, SigningKey},
    jwks_cache::JwksCache,
    jws::{Algorithm, Jws},
};

use crate::id::{self, Timestamp};

/// How far the clock of whoever made a token may be from ours, in seconds.
pub const LEEWAY: i64 = 60;

/// Why a token is not taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More bytes than any token of ours or of a known issuer has.
    #[error("the token is longer than {limit} bytes")]
    TooLong {
        /// The most bytes that are read.
        limit: usize,
    },
    /// It is not in the compact form, or a part of it is not what it should be.
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    /// A member stands twice in the header or in the claims: readers differ in which one counts.
    #[error("the token says `{0}` twice")]
    DuplicateMember(String),
    /// `alg` is `none`.
    #[error("the token is not signed")]
    AlgNone,
    /// `alg` is none of those that are taken.
    #[error("the token is signed with `{0}`, and only HS256, RS256, ES256 and EdDSA are taken")]
    UnsupportedAlgorithm(String),
    /// `typ` is another kind of token's.
    #[error("the token is of the type `{0}`, which opens nothing")]
    UnsupportedType(String),
    /// `crit` names something that has to be understood.
    #[error("the token wants something understood that is not: `crit`")]
    UnsupportedCrit,
    /// HS256, and none of our secrets is set.
    #[error("no customer tokens are taken here: ENTGATE_TOKEN_SECRETS is not set")]
    NoSecrets,
    /// A public key, and no issuer is set.
    #[error("no tokens of other issuers are taken here: ENTGATE_JWKS_URL is not set")]
    NoIssuer,
    /// The key is none of those known.
    #[error("the token is signed with a key that is not known here")]
    UnknownKey,
    /// No known key made the signature.
    #[error("the token's signature does not match")]
    InvalidSignature,
    /// A claim that has to be there is not.
    #[error("the token lacks `{0}`")]
    MissingClaim(&'static str),
    /// A claim is of another form.
    #[error("the token's `{claim}` is {problem}")]
    InvalidClaim {
        /// Which one.
        claim: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// It is over.
    #[error("the token expired at {expired}, and it is {now}")]
    Expired {
        /// By its own account.
        expired: Timestamp,
        /// When it was checked.
        now: Timestamp,
    },
    /// It is for later.
    #[error("the token is not valid before {from}, and it is {now}")]
    NotYetValid {
        /// By its own account.
        from: Timestamp,
        /// When it was checked.
        now: Timestamp,
    },
    /// It was made by somebody else.
    #[error("the token is of another issuer")]
    InvalidIssuer,
    /// It was made for somebody else.
    #[error("the token is for another audience")]
    InvalidAudience,
    /// It is genuine, and names no customer where it should.
    #[error("the token names no customer in `{0}`")]
    MissingCustomer(String),
    /// What it names cannot be a customer.
    #[error("the token's customer is {0}")]
    InvalidCustomer(id::Error),
}
