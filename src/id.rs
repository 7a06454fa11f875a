//! What names things: ids, lookup keys, moments and the two modes.
//!
//! Text from outside becomes one of these types at the edge and stays one inward, so that a lookup
//! key can never stand where a customer is meant. Nothing here knows what the things are.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::json::{Decoder, FromJson, impl_from_json};

use crate::json::scan;

/// Why a text cannot be an id or a key.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing was given.
    #[error("an empty text")]
    Empty,
    /// More bytes of UTF-8 than such a name may have.
    #[error("longer than {limit} bytes")]
    TooLong {
        /// The most bytes it may have.
        limit: usize,
    },
    /// A line break, a NUL or another control character.
    #[error("a text with control characters")]
    ControlCharacter,
}

/// Defines a name: a non-empty text of at most so many bytes, without control characters.
macro_rules! bounded_string {
    ($(#[$doc:meta])* $name:ident, $limit:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The most bytes of UTF-8 that it may have.
            pub const MAX_LEN: usize = $limit;

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromJson for $name {
            fn from_json(value: Value, decoder: &mut Decoder) -> Self {
                let text = String::from_json(value, decoder);
                if validate(&text, Self::MAX_LEN).is_err() {
                    decoder.mark_invalid();
                }
                Self(text.into())
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Error;

            fn try_from(text: &str) -> Result<Self, Error> {
                validate(text, Self::MAX_LEN).map(|text| Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                validate(&text, Self::MAX_LEN)?;
                Ok(Self(text.into()))
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

bounded_string! {
    /// A customer, `cus_…` at Stripe. KV's keys end at 512 bytes, the mode included.
    CustomerId, 255
}
bounded_string! {
    /// The name that a product's code uses for a feature. Stripe writes 80 characters and says that
    /// it may answer 5,000, which are at most 20,000 bytes.
    LookupKey, 20_000
}
bounded_string! {
    /// A feature, `feat_…` at Stripe.
    FeatureId, 255
}
bounded_string! {
    /// An active entitlement, `ent_…` at Stripe: the cursor of a list, but no stable name of a
    /// grant, since an upgrade gives the same feature another one.
    EntitlementId, 255
}
bounded_string! {
    /// An event, `evt_…` at Stripe.
    EventId, 255
}

fn validate(text: &str, limit: usize) -> Result<&str, Error> {
    if text.is_empty() {
        return Err(Error::Empty);
    }
    if text.len() > limit {
        return Err(Error::TooLong { limit });
    }
    if !scan::needs_no_escape(text.as_bytes()) && text.chars().any(char::is_control) {
        return Err(Error::ControlCharacter);
    }
    Ok(text)
}

/// An entry of the journal, `act_…`: they are counted, from 1 on.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct ActivityId(pub u64);

impl_from_json! { struct ActivityId(u64) }

impl ActivityId {
    /// The entry of this id, or none if no entry can have it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let id = Self(text.strip_prefix("act_")?.parse().ok()?);
        // Neither a sign nor zeros in front: an entry has one id.
        (id.0 > 0 && id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for ActivityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "act_{}", self.0)
    }
}

/// A moment, in whole seconds since 1970-01-01T00:00:00Z, as Stripe counts.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl_from_json! { struct Timestamp(i64) }

impl Timestamp {
    /// The timestamp so many seconds later.
    #[must_use]
    pub fn saturating_add(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A moment, in milliseconds since 1970-01-01T00:00:00Z, as alarms count.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct UnixMillis(pub u64);

impl_from_json! { struct UnixMillis(u64) }

impl UnixMillis {
    /// The moment so many milliseconds later.
    #[must_use]
    pub fn saturating_add(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// The second that it is in.
    #[must_use]
    pub fn to_timestamp(self) -> Timestamp {
        Timestamp(i64::try_from(self.0 / 1_000).unwrap_or(i64::MAX))
    }
}

impl From<Timestamp> for UnixMillis {
    fn from(second: Timestamp) -> Self {
        Self(u64::try_from(second.0).unwrap_or(0).saturating_mul(1_000))
    }
}

/// Which of Stripe's two worlds a thing belongs to. They never mix.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(from = "bool", into = "bool")]
pub enum Livemode {
    /// Test data: `"livemode": false`.
    Test,
    /// Real customers: `"livemode": true`.
    Live,
}

impl Livemode {
    /// What the key of every customer of this mode begins with.
    #[must_use]
    pub fn key_prefix(self) -> &'static str {
        match self {
            Self::Test => "test:",
            Self::Live => "live:",
        }
    }
}

impl FromJson for Livemode {
    fn from_json(value: Value, reader: &mut Decoder) -> Self {
        bool::from_json(value, reader).into()
    }
}

impl From<bool> for Livemode {
    fn from(livemode: bool) -> Self {
        if livemode { Self::Live } else { Self::Test }
    }
}

impl From<Livemode> for bool {
    fn from(livemode: Livemode) -> Self {
        livemode == Livemode::Live
    }
}

/// One customer in one mode: what a ledger, a replica key and a check are about.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize)]
pub struct CustomerKey {
    /// The mode in which the customer exists.
    pub livemode: Livemode,
    /// The customer's id within that mode.
    pub id: CustomerId,
}

impl_from_json! { struct CustomerKey { livemode, id } }

impl CustomerKey {
    /// The key of this customer in every store: `test:cus_…` or `live:cus_…`.
    #[must_use]
    pub fn to_key(&self) -> String {
        format!("{}{}", self.livemode.key_prefix(), self.id)
    }

    /// The customer whose key this is.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        let (livemode, id) = [Livemode::Test, Livemode::Live]
            .into_iter()
            .find_map(|mode| Some((mode, key.strip_prefix(mode.key_prefix())?)))?;
        Some(Self { livemode, id: CustomerId::try_from(id).ok()? })
    }
}
