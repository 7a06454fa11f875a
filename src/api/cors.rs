//! Cross-origin requests: which routes a browser may call from a page of another origin.
//!
//! A route is open to allowed origins if customers or the public may call it. Routes that require a
//! server key are never open, because a server key must not be in a browser. Callers authenticate by a
//! token in a header: responses never allow credentials of the browser (cookies), so a wildcard origin
//! is harmless. The allowed origins are in [`super::settings`].
//!
//! Browsers do not apply CORS to a WebSocket, but they send `Origin`. So the upgrade itself is rejected.
//!
//! Specification: <https://fetch.spec.whatwg.org/#http-cors-protocol>.

use http::{HeaderValue, Method, header};

use super::{
    app::{App, Request, Response, header_str},
    error::{Error, excerpt},
    router::{Access, Route},
    settings::{self, Settings},
};

/// The request headers that a page may send in addition to the CORS-safelisted ones.
const ALLOW_HEADERS: &str = "authorization, x-api-key, content-type, if-none-match, last-event-id";

/// The response headers that a page may read in addition to the CORS-safelisted ones.
const EXPOSE_HEADERS: &str = "ETag, Retry-After, Request-Id, Entgate-Customer, Entgate-Version, \
                              Entgate-As-Of, Entgate-Served-By";

/// How long a browser may cache a preflight response, in seconds: Chromium's maximum.
const PREFLIGHT_MAX_AGE: &str = "7200";

/// Adds the CORS headers to a response.
pub(super) fn apply<S, O: Copy>(
    app: &App<'_, S>,
    routes: &[Route<O>],
    request: &Request,
    response: &mut Response,
) {
    let open_methods = open_methods(routes, request.uri().path());
    if open_methods.is_empty() {
        return;
    }
    let headers = response.headers_mut();
    // Also without `Origin`: a cache must not serve that response to a page of another origin.
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = header_str(request, header::ORIGIN) else { return };
    let Some(allowed_origin) = app.settings.allow_origin(origin) else {
        if !is_own_origin(origin, request) && app.refused_origins.insert(origin) {
            (app.log)(&format!(
                "refused a request of a page of another origin: {}. To allow it, add the origin to {}",
                excerpt(origin),
                settings::ALLOWED_ORIGINS
            ));
        }
        return;
    };
    let Ok(allowed_origin) = HeaderValue::from_str(allowed_origin) else { return };
    let preflight = match request.method() {
        &Method::OPTIONS => header_str(request, header::ACCESS_CONTROL_REQUEST_METHOD),
        _ => None,
    };
    // A path may be open with one method and closed with another. A preflight for a closed method must
    // fail here, because browsers send a `POST` whatever `Access-Control-Allow-Methods` lists.
    let method = preflight.unwrap_or(request.method().as_str());
    if !open_methods.contains(&method) && method != Method::OPTIONS.as_str() {
        return;
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed_origin);
    if preflight.is_none() {
        let exposed = HeaderValue::from_static(EXPOSE_HEADERS);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        return;
    }
    if let Ok(methods) = HeaderValue::from_str(&open_methods.join(", ")) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    }
    let allowed_headers = HeaderValue::from_static(ALLOW_HEADERS);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed_headers);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_MAX_AGE));
}

/// Authorizes the origin of the page that opens a WebSocket. Other programs send no `Origin`.
///
/// # Errors
///
/// 403 if the page is of another origin that is not allowed.
pub(super) fn authorize_web_socket(settings: &Settings, request: &Request) -> Result<(), Error> {
    let Some(origin) = request.headers().get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    if is_own_origin(origin, request) || settings.allow_origin(origin).is_some() {
        Ok(())
    } else {
        Err(Error::origin_not_allowed())
    }
}

/// Whether a page is of the host that the request is for.
fn is_own_origin(origin: &str, request: &Request) -> bool {
    // A proxy may terminate TLS, so the schemes may differ.
    let host = origin.split_once("://").map(|(_, host)| host);
    let own_host = request.uri().authority().map(http::uri::Authority::as_str);
    host.is_some() && host == own_host
}

/// The methods with which a customer or the public may call a path.
fn open_methods<'a, O: Copy>(routes: &'a [Route<O>], path: &str) -> Vec<&'a str> {
    let open = routes.iter().filter(|route| {
        matches!(route.access, Access::CustomerToken | Access::Public) && route.matches(path)
    });
    let methods = open.flat_map(|route| {
        let head = (route.method == Method::GET).then_some(Method::HEAD.as_str());
        [Some(route.method.as_str()), head].into_iter().flatten()
    });
    methods.collect()
}
