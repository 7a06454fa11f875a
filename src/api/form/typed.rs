//! Parameters of Stripe's types: bounded strings, times and their ranges, maps, and metadata.
//!
//! These extend [`Params`], which parses forms and JSON bodies. Every error names the parameter, as
//! Stripe's do. Not here: what only the catalog takes.

use super::{
    OneOrMany, ParamValue, Params, has_json_body, reject_unmarked_json,
    value::{is_all_digits, strings_in_order},
};
use crate::{
    api::{app::Request, error::Error},
    id::Timestamp,
    metadata::MetadataPatch,
};

/// The most characters of a too long string that an error repeats.
const MAX_QUOTED_LEN: usize = 60;

/// The latest timestamp accepted: the end of the year 9999.
const MAX_TIMESTAMP: u64 = 253_402_300_799;

/// A range of times, both ends included.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(in crate::api) struct TimestampRange {
    pub(in crate::api) first: Option<Timestamp>,
    pub(in crate::api) last: Option<Timestamp>,
}

impl Params {
    /// Reads the parameters of a request's body and query string.
    pub(in crate::api) fn from_body_and_query(request: &Request) -> Result<Self, Error> {
        let query = request.uri().query().unwrap_or_default();
        if request.body().is_empty() {
            return Self::from_query(request);
        }
        if has_json_body(request) {
            let mut params = Self::from_json(request.body())?;
            params.remaining.extend(Self::from_query(request)?.remaining);
            return Ok(params);
        }
        reject_unmarked_json(request)?;
        Self::from_form(&[query.as_bytes(), request.body()].join(&b'&'))
    }

    /// Takes a string of at most `limit` characters, which can be empty.
    pub(in crate::api) fn bounded_string(
        &mut self,
        name: &str,
        limit: usize,
    ) -> Result<Option<String>, Error> {
        let Some(value) = self.take_string(name)? else { return Ok(None) };
        if value.chars().count() > limit {
            let prefix: String = value.chars().take(MAX_QUOTED_LEN).collect();
            return Err(Error::parameter(
                self.qualified(name),
                "parameter_invalid",
                format!("Invalid string: {prefix}…; must be at most {limit} characters"),
            ));
        }
        Ok(Some(value))
    }

    /// Takes a string that is not empty.
    pub(in crate::api) fn non_empty(
        &mut self,
        name: &str,
        limit: usize,
    ) -> Result<Option<String>, Error> {
        let value = self.bounded_string(name, limit)?;
        if value.as_deref() == Some("") {
            let name = self.qualified(name);
            let message = format!(
                "You passed an empty string for '{name}'. We assume empty values are an attempt to \
                 unset a parameter; however '{name}' cannot be unset. You should remove '{name}' from \
                 your request or supply a non-empty value."
            );
            return Err(Error::parameter(name, "parameter_invalid_empty", message));
        }
        Ok(value)
    }

    /// Takes a required string that is not empty.
    pub(in crate::api) fn required_non_empty(
        &mut self,
        name: &str,
        limit: usize,
    ) -> Result<String, Error> {
        self.non_empty(name, limit)?.ok_or_else(|| self.missing(name))
    }

    /// Takes a required string.
    pub(in crate::api) fn take_required_string(&mut self, name: &str) -> Result<String, Error> {
        self.take_string(name)?.ok_or_else(|| self.missing(name))
    }

    /// Takes a required string or list of strings.
    pub(in crate::api) fn take_one_or_many(&mut self, name: &str) -> Result<OneOrMany, Error> {
        match self.take_value(name) {
            None => Err(self.missing(name)),
            Some(ParamValue::String(value)) => Ok(OneOrMany::One(value)),
            Some(ParamValue::Nested(items)) => strings_in_order(items)
                .map(OneOrMany::Many)
                .ok_or_else(|| self.type_error(name, "a single value or an array of them", "map")),
        }
    }

    /// Takes a timestamp.
    pub(in crate::api) fn timestamp(&mut self, name: &str) -> Result<Option<Timestamp>, Error> {
        let Some(value) = self.take_string(name)? else { return Ok(None) };
        self.parse_timestamp(name, &value).map(Some)
    }

    /// Parses a value of a parameter as a timestamp.
    pub(in crate::api) fn parse_timestamp(
        &self,
        name: &str,
        value: &str,
    ) -> Result<Timestamp, Error> {
        let seconds = self.parse_integer(name, value, 0..=MAX_TIMESTAMP)?;
        Ok(Timestamp(i64::try_from(seconds).unwrap_or(i64::MAX)))
    }

    /// Takes a map.
    pub(in crate::api) fn object(&mut self, name: &str) -> Result<Option<Self>, Error> {
        match self.take_value(name) {
            None => Ok(None),
            Some(ParamValue::Nested(remaining)) => {
                Ok(Some(Self::new(self.qualified(name), remaining)))
            }
            Some(ParamValue::String(value)) if value.is_empty() => Ok(None),
            Some(ParamValue::String(_)) => Err(self.type_error(name, "a map", "single value")),
        }
    }

    /// Takes `metadata`.
    pub(in crate::api) fn metadata(&mut self) -> Result<MetadataPatch, Error> {
        match self.take_value("metadata") {
            None => Ok(MetadataPatch::Keep),
            Some(ParamValue::String(value)) if value.is_empty() => Ok(MetadataPatch::Clear),
            Some(ParamValue::String(_)) => {
                Err(self.type_error("metadata", "a map", "single value"))
            }
            Some(ParamValue::Nested(entries)) => {
                let entries = entries.into_iter().map(|(key, value)| match value {
                    ParamValue::String(value) => Ok((key, value)),
                    ParamValue::Nested(_) => {
                        let name = format!("metadata[{key}]");
                        Err(self.type_error(&name, "a single value", "list or map"))
                    }
                });
                entries.collect::<Result<_, _>>().map(MetadataPatch::Set)
            }
        }
    }

    /// Takes a timestamp, or a range: `gt`, `gte`, `lt`, `lte`.
    pub(in crate::api) fn timestamp_range(&mut self, name: &str) -> Result<TimestampRange, Error> {
        if matches!(
            self.remaining.iter().find(|(param, _)| param == name),
            Some((_, ParamValue::String(_)))
        ) {
            let time = self.bound(name)?;
            return Ok(TimestampRange { first: time, last: time });
        }
        let Some(mut bounds) = self.object(name)? else { return Ok(TimestampRange::default()) };
        let after = bounds.bound("gt")?.map(|time| time.saturating_add(1));
        let first = after.max(bounds.bound("gte")?);
        let before = bounds.bound("lt")?.map(|time| time.saturating_sub(1));
        let last = [before, bounds.bound("lte")?];
        bounds.reject_unknown()?;
        Ok(TimestampRange { first, last: last.into_iter().flatten().min() })
    }

    /// Takes a bound of a range of timestamps: any integer. A bound that no timestamp can reach
    /// becomes the nearest one that no timestamp can reach.
    fn bound(&mut self, name: &str) -> Result<Option<Timestamp>, Error> {
        const BEYOND_LAST: i64 = MAX_TIMESTAMP.cast_signed() + 1;
        let Some(value) = self.take_string(name)? else { return Ok(None) };
        let (is_negative, digits) = match value.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, value.as_str()),
        };
        if !is_all_digits(digits) {
            return Err(self.invalid_integer(name, &value));
        }
        // Only an integer that is too large for the type cannot be parsed.
        let magnitude: u64 = digits.parse().unwrap_or(u64::MAX);
        let bound = i64::try_from(magnitude).unwrap_or(i64::MAX);
        let bound = if is_negative { bound.saturating_neg() } else { bound };
        Ok(Some(Timestamp(bound.clamp(-1, BEYOND_LAST))))
    }
}
