//! JSON of clients: duplicate members, strings that are not Unicode, and the limits.

use entgate::json::strict::{Error, MAX_DEPTH, Unicode, explain_syntax_error, parse};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::mutated_bytes::{Mutation, mutate, mutations};

const DOCUMENT: &str = concat!(
    r#" {"a":[1,-0.5e3,true,false,null,"x\"\\\u00e9\ud83d\ude00",{}] ,"#,
    "\n\t\"b\" : {\"c\":[[]],\"\":\"é😀\"},\"\\u0064\":123456789012345678901234567890}\r\n"
);

fn parse_everywhere(document: &str) -> Result<Value, Error> {
    parse(document.as_bytes(), Unicode::Everywhere)
}

/// Asserts a syntax error with the message of `serde_json` for the same document.
#[track_caller]
fn assert_syntax_error(document: &str, unicode: Unicode<'_>) {
    let message = serde_json::from_str::<Value>(document).unwrap_err().to_string();
    let explanation = explain_syntax_error(document.as_bytes(), unicode);
    let parsed = parse(document.as_bytes(), unicode);
    assert_eq!((parsed, explanation), (Err(Error::Syntax), message), "{document}");
}

#[test]
fn a_document_without_duplicate_members_is_parsed_like_any_json() {
    let expected: Value = serde_json::from_str(DOCUMENT).unwrap();
    assert_eq!(parse_everywhere(DOCUMENT), Ok(expected.clone()));
    assert_eq!(parse(DOCUMENT.as_bytes(), Unicode::At(&[])), Ok(expected));
    for document in
        ["1", "\"a\"", "[]", " {} ", "null", "[1 , 2]", r#"{"a":{"a":1},"b":[{"a":1}]}"#]
    {
        assert_eq!(parse_everywhere(document).ok(), serde_json::from_str(document).ok());
    }
}

#[test]
fn a_duplicate_member_is_named_at_any_depth() {
    for (document, name) in [
        (r#"{"a":1,"a":1}"#, "a"),
        (r#"{"a":1,"b":2,"a":null}"#, "a"),
        (r#"{"a":{"b":[{"c":1,"c":2}]}}"#, "c"),
        (r#"[{"é":1,"\u00e9":2}]"#, "é"),
        (r#"{"":1,"":2}"#, ""),
        (r#"{"a":1,"\u0061":2}"#, "a"),
        (r#"{"a\"b":1,"a\u0022b":2}"#, "a\"b"),
    ] {
        let expected = Err(Error::DuplicateMember(name.to_owned()));
        for unicode in [Unicode::Everywhere, Unicode::At(&[])] {
            assert_eq!(parse(document.as_bytes(), unicode), expected, "{document}");
        }
    }
    assert_eq!(parse_everywhere(r#"{"a":1,"A":2}"#), Ok(json!({ "a": 1, "A": 2 })));
}

#[test]
fn half_of_a_surrogate_pair_is_null_where_the_string_does_not_matter() {
    let lone = [r"\ud83d", r"Ada \uD83D", r"\ude00", r"\ud83d\u0041", r"\ude00\ud83d", r"\udfff\\"];
    for string in lone {
        let document = format!(r#"{{"a":{{"b":"{string}","c":["{string}",1]}},"d":"é"}}"#);
        let ignored = json!({ "a": { "b": null, "c": [null, 1] }, "d": "é" });
        assert_eq!(parse(document.as_bytes(), Unicode::At(&["b", "a"])), Ok(ignored), "{document}");
        for paths in [&["a.b"][..], &["d", "a.c"]] {
            assert_syntax_error(&document, Unicode::At(paths));
        }
        assert_syntax_error(&document, Unicode::Everywhere);

        let name = format!(r#"{{"{string}":1,"{string}":2,"a":3}}"#);
        assert_eq!(parse(name.as_bytes(), Unicode::At(&["a"])), Ok(json!({ "a": 3 })), "{name}");
        assert_syntax_error(&name, Unicode::Everywhere);
    }
    // Another problem in such a string is an error.
    for string in [r"\ud83d\x", "\\ud83d\n", r"\ud8", r"\ud83d\u12"] {
        let document = format!(r#"{{"a":"{string}"}}"#);
        let parsed = parse(document.as_bytes(), Unicode::At(&[]));
        assert_eq!(parsed, Err(Error::Syntax), "{document}");
    }
}

#[test]
fn a_syntax_error_has_the_message_of_serde_json() {
    for document in [
        "",
        " ",
        "{",
        "[",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1,",
        "{\"a\":1,}",
        "[1,]",
        "[1 2]",
        "{1:2}",
        "{\"a\" 1}",
        "tru",
        "01",
        "1.",
        "-",
        "\"",
        "\"a\nb\"",
        "\"\\q\"",
        "1 2",
        "{}}",
        "[]]",
        "1e999",
        "\u{feff}{}",
        "{\"a\":1}x",
        "nul,",
        "\\",
        "\"\\",
    ] {
        assert_syntax_error(document, Unicode::Everywhere);
        let tolerant = parse(document.as_bytes(), Unicode::At(&[]));
        assert_eq!(tolerant, Err(Error::Syntax), "{document}");
    }
    // The problem is named, and not the string before it that may be ignored.
    let document = br#"{"a":"\ud83d","b":tru}"#;
    assert_eq!(parse(document, Unicode::At(&[])), Err(Error::Syntax));
    let explanation = explain_syntax_error(document, Unicode::At(&[]));
    assert_eq!(explanation, "expected ident at line 1 column 22");
    assert_eq!(parse(b"\"\xff\"", Unicode::At(&[])), Err(Error::Syntax));
    let explanation = explain_syntax_error(b"\"\xff\"", Unicode::At(&[]));
    assert_eq!(explanation, "invalid unicode code point at line 1 column 2");
}

#[test]
fn a_document_has_at_most_127_levels() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        let deepest = nested(MAX_DEPTH);
        assert_eq!(parse_everywhere(&deepest).ok(), serde_json::from_str(&deepest).ok());
        let too_deep = nested(MAX_DEPTH + 1);
        assert_syntax_error(&too_deep, Unicode::Everywhere);
    }
}

proptest! {
    #[test]
    fn a_mutated_document_is_accepted_if_serde_json_accepts_it(
        changes in mutations(b"\"\\{}[],:ud8 \n", 0..6)
    ) {
        let changes: Vec<Mutation> = changes;
        let bytes = mutate(DOCUMENT.as_bytes().to_vec(), changes, 0);
        match (parse(&bytes, Unicode::Everywhere), serde_json::from_slice::<Value>(&bytes)) {
            (Err(Error::DuplicateMember(_)), _) => {}
            (parsed, expected) => prop_assert_eq!(parsed.ok(), expected.ok()),
        }
    }
}
