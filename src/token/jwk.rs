//! Keys as JSON: those of an issuer, which verify tokens, and the operator's, which sign snapshots.
//!
//! The kind of a key determines its only algorithm. The `alg` of a token is compared with that and
//! never selects an algorithm.
//!
//! | `kty` | `crv`     | algorithm | required                                 |
//! |-------|-----------|-----------|------------------------------------------|
//! | `RSA` |           | RS256     | `n` of 2,048 to 8,192 bits, `e`          |
//! | `EC`  | `P-256`   | ES256     | `x` and `y` of 32 bytes                  |
//! | `OKP` | `Ed25519` | EdDSA     | `x` of 32 bytes; to sign also `d`, of 32 |
//!
//! Specification: <https://www.rfc-editor.org/rfc/rfc7517>.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::jws::Algorithm;
use crate::json;

/// The accepted bits of a modulus. A shorter one is not safe (RFC 7518, section 3.3); a longer one is
/// not in use and slow to verify.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;

/// The length of a coordinate, and of an Ed25519 key, in bytes.
const COORDINATE_LEN: usize = 32;

/// The members that define a key of any kind, in the order of a thumbprint.
const THUMBPRINT_MEMBERS: [&str; 6] = ["crv", "e", "kty", "n", "x", "y"];

/// A key that verifies signatures.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicKey {
    /// The only algorithm of the key.
    pub algorithm: Algorithm,
    /// The id of the key, if it has one.
    pub kid: Option<String>,
    /// Only the members that define the key.
    members: Map<String, Value>,
}

/// A key that signs snapshots: Ed25519.
#[derive(Clone, Eq, PartialEq)]
pub struct SigningKey {
    /// The key that verifies its signatures.
    pub public: PublicKey,
    kid: Box<str>,
    /// `None` for a key that is only published: the next one, or the previous one.
    secret: Option<Box<str>>,
}

impl PublicKey {
    /// Parses a JWK. Returns `None` if it is not a key that verifies signatures of a supported algorithm.
    #[must_use]
    pub fn from_jwk(jwk: &Value) -> Option<Self> {
        let string = |name: &str| jwk.get(name).and_then(Value::as_str);
        let bytes = |name| BASE64_URL_SAFE_NO_PAD.decode(string(name)?).ok();
        let coordinate = |name| bytes(name).is_some_and(|bytes| bytes.len() == COORDINATE_LEN);
        let (algorithm, required): (_, &[&str]) = match (string("kty")?, string("crv")) {
            ("RSA", _) => {
                if !RSA_BITS.contains(&bit_length(&bytes("n")?)) {
                    return None;
                }
                bytes("e")?;
                (Algorithm::Rs256, &["n", "e"])
            }
            ("EC", Some("P-256")) if coordinate("x") && coordinate("y") => {
                (Algorithm::Es256, &["crv", "x", "y"])
            }
            ("OKP", Some("Ed25519")) if coordinate("x") => (Algorithm::EdDsa, &["crv", "x"]),
            _ => return None,
        };
        let is_absent_or = |name: &str, expected: &str| match jwk.get(name) {
            None => true,
            Some(value) => value == expected,
        };
        // RFC 9864 defines a second name for this algorithm.
        let alg_matches = is_absent_or("alg", algorithm.name())
            || (algorithm == Algorithm::EdDsa && is_absent_or("alg", "Ed25519"));
        let ops_match = match jwk.get("key_ops") {
            None => true,
            Some(ops) => ops
                .as_array()
                .is_some_and(|ops| ops.iter().any(|op| op == "verify" || op == "sign")),
        };
        if !alg_matches || !ops_match || !is_absent_or("use", "sig") {
            return None;
        }
        let mut members = Map::new();
        for name in ["kty"].iter().chain(required) {
            members.insert((*name).to_owned(), jwk.get(*name)?.clone());
        }
        Some(Self { algorithm, kid: string("kid").map(str::to_owned), members })
    }

    /// Returns the key as a JWK with only the members that define it.
    #[must_use]
    pub fn to_jwk(&self) -> Value {
        Value::Object(self.members.clone())
    }

    /// The thumbprint, which is the id of a key without `kid`: <https://www.rfc-editor.org/rfc/rfc7638>.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        let members =
            THUMBPRINT_MEMBERS.into_iter().filter_map(|name| self.members.get_key_value(name));
        let canonical: Map<_, _> =
            members.map(|(name, value)| (name.clone(), value.clone())).collect();
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(json::to_string(&Value::Object(canonical))))
    }
}

impl SigningKey {
    /// Parses a JWK. Returns `None` if it is not an Ed25519 key. Without `d` it cannot sign.
    #[must_use]
    pub fn from_jwk(jwk: &Value) -> Option<Self> {
        let public = PublicKey::from_jwk(jwk).filter(|key| key.algorithm == Algorithm::EdDsa)?;
        let secret = match jwk.get("d") {
            None => None,
            Some(secret) => {
                let secret = secret.as_str()?;
                let bytes = BASE64_URL_SAFE_NO_PAD.decode(secret).ok()?;
                (bytes.len() == COORDINATE_LEN).then_some(())?;
                Some(secret.into())
            }
        };
        let kid = public.kid.clone().unwrap_or_else(|| public.thumbprint()).into();
        Some(Self { public, kid, secret })
    }

    /// The id of the key.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Whether the key can sign.
    #[must_use]
    pub fn can_sign(&self) -> bool {
        self.secret.is_some()
    }

    /// Returns the private key as a JWK, only for the platform's signing function.
    #[must_use]
    pub fn expose_private_jwk(&self) -> Option<Value> {
        let mut jwk = self.public.to_jwk();
        jwk.as_object_mut()?.insert("d".to_owned(), (**self.secret.as_ref()?).into());
        Some(jwk)
    }

    /// Returns the public key as a JWK to publish.
    #[must_use]
    pub fn to_public_jwk(&self) -> Value {
        let mut jwk = self.public.to_jwk();
        let metadata = json!({ "alg": Algorithm::EdDsa.name(), "use": "sig", "kid": self.kid });
        if let (Some(jwk), Value::Object(metadata)) = (jwk.as_object_mut(), metadata) {
            jwk.extend(metadata);
        }
        jwk
    }
}

/// The number of bits of a big-endian number, without leading zeros.
fn bit_length(number: &[u8]) -> usize {
    let mut bytes = number.iter().skip_while(|byte| **byte == 0);
    let Some(first) = bytes.next() else { return 0 };
    let first_bits = u8::BITS.saturating_sub(first.leading_zeros()) as usize;
    bytes.count().saturating_mul(8).saturating_add(first_bits)
}

/// Omits the private part, because debug output is logged.
impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    /// RFC 7638, section 3.1, and RFC 8037, appendix A.3: `alg` and `kid` are not part of the
    /// thumbprint.
    #[test]
    fn a_key_without_kid_is_identified_by_its_thumbprint() {
        let rsa = json!({
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
            "e": "AQAB",
            "alg": "RS256",
            "kid": "2011-04-29",
        });
        let ed25519 = json!({
            "kty": "OKP",
            "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        });
        for (jwk, thumbprint) in [
            (rsa, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
            (ed25519, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
        ] {
            let key = PublicKey::from_jwk(&jwk).map(|key| key.thumbprint());
            assert_eq!(key.as_deref(), Some(thumbprint));
        }
    }

    #[test]
    fn bit_length_starts_at_the_first_set_bit() {
        for (number, expected) in [
            (&[][..], 0),
            (&[0, 0], 0),
            (&[1], 1),
            (&[0, 0x80], 8),
            (&[0x7f, 0], 15),
            (&[0xff, 0xff], 16),
        ] {
            assert_eq!(bit_length(number), expected, "{number:?}");
        }
    }
}
