//! Parameters, as Stripe's SDKs and curl users write them, and as JSON.
//!
//! | written                                | is                                             |
//! |----------------------------------------|------------------------------------------------|
//! | `a=1`                                  | a text                                         |
//! | `a[]=1&a[]=2`, `a[0]=1&a[1]=2`, `a=1&a=2` | a list                                      |
//! | `a[b]=1`, `a[0][b]=1`                  | a map, a list of maps                          |
//!
//! Names and values are decoded as <https://url.spec.whatwg.org/#urlencoded-parsing> says, so that
//! brackets may be percent-encoded or not. JSON gives the same tree: its numbers and booleans
//! are texts, and a `null` is a parameter that was left out.

use std::ops::RangeInclusive;

use http::header;

use super::{Request, error::Error, header_str};

/// The most parameters in one request: the largest batch of checks has 300.
const MAX_PARAMS: usize = 1_000;

/// The deepest nesting, in brackets: Stripe's own parameters need three.
const MAX_DEPTH: usize = 4;

/// What stands behind a name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum ParamValue {
    String(String),
    /// A list, whose names are `0`, `1`, …, or a map.
    Nested(Vec<(String, ParamValue)>),
}

/// The parameters of a request that were not taken yet.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Params {
    /// What stands before each name in a message: `checks[0]`, or nothing.
    pub(super) prefix: String,
    pub(super) remaining: Vec<(String, ParamValue)>,
}

impl Params {
    /// Parameters of a request's query string.
    pub(super) fn from_query(request: &Request) -> Result<Self, Error> {
        Self::from_form(request.uri().query().unwrap_or_default().as_bytes())
    }

    /// Parameters of a request's body, as JSON or as a form.
    pub(super) fn from_body(request: &Request) -> Result<Self, Error> {
        if has_json_body(request) {
            Self::from_json(request.body())
        } else {
            Self::from_form(request.body())
        }
    }

    /// Parameters of a request's query string, or of its body where there is none.
    pub(super) fn from_query_or_body(request: &Request) -> Result<Self, Error> {
        match request.uri().query() {
            None | Some("") if !request.body().is_empty() => Self::from_body(request),
            _ => Self::from_query(request),
        }
    }

    /// Parameters of a form, which a query string is too.
    pub(super) fn from_form(encoded: &[u8]) -> Result<Self, Error> {
        let mut left = Vec::new();
        for (count, (name, text)) in form_urlencoded::parse(encoded).enumerate() {
            if count == MAX_PARAMS {
                return Err(too_many_params());
            }
            let path = parse_name(&name).ok_or_else(|| {
                Error::invalid(format!("Invalid parameter name: {name}. Brackets go in pairs."))
            })?;
            insert(&mut left, &path, text.into_owned()).ok_or_else(|| {
                Error::invalid(format!("The parameter {name} is given in two ways at once."))
            })?;
        }
        Ok(Self { prefix: String::new(), remaining: left })
    }

    /// Parameters of a JSON body, which must be an object.
    pub(super) fn from_json(body: &[u8]) -> Result<Self, Error> {
        let value: serde_json::Value = serde_json::from_slice(body)
            .map_err(|error| Error::invalid(format!("Invalid JSON in the body: {error}.")))?;
        let mut budget = MAX_PARAMS;
        // The body itself is one level, which a form has no brackets for.
        match (value.is_object(), from_json_value(value, MAX_DEPTH + 1, &mut budget)?) {
            (true, Some(ParamValue::Nested(left))) => {
                Ok(Self { prefix: String::new(), remaining: left })
            }
            _ => Err(Error::invalid("The JSON body must be an object, {…}.")),
        }
    }

    /// Takes a text.
    pub(super) fn take_string(&mut self, name: &str) -> Result<Option<String>, Error> {
        match self.take_value(name) {
            None => Ok(None),
            Some(ParamValue::String(text)) => Ok(Some(text)),
            Some(ParamValue::Nested(_)) => {
                Err(self.type_error(name, "a single value", "list or map"))
            }
        }
    }

    /// Takes a text that must be there.
    pub(super) fn take_required_string(&mut self, name: &str) -> Result<String, Error> {
        self.take_string(name)?.ok_or_else(|| Error::missing_param(&self.qualified(name)))
    }

    /// Takes `true` or `false`; absent is `false`.
    pub(super) fn take_flag(&mut self, name: &str) -> Result<bool, Error> {
        match self.take_string(name)?.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(text) => Err(Error::parameter(
                self.qualified(name),
                "parameter_invalid_boolean",
                format!("Invalid boolean: {text}. Use true or false."),
            )),
        }
    }

    /// Takes a whole number within bounds.
    pub(super) fn take_integer(
        &mut self,
        name: &str,
        bounds: RangeInclusive<u64>,
    ) -> Result<Option<u64>, Error> {
        let Some(text) = self.take_string(name)? else { return Ok(None) };
        let failed =
            |message| Error::parameter(self.qualified(name), "parameter_invalid_integer", message);
        let negative = text.strip_prefix('-').is_some_and(is_all_digits);
        if !negative && !is_all_digits(&text) {
            return Err(failed(format!("Invalid integer: {text}")));
        }
        // More digits than a `u64` has room for are more than any bound.
        let number = if negative { None } else { Some(text.parse().unwrap_or(u64::MAX)) };
        match number {
            Some(number) if number >= *bounds.start() => {
                if number > *bounds.end() {
                    return Err(failed(format!(
                        "This value must be less than or equal to {} (it currently is '{text}').",
                        bounds.end()
                    )));
                }
                Ok(Some(number))
            }
            _ => Err(failed(format!(
                "This value must be greater than or equal to {} (it currently is '{text}').",
                bounds.start()
            ))),
        }
    }

    /// Takes a list of texts; absent is an empty one. A single text is no list.
    pub(super) fn take_list(&mut self, name: &str) -> Result<Vec<String>, Error> {
        match self.take_value(name) {
            None => Ok(Vec::new()),
            Some(ParamValue::String(text)) if text.is_empty() => Ok(Vec::new()),
            Some(ParamValue::String(_)) => Err(self.type_error(name, "an array", "single value")),
            Some(ParamValue::Nested(items)) => strings_in_order(items)
                .ok_or_else(|| self.type_error(name, "an array of single values", "nested one")),
        }
    }

    /// Takes one text or a list of them; the flag says which it was.
    pub(super) fn take_one_or_many(&mut self, name: &str) -> Result<OneOrMany, Error> {
        match self.take_value(name) {
            None => Err(Error::missing_param(&self.qualified(name))),
            Some(ParamValue::String(text)) => Ok(OneOrMany::One(text)),
            Some(ParamValue::Nested(items)) => strings_in_order(items)
                .map(OneOrMany::Many)
                .ok_or_else(|| self.type_error(name, "a single value or an array of them", "map")),
        }
    }

    /// Takes a list of maps, or nothing.
    pub(super) fn take_objects(&mut self, name: &str) -> Result<Option<Vec<Self>>, Error> {
        let Some(value) = self.take_value(name) else { return Ok(None) };
        let failed = || self.type_error(name, "an array of maps", "value of another kind");
        let ParamValue::Nested(items) = value else { return Err(failed()) };
        let items = in_index_order(items).ok_or_else(failed)?;
        let maps = items.into_iter().enumerate().map(|(index, item)| match item {
            ParamValue::Nested(left) => {
                Ok(Self { prefix: format!("{}[{index}]", self.qualified(name)), remaining: left })
            }
            ParamValue::String(_) => Err(failed()),
        });
        maps.collect::<Result<_, _>>().map(Some)
    }

    /// Refuses what was not taken: a misspelt parameter must not be one that was left out.
    pub(super) fn reject_unknown(self) -> Result<(), Error> {
        let names: Vec<_> = self.remaining.iter().map(|(name, _)| self.qualified(name)).collect();
        let Some(first) = names.first() else { return Ok(()) };
        let plural = if names.len() > 1 { "s" } else { "" };
        Err(Error::parameter(
            first,
            "parameter_unknown",
            format!("Received unknown parameter{plural}: {}", names.join(", ")),
        ))
    }

    /// A parameter's name as the caller wrote it.
    pub(super) fn qualified(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}[{name}]", self.prefix) }
    }

    /// Whether there is such a parameter.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.remaining.iter().any(|(known, _)| known == name)
    }

    pub(super) fn take_value(&mut self, name: &str) -> Option<ParamValue> {
        let index = self.remaining.iter().position(|(known, _)| known == name)?;
        Some(self.remaining.remove(index).1)
    }

    pub(super) fn type_error(&self, name: &str, wanted: &str, given: &str) -> Error {
        let name = self.qualified(name);
        let message = format!("Invalid {name}: it takes {wanted}, not a {given}.");
        Error::parameter(name, "parameter_invalid", message)
    }
}

/// A parameter that may be given once or as a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

pub(super) fn has_json_body(request: &Request) -> bool {
    let media = header_str(request, header::CONTENT_TYPE).unwrap_or_default();
    media.trim_start().to_ascii_lowercase().starts_with("application/json")
}

pub(super) fn is_all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn too_many_params() -> Error {
    Error::invalid(format!("More than {MAX_PARAMS} parameters in one request."))
}

/// `a[0][b]` → `a`, `0`, `b`.
fn parse_name(name: &str) -> Option<Vec<&str>> {
    let Some((first, rest)) = name.split_once('[') else { return Some(vec![name]) };
    let inner = rest.strip_suffix(']')?;
    let path: Vec<_> = std::iter::once(first).chain(inner.split("][")).collect();
    let sound = !first.is_empty()
        && path.len() <= MAX_DEPTH + 1
        && path.iter().all(|part| !part.contains(['[', ']']));
    sound.then_some(path)
}

fn insert(into: &mut Vec<(String, ParamValue)>, path: &[&str], text: String) -> Option<()> {
    let (first, rest) = path.split_first()?;
    let name = if first.is_empty() { into.len().to_string() } else { (*first).to_owned() };
    let known = into.iter_mut().find(|(known, _)| *known == name).map(|(_, value)| value);
    match (known, rest) {
        (None, []) => into.push((name, ParamValue::String(text))),
        (None, rest) => {
            let mut inner = Vec::new();
            insert(&mut inner, rest, text)?;
            into.push((name, ParamValue::Nested(inner)));
        }
        (Some(ParamValue::Nested(inner)), []) => insert(inner, &[""], text)?,
        (Some(ParamValue::Nested(inner)), rest) => insert(inner, rest, text)?,
        (Some(known @ ParamValue::String(_)), []) => {
            let first = std::mem::replace(known, ParamValue::Nested(Vec::new()));
            *known = ParamValue::Nested(vec![
                ("0".to_owned(), first),
                ("1".to_owned(), ParamValue::String(text)),
            ]);
        }
        (Some(ParamValue::String(_)), _) => return None,
    }
    Some(())
}

fn from_json_value(
    value: serde_json::Value,
    depth: usize,
    budget: &mut usize,
) -> Result<Option<ParamValue>, Error> {
    use serde_json::Value as Json;
    *budget = budget.checked_sub(1).ok_or_else(too_many_params)?;
    let inner = |items: Vec<(String, Json)>, budget: &mut usize| {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(Error::invalid("The JSON body is nested too deeply."));
        };
        let mut nested = Vec::with_capacity(items.len());
        for (name, item) in items {
            if let Some(value) = from_json_value(item, depth, budget)? {
                nested.push((name, value));
            }
        }
        Ok(Some(ParamValue::Nested(nested)))
    };
    match value {
        Json::Null => Ok(None),
        Json::Bool(flag) => Ok(Some(ParamValue::String(flag.to_string()))),
        Json::Number(number) => Ok(Some(ParamValue::String(number.to_string()))),
        Json::String(text) => Ok(Some(ParamValue::String(text))),
        Json::Array(items) => {
            let named = items.into_iter().enumerate().map(|(i, item)| (i.to_string(), item));
            inner(named.collect(), budget)
        }
        Json::Object(members) => inner(members.into_iter().collect(), budget),
    }
}

/// The values of a list, in the order of their indices.
pub(super) fn in_index_order(items: Vec<(String, ParamValue)>) -> Option<Vec<ParamValue>> {
    let mut indexed = Vec::with_capacity(items.len());
    for (name, value) in items {
        if !is_all_digits(&name) {
            return None;
        }
        let index: u64 = name.parse().ok()?;
        let place = indexed.partition_point(|(before, _)| *before <= index);
        indexed.insert(place, (index, value));
    }
    Some(indexed.into_iter().map(|(_, value)| value).collect())
}

fn strings_in_order(items: Vec<(String, ParamValue)>) -> Option<Vec<String>> {
    let texts = in_index_order(items)?.into_iter().map(|value| match value {
        ParamValue::String(text) => Some(text),
        ParamValue::Nested(_) => None,
    });
    texts.collect()
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_value() -> impl Strategy<Value = ParamValue> {
        let text = "[^\\p{Cc}]{0,8}".prop_map(ParamValue::String);
        text.prop_recursive(3, 16, 4, |inner| {
            let list = proptest::collection::vec(inner.clone(), 1..4).prop_map(|items| {
                items.into_iter().enumerate().map(|(i, item)| (i.to_string(), item)).collect()
            });
            let map = proptest::collection::btree_map("[a-z][^\\p{Cc}\\[\\]]{0,5}", inner, 1..4)
                .prop_map(|members| members.into_iter().collect());
            prop_oneof![list, map].prop_map(ParamValue::Nested)
        })
    }

    /// As Stripe's SDKs write it: arrays indexed, maps by name.
    fn write_form(
        name: &str,
        value: &ParamValue,
        form: &mut form_urlencoded::Serializer<'_, String>,
    ) {
        match value {
            ParamValue::String(text) => {
                form.append_pair(name, text);
            }
            ParamValue::Nested(items) => {
                for (key, item) in items {
                    write_form(&format!("{name}[{key}]"), item, form);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn what_the_sdks_write_is_read_as_it_was(value in any_value()) {
            let mut form = form_urlencoded::Serializer::new(String::new());
            write_form("a", &value, &mut form);
            let form = form.finish();
            let left = vec![("a".to_owned(), value)];
            let expected = Params { prefix: String::new(), remaining: left };
            prop_assert_eq!(Params::from_form(form.as_bytes()), Ok(expected));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = Params::from_form(&bytes);
            let _ = Params::from_json(&bytes);
        }
    }

    #[test]
    fn form_accepts_a_thousand_parameters_and_rejects_one_more() {
        let most = vec!["a=1"; 1_000].join("&");
        assert!(Params::from_form(most.as_bytes()).is_ok());
        let more = format!("{most}&a=1");
        assert_eq!(Params::from_form(more.as_bytes()), Err(too_many_params()));
    }

    #[test]
    fn form_rejects_a_malformed_parameter_name() {
        for name in ["[a]", "a[", "a]b[", "a[b]c", "a[[b]]", "a[b][c][d][e][f]"] {
            let form =
                form_urlencoded::Serializer::new(String::new()).append_pair(name, "1").finish();
            let told =
                Error::invalid(format!("Invalid parameter name: {name}. Brackets go in pairs."));
            assert_eq!(Params::from_form(form.as_bytes()), Err(told));
        }
        assert_eq!(
            Params::from_form(b"a=1&a[b]=2"),
            Err(Error::invalid("The parameter a[b] is given in two ways at once."))
        );
    }
}
