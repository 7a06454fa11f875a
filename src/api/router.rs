//! Route tables: matches a method and a path, and returns the operation and the path parameters.
//!
//! A path pattern contains `{name}` for one segment and `{name*}` for the rest of the path. This module
//! also answers `OPTIONS` and rejects unsupported methods. It does not authenticate: [`Access`]
//! documents a route, and its handler enforces it.

use std::borrow::Cow;

use http::{HeaderValue, Method, StatusCode, header};
use percent_encoding::percent_decode_str;

use super::{app::Response, error::Error, nearest::near_distance};

/// One row of a route table.
#[derive(Debug)]
pub struct Route<O> {
    /// The method; a `GET` route also answers `HEAD`.
    pub method: Method,
    /// The path pattern. `{…}` matches one segment; `{…*}` matches the rest, without decoding it.
    pub path: &'static str,
    /// Who may call the route.
    pub access: Access,
    pub(super) operation: O,
}

/// Who may call a route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// Any client.
    Public,
    /// A client that signs the request body.
    WebhookSignature,
    /// A client with a secret key.
    ServerKey,
    /// A client with a secret key or a read-only key.
    ReadKey,
    /// A client with a customer's token, about that customer, or a client with any server key.
    CustomerToken,
}

/// The result of matching a method and a path.
pub(super) enum RouteMatch<O> {
    /// The operation, and the path parameters in order.
    Operation(O, Vec<String>),
    /// The response to an `OPTIONS` request.
    Options(Response),
    /// No route of this table has the path.
    NotFound,
}

/// The most segments of a path that is compared with the routes.
const MAX_SEGMENTS: usize = 12;

/// The path of the route that a caller probably means by a path without a route. `None` if none is near.
pub(super) fn nearest_path<'a>(
    patterns: impl IntoIterator<Item = &'a str>,
    path: &str,
) -> Option<&'a str> {
    let segments: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    if segments.len() > MAX_SEGMENTS {
        return None;
    }
    let mut best = None;
    for pattern in patterns {
        let expected = pattern.split('/').filter(|segment| !segment.is_empty());
        let expected: Vec<_> = expected.collect();
        // The version is forgotten more often than misspelt.
        let without_version = expected.strip_prefix(&["v1"]).unwrap_or(&expected);
        let distances =
            [distance(&expected, &segments), distance(without_version, &segments).map(|d| d + 1)];
        let Some(distance) = distances.into_iter().flatten().min() else { continue };
        if best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, pattern));
        }
    }
    best.map(|(_, pattern)| pattern)
}

/// How much the segments of a path differ from those of a pattern. `None` if one of them is another
/// word, or if the pattern has nothing but parameters.
fn distance(pattern: &[&str], segments: &[&str]) -> Option<usize> {
    if pattern.len() != segments.len() {
        return None;
    }
    let mut sum = 0;
    let mut names = 0;
    for (expected, segment) in pattern.iter().zip(segments) {
        if !expected.starts_with('{') {
            sum += near_distance(segment, expected)?;
            names += usize::from(*expected != "v1");
        }
    }
    (names > 0).then_some(sum)
}

impl<O: Copy> Route<O> {
    /// Whether a path matches this route's pattern.
    pub(super) fn matches(&self, path: &str) -> bool {
        match_path(self.path, path).is_some()
    }

    /// Finds the route of a request.
    ///
    /// # Errors
    ///
    /// 405 if the path matches a route and the method does not.
    pub(super) fn match_request(
        routes: &[Self],
        method: &Method,
        path: &str,
    ) -> Result<RouteMatch<O>, Error> {
        let route_method = if method == Method::HEAD { &Method::GET } else { method };
        for route in routes.iter().filter(|route| route.method == *route_method) {
            if let Some(ids) = match_path(route.path, path) {
                let ids = ids.into_iter().map(Cow::into_owned).collect();
                return Ok(RouteMatch::Operation(route.operation, ids));
            }
        }
        let matching: Vec<_> = routes.iter().filter(|route| route.matches(path)).collect();
        if matching.is_empty() {
            return Ok(RouteMatch::NotFound);
        }
        let mut allowed = vec![Method::OPTIONS.as_str()];
        for route in &matching {
            allowed.push(route.method.as_str());
            if route.method == Method::GET {
                allowed.push(Method::HEAD.as_str());
            }
        }
        let allowed = allowed.join(", ");
        if method != Method::OPTIONS {
            return Err(Error::method_not_allowed(method, path, allowed));
        }
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        if let Ok(allowed) = HeaderValue::from_str(&allowed) {
            response.headers_mut().insert(header::ALLOW, allowed);
        }
        Ok(RouteMatch::Options(response))
    }
}

/// The decoded path parameters, if the path matches the pattern.
fn match_path<'a>(pattern: &str, path: &'a str) -> Option<Vec<Cow<'a, str>>> {
    let mut params = Vec::new();
    let (mut pattern, mut path) = (pattern, path);
    loop {
        // A `{` in the pattern starts a parameter, even if the path has a `{` there.
        let is_literal = |(expected, byte): &(u8, u8)| expected == byte && *expected != b'{';
        let literal_len = pattern.bytes().zip(path.bytes()).take_while(is_literal).count();
        (pattern, path) = (pattern.get(literal_len..)?, path.get(literal_len..)?);
        if pattern.is_empty() && path.is_empty() {
            return Some(params);
        }
        let (name, suffix) = pattern.strip_prefix('{')?.split_once('}')?;
        if name.ends_with('*') {
            params.push(path.into());
            return Some(params);
        }
        let (segment, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
        params.push(percent_decode_str(segment).decode_utf8().ok()?);
        (pattern, path) = (suffix, rest);
    }
}
