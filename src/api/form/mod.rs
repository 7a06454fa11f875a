//! Request parameters: query strings and form bodies as Stripe's SDKs and curl users write them, and
//! JSON bodies.
//!
//! | encoded                                | value                                          |
//! |----------------------------------------|------------------------------------------------|
//! | `a=1`                                  | a string                                       |
//! | `a[]=1&a[]=2`, `a[0]=1&a[1]=2`, `a=1&a=2` | a list                                      |
//! | `a[b]=1`, `a[0][b]=1`                  | a map, a list of maps                          |
//!
//! Brackets may be percent-encoded. JSON results in the same tree: numbers and booleans become
//! strings, and `null` is an absent parameter. A JSON object must not have two members of one name. A handler takes each parameter that it knows, and then
//! rejects the remaining ones. Parameters of Stripe's types are in `typed`, those of the catalog in
//! `api::catalog`.
//!
//! Specification: <https://url.spec.whatwg.org/#urlencoded-parsing>.

mod names;
mod typed;
mod value;

use std::ops::RangeInclusive;

use http::header;

use self::value::{
    MAX_DEPTH, MAX_PARAMS, from_json_value, insert, parse_name, strings_in_order, too_many_params,
};
pub(super) use self::{
    typed::TimestampRange,
    value::{ParamValue, in_index_order, is_all_digits, write_canonical},
};
use super::{
    app::{Request, header_str},
    error::{Error, excerpt},
};
use crate::json::strict::{self, Unicode};

/// The parameters of a request that the handler has not taken yet.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Params {
    /// The prefix of each name in a message: `checks[0]`, or empty.
    pub(super) prefix: String,
    pub(super) remaining: Vec<(String, ParamValue)>,
    /// The names for which the handler has asked.
    asked: Vec<String>,
}

impl Params {
    /// Parses a request's query string.
    pub(super) fn from_query(request: &Request) -> Result<Self, Error> {
        Self::from_form(request.uri().query().unwrap_or_default().as_bytes())
    }

    /// Parses a request's body, as JSON or as a form.
    pub(super) fn from_body(request: &Request) -> Result<Self, Error> {
        if has_json_body(request) {
            return Self::from_json(request.body());
        }
        reject_unmarked_json(request)?;
        Self::from_form(request.body())
    }

    /// Parses a request's query string, or its body if there is no query string.
    pub(super) fn from_query_or_body(request: &Request) -> Result<Self, Error> {
        match request.uri().query() {
            None | Some("") if !request.body().is_empty() => Self::from_body(request),
            _ => Self::from_query(request),
        }
    }

    /// Parses a form or a query string: both have the same encoding.
    pub(super) fn from_form(encoded: &[u8]) -> Result<Self, Error> {
        let mut remaining = Vec::new();
        for (count, (name, value)) in form_urlencoded::parse(encoded).enumerate() {
            if count == MAX_PARAMS {
                return Err(too_many_params());
            }
            let path = parse_name(&name)?;
            insert(&mut remaining, &path, value.into_owned()).ok_or_else(|| {
                let name = excerpt(&name);
                Error::invalid(format!("The parameter {name} is given in two ways at once."))
            })?;
        }
        Ok(Self::new(String::new(), remaining))
    }

    /// The parameters with these names and values.
    pub(super) fn new(prefix: String, remaining: Vec<(String, ParamValue)>) -> Self {
        Self { prefix, remaining, asked: Vec::new() }
    }

    /// Parses a JSON body, which must be an object.
    pub(super) fn from_json(body: &[u8]) -> Result<Self, Error> {
        let value = strict::parse(body, Unicode::Everywhere).map_err(|error| match error {
            strict::Error::DuplicateMember(name) => {
                let message = format!("The parameter {name} is given twice in one JSON object.");
                Error::parameter(name, "parameter_invalid", message)
            }
            strict::Error::Syntax => {
                let problem = strict::explain_syntax_error(body, Unicode::Everywhere);
                Error::invalid(format!("Invalid JSON in the body: {problem}."))
            }
        })?;
        let mut budget = MAX_PARAMS;
        // The body itself is one level without brackets in a form.
        match (value.is_object(), from_json_value(value, MAX_DEPTH + 1, &mut budget)?) {
            (true, Some(ParamValue::Nested(remaining))) => Ok(Self::new(String::new(), remaining)),
            _ => Err(Error::invalid("The JSON body must be an object, {…}.")),
        }
    }

    /// Takes a string.
    pub(super) fn take_string(&mut self, name: &str) -> Result<Option<String>, Error> {
        match self.take_value(name) {
            None => Ok(None),
            Some(ParamValue::String(value)) => Ok(Some(value)),
            Some(ParamValue::Nested(_)) => {
                Err(self.type_error(name, "a single value", "list or map"))
            }
        }
    }

    /// Takes `true` or `false`; `false` if absent.
    pub(super) fn take_flag(&mut self, name: &str) -> Result<bool, Error> {
        match self.take_string(name)?.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(value) => Err(Error::parameter(
                self.qualified(name),
                "parameter_invalid_boolean",
                format!("Invalid boolean: {}. Use true or false.", excerpt(value)),
            )),
        }
    }

    /// Takes an integer within bounds.
    pub(super) fn take_integer(
        &mut self,
        name: &str,
        bounds: RangeInclusive<u64>,
    ) -> Result<Option<u64>, Error> {
        let Some(value) = self.take_string(name)? else { return Ok(None) };
        self.parse_integer(name, &value, bounds).map(Some)
    }

    /// Takes one of several literals.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        name: &str,
        literals: &[(&str, T)],
    ) -> Result<Option<T>, Error> {
        let Some(string) = self.take_string(name)? else { return Ok(None) };
        let value =
            literals.iter().find(|(literal, _)| *literal == string).map(|(_, value)| *value);
        value.map(Some).ok_or_else(|| {
            let name = self.qualified(name);
            let literals: Vec<_> = literals.iter().map(|(literal, _)| *literal).collect();
            let message =
                format!("Invalid {}: must be one of {}", excerpt(&name), literals.join(", "));
            Error::parameter(name, "parameter_invalid", message)
        })
    }

    /// Parses a value of a parameter as an integer within bounds.
    pub(super) fn parse_integer(
        &self,
        name: &str,
        value: &str,
        bounds: RangeInclusive<u64>,
    ) -> Result<u64, Error> {
        let shown = excerpt(value);
        let error =
            |message| Error::parameter(self.qualified(name), "parameter_invalid_integer", message);
        let is_negative = value.strip_prefix('-').is_some_and(is_all_digits);
        if !is_negative && !is_all_digits(value) {
            return Err(self.invalid_integer(name, value));
        }
        // A number that overflows a `u64` exceeds every bound.
        let number = if is_negative { None } else { Some(value.parse().unwrap_or(u64::MAX)) };
        match number {
            Some(number) if number >= *bounds.start() => {
                if number > *bounds.end() {
                    return Err(error(format!(
                        "This value must be less than or equal to {} (it currently is '{shown}').",
                        bounds.end()
                    )));
                }
                Ok(number)
            }
            _ => Err(error(format!(
                "This value must be greater than or equal to {} (it currently is '{shown}').",
                bounds.start()
            ))),
        }
    }

    /// Takes a list of strings; empty if absent. A single string is an error.
    pub(super) fn take_list(&mut self, name: &str) -> Result<Vec<String>, Error> {
        match self.take_value(name) {
            None => Ok(Vec::new()),
            Some(ParamValue::String(value)) if value.is_empty() => Ok(Vec::new()),
            Some(ParamValue::String(_)) => Err(self.type_error(name, "an array", "single value")),
            Some(ParamValue::Nested(items)) => strings_in_order(items)
                .ok_or_else(|| self.type_error(name, "an array of single values", "nested one")),
        }
    }

    /// Takes a list of maps.
    pub(super) fn take_objects(&mut self, name: &str) -> Result<Option<Vec<Self>>, Error> {
        let Some(value) = self.take_value(name) else { return Ok(None) };
        let error = || self.type_error(name, "an array of maps", "value of another kind");
        let ParamValue::Nested(items) = value else { return Err(error()) };
        let items = in_index_order(items).ok_or_else(error)?;
        let maps = items.into_iter().enumerate().map(|(index, item)| match item {
            ParamValue::Nested(remaining) => {
                Ok(Self::new(format!("{}[{index}]", self.qualified(name)), remaining))
            }
            ParamValue::String(_) => Err(error()),
        });
        maps.collect::<Result<_, _>>().map(Some)
    }

    /// The name of a parameter as the caller wrote it.
    pub(super) fn qualified(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}[{name}]", self.prefix) }
    }

    /// Whether a parameter is present and not taken yet.
    pub(super) fn contains(&mut self, name: &str) -> bool {
        self.note(name);
        self.remaining.iter().any(|(other, _)| other == name)
    }

    /// The name of the first remaining parameter whose name matches.
    pub(super) fn find_name(&self, matches: impl Fn(&str) -> bool) -> Option<String> {
        self.remaining.iter().map(|(name, _)| name).find(|name| matches(name)).cloned()
    }

    /// Takes a value of any kind.
    pub(super) fn take_value(&mut self, name: &str) -> Option<ParamValue> {
        self.note(name);
        let index = self.remaining.iter().position(|(other, _)| other == name)?;
        Some(self.remaining.remove(index).1)
    }

    fn note(&mut self, name: &str) {
        if self.asked.iter().all(|other| other != name) {
            self.asked.push(name.to_owned());
        }
    }

    /// 400: the value is not an integer.
    pub(super) fn invalid_integer(&self, name: &str, value: &str) -> Error {
        let message = format!("Invalid integer: {}", excerpt(value));
        Error::parameter(self.qualified(name), "parameter_invalid_integer", message)
    }

    /// 400: the value has another type.
    pub(super) fn type_error(&self, name: &str, expected: &str, actual: &str) -> Error {
        let name = self.qualified(name);
        let message = format!("Invalid {}: it accepts {expected}, not a {actual}.", excerpt(&name));
        Error::parameter(name, "parameter_invalid", message)
    }
}

/// A parameter that is one string or a list of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// Rejects a JSON body that is sent as something else: no parameter of a form begins with a brace.
pub(super) fn reject_unmarked_json(request: &Request) -> Result<(), Error> {
    let first = request.body().iter().find(|byte| !byte.is_ascii_whitespace());
    if !matches!(first, Some(b'{' | b'[')) {
        return Ok(());
    }
    let sent = match header_str(request, header::CONTENT_TYPE) {
        Some(sent) => format!("the Content-Type is {}", excerpt(sent)),
        None => "there is no Content-Type".to_owned(),
    };
    Err(Error::invalid(format!(
        "The body looks like JSON, and {sent}. Send the header `Content-Type: application/json`."
    )))
}

/// Whether the content type of a request is JSON.
pub(super) fn has_json_body(request: &Request) -> bool {
    let content_type = header_str(request, header::CONTENT_TYPE).unwrap_or_default();
    content_type.trim_start().to_ascii_lowercase().starts_with("application/json")
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_value() -> impl Strategy<Value = ParamValue> {
        let string = "[^\\p{Cc}]{0,8}".prop_map(ParamValue::String);
        string.prop_recursive(8, 32, 4, |inner| {
            let list = proptest::collection::vec(inner.clone(), 1..4).prop_map(|items| {
                items.into_iter().enumerate().map(|(i, item)| (i.to_string(), item)).collect()
            });
            let map = proptest::collection::btree_map("[a-z][^\\p{Cc}\\[\\]]{0,5}", inner, 1..4)
                .prop_map(|fields| fields.into_iter().collect());
            prop_oneof![list, map].prop_map(ParamValue::Nested)
        })
    }

    /// Writes a form as Stripe's SDKs do: with indexed arrays.
    fn write_form(
        name: &str,
        value: &ParamValue,
        form: &mut form_urlencoded::Serializer<'_, String>,
    ) {
        match value {
            ParamValue::String(value) => {
                form.append_pair(name, value);
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
        fn a_form_written_by_stripes_sdks_parses_to_the_same_values(value in any_value()) {
            let mut form = form_urlencoded::Serializer::new(String::new());
            write_form("a", &value, &mut form);
            let form = form.finish();
            let remaining = vec![("a".to_owned(), value)];
            let expected = Params::new(String::new(), remaining);
            prop_assert_eq!(Params::from_form(form.as_bytes()), Ok(expected));
        }

        #[test]
        fn no_input_panics(bytes: Vec<u8>) {
            let _ = Params::from_form(&bytes);
            let _ = Params::from_json(&bytes);
        }
    }

    #[test]
    fn form_accepts_a_thousand_parameters_and_rejects_one_more() {
        let at_limit = vec!["a=1"; 1_000].join("&");
        assert!(Params::from_form(at_limit.as_bytes()).is_ok());
        let past_limit = format!("{at_limit}&a=1");
        assert_eq!(Params::from_form(past_limit.as_bytes()), Err(too_many_params()));
    }

    #[test]
    fn form_rejects_a_malformed_parameter_name() {
        for name in ["[a]", "a[", "a]b[", "a[b]c", "a[[b]]", "a[b][", "a[b]]"] {
            let form =
                form_urlencoded::Serializer::new(String::new()).append_pair(name, "1").finish();
            let error =
                Error::invalid(format!("Invalid parameter name: {name}. Brackets go in pairs."));
            assert_eq!(Params::from_form(form.as_bytes()), Err(error));
        }
        let deep = |levels: usize| format!("a{}", "[b]".repeat(levels));
        assert!(Params::from_form(deep(16).as_bytes()).is_ok());
        let message = format!(
            "The parameter {} is nested too deeply: it may have up to 16 levels.",
            deep(17)
        );
        assert_eq!(Params::from_form(deep(17).as_bytes()), Err(Error::invalid(message)));
        assert_eq!(
            Params::from_form(b"a=1&a[b]=2"),
            Err(Error::invalid("The parameter a[b] is given in two ways at once."))
        );
    }
}
