//! Identifiers and time: ids, lookup keys, timestamps, and live or test mode.
//!
//! A string from outside is parsed into one of these types where it enters, and keeps that type
//! everywhere below. So a lookup key cannot be passed where a customer is expected. The objects that
//! the ids belong to are not here.

use std::fmt;

use serde::Serialize;

use crate::json::{Decoder, FromJson, JsonValue, json_type, scan};

/// Why a string is not a valid id or key.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The string is empty.
    #[error("an empty string")]
    Empty,
    /// The string has more bytes of UTF-8 than this type allows.
    #[error("longer than {limit} bytes")]
    TooLong {
        /// The maximum number of bytes.
        limit: usize,
    },
    /// The string has a line break, a NUL or another control character.
    #[error("a string with control characters")]
    ControlCharacter,
    /// The string has a character that a log or a page shows as nothing, or that reorders what it shows.
    #[error("a string with white space or invisible characters")]
    InvisibleCharacter,
}

/// The characters of Stripe's ids.
const ID_ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new id in the format of Stripe's: a prefix and `length` random characters. Fourteen characters are 83
/// bits, so that a collision among 10^12 ids is unlikely. `random` returns 64 unpredictable bits.
pub(crate) fn generate(prefix: &str, length: usize, random: impl Fn() -> u64) -> String {
    let mut id = prefix.to_owned();
    let end = prefix.len().saturating_add(length);
    while id.len() < end {
        let mut bits = random();
        // Ten characters use 59.5 of the 64 bits: the modulo bias is negligible.
        for _ in 0..10.min(end - id.len()) {
            let index = usize::try_from(bits % 62).unwrap_or_default();
            id.push(ID_ALPHABET.get(index).copied().map_or('0', char::from));
            bits /= 62;
        }
    }
    id
}

/// The path of a member that is not a valid id or key, and why it is not.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is {1}")]
pub struct InvalidMember(pub &'static str, pub Error);

/// Parses the id or key in a member of a JSON object.
pub(crate) fn parse_member<T: TryFrom<String, Error = Error>>(
    member: &'static str,
    string: String,
) -> Result<T, InvalidMember> {
    T::try_from(string).map_err(|error| InvalidMember(member, error))
}

/// Defines a string type: not empty, at most `$max_len` bytes, no control characters, and nothing that
/// the function `$validate` rejects.
macro_rules! bounded_string {
    ($(#[$doc:meta])* $name:ident, $max_len:literal, $validate:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        pub struct $name(Box<str>);

        impl $name {
            /// The maximum number of bytes of UTF-8.
            pub const MAX_LEN: usize = $max_len;

            /// The string itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        // By hand, since a string from outside is validated.
        impl FromJson for $name {
            fn from_json(value: JsonValue<'_>, decoder: &mut Decoder) -> Self {
                let string = String::from_json(value, decoder);
                if $validate(&string, Self::MAX_LEN).is_err() {
                    decoder.mark_invalid();
                }
                Self(string.into())
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Error;

            fn try_from(string: &str) -> Result<Self, Error> {
                $validate(string, Self::MAX_LEN).map(|valid| Self(valid.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(string: String) -> Result<Self, Error> {
                $validate(&string, Self::MAX_LEN)?;
                Ok(Self(string.into()))
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0.into()
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
    /// The id of a customer, `cus_…` at Stripe. Other systems use e-mail addresses or UUIDs, so any
    /// character is accepted that a reader of a log can see. A key in KV has at most 512 bytes, with
    /// the mode.
    CustomerId, 255, validate_customer_id
}
bounded_string! {
    /// The key of a feature in the application's code. Stripe accepts 80 characters and documents up
    /// to 5,000 in responses: at most 20,000 bytes.
    LookupKey, 20_000, validate
}
bounded_string! {
    /// The id of a feature, `feat_…` at Stripe.
    FeatureId, 255, validate
}
bounded_string! {
    /// The id of an active entitlement, `ent_…` at Stripe. It is the cursor of a list. It is not
    /// stable: an upgrade gives the entitlement to the same feature another id.
    EntitlementId, 255, validate
}
bounded_string! {
    /// The id of an event, `evt_…` at Stripe.
    EventId, 255, validate
}
bounded_string! {
    /// The id of an override, `ovr_…`.
    OverrideId, 255, validate
}

fn validate(string: &str, limit: usize) -> Result<&str, Error> {
    if string.is_empty() {
        return Err(Error::Empty);
    }
    if string.len() > limit {
        return Err(Error::TooLong { limit });
    }
    if !scan::needs_no_escape(string.as_bytes()) && string.chars().any(char::is_control) {
        return Err(Error::ControlCharacter);
    }
    Ok(string)
}

/// Validates a customer's id. Two ids that look the same, or a line of a log that shows them in another
/// order, would deceive an operator.
fn validate_customer_id(string: &str, limit: usize) -> Result<&str, Error> {
    validate(string, limit)?;
    if string.chars().any(|c| c.is_whitespace() || is_invisible(c)) {
        return Err(Error::InvisibleCharacter);
    }
    Ok(string)
}

/// Whether a character is shown as nothing: Unicode's `Default_Ignorable_Code_Point`, the marks of
/// annotations and the blank of Braille. <https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point>
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

json_type! {
    /// A Unix timestamp in whole seconds, as Stripe uses.
    #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
    pub struct Timestamp(pub i64);
}

impl Timestamp {
    /// The earliest timestamp.
    pub const MIN: Self = Self(i64::MIN);

    /// The timestamp so many seconds later.
    #[must_use]
    pub fn saturating_add(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// The timestamp so many seconds later, for a number that is never negative.
    #[must_use]
    pub fn saturating_add_unsigned(self, seconds: u64) -> Self {
        Self(self.0.saturating_add_unsigned(seconds))
    }

    /// The timestamp so many seconds earlier.
    #[must_use]
    pub fn saturating_sub(self, seconds: i64) -> Self {
        Self(self.0.saturating_sub(seconds))
    }

    /// The seconds since another timestamp, negative if it is later.
    #[must_use]
    pub fn seconds_since(self, other: Self) -> i64 {
        self.0.saturating_sub(other.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A timestamp as a message contains it: `2023-11-14 22:13:20 UTC`.
#[derive(Clone, Copy, Debug)]
pub struct Utc(pub Timestamp);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Timestamp(seconds)) = *self;
        let (year, month, day) = civil_from_days(seconds.div_euclid(SECONDS_PER_DAY));
        let second = seconds.rem_euclid(SECONDS_PER_DAY);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
    }
}

/// The seconds of a day.
pub const SECONDS_PER_DAY: i64 = 86_400;

/// The year, month and day of a number of days since 1970-01-01.
/// <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>
#[must_use]
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(719_468);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

json_type! {
    /// A Unix timestamp in milliseconds, as alarms use.
    #[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
    pub struct UnixMillis(pub u64);
}

impl UnixMillis {
    /// The timestamp so many milliseconds later.
    #[must_use]
    pub fn saturating_add(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// The timestamp so many milliseconds earlier.
    #[must_use]
    pub fn saturating_sub(self, millis: u64) -> Self {
        Self(self.0.saturating_sub(millis))
    }

    /// The milliseconds since another timestamp, 0 if it is later.
    #[must_use]
    pub fn millis_since(self, other: Self) -> u64 {
        self.0.saturating_sub(other.0)
    }

    /// The timestamp in whole seconds, rounded down.
    #[must_use]
    pub fn to_timestamp(self) -> Timestamp {
        Timestamp(i64::try_from(self.0 / 1_000).unwrap_or(i64::MAX))
    }
}

impl From<Timestamp> for UnixMillis {
    fn from(timestamp: Timestamp) -> Self {
        Self(u64::try_from(timestamp.0).unwrap_or(0).saturating_mul(1_000))
    }
}

/// Stripe's live or test mode. Data of one mode is never used in the other.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(into = "bool")]
pub enum Livemode {
    /// Test data: `"livemode": false`.
    Test,
    /// Real customers: `"livemode": true`.
    Live,
}

impl Livemode {
    /// The name of the mode.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Live => "live",
        }
    }

    /// The prefix of the storage keys of this mode.
    #[must_use]
    pub fn key_prefix(self) -> &'static str {
        match self {
            Self::Test => "test:",
            Self::Live => "live:",
        }
    }

    /// Splits a storage key into its mode and the part after the prefix.
    #[must_use]
    pub fn split_key(key: &str) -> Option<(Self, &str)> {
        let split = |mode: Self| Some((mode, key.strip_prefix(mode.key_prefix())?));
        split(Self::Test).or_else(|| split(Self::Live))
    }
}

// By hand, since a mode is a boolean in JSON.
impl FromJson for Livemode {
    fn from_json(value: JsonValue<'_>, decoder: &mut Decoder) -> Self {
        bool::from_json(value, decoder).into()
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

json_type! {
    /// One customer in one mode: the subject of a ledger, of a replica key and of a check.
    #[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize)]
    pub struct CustomerKey {
        /// The mode in which the customer exists.
        pub livemode: Livemode,
        /// The customer's id within that mode.
        pub id: CustomerId,
    }
}

impl CustomerKey {
    /// The storage key of this customer: `test:cus_…` or `live:cus_…`.
    #[must_use]
    pub fn to_key(&self) -> String {
        format!("{}{}", self.livemode.key_prefix(), self.id)
    }

    /// Parses a storage key.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        let (livemode, id) = Livemode::split_key(key)?;
        Some(Self { livemode, id: CustomerId::try_from(id).ok()? })
    }
}
