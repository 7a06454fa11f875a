//! Parses single values: comma-separated lists and URLs.
//!
//! Every parser reports the first problem that it finds, and never includes the value, which may be a
//! secret.

use http::Uri;

/// The maximum number of items in one setting: each key or secret costs time on every request.
pub(super) const MAX_ITEMS: usize = 16;

/// A setting with an invalid value. It names the setting and never contains the value.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{name} {problem}")]
pub struct Error {
    /// The name of the setting.
    pub name: &'static str,
    /// What is wrong with its value.
    pub problem: &'static str,
}

/// Parses a comma-separated list. An empty value is an empty list, because that is how an operator
/// clears a variable.
pub(super) fn parse_list<T>(
    name: &'static str,
    value: Option<String>,
    parse: impl Fn(&str) -> Result<T, &'static str>,
) -> Result<Vec<T>, Error> {
    let value = value.unwrap_or_default();
    let error = |problem| Error { name, problem };
    let items = split_items(&value).map_err(error)?;
    items.into_iter().map(|item| parse(item).map_err(error)).collect()
}

fn split_items(value: &str) -> Result<Vec<&str>, &'static str> {
    if value.trim().is_empty() {
        return Ok(Vec::new());
    }
    let items: Vec<_> = value.split(',').map(str::trim).collect();
    if items.iter().any(|item| item.is_empty()) {
        return Err("has an empty item: two commas in a row, or one at an end");
    }
    if items.iter().any(|item| item.contains(char::is_whitespace)) {
        return Err("has white space inside an item: separate items by commas");
    }
    if items.len() > MAX_ITEMS {
        return Err("has more than 16 items");
    }
    Ok(items)
}

/// Parses a URL that only the intended server can read: `https`, or `http` on localhost.
pub(super) fn parse_url(value: &str) -> Result<Uri, &'static str> {
    let uri = value.parse::<Uri>().ok();
    // The part before an `@` is a user name and a password: neither belongs in these settings.
    let uri = uri.filter(|uri| uri.authority().is_some_and(|host| !host.as_str().contains('@')));
    let uri = uri.ok_or("is not a URL: it begins with https://host or https://host:port")?;
    let is_local = matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if is_local => Ok(uri),
        _ => Err("is neither https://… nor http:// on localhost"),
    }
}
