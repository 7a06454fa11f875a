//! The compact form of a signed token: `header.claims.signature`, each part in base64url.
//!
//! <https://www.rfc-editor.org/rfc/rfc7515#section-7.1>. Reading gives what is signed and with what,
//! and believes nothing of it yet. No key is looked at here.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use super::Error;
use crate::json;

/// The most bytes of a token: an identity provider's with many roles has some 4 KiB, and the headers
/// of one request end at 16 or 32 KiB with most servers.
pub const MAX_TOKEN_LEN: usize = 8 << 10;

/// How a token is signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Algorithm {
    /// HMAC with SHA-256, by one of our own secrets.
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// EdDSA on Ed25519.
    EdDsa,
}

impl Algorithm {
    /// Its name in `alg`.
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

/// A token taken apart. Nothing of it is believed before a key has been found that signed it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Jws<'a> {
    /// What it says it is signed with: the key decides whether that is so.
    pub algorithm: Algorithm,
    /// Which key it says that was.
    pub kid: Option<String>,
    /// What is signed.
    pub signing_input: &'a str,
    /// The signature over it.
    pub signature: Vec<u8>,
    claims: &'a str,
}

impl<'a> Jws<'a> {
    /// Takes a customer's token apart.
    ///
    /// # Errors
    ///
    /// When it is too long, not in the compact form, of another kind, or not signed in a way that is
    /// taken.
    pub fn parse(token: &'a str) -> Result<Self, Error> {
        if token.len() > MAX_TOKEN_LEN {
            return Err(Error::TooLong { limit: MAX_TOKEN_LEN });
        }
        let form = Error::Malformed("it is not three parts with dots between them");
        let (signing_input, signature) = token.rsplit_once('.').ok_or(form.clone())?;
        let (header, claims) = signing_input.split_once('.').ok_or(form.clone())?;
        if claims.contains('.') {
            return Err(form);
        }
        let header = parse_object(&decode_base64url(header)?)?;
        let member = |name: &str| match header.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(Error::Malformed("`alg`, `kid` and `typ` have to be texts")),
        };
        let algorithm = match member("alg")?.ok_or(Error::Malformed("it lacks `alg`"))? {
            "HS256" => Algorithm::Hs256,
            "RS256" => Algorithm::Rs256,
            "ES256" => Algorithm::Es256,
            "EdDSA" => Algorithm::EdDsa,
            none if none.eq_ignore_ascii_case("none") => return Err(Error::AlgNone),
            other => return Err(Error::UnsupportedAlgorithm(truncate(other))),
        };
        if header.contains_key("crit") {
            return Err(Error::UnsupportedCrit);
        }
        // As RFC 9068 names an access token, or not at all; a snapshot has a type of its own.
        let known = ["jwt", "at+jwt", "application/at+jwt"];
        if let Some(other) = member("typ")?
            && !known.iter().any(|known| other.eq_ignore_ascii_case(known))
        {
            return Err(Error::UnsupportedType(truncate(other)));
        }
        let kid = member("kid")?.map(str::to_owned);
        Ok(Self { algorithm, kid, signing_input, signature: decode_base64url(signature)?, claims })
    }

    /// What it says.
    ///
    /// # Errors
    ///
    /// When that is no JSON object, or says something twice.
    pub(super) fn parse_claims(&self) -> Result<Map<String, Value>, Error> {
        parse_object(&decode_base64url(self.claims)?)
    }
}

/// The part of a token that is to be signed.
#[must_use]
pub fn signing_input(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(json::to_string(value));
    format!("{}.{}", part(header), part(claims))
}

/// The whole token.
#[must_use]
pub fn serialize_compact(message: &str, signature: &[u8]) -> String {
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn decode_base64url(part: &str) -> Result<Vec<u8>, Error> {
    BASE64_URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| Error::Malformed("a part of it is no base64url without padding"))
}

/// A text from outside, as much of it as a message has room for.
fn truncate(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(32).collect()
}

fn parse_object(json: &[u8]) -> Result<Map<String, Value>, Error> {
    match serde_json::from_slice(json) {
        Ok(StrictJson(Value::Object(members))) => Ok(members),
        Ok(StrictJson(_)) => Err(Error::Malformed("a part of it is no JSON object")),
        Err(error) => {
            let told = error.to_string();
            let twice = told.strip_prefix(DUPLICATE_MEMBER).and_then(|rest| rest.split_once('`'));
            Err(twice.map_or(Error::Malformed("a part of it is no JSON"), |(name, _)| {
                Error::DuplicateMember(truncate(name))
            }))
        }
    }
}

/// What the reader of [`Unique`] says before a name that stands twice.
const DUPLICATE_MEMBER: &str = "duplicate member `";

/// JSON in which no object has a member twice, at any depth. Its reader gives up 128 levels down.
struct StrictJson(Value);

impl<'de> Deserialize<'de> for StrictJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StrictJsonVisitor;

        impl<'de> Visitor<'de> for StrictJsonVisitor {
            type Value = StrictJson;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<StrictJson, E> {
                Ok(StrictJson(Value::Null))
            }

            fn visit_bool<E>(self, flag: bool) -> Result<StrictJson, E> {
                Ok(StrictJson(flag.into()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<StrictJson, E> {
                Ok(StrictJson(number.into()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<StrictJson, E> {
                Ok(StrictJson(number.into()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<StrictJson, E> {
                Ok(StrictJson(number.into()))
            }

            fn visit_str<E>(self, text: &str) -> Result<StrictJson, E> {
                Ok(StrictJson(text.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<StrictJson, A::Error> {
                let mut array = Vec::new();
                while let Some(StrictJson(item)) = items.next_element()? {
                    array.push(item);
                }
                Ok(StrictJson(Value::Array(array)))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<StrictJson, A::Error> {
                let mut object = Map::new();
                while let Some((name, StrictJson(value))) =
                    members.next_entry::<String, StrictJson>()?
                {
                    if object.contains_key(&name) {
                        return Err(A::Error::custom(format_args!("{DUPLICATE_MEMBER}{name}`")));
                    }
                    object.insert(name, value);
                }
                Ok(StrictJson(Value::Object(object)))
            }
        }

        deserializer.deserialize_any(StrictJsonVisitor)
    }
}
