//! A table of routes, who may take each, and the way through it.

use std::borrow::Cow;

use http::{HeaderValue, Method, StatusCode, header};
use percent_encoding::percent_decode_str;

use super::{Response, error::Error};

/// One line of a route table.
#[derive(Debug)]
pub struct Route<E> {
    /// The method; a `GET` answers `HEAD` too.
    pub method: Method,
    /// The path; `{…}` stands for one segment, and `{…*}` for all that is left, as it was sent.
    pub path: &'static str,
    /// Who may ask.
    pub access: Access,
    pub(super) operation: E,
}

/// Who may take a route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// Whoever comes.
    Public,
    /// Whoever signed what comes.
    WebhookSignature,
    /// Whoever has a server key.
    ServerKey,
    /// Whoever has a customer's token, about that customer; and whoever has a server key.
    CustomerToken,
}

/// What a method and a path lead to.
pub(super) enum RouteMatch<E> {
    /// The endpoint, and what stands for the `{…}` in its path.
    Operation(E, Vec<String>),
    /// The answer to an `OPTIONS`.
    Options(Response),
    /// The path is in another table, or in none.
    NotFound,
}

impl<E: Copy> Route<E> {
    /// Whether a path has this route's form.
    pub(super) fn matches(&self, path: &str) -> bool {
        match_path(self.path, path).is_some()
    }

    /// Finds the route of a request.
    ///
    /// # Errors
    ///
    /// 405, where the path is a route's and the method is not.
    pub(super) fn match_request(
        routes: &[Self],
        method: &Method,
        path: &str,
    ) -> Result<RouteMatch<E>, Error> {
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        for route in routes.iter().filter(|route| route.method == *wanted) {
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

/// What stands for each `{…}`, decoded, if the path has the route's form.
fn match_path<'a>(route: &str, path: &'a str) -> Option<Vec<Cow<'a, str>>> {
    let mut captured = Vec::new();
    let (mut route, mut path) = (route, path);
    loop {
        // What a path has where a route has `{` stands for something, even if it is the same.
        let same = |(expected, byte): &(u8, u8)| expected == byte && *expected != b'{';
        let same = route.bytes().zip(path.bytes()).take_while(same).count();
        (route, path) = (route.get(same..)?, path.get(same..)?);
        if route.is_empty() && path.is_empty() {
            return Some(captured);
        }
        let (name, behind) = route.strip_prefix('{')?.split_once('}')?;
        if name.ends_with('*') {
            captured.push(path.into());
            return Some(captured);
        }
        let (segment, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
        captured.push(percent_decode_str(segment).decode_utf8().ok()?);
        (route, path) = (behind, rest);
    }
}
