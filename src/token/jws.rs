//! The compact serialization of a signed token: `header.claims.signature`, each part in base64url.
//!
//! Parsing returns the signing input, the algorithm and the signature. It verifies nothing, and keys
//! are not here.
//!
//! Specification: <https://www.rfc-editor.org/rfc/rfc7515#section-7.1>.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::error::Error;
use crate::json::{
    self,
    strict::{self, Unicode},
};

/// The maximum size of a token in bytes. A token of an identity provider with many roles has about
/// 4 KiB; most servers limit all headers of a request to 16 or 32 KiB.
pub const MAX_TOKEN_LEN: usize = 8 << 10;

/// A supported signature algorithm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Algorithm {
    /// HMAC with SHA-256, with one of the operator's secrets.
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// EdDSA on Ed25519. RFC 9864 calls it `Ed25519`.
    EdDsa,
}

impl Algorithm {
    /// The value of `alg`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// A parsed token. Its contents must not be trusted before the signature is verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Jws<'a> {
    /// The algorithm in the header. It must be that of the key.
    pub algorithm: Algorithm,
    /// The id of the key in the header.
    pub kid: Option<String>,
    /// The signed part of the token.
    pub signing_input: &'a str,
    /// The decoded signature.
    pub signature: Vec<u8>,
    claims: &'a str,
}

impl<'a> Jws<'a> {
    /// Parses a customer token.
    ///
    /// # Errors
    ///
    /// Fails if the token is too long, not in the compact form, of another type, or signed with an
    /// algorithm that is not supported.
    pub fn parse(token: &'a str) -> Result<Self, Error> {
        if token.len() > MAX_TOKEN_LEN {
            return Err(Error::TooLong { limit: MAX_TOKEN_LEN });
        }
        let malformed = Error::Malformed("it does not have three parts separated by dots");
        let (signing_input, signature) = token.rsplit_once('.').ok_or(malformed.clone())?;
        let (header, claims) = signing_input.split_once('.').ok_or(malformed.clone())?;
        if claims.contains('.') {
            return Err(malformed);
        }
        let header = parse_object(&decode_base64url(header)?, Unicode::At(&["alg", "kid", "typ"]))?;
        let member = |name: &str| match header.get(name) {
            None => Ok(None),
            Some(Value::String(string)) => Ok(Some(string.as_str())),
            Some(_) => Err(Error::Malformed("`alg`, `kid` and `typ` must be strings")),
        };
        let algorithm = match member("alg")?.ok_or(Error::Malformed("it has no `alg`"))? {
            "HS256" => Algorithm::Hs256,
            "RS256" => Algorithm::Rs256,
            "ES256" => Algorithm::Es256,
            // RFC 9864 defines the second name.
            "EdDSA" | "Ed25519" => Algorithm::EdDsa,
            none if none.eq_ignore_ascii_case("none") => return Err(Error::AlgNone),
            other => return Err(Error::UnsupportedAlgorithm(truncate(other))),
        };
        if header.contains_key("crit") {
            return Err(Error::UnsupportedCrit);
        }
        // The types of an access token (RFC 9068), or none. A snapshot has its own type.
        let accepted = ["jwt", "at+jwt", "application/at+jwt"];
        if let Some(typ) = member("typ")?
            && !accepted.iter().any(|accepted| typ.eq_ignore_ascii_case(accepted))
        {
            return Err(Error::UnsupportedType(truncate(typ)));
        }
        let kid = member("kid")?.map(str::to_owned);
        Ok(Self { algorithm, kid, signing_input, signature: decode_base64url(signature)?, claims })
    }

    /// Decodes the claims. Only the strings at these paths must be Unicode.
    ///
    /// # Errors
    ///
    /// Fails if they are not a JSON object or have a duplicate member.
    pub(super) fn parse_claims(&self, unicode_at: &[&str]) -> Result<Map<String, Value>, Error> {
        parse_object(&decode_base64url(self.claims)?, Unicode::At(unicode_at))
    }
}

/// Serializes the part of a token that is signed.
#[must_use]
pub fn signing_input(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(json::to_string(value));
    format!("{}.{}", part(header), part(claims))
}

/// Serializes a token: the signing input and its signature.
#[must_use]
pub fn serialize_compact(signing_input: &str, signature: &[u8]) -> String {
    format!("{signing_input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn decode_base64url(part: &str) -> Result<Vec<u8>, Error> {
    BASE64_URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| Error::Malformed("a part is not base64url without padding"))
}

/// Shortens a string from a token for use in an error message, and removes control characters.
fn truncate(string: &str) -> String {
    string.chars().filter(|c| !c.is_control()).take(32).collect()
}

fn parse_object(json: &[u8], unicode: Unicode<'_>) -> Result<Map<String, Value>, Error> {
    match strict::parse(json, unicode) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Error::Malformed("a part is not a JSON object")),
        Err(strict::Error::DuplicateMember(name)) => Err(Error::DuplicateMember(truncate(&name))),
        Err(strict::Error::Syntax) => Err(Error::Malformed("a part is not valid JSON")),
    }
}
