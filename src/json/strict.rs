//! Parsing of what a client sends: JSON in which no object has two members of one name.
//!
//! | input                                            | result                                     |
//! |--------------------------------------------------|--------------------------------------------|
//! | an object with two members of one name           | [`Error::DuplicateMember`], at any depth   |
//! | a string with half of a surrogate pair, `\ud83d` | `null`, or an error where [`Unicode`] says |
//! | more than [`MAX_DEPTH`] levels                   | [`Error::Syntax`]                          |
//!
//! Parsers differ in which of two members they use, so a proxy and this parser could read two
//! different requests. Half of a surrogate pair is valid JSON, but not Unicode: JavaScript writes one
//! if a program cuts a string inside an emoji. Numbers and strings are parsed by `serde_json`.
//!
//! Specification: <https://www.rfc-editor.org/rfc/rfc8259>, sections 4 and 8.2.

use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::scan;

/// The maximum number of nested arrays and objects, as in `serde_json`.
pub const MAX_DEPTH: usize = 127;

/// Why an input was rejected.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input is not JSON, or a string is not Unicode.
    #[error("{0}")]
    Syntax(String),
    /// An object has two members of this name.
    #[error("duplicate member `{0}`")]
    DuplicateMember(String),
}

/// Which strings must be Unicode.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unicode<'a> {
    /// All strings, and all names of members.
    Everywhere,
    /// The strings at these paths: names of members, joined by dots. Any other string that is not
    /// Unicode is read as `null`. A member whose name is not Unicode is left out.
    At(&'a [&'a str]),
}

/// Parses a JSON document.
///
/// # Errors
///
/// If the input is not JSON, if a member is duplicate, or if a string is not Unicode and must be.
pub fn parse(input: &[u8], unicode: Unicode<'_>) -> Result<Value, Error> {
    let parsed = str::from_utf8(input).map_err(|_| Failure::Syntax).and_then(|rest| {
        let mut parser = Parser { rest, path: String::new(), unicode };
        let value = parser.value(MAX_DEPTH)?;
        parser.skip_white_space();
        if parser.rest.is_empty() { Ok(value) } else { Err(Failure::Syntax) }
    });
    parsed.map_err(|failure| match failure {
        Failure::Duplicate(name) => Error::DuplicateMember(name),
        Failure::Syntax => Error::Syntax(syntax_error(input, unicode)),
    })
}

/// The message of `serde_json`, which names the problem and its position.
fn syntax_error(input: &[u8], unicode: Unicode<'_>) -> String {
    let error = match unicode {
        Unicode::Everywhere => None,
        // Ignored strings need not be Unicode: any other problem is reported first.
        Unicode::At(_) => serde_json::from_slice::<IgnoredAny>(input).err(),
    };
    let error = error.or_else(|| serde_json::from_slice::<Value>(input).err());
    error.map_or_else(|| "malformed JSON".to_owned(), |error| error.to_string())
}

enum Failure {
    Syntax,
    Duplicate(String),
}

struct Parser<'a> {
    /// What is not parsed yet.
    rest: &'a str,
    /// The names of the members that contain the current value, joined by dots.
    path: String,
    unicode: Unicode<'a>,
}

impl<'a> Parser<'a> {
    fn value(&mut self, depth: usize) -> Result<Value, Failure> {
        self.skip_white_space();
        match self.rest.as_bytes().first() {
            Some(b'"') => {
                let token = self.string_token()?;
                Ok(self.string(token)?.map_or(Value::Null, Value::String))
            }
            Some(b'[') => self.array(depth.checked_sub(1).ok_or(Failure::Syntax)?),
            Some(b'{') => self.object(depth.checked_sub(1).ok_or(Failure::Syntax)?),
            _ => self.scalar(),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, Failure> {
        self.expect("[")?;
        let mut items = Vec::new();
        if !self.eat("]") {
            loop {
                items.push(self.value(depth)?);
                if !self.eat(",") {
                    break self.expect("]")?;
                }
            }
        }
        Ok(Value::Array(items))
    }

    fn object(&mut self, depth: usize) -> Result<Value, Failure> {
        self.expect("{")?;
        let mut members = Map::new();
        if !self.eat("}") {
            loop {
                self.skip_white_space();
                let token = self.string_token()?;
                let name = self.string(token)?;
                self.expect(":")?;
                let value = self.member_value(name.as_deref(), depth)?;
                if let Some(name) = name {
                    if members.contains_key(&name) {
                        return Err(Failure::Duplicate(name));
                    }
                    members.insert(name, value);
                }
                if !self.eat(",") {
                    break self.expect("}")?;
                }
            }
        }
        Ok(Value::Object(members))
    }

    fn member_value(&mut self, name: Option<&str>, depth: usize) -> Result<Value, Failure> {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        // No path that a caller gives has this character.
        self.path.push_str(name.unwrap_or("\0"));
        let value = self.value(depth)?;
        self.path.truncate(length);
        Ok(value)
    }

    /// A number, `true`, `false` or `null`.
    fn scalar(&mut self) -> Result<Value, Failure> {
        let end = self.rest.find([',', ']', '}', ' ', '\t', '\n', '\r']);
        let token = self.take(end.unwrap_or(self.rest.len()))?;
        serde_json::from_str(token).map_err(|_| Failure::Syntax)
    }

    /// Takes a string with its quotes.
    fn string_token(&mut self) -> Result<&'a str, Failure> {
        let bytes = self.rest.as_bytes();
        if bytes.first() != Some(&b'"') {
            return Err(Failure::Syntax);
        }
        let mut end = 1;
        loop {
            end += scan::find_quote_or_backslash(bytes.get(end..).ok_or(Failure::Syntax)?);
            match bytes.get(end) {
                Some(b'"') => return self.take(end + 1),
                // Two bytes: the escaped character may be a quote.
                Some(_) => end += 2,
                None => return Err(Failure::Syntax),
            }
        }
    }

    /// Decodes a string. `None` if it is not Unicode and need not be.
    fn string(&self, token: &str) -> Result<Option<String>, Failure> {
        let content = token.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        if let Some(content) = content.filter(|content| scan::needs_no_escape(content.as_bytes())) {
            return Ok(Some(content.to_owned()));
        }
        if let Ok(string) = serde_json::from_str(token) {
            return Ok(Some(string));
        }
        let may_be_ignored = match self.unicode {
            Unicode::Everywhere => false,
            Unicode::At(paths) => !paths.contains(&self.path.as_str()),
        };
        // This checks everything but the surrogates.
        let is_json = serde_json::from_str::<IgnoredAny>(token).is_ok();
        if may_be_ignored && is_json { Ok(None) } else { Err(Failure::Syntax) }
    }

    fn skip_white_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn eat(&mut self, token: &str) -> bool {
        self.skip_white_space();
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), Failure> {
        if self.eat(token) { Ok(()) } else { Err(Failure::Syntax) }
    }

    fn take(&mut self, length: usize) -> Result<&'a str, Failure> {
        let (token, rest) = self.rest.split_at_checked(length).ok_or(Failure::Syntax)?;
        self.rest = rest;
        Ok(token)
    }
}
