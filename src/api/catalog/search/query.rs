//! Stripe's search query language: parses a query, and matches objects.
//!
//! ```text
//! query  = clause { [ "AND" | "OR" ] clause }         without a word between two clauses: AND
//! clause = [ "-" ] field operator value               "-" negates the clause
//! field  = name | "metadata" "[" quoted "]"
//! value  = quoted | number | "null"                   null: the field has no value
//! ```
//!
//! | field type | `:`                                       | `~`       | `>` `<` `>=` `<=` `=` |
//! |------------|-------------------------------------------|-----------|-----------------------|
//! | token      | equal                                     | no        | no                    |
//! | text       | equal                                     | substring | no                    |
//! | words      | the value's words occur together in the field, in this order | substring | no |
//! | number     | equal                                     | no        | compares              |
//!
//! The case of the letters A to Z does not matter. A query is checked completely when it is parsed, so that matching cannot
//! fail. Which fields exist is in [`fields`](super::fields).
//!
//! Specification: <https://docs.stripe.com/search#search-query-language>.

use serde_json::Value;

use super::super::super::error::Error;
use crate::{
    catalog::{self, Tx},
    metadata::Metadata,
};

/// The most clauses of a query, as at Stripe.
const MAX_CLAUSES: usize = 10;

/// The fewest characters of a substring, as at Stripe.
const MIN_SUBSTRING_LEN: usize = 3;

/// The type of a field, which decides its operators.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum FieldType {
    Token,
    Text,
    Words,
    Number,
}

/// The searchable fields of a resource.
pub(super) struct SearchFields {
    /// Its name in messages.
    pub(super) resource: &'static str,
    pub(super) fields: &'static [(&'static str, FieldType)],
}

/// An object that can be searched.
pub(super) trait Searchable {
    /// The value of a field of its [`SearchFields`].
    fn field(&self, name: &str) -> Option<String>;

    fn metadata(&self) -> &Metadata;

    /// Stripe's JSON.
    fn render(&self, tx: &Tx<'_>) -> Result<Value, catalog::Error>;
}

/// A query that is checked.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct SearchQuery {
    clauses: Vec<Clause>,
    joined_by: Connective,
}

/// What joins the clauses. A query has only one of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Connective {
    And,
    Or,
}

#[derive(Debug, Eq, PartialEq)]
struct Clause {
    is_negated: bool,
    field: Field,
    condition: Condition,
}

#[derive(Debug, Eq, PartialEq)]
enum Field {
    Member(&'static str),
    Metadata(String),
}

/// What a clause requires of its field. Texts are in lower case.
#[derive(Debug, Eq, PartialEq)]
enum Condition {
    IsNull,
    Equals(String),
    HasWords(String),
    Contains(String),
    Compares(Comparison, i64),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

/// The operators. A prefix of another one is after it.
const OPERATORS: [(&str, Operator); 7] = [
    (":", Operator::Matches),
    ("~", Operator::Contains),
    (">=", Operator::Compares(Comparison::GreaterOrEqual)),
    ("<=", Operator::Compares(Comparison::LessOrEqual)),
    (">", Operator::Compares(Comparison::Greater)),
    ("<", Operator::Compares(Comparison::Less)),
    ("=", Operator::Compares(Comparison::Equal)),
];

#[derive(Clone, Copy)]
enum Operator {
    Matches,
    Contains,
    Compares(Comparison),
}

impl SearchQuery {
    pub(super) fn parse(query: &str, fields: &SearchFields) -> Result<Self, Error> {
        let mut clauses: Vec<Clause> = Vec::new();
        let mut joined_by = None;
        let mut rest = query.trim();
        loop {
            if !clauses.is_empty() {
                let (connective, after) = take_connective(rest);
                if *joined_by.get_or_insert(connective) != connective {
                    return Err(invalid(
                        "You can't combine AND and OR in the same search query. Send two queries.",
                    ));
                }
                rest = after;
            }
            let (clause, after) = parse_clause(rest, fields)?;
            clauses.push(clause);
            if clauses.len() > MAX_CLAUSES {
                return Err(invalid(format!(
                    "A search query can have up to {MAX_CLAUSES} clauses."
                )));
            }
            rest = after.trim_start();
            if rest.is_empty() {
                break;
            }
            if rest.len() == after.len() {
                return Err(unparseable());
            }
        }
        Ok(Self { clauses, joined_by: joined_by.unwrap_or(Connective::And) })
    }

    pub(super) fn matches(&self, object: &dyn Searchable) -> bool {
        let mut clauses = self.clauses.iter();
        match self.joined_by {
            Connective::And => clauses.all(|clause| clause.matches(object)),
            Connective::Or => clauses.any(|clause| clause.matches(object)),
        }
    }

    /// The value, in lower case, that a field must be equal to.
    pub(super) fn required_value(&self, name: &str) -> Option<&str> {
        if self.joined_by == Connective::Or {
            return None;
        }
        self.clauses.iter().find_map(|clause| match clause {
            Clause {
                is_negated: false,
                field: Field::Member(field),
                condition: Condition::Equals(value),
            } if *field == name => Some(value.as_str()),
            _ => None,
        })
    }
}

impl Clause {
    fn matches(&self, object: &dyn Searchable) -> bool {
        let value = match &self.field {
            Field::Member(name) => object.field(name),
            Field::Metadata(key) => object.metadata().0.get(key).cloned(),
        };
        let is_met = match value {
            None => self.condition == Condition::IsNull,
            Some(value) => self.condition.is_met_by(&value),
        };
        is_met != self.is_negated
    }
}

impl Condition {
    fn is_met_by(&self, value: &str) -> bool {
        match self {
            Self::IsNull => false,
            Self::Equals(expected) => value.eq_ignore_ascii_case(expected),
            Self::Contains(part) => value.to_ascii_lowercase().contains(part),
            Self::HasWords(words) => has_words(&value.to_ascii_lowercase(), words),
            Self::Compares(comparison, number) => {
                value.parse().is_ok_and(|value: i64| match comparison {
                    Comparison::Less => value < *number,
                    Comparison::LessOrEqual => value <= *number,
                    Comparison::Equal => value == *number,
                    Comparison::GreaterOrEqual => value >= *number,
                    Comparison::Greater => value > *number,
                })
            }
        }
    }
}

/// Whether the words occur in a text, one directly after the other.
fn has_words(text: &str, words: &str) -> bool {
    let text: Vec<&str> = text.split_whitespace().collect();
    let words: Vec<&str> = words.split_whitespace().collect();
    !words.is_empty() && text.windows(words.len()).any(|window| window == words)
}

/// Takes `AND` or `OR`. Without a word it is `AND`.
fn take_connective(rest: &str) -> (Connective, &str) {
    for (word, connective) in [("and", Connective::And), ("or", Connective::Or)] {
        let split = rest.split_at_checked(word.len());
        if let Some((start, after)) = split
            && start.eq_ignore_ascii_case(word)
            && after.starts_with(char::is_whitespace)
        {
            return (connective, after.trim_start());
        }
    }
    (Connective::And, rest)
}

/// Parses the clause at the start of `rest`, and returns what follows it.
fn parse_clause<'a>(rest: &'a str, fields: &SearchFields) -> Result<(Clause, &'a str), Error> {
    let (is_negated, rest) = match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let is_name = |character: char| character.is_ascii_alphanumeric() || "_.".contains(character);
    let end = rest.find(|character| !is_name(character)).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let (key, rest) = match rest.strip_prefix('[') {
        None => (None, rest),
        Some(rest) => {
            let (key, rest) = take_quoted(rest).ok_or_else(unparseable)?;
            (Some(key), rest.strip_prefix(']').ok_or_else(unparseable)?)
        }
    };
    let operator = OPERATORS.iter().find_map(|(symbol, operator)| {
        rest.strip_prefix(*symbol).map(|rest| (*symbol, *operator, rest))
    });
    let (symbol, operator, rest) = operator.ok_or_else(unparseable)?;
    let (field, field_type) = match key {
        Some(key) if name == "metadata" => (Field::Metadata(key), FieldType::Token),
        Some(_) => return Err(unparseable()),
        None => {
            let known = fields.fields.iter().find(|(known, _)| *known == name);
            let (name, field_type) = known.ok_or_else(|| unsupported_field(name, fields))?;
            (Field::Member(name), *field_type)
        }
    };
    let (value, rest) = take_value(rest)?;
    let condition = build_condition(name, field_type, (symbol, operator), value)?;
    Ok((Clause { is_negated, field, condition }, rest))
}

/// Takes a value; `None` is `null`.
fn take_value(rest: &str) -> Result<(Option<String>, &str), Error> {
    if rest.starts_with(['"', '\'']) {
        let (value, rest) = take_quoted(rest).ok_or_else(unparseable)?;
        return Ok((Some(value), rest));
    }
    let (word, rest) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
    if word.eq_ignore_ascii_case("null") {
        return Ok((None, rest));
    }
    let digits = word.strip_prefix('-').unwrap_or(word);
    if !digits.starts_with(|first: char| first.is_ascii_digit())
        || digits.contains(|character: char| !character.is_ascii_digit() && character != '.')
    {
        return Err(unparseable());
    }
    Ok((Some(word.to_owned()), rest))
}

/// Takes a string in single or double quotes. A backslash escapes a character.
fn take_quoted(text: &str) -> Option<(String, &str)> {
    let mut characters = text.chars();
    let quote = characters.next().filter(|quote| matches!(quote, '"' | '\''))?;
    let mut value = String::new();
    loop {
        match characters.next()? {
            '\\' => value.push(characters.next()?),
            character if character == quote => return Some((value, characters.as_str())),
            character => value.push(character),
        }
    }
}

fn build_condition(
    name: &str,
    field_type: FieldType,
    (symbol, operator): (&str, Operator),
    value: Option<String>,
) -> Result<Condition, Error> {
    let Some(value) = value else {
        return match operator {
            Operator::Matches => Ok(Condition::IsNull),
            _ => {
                Err(invalid(format!("`null` can only be searched with `:`, as in `{name}:null`.")))
            }
        };
    };
    let unsupported =
        || invalid(format!("The field `{name}` does not support the operator `{symbol}`."));
    let value = value.to_ascii_lowercase();
    Ok(match (field_type, operator) {
        (FieldType::Number, operator) => {
            let comparison = match operator {
                Operator::Matches => Comparison::Equal,
                Operator::Compares(comparison) => comparison,
                Operator::Contains => return Err(unsupported()),
            };
            let number = value.parse().map_err(|_| {
                invalid(format!(
                    "The field `{name}` is compared with a whole number, as in {name}>0."
                ))
            })?;
            Condition::Compares(comparison, number)
        }
        (FieldType::Words, Operator::Matches) => Condition::HasWords(value),
        (FieldType::Token | FieldType::Text, Operator::Matches) => Condition::Equals(value),
        (FieldType::Text | FieldType::Words, Operator::Contains) => {
            if value.chars().count() < MIN_SUBSTRING_LEN {
                return Err(invalid(format!(
                    "A substring has at least {MIN_SUBSTRING_LEN} characters: {name}~\"{value}\" is too \
                     short."
                )));
            }
            Condition::Contains(value)
        }
        (FieldType::Token, Operator::Contains)
        | (FieldType::Token | FieldType::Text | FieldType::Words, Operator::Compares(_)) => {
            return Err(unsupported());
        }
    })
}

fn unparseable() -> Error {
    invalid(
        "We were unable to parse your search query. Try using the format `metadata[\"key\"]:\"value\"` to \
         query for metadata or key:\"value\" to query for other fields.",
    )
}

fn unsupported_field(name: &str, fields: &SearchFields) -> Error {
    let resource = fields.resource;
    let known: Vec<&str> = fields.fields.iter().map(|(name, _)| *name).collect();
    invalid(format!(
        "Field `{name}` is an unsupported search field for resource `{resource}`. It supports {}, and \
         metadata[\"key\"].",
        known.join(", ")
    ))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::parameter("query", "parameter_invalid", message)
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIELDS: SearchFields = SearchFields {
        resource: "things",
        fields: &[("n", FieldType::Number), ("t", FieldType::Token), ("w", FieldType::Words)],
    };

    proptest! {
        #[test]
        fn no_query_panics(
            any: String,
            similar in "(-?(n|t|w|metadata|é)(\\[['\"]k['\"]\\])?[:~<>=]{0,2}['\"]?[a-z0-9é\\\\ -]{0,4}['\"]?( |AND|OR){0,3}){0,4}",
        ) {
            let _ = SearchQuery::parse(&any, &FIELDS);
            let _ = SearchQuery::parse(&similar, &FIELDS);
        }
    }
}
