//! Parameters of the catalog: ids, addresses, lists, pages, and members that are only stored.
//!
//! These extend [`Params`]; types that other routes use too are in `form::typed`. Every error names the
//! parameter, as Stripe's do.

use serde_json::{Map, Value as Json};

use super::super::{
    error::Error,
    form::{self, ParamValue, Params, TimestampRange},
    page,
};
use crate::{
    catalog::page::{CreatedRange, ListQuery},
    id::CustomerId,
};

/// The most characters of a string for which Stripe documents no limit.
pub(super) const MAX_STRING_LEN: usize = 5_000;

/// The most characters of an id that the client chooses: the limit of customer ids at the edge.
const MAX_ID_LEN: usize = CustomerId::MAX_LEN;

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
        let TimestampRange { first, last } = self.timestamp_range("created")?;
        Ok(ListQuery { page, created: CreatedRange { first, last } })
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
