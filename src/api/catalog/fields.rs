//! Parameters of the kinds that Stripe's objects have.

use serde_json::{Map, Value as Json};

use super::super::{
    Request,
    error::Error,
    form::{self, Params, Value},
};
use crate::{
    catalog::{
        metadata::Change,
        page::{Created, From, Page},
    },
    id::{CustomerId, Timestamp},
};

/// The most characters of a text that Stripe says nothing else about.
pub(super) const TEXT: usize = 5_000;

/// The most characters of an id of the caller's own making: those of a customer's id at the edge.
const ID: usize = CustomerId::LIMIT;

/// The characters of a text that is too long that an error repeats.
const REPEATED: usize = 60;

/// The latest second that is looked at: the end of the year 9999.
const LATEST: u64 = 253_402_300_799;

/// What is only kept to be shown again.
#[derive(Clone, Copy, Debug)]
pub(super) enum Detail {
    Text(&'static str),
    Flag(&'static str),
    List(&'static str),
    Map(&'static str),
}

impl Params {
    /// Parameters of a request's body and of its query string, as one.
    pub(super) fn both(request: &Request) -> Result<Self, Error> {
        let query = request.uri().query().unwrap_or_default();
        if form::is_json(request) {
            let mut params = Self::json(request.body())?;
            params.left.extend(Self::query(request)?.left);
            return Ok(params);
        }
        Self::form(&[query.as_bytes(), request.body()].join(&b'&'))
    }

    /// Takes a text of at most so many characters, which may be empty.
    pub(super) fn string(&mut self, name: &str, limit: usize) -> Result<Option<String>, Error> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        if text.chars().count() > limit {
            let head: String = text.chars().take(REPEATED).collect();
            return Err(Error::parameter(
                self.full(name),
                "parameter_invalid",
                format!("Invalid string: {head}…; must be at most {limit} characters"),
            ));
        }
        Ok(Some(text))
    }

    /// The same; an empty one is refused.
    pub(super) fn filled(&mut self, name: &str, limit: usize) -> Result<Option<String>, Error> {
        let text = self.string(name, limit)?;
        if text.as_deref() == Some("") {
            let name = self.full(name);
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
    pub(super) fn needed(&mut self, name: &str, limit: usize) -> Result<String, Error> {
        self.filled(name, limit)?.ok_or_else(|| Error::missing(&self.full(name)))
    }

    /// Takes an id of the caller's own making.
    pub(super) fn own_id(&mut self) -> Result<Option<String>, Error> {
        let id = self.filled("id", ID)?;
        let fits = |id: &String| id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
        if id.as_ref().is_some_and(|id| !fits(id)) {
            return Err(Error::parameter(
                self.full("id"),
                "parameter_invalid",
                "An id has letters, digits and marks, and no `/`, blank or accent.",
            ));
        }
        Ok(id)
    }

    /// Takes `true` or `false`, if one is there.
    pub(super) fn boolean(&mut self, name: &str) -> Result<Option<bool>, Error> {
        if self.left.iter().all(|(known, _)| known != name) {
            return Ok(None);
        }
        self.flag(name).map(Some)
    }

    /// Whether a parameter is this text.
    pub(super) fn is_text(&self, name: &str, text: &str) -> bool {
        let is = |value: &Value| matches!(value, Value::Text(given) if given == text);
        self.left.iter().any(|(known, value)| known == name && is(value))
    }

    /// Takes a moment.
    pub(super) fn moment(&mut self, name: &str) -> Result<Option<Timestamp>, Error> {
        let moment = self.integer(name, 0..=LATEST)?;
        Ok(moment.and_then(|moment| i64::try_from(moment).ok()).map(Timestamp))
    }

    /// Takes one of a few words.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        name: &str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, Error> {
        let Some(given) = self.text(name)? else { return Ok(None) };
        let meant = words.iter().find(|(word, _)| *word == given).map(|(_, meant)| *meant);
        meant.map(Some).ok_or_else(|| {
            let name = self.full(name);
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            let message = format!("Invalid {name}: must be one of {}", words.join(", "));
            Error::parameter(name, "parameter_invalid", message)
        })
    }

    /// Takes a map.
    pub(super) fn map(&mut self, name: &str) -> Result<Option<Self>, Error> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Nested(left)) => Ok(Some(Self { prefix: self.full(name), left })),
            Some(Value::Text(text)) if text.is_empty() => Ok(None),
            Some(Value::Text(_)) => Err(self.wrong(name, "a map", "single value")),
        }
    }

    /// Takes `metadata`.
    pub(super) fn metadata(&mut self) -> Result<Change, Error> {
        match self.take("metadata") {
            None => Ok(Change::Keep),
            Some(Value::Text(text)) if text.is_empty() => Ok(Change::Clear),
            Some(Value::Text(_)) => Err(self.wrong("metadata", "a map", "single value")),
            Some(Value::Nested(notes)) => {
                let notes = notes.into_iter().map(|(key, value)| match value {
                    Value::Text(value) => Ok((key, value)),
                    Value::Nested(_) => {
                        let name = format!("metadata[{key}]");
                        Err(self.wrong(&name, "a single value", "list or map"))
                    }
                });
                notes.collect::<Result<_, _>>().map(Change::Set)
            }
        }
    }

    /// Takes what is only kept to be shown again. An empty one is shown as `null`.
    pub(super) fn details(&mut self, details: &[Detail]) -> Result<Map<String, Json>, Error> {
        let mut taken = Map::new();
        for detail in details {
            let (name, value) = match *detail {
                Detail::Text(name) => {
                    let text = self.string(name, TEXT)?;
                    (name, text.map(|text| if text.is_empty() { Json::Null } else { text.into() }))
                }
                Detail::Flag(name) => (name, self.boolean(name)?.map(Json::from)),
                Detail::List(name) => (name, self.json_list(name)?),
                Detail::Map(name) => (name, self.json_map(name)?),
            };
            taken.extend(value.map(|value| (name.to_owned(), value)));
        }
        Ok(taken)
    }

    fn json_list(&mut self, name: &str) -> Result<Option<Json>, Error> {
        let items = match self.take(name) {
            None => return Ok(None),
            Some(Value::Text(text)) if text.is_empty() => Vec::new(),
            Some(Value::Text(_)) => return Err(self.wrong(name, "an array", "single value")),
            Some(Value::Nested(items)) => {
                form::listed(items).ok_or_else(|| self.wrong(name, "an array", "map"))?
            }
        };
        Ok(Some(items.into_iter().map(written).collect()))
    }

    fn json_map(&mut self, name: &str) -> Result<Option<Json>, Error> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Text(text)) if text.is_empty() => Ok(Some(Json::Null)),
            Some(Value::Text(_)) => Err(self.wrong(name, "a map", "single value")),
            Some(map) => Ok(Some(written(map))),
        }
    }

    /// Takes parameters that only move money, and leaves them at that.
    pub(super) fn ignore(&mut self, names: &[&str]) {
        for name in names {
            self.take(name);
        }
    }

    /// Takes the parameters of a page.
    pub(super) fn page(&mut self) -> Result<Page, Error> {
        let (limit, from) = super::super::page::Page::take(self)?.parts();
        let created = Created::default();
        Ok(Page { limit, from, created })
    }

    /// The same, and `created`: a second, or bounds of it.
    pub(super) fn page_by_date(&mut self) -> Result<Page, Error> {
        let page = self.page()?;
        Ok(Page { created: self.range("created")?, ..page })
    }

    /// Takes a second, or bounds of it: `gt`, `gte`, `lt`, `lte`.
    pub(super) fn range(&mut self, name: &str) -> Result<Created, Error> {
        if matches!(self.left.iter().find(|(known, _)| known == name), Some((_, Value::Text(_)))) {
            let moment = self.moment(name)?;
            return Ok(Created { first: moment, last: moment });
        }
        let Some(mut bounds) = self.map(name)? else { return Ok(Created::default()) };
        let shifted = |moment: Option<Timestamp>, by: i64| {
            moment.map(|moment| Timestamp(moment.0.saturating_add(by)))
        };
        let first = shifted(bounds.moment("gt")?, 1).max(bounds.moment("gte")?);
        let last = [shifted(bounds.moment("lt")?, -1), bounds.moment("lte")?];
        bounds.finish()?;
        Ok(Created { first, last: last.into_iter().flatten().min() })
    }
}

impl super::super::page::Page {
    /// How many, and from where.
    fn parts(self) -> (usize, From) {
        use super::super::page::From as Given;
        let from = match self.from {
            Given::Start => From::Start,
            Given::After(id) => From::After(id),
            Given::Before(id) => From::Before(id),
        };
        (self.limit, from)
    }
}

fn written(value: Value) -> Json {
    match value {
        Value::Text(text) if text.is_empty() => Json::Null,
        Value::Text(text) => Json::String(text),
        Value::Nested(items) => {
            let members = items.into_iter().map(|(name, item)| (name, written(item)));
            Json::Object(members.collect())
        }
    }
}
