//! Tokens: signed claims about one customer, as JWT (<https://www.rfc-editor.org/rfc/rfc7519>).
//!
//! | file           | what it is                                                                 |
//! |----------------|----------------------------------------------------------------------------|
//! | `error`        | why a token is not accepted                                                |
//! | [`jws`]        | parses and serializes the compact form                                     |
//! | [`claims`]     | validates customer, time, issuer and audience                              |
//! | [`hs256`]      | HS256: the operator's secrets, which sign and verify customer tokens       |
//! | [`jwk`]        | RS256, ES256, EdDSA: public keys, and the keys that sign snapshots         |
//! | [`jwks_cache`] | the public keys of an external issuer, and when they are fetched           |
//!
//! As RFC 8725 advises, the key determines the algorithm, `typ` and `aud` separate the kinds of tokens,
//! and duplicate members are rejected. The platform verifies public-key signatures and fetches keys.
//! What a token gives access to is decided in the API.

mod error;

pub mod jws;

pub mod claims;

pub mod hs256;

pub mod jwk;

pub mod jwks_cache;

pub use self::{
    claims::{LEEWAY, Validation},
    error::Error,
    hs256::TokenSecret,
    jwk::{PublicKey, SigningKey},
    jwks_cache::JwksCache,
    jws::{Algorithm, Jws},
};
