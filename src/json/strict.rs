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
//! if a program cuts a string inside an emoji. `serde_json` rejects a document with such a string, and
//! accepts duplicate members, so arrays and objects are parsed here. It parses numbers and strings.
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
    /// The input is not JSON, or a string is not Unicode: [`explain_syntax_error()`] names the problem.
    #[error("malformed JSON")]
    Syntax,
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
        Failure::Syntax => Error::Syntax,
    })
}

/// The message of `serde_json` for an input with a syntax error: the problem and its position.
///
/// It is not a part of the error, because the fast path needs no messages, and they need another parser.
#[must_use]
pub fn explain_syntax_error(input: &[u8], unicode: Unicode<'_>) -> String {
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
        let is_end = |byte: u8| matches!(byte, b',' | b']' | b'}') || is_white_space(byte);
        let end = self.rest.bytes().position(is_end);
        let token = self.take(end.unwrap_or(self.rest.len()))?;
        parse_scalar(token)
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
        let content = content.ok_or(Failure::Syntax)?;
        if scan::needs_no_escape(content.as_bytes()) {
            return Ok(Some(content.to_owned()));
        }
        if let Ok(Value::String(string)) = parse_scalar(token) {
            return Ok(Some(string));
        }
        let may_be_ignored = match self.unicode {
            Unicode::Everywhere => false,
            Unicode::At(paths) => !paths.contains(&self.path.as_str()),
        };
        if may_be_ignored && is_json_string(content) { Ok(None) } else { Err(Failure::Syntax) }
    }

    fn skip_white_space(&mut self) {
        let length = self.rest.bytes().take_while(|byte| is_white_space(*byte)).count();
        self.rest = self.rest.get(length..).unwrap_or_default();
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

fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Parses a number, a literal or a string.
fn parse_scalar(token: &str) -> Result<Value, Failure> {
    serde_json::from_slice(token.as_bytes()).map_err(|_| Failure::Syntax)
}

/// Whether the content of a string is valid, except that surrogates need not be paired.
fn is_json_string(content: &str) -> bool {
    let mut chars = content.chars();
    while let Some(c) = chars.next() {
        let is_valid = match c {
            '\\' => match chars.next() {
                Some('u') => (0..4).all(|_| chars.next().is_some_and(|c| c.is_ascii_hexdigit())),
                Some(c) => "\"\\/bfnrt".contains(c),
                None => false,
            },
            c => c >= ' ',
        };
        if !is_valid {
            return false;
        }
    }
    true
}
