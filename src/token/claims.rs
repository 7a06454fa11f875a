//! The claims of a token: customer, issuer, audience and time.
//!
//! The claims' names are those of <https://www.rfc-editor.org/rfc/rfc7519#section-4.1>. This module
//! does not verify signatures: the caller does that first.

use serde_json::{Map, Value};

use super::{error::Error, jws::Jws};
use crate::id::{CustomerId, CustomerKey, Livemode, Timestamp};

/// The accepted difference between the clock that signed a token and ours, in seconds.
pub const LEEWAY: i64 = 60;

/// What a token must claim to be accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validation<'a> {
    /// The required `iss`. `None` accepts any, for our own tokens.
    pub issuer: Option<&'a str>,
    /// The accepted audiences: `aud` must include one. If empty, the token must have no `aud`.
    pub audiences: &'a [&'a str],
    /// The claim with the customer's id: a name, or a path through objects, separated by dots. Names
    /// may contain dots too.
    pub customer_claim: &'a str,
    /// The mode of the customers. `None` uses the claim `livemode`.
    pub livemode: Option<Livemode>,
    /// How long a token is accepted after its `exp`, in seconds.
    pub expiry_leeway: i64,
}

/// The result of a validation: the customer of a token, and when the token expires.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenSubject {
    /// The only customer that the token gives access to.
    pub customer: CustomerKey,
    /// The claim `iat`, if there is one.
    pub issued_at: Option<Timestamp>,
    /// The claim `exp`.
    pub expires_at: Timestamp,
    /// Until when the token is accepted: its `exp`, and the leeway.
    pub accepted_until: Timestamp,
}

/// Validates the claims of a token and returns the customer. Strings in other claims need not be
/// Unicode.
///
/// # Errors
///
/// If the claims are not a JSON object or have a duplicate member. Else names the first claim that is
/// missing, malformed or not accepted.
pub fn validate(
    token: &Jws<'_>,
    validation: &Validation<'_>,
    now: Timestamp,
) -> Result<TokenSubject, Error> {
    let unicode_at = ["iss", "aud", validation.customer_claim];
    Claims(token.parse_claims(&unicode_at)?).validate(validation, now)
}

/// The decoded claims of a token.
struct Claims(Map<String, Value>);

impl Claims {
    fn validate(&self, validation: &Validation<'_>, now: Timestamp) -> Result<TokenSubject, Error> {
        let (expires_at, accepted_until) = self.check_time(validation.expiry_leeway, now)?;
        if let Some(issuer) = validation.issuer
            && self.string_claim("iss")?.ok_or(Error::MissingClaim("iss"))? != issuer
        {
            return Err(Error::InvalidIssuer);
        }
        self.check_audience(validation.audiences)?;
        let id = claim_at_path(&self.0, validation.customer_claim).and_then(Value::as_str);
        let id = id.ok_or_else(|| Error::MissingCustomer(validation.customer_claim.to_owned()))?;
        let id = CustomerId::try_from(id).map_err(Error::InvalidCustomer)?;
        let livemode = match (validation.livemode, self.0.get("livemode")) {
            (Some(livemode), _) => livemode,
            (None, Some(Value::Bool(livemode))) => Livemode::from(*livemode),
            (None, None) => return Err(Error::MissingClaim("livemode")),
            (None, Some(_)) => {
                return Err(Error::InvalidClaim {
                    claim: "livemode",
                    problem: "neither true nor false",
                });
            }
        };
        Ok(TokenSubject {
            customer: CustomerKey { livemode, id },
            issued_at: self.numeric_date("iat")?,
            expires_at,
            accepted_until,
        })
    }

    /// Checks `exp`, `nbf` and `iat`. Returns `exp`, and until when the token is accepted.
    ///
    /// Any token may begin a little later than now: another machine signed it, also one of ours.
    fn check_time(
        &self,
        expiry_leeway: i64,
        now: Timestamp,
    ) -> Result<(Timestamp, Timestamp), Error> {
        let expires_at = self.numeric_date("exp")?.ok_or(Error::MissingClaim("exp"))?;
        let accepted_until = expires_at.saturating_add(expiry_leeway);
        if now >= accepted_until {
            return Err(Error::Expired { expired: expires_at, now });
        }
        for claim in ["nbf", "iat"] {
            if let Some(from) = self.numeric_date(claim)?
                && now < from.saturating_sub(LEEWAY)
            {
                return Err(Error::NotYetValid { from, now });
            }
        }
        Ok((expires_at, accepted_until))
    }

    fn check_audience(&self, audiences: &[&str]) -> Result<(), Error> {
        let problem = "neither a string nor a list of strings";
        let invalid = Error::InvalidClaim { claim: "aud", problem };
        let claimed = match self.0.get("aud") {
            None if audiences.is_empty() => return Ok(()),
            None => return Err(Error::MissingClaim("aud")),
            Some(Value::String(audience)) => vec![audience.as_str()],
            Some(Value::Array(items)) => {
                let strings: Option<Vec<_>> = items.iter().map(Value::as_str).collect();
                strings.ok_or(invalid)?
            }
            Some(_) => return Err(invalid),
        };
        let matches = claimed.iter().any(|audience| audiences.contains(audience));
        if matches { Ok(()) } else { Err(Error::InvalidAudience) }
    }

    /// Returns a claim that is a timestamp. RFC 7519 allows fractions of a second; they are dropped.
    fn numeric_date(&self, claim: &'static str) -> Result<Option<Timestamp>, Error> {
        let Some(value) = self.0.get(claim) else { return Ok(None) };
        let integer = value.as_i64();
        #[expect(clippy::cast_possible_truncation, reason = "a float saturates as an integer")]
        let seconds = integer.or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64));
        let problem = "not a timestamp in Unix seconds";
        Ok(Some(Timestamp(seconds.ok_or(Error::InvalidClaim { claim, problem })?)))
    }

    fn string_claim(&self, claim: &'static str) -> Result<Option<&str>, Error> {
        match self.0.get(claim) {
            None => Ok(None),
            Some(Value::String(string)) => Ok(Some(string)),
            Some(_) => Err(Error::InvalidClaim { claim, problem: "not a string" }),
        }
    }
}

/// Returns the claim at a path. A name may contain dots, as the URL of a namespace does. If several
/// claims match, the one with the longest first name is used.
fn claim_at_path<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    path.rmatch_indices('.').find_map(|(index, _)| {
        let (name, rest) = path.split_at_checked(index)?;
        claim_at_path(claims.get(name)?.as_object()?, rest.strip_prefix('.')?)
    })
}
