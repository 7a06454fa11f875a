//! Keys as JSON: those of an issuer, which check tokens, and our own, which sign snapshots.
//!
//! <https://www.rfc-editor.org/rfc/rfc7517>. A key has one algorithm, by its kind: what a token says
//! of its own signature is only compared with that.
//!
//! | `kty` | `crv`     | algorithm | has to have                              |
//! |-------|-----------|-----------|------------------------------------------|
//! | `RSA` |           | RS256     | `n` of 2,048 to 8,192 bits, `e`          |
//! | `EC`  | `P-256`   | ES256     | `x` and `y` of 32 bytes                  |
//! | `OKP` | `Ed25519` | EdDSA     | `x` of 32 bytes; to sign also `d`, of 32 |

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::Algorithm;
use crate::json;

/// The bits of a modulus: no shorter one is safe (RFC 7518, section 3.3), no longer one is used, and
/// it would take long.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;

/// The bytes of a coordinate, and of an Ed25519 key.
const COORDINATE_LEN: usize = 32;

/// What makes a key of any kind, in the order of a thumbprint.
const THUMBPRINT_MEMBERS: [&str; 6] = ["crv", "e", "kty", "n", "x", "y"];

/// A key that checks signatures.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicKey {
    /// The one thing that it is for.
    pub algorithm: Algorithm,
    /// Its name, if it has one.
    pub kid: Option<String>,
    /// The members that make it, and no others.
    members: Map<String, Value>,
}

/// A key that signs snapshots: Ed25519.
#[derive(Clone, Eq, PartialEq)]
pub struct SigningKey {
    /// What checks its signatures.
    pub public: PublicKey,
    kid: Box<str>,
    /// None for one that is only shown: the next one, or the last one.
    secret: Option<Box<str>>,
}

impl PublicKey {
    /// The key that a JWK is, if it is one that checks signatures in a way that is taken here.
    #[must_use]
    pub fn from_jwk(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let bytes = |name| BASE64_URL_SAFE_NO_PAD.decode(text(name)?).ok();
        let coordinate = |name| bytes(name).is_some_and(|bytes| bytes.len() == COORDINATE_LEN);
        let (algorithm, needed): (_, &[&str]) = match (text("kty")?, text("crv")) {
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
        let alike = |name: &str, wanted: &str| match jwk.get(name) {
            None => true,
            Some(value) => value == wanted,
        };
        // RFC 9864 gives the algorithm of Ed25519 a name of its own.
        let its = alike("alg", algorithm.name())
            || (algorithm == Algorithm::EdDsa && alike("alg", "Ed25519"));
        let operations = match jwk.get("key_ops") {
            None => true,
            Some(operations) => operations
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one == "verify" || one == "sign")),
        };
        if !its || !operations || !alike("use", "sig") {
            return None;
        }
        let mut members = Map::new();
        for name in ["kty"].iter().chain(needed) {
            members.insert((*name).to_owned(), jwk.get(*name)?.clone());
        }
        Some(Self { algorithm, kid: text("kid").map(str::to_owned), members })
    }

    /// The key as a JWK, with nothing in it but what makes it.
    #[must_use]
    pub fn to_jwk(&self) -> Value {
        Value::Object(self.members.clone())
    }

    /// Its name if it has none: <https://www.rfc-editor.org/rfc/rfc7638>.
    fn thumbprint(&self) -> String {
        let members =
            THUMBPRINT_MEMBERS.into_iter().filter_map(|name| self.members.get_key_value(name));
        let canonical: Map<_, _> =
            members.map(|(name, value)| (name.clone(), value.clone())).collect();
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(json::to_string(&Value::Object(canonical))))
    }
}

impl SigningKey {
    /// The key that a JWK is, if it is one of Ed25519. Without `d` it signs nothing.
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

    /// Its name.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Whether it can sign.
    #[must_use]
    pub fn can_sign(&self) -> bool {
        self.secret.is_some()
    }

    /// The private key as a JWK, for whoever signs with it and for nobody else.
    #[must_use]
    pub fn expose_private_jwk(&self) -> Option<Value> {
        let mut jwk = self.public.to_jwk();
        jwk.as_object_mut()?.insert("d".to_owned(), (**self.secret.as_ref()?).into());
        Some(jwk)
    }

    /// The key as everybody may see it.
    #[must_use]
    pub fn to_public_jwk(&self) -> Value {
        let mut jwk = self.public.to_jwk();
        let more = json!({ "alg": Algorithm::EdDsa.name(), "use": "sig", "kid": self.kid });
        if let (Some(jwk), Value::Object(more)) = (jwk.as_object_mut(), more) {
            jwk.extend(more);
        }
        jwk
    }
}

/// The bits of a number, from its first one that is set.
fn bit_length(number: &[u8]) -> usize {
    let mut bytes = number.iter().skip_while(|byte| **byte == 0);
    let Some(first) = bytes.next() else { return 0 };
    let partly = u8::BITS.saturating_sub(first.leading_zeros()) as usize;
    bytes.count().saturating_mul(8).saturating_add(partly)
}

/// Never the private part: what is debugged is logged.
impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    /// RFC 7638, section 3.1, and RFC 8037, appendix A.3: what else a key says of itself is no part
    /// of its thumbprint.
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
