//! What a token says: whose it is, from when and until when, by whom and for whom.
//!
//! The names are those of <https://www.rfc-editor.org/rfc/rfc7519#section-4.1>. Claims are looked at
//! after the signature; that it was looked at is the caller's word.

use serde_json::{Map, Value};

use super::{Error, Jws, LEEWAY};
use crate::id::{CustomerId, CustomerKey, Livemode, Timestamp};

/// What a token that opens something has to say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validation<'a> {
    /// Who made it; whoever did, if none is named: it is we then.
    pub issuer: Option<&'a str>,
    /// For whom: one of these. None at all is for a token that says none.
    pub audiences: &'a [&'a str],
    /// Where the customer stands: a claim by its name, or a way through maps, with dots.
    pub customer_claim: &'a str,
    /// The mode of those customers; the token's own `livemode` if none is given.
    pub livemode: Option<Livemode>,
}

/// What a token says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claims(Map<String, Value>);

/// Who a token is for, and until when it says so.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenSubject {
    /// The one customer that it opens.
    pub customer: CustomerKey,
    /// The moment from which it opens nothing any more, leeway included.
    pub expires_at: Timestamp,
}

impl Claims {
    /// Reads what a token says.
    ///
    /// # Errors
    ///
    /// When that is no JSON object, or says something twice.
    pub fn from_jws(token: &Jws<'_>) -> Result<Self, Error> {
        token.parse_claims().map(Self)
    }

    /// Whose the token is.
    ///
    /// # Errors
    ///
    /// When it is not what is expected, or not now.
    pub fn validate(
        &self,
        expected: &Validation<'_>,
        now: Timestamp,
    ) -> Result<TokenSubject, Error> {
        let until = self.check_time(now)?;
        if let Some(issuer) = expected.issuer
            && self.string_claim("iss")?.ok_or(Error::MissingClaim("iss"))? != issuer
        {
            return Err(Error::InvalidIssuer);
        }
        self.check_audience(expected.audiences)?;
        let id = self.claim_at_path(expected.customer_claim).and_then(Value::as_str);
        let id = id.ok_or_else(|| Error::MissingCustomer(expected.customer_claim.to_owned()))?;
        let id = CustomerId::try_from(id).map_err(Error::InvalidCustomer)?;
        let livemode = match (expected.livemode, self.0.get("livemode")) {
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
        Ok(TokenSubject { customer: CustomerKey { livemode, id }, expires_at: until })
    }

    /// The end of its time, if now is within it.
    fn check_time(&self, now: Timestamp) -> Result<Timestamp, Error> {
        let expired = self.numeric_date("exp")?.ok_or(Error::MissingClaim("exp"))?;
        let until = Timestamp(expired.0.saturating_add(LEEWAY));
        if now >= until {
            return Err(Error::Expired { expired, now });
        }
        for claim in ["nbf", "iat"] {
            if let Some(from) = self.numeric_date(claim)?
                && now.0 < from.0.saturating_sub(LEEWAY)
            {
                return Err(Error::NotYetValid { from, now });
            }
        }
        Ok(until)
    }

    fn check_audience(&self, audiences: &[&str]) -> Result<(), Error> {
        let problem = "neither a text nor a list of texts";
        let failed = Error::InvalidClaim { claim: "aud", problem };
        let named = match self.0.get("aud") {
            None if audiences.is_empty() => return Ok(()),
            None => return Err(Error::MissingClaim("aud")),
            Some(Value::String(audience)) => vec![audience.as_str()],
            Some(Value::Array(items)) => {
                let texts: Option<Vec<_>> = items.iter().map(Value::as_str).collect();
                texts.ok_or(failed)?
            }
            Some(_) => return Err(failed),
        };
        let ours = named.iter().any(|named| audiences.contains(named));
        if ours { Ok(()) } else { Err(Error::InvalidAudience) }
    }

    /// A moment: RFC 7519 allows parts of a second, which are dropped.
    fn numeric_date(&self, claim: &'static str) -> Result<Option<Timestamp>, Error> {
        let Some(value) = self.0.get(claim) else { return Ok(None) };
        let whole = value.as_i64();
        #[expect(clippy::cast_possible_truncation, reason = "a float saturates as an integer")]
        let second = whole.or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64));
        let second =
            second.ok_or(Error::InvalidClaim { claim, problem: "no moment in Unix seconds" })?;
        Ok(Some(Timestamp(second)))
    }

    fn string_claim(&self, claim: &'static str) -> Result<Option<&str>, Error> {
        match self.0.get(claim) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Error::InvalidClaim { claim, problem: "no text" }),
        }
    }

    /// A claim by its name, which may have dots in it, or else by the way to it.
    fn claim_at_path(&self, path: &str) -> Option<&Value> {
        if let Some(value) = self.0.get(path) {
            return Some(value);
        }
        let mut steps = path.split('.');
        let first = self.0.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.get(step))
    }
}
