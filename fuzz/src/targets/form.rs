//! Parameters. Lines: method and path, a form.
//!
//! `$PRODUCT`, `$PRICE`, `$FEATURE`, `$CUSTOMER`, `$SUBSCRIPTION`, `$ITEM`, `$CLOCK` and `$ENDPOINT` stand
//! for ids of a catalog in memory. The target sends the form as a query string, or as a body and, if it is
//! in the usual form, as JSON. Each request is rolled back.

use std::{cell::Cell, str};

use entgate::{
    api::{Request, Response, catalog},
    catalog::{Tx, memory::MemoryStorage},
    id::Livemode,
    policy::StatusPolicy,
};
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use super::{
    lines::split_line,
    subject::{TEST_KEY, assert_documented_status},
};
use crate::{
    support::{NOW, Service},
    token_fixtures,
};

thread_local! {
    static CATALOG: Catalog = Catalog::new();
    /// A deployment whose source is Stripe.
    static EDGE: Service = token_fixtures::with_ada(&[]);
}

/// The most parameters of a form that is compared with JSON. A larger one may exceed a limit in one form
/// only.
const MAX_COMPARED: usize = 64;

pub(crate) fn run(input: &[u8]) {
    let Some((start, form)) = split_line(input) else { return };
    let Some((method, path)) = start.split_once(' ') else { return };
    CATALOG.with(|catalog| {
        let path = catalog.replace_markers(path);
        let form = match str::from_utf8(form) {
            Ok(form) => catalog.replace_markers(form).into_bytes(),
            Err(_) => form.to_vec(),
        };
        if method == "POST" {
            check_body(catalog, &path, form);
        } else if let Ok(query) = str::from_utf8(&form) {
            let target = format!("{path}?{query}");
            let request = http::Request::builder().method(method).uri(target).body(Vec::new());
            if let Ok(request) = request {
                send(catalog, &request);
            }
        }
    });
}

fn check_body(catalog: &Catalog, path: &str, form: Vec<u8>) {
    let post = |content_type: &str, body| {
        let request = http::Request::post(path).header(CONTENT_TYPE, content_type);
        request.body(body).ok().map(|request| send(catalog, &request))
    };
    // The parameters of a query string come before those of a form, and after those of JSON.
    let json = to_json(&form).filter(|_| !path.contains('?'));
    let Some(response) = post("application/x-www-form-urlencoded", form) else { return };
    let Some(json) = json else { return };
    let Some(expected) = post("application/json", json.to_string().into_bytes()) else { return };
    let parts = |response: &Response| {
        let body = String::from_utf8_lossy(response.body()).into_owned();
        (response.status(), body)
    };
    assert_eq!(parts(&response), parts(&expected), "{path} {json}");
}

/// Sends a request to the edge if it has such a route, else to the catalog. No request is answered with an
/// error of the server that is not documented.
fn send(catalog: &Catalog, request: &Request) -> Response {
    let path = request.uri().path();
    let is_edge = ["/v1/check", "/v1/tokens"].contains(&path);
    let response = if is_edge { send_to_edge(request) } else { catalog.send(request) };
    let body = serde_json::from_slice(response.body()).unwrap_or_default();
    assert_documented_status(response.status().as_u16(), &body, path);
    response
}

fn send_to_edge(request: &Request) -> Response {
    let authorization = format!("Bearer {TEST_KEY}");
    let mut headers = vec![("authorization", authorization.as_str())];
    if let Some(Ok(content_type)) = request.headers().get(CONTENT_TYPE).map(|value| value.to_str())
    {
        headers.push(("content-type", content_type));
    }
    let (method, target) = (request.method().as_str(), request.uri().to_string());
    let answer = EDGE.with(|service| service.request(method, &target, &headers, request.body()));
    let mut response = Response::new(answer.body.to_string().into_bytes());
    if let Ok(status) = answer.status.try_into() {
        *response.status_mut() = status;
    }
    response
}

/// The JSON of a form, if it has no parameter twice, and the indexes of its lists count from 0.
fn to_json(form: &[u8]) -> Option<Value> {
    let mut root = Node::Map(Vec::new());
    let mut count = 0;
    for (name, value) in form_urlencoded::parse(form) {
        count += 1;
        root.insert(&path(&name)?, &value)?;
    }
    (count <= MAX_COMPARED).then(|| root.into_json()).flatten()
}

/// `a[b][0]` → `a`, `b`, `0`. `None` for another form.
fn path(name: &str) -> Option<Vec<&str>> {
    let end = name.find('[').unwrap_or(name.len());
    let (first, mut rest) = name.split_at_checked(end)?;
    let mut path = vec![first];
    while !rest.is_empty() {
        let (part, after) = rest.strip_prefix('[')?.split_once(']')?;
        path.push(part);
        rest = after;
    }
    let is_usual = |part: &&str| !part.is_empty() && !part.contains(['[', ']']);
    (path.iter().all(is_usual) && path.len() <= 4).then_some(path)
}

/// A value of a form. Members keep their order.
enum Node {
    Leaf(String),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// Adds a value. `None` if there is one already.
    fn insert(&mut self, path: &[&str], value: &str) -> Option<()> {
        let Self::Map(members) = self else { return None };
        let (name, rest) = path.split_first()?;
        let existing = members.iter_mut().find(|(other, _)| other == name);
        match (existing, rest) {
            (Some(_), []) => return None,
            (Some((_, node)), _) => node.insert(rest, value)?,
            (None, []) => members.push(((*name).to_owned(), Self::Leaf(value.to_owned()))),
            (None, _) => {
                let mut node = Self::Map(Vec::new());
                node.insert(rest, value)?;
                members.push(((*name).to_owned(), node));
            }
        }
        Some(())
    }

    /// A map whose names are 0, 1, … is a list. `None` for a map with some other number as a name.
    fn into_json(self) -> Option<Value> {
        let members = match self {
            Self::Leaf(string) => return Some(Value::String(string)),
            Self::Map(members) => members,
        };
        let is_list = (0..).zip(&members).all(|(index, (name, _))| *name == index.to_string());
        let is_number = |name: &str| name.starts_with(|c: char| c.is_ascii_digit());
        if is_list && !members.is_empty() {
            let items = members.into_iter().map(|(_, node)| node.into_json());
            return items.collect::<Option<_>>().map(Value::Array);
        }
        if members.iter().any(|(name, _)| is_number(name)) {
            return None;
        }
        let members = members.into_iter().map(|(name, node)| Some((name, node.into_json()?)));
        members.collect::<Option<Map<_, _>>>().map(Value::Object)
    }
}

/// A catalog with one object of each kind.
struct Catalog {
    storage: MemoryStorage,
    /// Each marker with the id that it stands for.
    ids: Vec<(&'static str, String)>,
}

impl Catalog {
    fn new() -> Self {
        let mut catalog = Self { storage: MemoryStorage::default(), ids: Vec::new() };
        for (marker, path, form) in [
            ("$FEATURE", "/v1/entitlements/features", "lookup_key=sms&name=SMS"),
            ("$PRODUCT", "/v1/products", "name=Plan"),
            ("", "/v1/products/$PRODUCT/features", "entitlement_feature=$FEATURE"),
            (
                "$PRICE",
                "/v1/prices",
                "product=$PRODUCT&currency=usd&unit_amount=500&recurring[interval]=month",
            ),
            ("$CLOCK", "/v1/test_helpers/test_clocks", "frozen_time=1800000000"),
            ("$CUSTOMER", "/v1/customers", "name=Ada&test_clock=$CLOCK"),
            ("$SUBSCRIPTION", "/v1/subscriptions", "customer=$CUSTOMER&items[0][price]=$PRICE"),
            (
                "$ENDPOINT",
                "/v1/webhook_endpoints",
                "url=https://app.example/hook&enabled_events[0]=*",
            ),
        ] {
            let (path, form) = (catalog.replace_markers(path), catalog.replace_markers(form));
            let seed = 1 + catalog.ids.len() as u64;
            let request = http::Request::post(path).body(form.into_bytes());
            let request = request.unwrap_or_else(|error| panic!("{marker}: {error}"));
            let response = catalog.storage.transact(|| catalog.handle(&request, seed));
            let response = response.unwrap_or_else(|error| panic!("{marker}: {error:?}"));
            let object: Value = serde_json::from_slice(response.body()).unwrap_or_default();
            let id = object["id"].as_str().unwrap_or_else(|| panic!("{marker}: {object}"));
            catalog.ids.push((marker, id.to_owned()));
            if let Some(item) = object["items"]["data"][0]["id"].as_str() {
                catalog.ids.push(("$ITEM", item.to_owned()));
            }
        }
        catalog.ids.retain(|(marker, _)| !marker.is_empty());
        catalog
    }

    fn replace_markers(&self, text: &str) -> String {
        let markers = self.ids.iter().filter(|(marker, _)| !marker.is_empty());
        markers.fold(text.to_owned(), |text, (marker, id)| text.replace(marker, id))
    }

    /// Answers a request, and rolls its changes back.
    fn send(&self, request: &Request) -> Response {
        let mut answer = None;
        let _: Result<(), ()> = self.storage.transact(|| {
            answer = Some(self.handle(request, 1_000));
            Err(())
        });
        match answer {
            Some(Ok(response)) => response,
            Some(Err(rejected)) => rejected.response(),
            None => Response::default(),
        }
    }

    fn handle(&self, request: &Request, seed: u64) -> Result<Response, catalog::Rejected> {
        // SplitMix64: <https://prng.di.unimi.it/splitmix64.c>.
        let state = Cell::new(seed << 32);
        let random = || {
            state.set(state.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
            let mixed = state.get() ^ (state.get() >> 30);
            let mixed = mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed ^ (mixed >> 27)
        };
        let tx = Tx::new(&self.storage, Livemode::Test, StatusPolicy::default(), &random, NOW);
        catalog::handle(tx, request)
    }
}
