//! Parameters of Stripe's types: strings, times, maps, metadata, lists and pages.
//!
//! These extend [`Params`], which parses forms and JSON bodies. Every error names the parameter, as
//! Stripe's do.

use serde_json::{Map, Value as Json};

use super::super::{
    app::Request,
    error::Error,
    form::{self, ParamValue, Params},
    page,
};
use crate::{
    catalog::{
        objects::metadata::MetadataPatch,
        page::{CreatedRange, ListQuery},
    },
    id::{CustomerId, Timestamp},
};

/// The most characters of a string for which Stripe documents no limit.
pub(super) const MAX_STRING_LEN: usize = 5_000;

/// The most characters of an id that the client chooses: the limit of customer ids at the edge.
const MAX_ID_LEN: usize = CustomerId::MAX_LEN;

/// The most characters of a too long string that an error repeats.
const MAX_QUOTED_LEN: usize = 60;

/// The latest timestamp accepted: the end of the year 9999.
const MAX_TIMESTAMP: u64 = 253_402_300_799;

/// A member that is stored only to be returned.
#[derive(Clone, Copy, Debug)]
pub(super) enum Passthrough {
    String(&'static str),
    Bool(&'static str),
    List(&'static str),
    /// A postal address.
    Address(&'static str),
    /// An address with a name and a phone number.
    Shipping(&'static str),
}

/// The members of an address. All of them are rendered.
const ADDRESS_MEMBERS: [&str; 6] = ["city", "country", "line1", "line2", "postal_code", "state"];

/// The members of `shipping`. All of them are rendered.
const SHIPPING_MEMBERS: [&str; 5] = ["address", "carrier", "name", "phone", "tracking_number"];

impl Params {
    /// Reads the parameters of a request's body and query string.
    pub(super) fn from_body_and_query(request: &Request) -> Result<Self, Error> {
        let query = request.uri().query().unwrap_or_default();
        if request.body().is_empty() {
            return Self::from_query(request);
        }
        if form::has_json_body(request) {
            let mut params = Self::from_json(request.body())?;
            params.remaining.extend(Self::from_query(request)?.remaining);
            return Ok(params);
        }
        form::reject_unmarked_json(request)?;
        Self::from_form(&[query.as_bytes(), request.body()].join(&b'&'))
    }

    /// Takes a string of at most `limit` characters, which can be empty.
    pub(super) fn bounded_string(
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
    pub(super) fn non_empty(&mut self, name: &str, limit: usize) -> Result<Option<String>, Error> {
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
    pub(super) fn required_non_empty(&mut self, name: &str, limit: usize) -> Result<String, Error> {
        self.non_empty(name, limit)?.ok_or_else(|| self.missing(name))
    }

    /// Takes an id that the client chooses.
    pub(super) fn client_id(&mut self) -> Result<Option<String>, Error> {
        let id = self.non_empty("id", MAX_ID_LEN)?;
        let is_valid = |id: &String| id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
        if id.as_ref().is_some_and(|id| !is_valid(id)) {
            return Err(Error::parameter(
                self.qualified("id"),
                "parameter_invalid",
                "An id has letters, digits and marks, and no `/`, blank or accent.",
            ));
        }
        if id.as_deref() == Some("search") {
            return Err(Error::parameter(
                self.qualified("id"),
                "parameter_invalid",
                "The id `search` is the name of a route. Choose another one.",
            ));
        }
        Ok(id)
    }

    /// Takes a bool.
    pub(super) fn optional_bool(&mut self, name: &str) -> Result<Option<bool>, Error> {
        if self.remaining.iter().all(|(param, _)| param != name) {
            return Ok(None);
        }
        self.take_flag(name).map(Some)
    }

    /// Whether a parameter has this value.
    pub(super) fn has_value(&self, name: &str, value: &str) -> bool {
        let is_equal =
            |param: &ParamValue| matches!(param, ParamValue::String(string) if string == value);
        self.remaining.iter().any(|(param, value)| param == name && is_equal(value))
    }

    /// Takes a timestamp.
    pub(super) fn timestamp(&mut self, name: &str) -> Result<Option<Timestamp>, Error> {
        let time = self.take_integer(name, 0..=MAX_TIMESTAMP)?;
        Ok(time.and_then(|time| i64::try_from(time).ok()).map(Timestamp))
    }

    /// Takes a map.
    pub(super) fn object(&mut self, name: &str) -> Result<Option<Self>, Error> {
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
    pub(super) fn metadata(&mut self) -> Result<MetadataPatch, Error> {
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

    /// Takes members that are stored only to be returned. An empty value becomes `null`.
    pub(super) fn passthrough(
        &mut self,
        members: &[Passthrough],
    ) -> Result<Map<String, Json>, Error> {
        let mut result = Map::new();
        for member in members {
            let (name, value) = match *member {
                Passthrough::String(name) => (name, self.nullable_string(name)?),
                Passthrough::Bool(name) => (name, self.optional_bool(name)?.map(Json::from)),
                Passthrough::List(name) => (name, self.json_list(name)?),
                Passthrough::Address(name) => (name, self.address(name, &ADDRESS_MEMBERS)?),
                Passthrough::Shipping(name) => (name, self.address(name, &SHIPPING_MEMBERS)?),
            };
            result.extend(value.map(|value| (name.to_owned(), value)));
        }
        Ok(result)
    }

    fn json_list(&mut self, name: &str) -> Result<Option<Json>, Error> {
        let items = match self.take_value(name) {
            None => return Ok(None),
            Some(ParamValue::String(value)) if value.is_empty() => Vec::new(),
            Some(ParamValue::String(_)) => {
                return Err(self.type_error(name, "an array", "single value"));
            }
            Some(ParamValue::Nested(items)) => form::in_index_order(items)
                .ok_or_else(|| self.type_error(name, "an array", "map"))?,
        };
        Ok(Some(items.into_iter().map(to_json).collect()))
    }

    /// Takes a string as JSON. An empty one becomes `null`.
    fn nullable_string(&mut self, name: &str) -> Result<Option<Json>, Error> {
        let value = self.bounded_string(name, MAX_STRING_LEN)?;
        Ok(value.map(|it| if it.is_empty() { Json::Null } else { it.into() }))
    }

    /// Takes an address, or what has one, with all its members: strings, and `address`. Those that
    /// are absent become `null`; an empty value becomes `null`.
    fn address(&mut self, name: &str, names: &[&str]) -> Result<Option<Json>, Error> {
        let is_cleared = self.has_value(name, "");
        let Some(mut params) = self.object(name)? else {
            return Ok(is_cleared.then_some(Json::Null));
        };
        let mut members = Map::new();
        for name in names {
            let value = match *name {
                "address" => params.address(name, &ADDRESS_MEMBERS)?,
                name => params.nullable_string(name)?,
            };
            members.insert((*name).to_owned(), value.unwrap_or_default());
        }
        params.reject_unknown()?;
        Ok(Some(Json::Object(members)))
    }

    /// Gives a parameter another name.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        for (name, _) in self.remaining.iter_mut().filter(|(name, _)| name == from) {
            to.clone_into(name);
        }
    }

    /// Takes parameters and ignores them.
    pub(super) fn ignore(&mut self, names: &[&str]) {
        for name in names {
            self.take_value(name);
        }
    }

    /// Takes the parameters of a page.
    pub(super) fn list_query(&mut self) -> Result<ListQuery, Error> {
        Ok(ListQuery { page: page::take_page(self)?, created: CreatedRange::default() })
    }

    /// Takes the parameters of a page, and the range `created`.
    pub(super) fn list_query_with_created(&mut self) -> Result<ListQuery, Error> {
        let ListQuery { page, .. } = self.list_query()?;
        Ok(ListQuery { page, created: self.timestamp_range("created")? })
    }

    /// Takes a timestamp, or a range: `gt`, `gte`, `lt`, `lte`.
    pub(super) fn timestamp_range(&mut self, name: &str) -> Result<CreatedRange, Error> {
        if matches!(
            self.remaining.iter().find(|(param, _)| param == name),
            Some((_, ParamValue::String(_)))
        ) {
            let time = self.bound(name)?;
            return Ok(CreatedRange { first: time, last: time });
        }
        let Some(mut bounds) = self.object(name)? else { return Ok(CreatedRange::default()) };
        let after = bounds.bound("gt")?.map(|time| time.saturating_add(1));
        let first = after.max(bounds.bound("gte")?);
        let before = bounds.bound("lt")?.map(|time| time.saturating_sub(1));
        let last = [before, bounds.bound("lte")?];
        bounds.reject_unknown()?;
        Ok(CreatedRange { first, last: last.into_iter().flatten().min() })
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
        if !form::is_all_digits(digits) {
            return Err(self.invalid_integer(name, &value));
        }
        // Only an integer that is too large for the type cannot be parsed.
        let magnitude: u64 = digits.parse().unwrap_or(u64::MAX);
        let bound = i64::try_from(magnitude).unwrap_or(i64::MAX);
        let bound = if is_negative { bound.saturating_neg() } else { bound };
        Ok(Some(Timestamp(bound.clamp(-1, BEYOND_LAST))))
    }
}

fn to_json(value: ParamValue) -> Json {
    match value {
        ParamValue::String(string) if string.is_empty() => Json::Null,
        ParamValue::String(string) => Json::String(string),
        ParamValue::Nested(items) => {
            let members = items.into_iter().map(|(name, item)| (name, to_json(item)));
            Json::Object(members.collect())
        }
    }
}
