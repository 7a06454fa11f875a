//! Pages of other origins: what a browser may let them ask, and see of an answer.
//!
//! <https://fetch.spec.whatwg.org/#http-cors-protocol>. Only routes that a customer or anyone may take
//! are open to them, and only for the origins that the operator set: a server key has no business in
//! a browser. What opens is a token in a header, so that credentials of the browser's own (cookies)
//! are never asked for, and a wildcard is harmless.

use http::{HeaderValue, Method, header};

use super::{ROUTES, Request, Response, header_str, router::Access, settings::Settings};

/// What a page may send beside what it always may.
const ALLOW_HEADERS: &str = "authorization, x-api-key, content-type, if-none-match, last-event-id";

/// What a page may read beside what it always may.
const EXPOSE_HEADERS: &str = "ETag, Retry-After, Request-Id, Entgate-Customer, Entgate-Version, \
                              Entgate-As-Of, Entgate-Served-By";

/// How long a browser may keep what it was told, in seconds: as long as Chromium does at most.
const PREFLIGHT_MAX_AGE: &str = "7200";

/// Says in an answer what a page may do with it.
pub(super) fn apply(settings: &Settings, request: &Request, response: &mut Response) {
    let open = allowed_methods(request.uri().path());
    if open.is_empty() {
        return;
    }
    let headers = response.headers_mut();
    // Also where there is no origin: a cache must not show that answer to a page.
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = header_str(request, header::ORIGIN) else { return };
    let Some(Ok(allowed)) =
        settings.allowed_origins.allow_origin(origin).map(HeaderValue::from_str)
    else {
        return;
    };
    let preflight = match request.method() {
        &Method::OPTIONS => header_str(request, header::ACCESS_CONTROL_REQUEST_METHOD),
        _ => None,
    };
    // One path may be a customer's by one method and the operator's by another. That has to be said
    // here: browsers ask for a `POST` whatever methods are listed.
    let method = preflight.unwrap_or(request.method().as_str());
    if !open.contains(&method) && method != Method::OPTIONS.as_str() {
        return;
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    if preflight.is_none() {
        let exposed = HeaderValue::from_static(EXPOSE_HEADERS);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        return;
    }
    if let Ok(methods) = HeaderValue::from_str(&open.join(", ")) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    }
    let allowed = HeaderValue::from_static(ALLOW_HEADERS);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_MAX_AGE));
}

/// The methods by which a customer or anyone may take a path.
fn allowed_methods(path: &str) -> Vec<&'static str> {
    let open = ROUTES.iter().filter(|route| {
        matches!(route.access, Access::CustomerToken | Access::Public) && route.matches(path)
    });
    let methods = open.flat_map(|route| {
        let head = (route.method == Method::GET).then_some(Method::HEAD.as_str());
        [Some(route.method.as_str()), head].into_iter().flatten()
    });
    methods.collect()
}
