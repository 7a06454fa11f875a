//! A transport for tests: an in-memory Stripe with entitlements, subscriptions, features and queued
//! responses.
//!
//! It paginates like Stripe and supports only the routes of this client. The tests against the built
//! Worker have a more complete fake. Its clock advances only during sleeps.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
};

use serde::Serialize;
use serde_json::{Value, json};

use super::client::{StripeResponse, Transport};
use crate::{entitlement::ActiveEntitlement, id::UnixMillis, waiting::yield_now};

/// How long a turn of other futures lasts in a sleep, in milliseconds, if responses have a delay.
const TURN: u64 = 25;

/// An in-memory Stripe.
#[derive(Debug, Default)]
pub struct FakeStripe {
    entitlements: RefCell<HashMap<String, Vec<ActiveEntitlement>>>,
    deleted: RefCell<Vec<String>>,
    features: RefCell<Vec<Value>>,
    subscriptions: RefCell<HashMap<String, Vec<Value>>>,
    products: RefCell<Vec<Value>>,
    product_features: RefCell<HashMap<String, Vec<Value>>>,
    /// Oldest first.
    events: RefCell<Vec<Value>>,
    queued_responses: RefCell<VecDeque<Result<StripeResponse, String>>>,
    requests: RefCell<Vec<String>>,
    sleeps: RefCell<Vec<u64>>,
    now: Cell<u64>,
    delay: Cell<u32>,
}

impl FakeStripe {
    /// Sets the entitlements of a customer.
    pub fn set_entitlements(&self, customer: &str, list: Vec<ActiveEntitlement>) {
        self.entitlements.borrow_mut().insert(customer.to_owned(), list);
    }

    /// Deletes a customer.
    pub fn delete_customer(&self, customer: &str) {
        self.entitlements.borrow_mut().remove(customer);
        self.deleted.borrow_mut().push(customer.to_owned());
    }

    /// Sets the features by their lookup keys.
    pub fn set_features(&self, keys: &[&str]) {
        let feature = |key: &&str| json!({ "id": format!("feat_{key}"), "lookup_key": key });
        self.features.replace(keys.iter().map(feature).collect());
    }

    /// Sets the subscriptions of a customer, as Stripe's objects.
    pub fn set_subscriptions(&self, customer: &str, subscriptions: Vec<Value>) {
        self.subscriptions.borrow_mut().insert(customer.to_owned(), subscriptions);
    }

    /// Sets the products, as Stripe's objects.
    pub fn set_products(&self, products: Vec<Value>) {
        self.products.replace(products);
    }

    /// Sets the features of a product by their lookup keys. Their ids are those of the tests' entitlements.
    pub fn set_product_features(&self, product: &str, keys: &[&str]) {
        let feature = |key: &&str| {
            json!({
                "id": format!("prodft_{product}_{key}"),
                "object": "product_feature",
                "entitlement_feature": { "id": format!("feat_test_{key}"), "lookup_key": key },
            })
        };
        let features = keys.iter().map(feature).collect();
        self.product_features.borrow_mut().insert(product.to_owned(), features);
    }

    /// Lists an event from now on, in the order of the creation times.
    pub fn add_event(&self, event: Value) {
        let mut events = self.events.borrow_mut();
        events.push(event);
        events.sort_by_key(|event| event.get("created").and_then(Value::as_i64));
    }

    /// Removes all events, as Stripe does after 30 days.
    pub fn clear_events(&self) {
        self.events.borrow_mut().clear();
    }

    /// Queues the response to the next request.
    pub fn queue_response(&self, response: Result<StripeResponse, String>) {
        self.queued_responses.borrow_mut().push_back(response);
    }

    /// The requested targets, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.requests.borrow().clone()
    }

    /// The durations of all sleeps, in milliseconds.
    #[must_use]
    pub fn sleeps(&self) -> Vec<u64> {
        self.sleeps.borrow().clone()
    }

    /// Sets how many turns other futures have before a response arrives. Sleeps then last too.
    pub fn set_delay(&self, delay: u32) {
        self.delay.set(delay);
    }

    /// Sets the clock.
    pub fn set_clock(&self, now: UnixMillis) {
        self.now.set(now.0);
    }

    fn respond(&self, target: &str) -> StripeResponse {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if let Some(customer) = path.strip_prefix("/v1/customers/") {
            let customer = percent_decode(customer);
            let deleted = self.deleted.borrow().contains(&customer);
            let exists = deleted || self.entitlements.borrow().contains_key(&customer);
            return if exists {
                json_response(
                    200,
                    &json!({ "id": customer, "object": "customer", "deleted": deleted }),
                )
            } else {
                not_found(404, "id", &customer)
            };
        }
        let param = |name: &str| {
            let pair = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
            pair.map(|(_, value)| value.into_owned())
        };
        let customer = param("customer").unwrap_or_default();
        let entitlements = self.entitlements.borrow();
        let cursor = param("starting_after");
        let limit = param("limit").and_then(|limit| limit.parse().ok()).unwrap_or(10);
        if path == "/v1/events" {
            let from = param("created[gte]").and_then(|from| from.parse::<i64>().ok());
            let types: Vec<_> = form_urlencoded::parse(query.as_bytes())
                .filter_map(|(name, value)| (name == "types[]").then_some(value))
                .collect();
            let is_listed = |event: &&Value| {
                let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
                let created = event.get("created").and_then(Value::as_i64);
                types.iter().any(|listed| listed == kind) && created >= from
            };
            let events = self.events.borrow();
            let newest_first: Vec<_> = events.iter().rev().filter(is_listed).collect();
            return list_page(&newest_first, cursor, limit, |event| json_id(event));
        }
        if path == "/v1/entitlements/features" {
            return list_page(&self.features.borrow(), cursor, limit, json_id);
        }
        if path == "/v1/products" {
            return list_page(&self.products.borrow(), cursor, limit, json_id);
        }
        if path == "/v1/subscriptions" {
            let subscriptions = self.subscriptions.borrow();
            let list = subscriptions.get(&customer).map_or(&[][..], Vec::as_slice);
            return list_page(list, cursor, limit, json_id);
        }
        let product =
            path.strip_prefix("/v1/products/").and_then(|it| it.strip_suffix("/features"));
        if let Some(product) = product.map(percent_decode) {
            return match self.product_features.borrow().get(&product) {
                Some(features) => list_page(features, cursor, limit, json_id),
                None => not_found(404, "product", &product),
            };
        }
        match entitlements.get(&customer) {
            Some(list) => list_page(list, cursor, limit, |entitlement| entitlement.id.as_str()),
            None => not_found(400, "customer", &customer),
        }
    }
}

impl Transport for FakeStripe {
    async fn get(&self, target: &str) -> Result<StripeResponse, String> {
        self.requests.borrow_mut().push(target.to_owned());
        for _ in 0..self.delay.get() {
            yield_now().await;
        }
        let queued = self.queued_responses.borrow_mut().pop_front();
        queued.unwrap_or_else(|| Ok(self.respond(target)))
    }

    async fn sleep(&self, millis: u64) {
        self.sleeps.borrow_mut().push(millis);
        let until = self.now.get().saturating_add(millis);
        if self.delay.get() > 0 {
            for _ in 0..millis.div_ceil(TURN) {
                yield_now().await;
            }
        }
        self.now.set(self.now.get().max(until));
    }

    fn now(&self) -> UnixMillis {
        UnixMillis(self.now.get())
    }

    fn random(&self) -> f64 {
        1.0
    }
}

fn list_page<T: Serialize>(
    list: &[T],
    cursor: Option<String>,
    limit: usize,
    id: impl Fn(&T) -> &str,
) -> StripeResponse {
    let start = match cursor {
        None => 0,
        Some(cursor) => match list.iter().position(|item| id(item) == cursor) {
            None => return not_found(400, "starting_after", &cursor),
            Some(index) => index.saturating_add(1),
        },
    };
    let page: Vec<_> = list.iter().skip(start).take(limit).collect();
    let has_more = start.saturating_add(limit) < list.len();
    // Not a `Value`, which would copy each object: the model tests read millions.
    let data = serde_json::to_string(&page).unwrap_or_default();
    let body = format!(r#"{{"object":"list","data":{data},"has_more":{has_more}}}"#);
    StripeResponse { status: 200, body: body.into_bytes(), ..StripeResponse::default() }
}

fn json_id(object: &Value) -> &str {
    object.get("id").and_then(Value::as_str).unwrap_or_default()
}

fn percent_decode(segment: &str) -> String {
    percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

fn not_found(status: u16, param: &str, id: &str) -> StripeResponse {
    let message = format!("No such thing: '{id}'");
    json_response(
        status,
        &json!({ "error": {
            "type": "invalid_request_error", "code": "resource_missing", "message": message, "param": param,
        }}),
    )
}

fn json_response(status: u16, body: &serde_json::Value) -> StripeResponse {
    StripeResponse { status, body: body.to_string().into_bytes(), ..StripeResponse::default() }
}
