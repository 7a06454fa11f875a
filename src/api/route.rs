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
    pub who: Who,
    pub(super) endpoint: E,
}

/// Who may take a route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Who {
    /// Whoever comes.
    Anyone,
    /// Whoever signed what comes.
    Signer,
    /// Whoever has a server key.
    Server,
    /// Whoever has a customer's token, about that customer; and whoever has a server key.
    Customer,
}

/// What a method and a path lead to.
pub(super) enum Found<E> {
    /// The endpoint, and what stands for the `{…}` in its path.
    Endpoint(E, Vec<String>),
    /// The answer to an `OPTIONS`.
    Options(Response),
    /// The path is in another table, or in none.
    Nothing,
}

impl<E: Copy> Route<E> {
    /// Whether a path has this route's form.
    pub(super) fn matches(&self, path: &str) -> bool {
        captured(self.path, path).is_some()
    }

    /// Finds the route of a request.
    ///
    /// # Errors
    ///
    /// 405, where the path is a route's and the method is not.
    pub(super) fn find(routes: &[Self], method: &Method, path: &str) -> Result<Found<E>, Error> {
        let matching: Vec<_> =
            routes.iter().filter_map(|route| Some((route, captured(route.path, path)?))).collect();
        if matching.is_empty() {
            return Ok(Found::Nothing);
        }
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        if let Some((route, ids)) = matching.iter().find(|(route, _)| route.method == *wanted) {
            let ids = ids.iter().map(|id| id.clone().into_owned()).collect();
            return Ok(Found::Endpoint(route.endpoint, ids));
        }
        let mut allowed = vec![Method::OPTIONS.as_str()];
        for (route, _) in &matching {
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
        Ok(Found::Options(response))
    }
}

/// What stands for each `{…}`, decoded, if the path has the route's form.
fn captured<'a>(route: &str, path: &'a str) -> Option<Vec<Cow<'a, str>>> {
    let mut captured = Vec::new();
    if let Some((before, _)) = route.split_once("/{").filter(|_| route.ends_with("*}")) {
        let rest = path.strip_prefix(before)?.strip_prefix('/')?;
        return Some(vec![rest.into()]);
    }
    let mut segments = path.split('/');
    for expected in route.split('/') {
        let segment = segments.next()?;
        if expected.starts_with('{') {
            captured.push(percent_decode_str(segment).decode_utf8().ok()?);
        } else if expected != segment {
            return None;
        }
    }
    segments.next().is_none().then_some(captured)
}
