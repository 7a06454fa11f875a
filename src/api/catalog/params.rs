//! Parameters of the kinds that Stripe's objects have.

use serde_json::{Map, Value as Json};

use super::super::{
    app::Request,
    error::Error,
    form::{self, ParamValue, Params},
};
use crate::{
    catalog::{
        metadata::MetadataPatch,
        page::{CreatedRange, ListCursor, ListQuery},
    },
    id::{CustomerId, Timestamp},
};

/// The most characters of a text that Stripe says nothing else about.
pub(super) const MAX_STRING_LEN: usize = 5_000;

/// The most characters of an id of the caller's own making: those of a customer's id at the edge.
const MAX_ID_LEN: usize = CustomerId::MAX_LEN;

/// The characters of a text that is too long that an error repeats.
const MAX_QUOTED_LEN: usize = 60;

/// The latest second that is looked at: the end of the year 9999.
const MAX_TIMESTAMP: u64 = 253_402_300_799;

/// What is only kept to be shown again.
#[derive(Clone, Copy, Debug)]
pub(super) enum Passthrough {
    String(&'static str),
    Bool(&'static str),
    List(&'static str),
    Map(&'static str),
}

impl Params {
    /// Parameters of a request's body and of its query string, as one.
    pub(super) fn from_body_and_query(request: &Request) -> Result<Self, Error> {
        let query = request.uri().query().unwrap_or_default();
        if form::has_json_body(request) {
            let mut params = Self::from_json(request.body())?;
            params.remaining.extend(Self::from_query(request)?.remaining);
            return Ok(params);
        }
        Self::from_form(&[query.as_bytes(), request.body()].join(&b'&'))
    }

    /// Takes a text of at most so many characters, which may be empty.
    pub(super) fn bounded_string(
        &mut self,
        name: &str,
        limit: usize,
    ) -> Result<Option<String>, Error> {
        let Some(text) = self.take_string(name)? else { return Ok(None) };
        if text.chars().count() > limit {
            let head: String = text.chars().take(MAX_QUOTED_LEN).collect();
            return Err(Error::parameter(
                self.qualified(name),
                "parameter_invalid",
                format!("Invalid string: {head}…; must be at most {limit} characters"),
            ));
        }
        Ok(Some(text))
    }

    /// The same; an empty one is refused.
    pub(super) fn non_empty(&mut self, name: &str, limit: usize) -> Result<Option<String>, Error> {
        let text = self.bounded_string(name, limit)?;
        if text.as_deref() == Some("") {
            let name = self.qualified(name);
            let message = format!(
                "You passed an empty string for '{name}'. We assume empty values are an attempt to \
                 unset a parameter; however '{name}' cannot be unset. You should remove '{name}' from \
                 your request or supply a non-empty value."
            );
            return Err(Error::parameter(name, "parameter_invalid_empty", message));
        }
        Ok(text)
    }

    /// The same; it must be there.
    pub(super) fn required_non_empty(&mut self, name: &str, limit: usize) -> Result<String, Error> {
        self.non_empty(name, limit)?.ok_or_else(|| Error::missing_param(&self.qualified(name)))
    }

    /// Takes an id of the caller's own making.
    pub(super) fn client_id(&mut self) -> Result<Option<String>, Error> {
        let id = self.non_empty("id", MAX_ID_LEN)?;
        let fits = |id: &String| id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
        if id.as_ref().is_some_and(|id| !fits(id)) {
            return Err(Error::parameter(
                self.qualified("id"),
                "parameter_invalid",
                "An id has letters, digits and marks, and no `/`, blank or accent.",
            ));
        }
        Ok(id)
    }

    /// Takes `true` or `false`, if one is there.
    pub(super) fn optional_bool(&mut self, name: &str) -> Result<Option<bool>, Error> {
        if self.remaining.iter().all(|(known, _)| known != name) {
            return Ok(None);
        }
        self.take_flag(name).map(Some)
    }

    /// Whether a parameter is this text.
    pub(super) fn has_value(&self, name: &str, text: &str) -> bool {
        let is = |value: &ParamValue| matches!(value, ParamValue::String(given) if given == text);
        self.remaining.iter().any(|(known, value)| known == name && is(value))
    }

    /// Takes a moment.
    pub(super) fn timestamp(&mut self, name: &str) -> Result<Option<Timestamp>, Error> {
        let moment = self.take_integer(name, 0..=MAX_TIMESTAMP)?;
        Ok(moment.and_then(|moment| i64::try_from(moment).ok()).map(Timestamp))
    }

    /// Takes one of a few words.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        name: &str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, Error> {
        let Some(given) = self.take_string(name)? else { return Ok(None) };
        let meant = words.iter().find(|(word, _)| *word == given).map(|(_, meant)| *meant);
        meant.map(Some).ok_or_else(|| {
            let name = self.qualified(name);
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            let message = format!("Invalid {name}: must be one of {}", words.join(", "));
            Error::parameter(name, "parameter_invalid", message)
        })
    }

    /// Takes a map.
    pub(super) fn object(&mut self, name: &str) -> Result<Option<Self>, Error> {
        match self.take_value(name) {
            None => Ok(None),
            Some(ParamValue::Nested(left)) => {
                Ok(Some(Self { prefix: self.qualified(name), remaining: left }))
            }
            Some(ParamValue::String(text)) if text.is_empty() => Ok(None),
            Some(ParamValue::String(_)) => Err(self.type_error(name, "a map", "single value")),
        }
    }

    /// Takes `metadata`.
    pub(super) fn metadata(&mut self) -> Result<MetadataPatch, Error> {
        match self.take_value("metadata") {
            None => Ok(MetadataPatch::Keep),
            Some(ParamValue::String(text)) if text.is_empty() => Ok(MetadataPatch::Clear),
            Some(ParamValue::String(_)) => {
                Err(self.type_error("metadata", "a map", "single value"))
            }
            Some(ParamValue::Nested(notes)) => {
                let notes = notes.into_iter().map(|(key, value)| match value {
                    ParamValue::String(value) => Ok((key, value)),
                    ParamValue::Nested(_) => {
                        let name = format!("metadata[{key}]");
                        Err(self.type_error(&name, "a single value", "list or map"))
                    }
                });
                notes.collect::<Result<_, _>>().map(MetadataPatch::Set)
            }
        }
    }

    /// Takes what is only kept to be shown again. An empty one is shown as `null`.
    pub(super) fn passthrough(
        &mut self,
        details: &[Passthrough],
    ) -> Result<Map<String, Json>, Error> {
        let mut taken = Map::new();
        for detail in details {
            let (name, value) = match *detail {
                Passthrough::String(name) => {
                    let text = self.bounded_string(name, MAX_STRING_LEN)?;
                    (name, text.map(|text| if text.is_empty() { Json::Null } else { text.into() }))
                }
                Passthrough::Bool(name) => (name, self.optional_bool(name)?.map(Json::from)),
                Passthrough::List(name) => (name, self.json_list(name)?),
                Passthrough::Map(name) => (name, self.json_object(name)?),
            };
            taken.extend(value.map(|value| (name.to_owned(), value)));
        }
        Ok(taken)
    }

    fn json_list(&mut self, name: &str) -> Result<Option<Json>, Error> {
        let items = match self.take_value(name) {
            None => return Ok(None),
            Some(ParamValue::String(text)) if text.is_empty() => Vec::new(),
            Some(ParamValue::String(_)) => {
                return Err(self.type_error(name, "an array", "single value"));
            }
            Some(ParamValue::Nested(items)) => form::in_index_order(items)
                .ok_or_else(|| self.type_error(name, "an array", "map"))?,
        };
        Ok(Some(items.into_iter().map(to_json).collect()))
    }

    fn json_object(&mut self, name: &str) -> Result<Option<Json>, Error> {
        match self.take_value(name) {
            None => Ok(None),
            Some(ParamValue::String(text)) if text.is_empty() => Ok(Some(Json::Null)),
            Some(ParamValue::String(_)) => Err(self.type_error(name, "a map", "single value")),
            Some(map) => Ok(Some(to_json(map))),
        }
    }

    /// Takes parameters that only move money, and leaves them at that.
    pub(super) fn ignore(&mut self, names: &[&str]) {
        for name in names {
            self.take_value(name);
        }
    }

    /// Takes the parameters of a page.
    pub(super) fn list_query(&mut self) -> Result<ListQuery, Error> {
        let (limit, from) = super::super::page::PageParams::from_params(self)?.into_parts();
        let created = CreatedRange::default();
        Ok(ListQuery { limit, cursor: from, created })
    }

    /// The same, and `created`: a second, or bounds of it.
    pub(super) fn list_query_with_created(&mut self) -> Result<ListQuery, Error> {
        let page = self.list_query()?;
        Ok(ListQuery { created: self.timestamp_range("created")?, ..page })
    }

    /// Takes a second, or bounds of it: `gt`, `gte`, `lt`, `lte`.
    pub(super) fn timestamp_range(&mut self, name: &str) -> Result<CreatedRange, Error> {
        if matches!(
            self.remaining.iter().find(|(known, _)| known == name),
            Some((_, ParamValue::String(_)))
        ) {
            let moment = self.timestamp(name)?;
            return Ok(CreatedRange { first: moment, last: moment });
        }
        let Some(mut bounds) = self.object(name)? else { return Ok(CreatedRange::default()) };
        let shifted = |moment: Option<Timestamp>, by: i64| {
            moment.map(|moment| Timestamp(moment.0.saturating_add(by)))
        };
        let first = shifted(bounds.timestamp("gt")?, 1).max(bounds.timestamp("gte")?);
        let last = [shifted(bounds.timestamp("lt")?, -1), bounds.timestamp("lte")?];
        bounds.reject_unknown()?;
        Ok(CreatedRange { first, last: last.into_iter().flatten().min() })
    }
}

impl super::super::page::PageParams {
    /// How many, and from where.
    fn into_parts(self) -> (usize, ListCursor) {
        use super::super::page::PageCursor as Given;
        let from = match self.cursor {
            Given::Start => ListCursor::Start,
            Given::After(id) => ListCursor::After(id),
            Given::Before(id) => ListCursor::Before(id),
        };
        (self.limit, from)
    }
}

fn to_json(value: ParamValue) -> Json {
    match value {
        ParamValue::String(text) if text.is_empty() => Json::Null,
        ParamValue::String(text) => Json::String(text),
        ParamValue::Nested(items) => {
            let members = items.into_iter().map(|(name, item)| (name, to_json(item)));
            Json::Object(members.collect())
        }
    }
}
