//! Shell of the fast path: the functions that `worker/entry.js` calls before the `worker` module.
//!
//! It is a wasm module of its own, optimized for speed. An isolate that serves only the fast path
//! never loads the `worker` module, which is optimized for size. Only strings and bytes cross the
//! boundary to JavaScript, because a platform object costs more time than all the work here. Which
//! requests are handled is in [`fast_path`], and the format of the strings in [`wire`].
//!
//! | function                 | returns                                                |
//! |--------------------------|--------------------------------------------------------|
//! | [`lookup()`]             | a check or a response from the cache, or a query       |
//! | [`lookup_bound()`]       | the same, for a Worker that is bound to this one       |
//! | [`answer_from_record()`] | the check or the response to that query                |
//! | [`note_existing_feature()`] | nothing: the feature may be denied from now on      |
//! | [`placement()`]          | where the objects and the records of the deployment are |
//! | [`accepts_webhook()`]    | whether the body of an event is read                   |
//! | [`verify_webhook()`]     | a response, or an event for the customer's ledger      |
//! | [`webhook_response()`]   | the response to that event                             |
//! | [`max_webhook_bytes()`], [`body_timeout()`] | the limits of that body             |
//!
//! A function that returns `None`, or false, leaves the request to the slow path.

use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
};

use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::{
    api::{
        body,
        fast_path::{self, ExistingFeatures, FastAnswer, FastQuery, WebhookResult, wire},
        settings::{Bindings, Settings},
    },
    id::{LookupKey, UnixMillis},
    json,
    store::{ServedBy, record_cache::RecordCache},
};

#[wasm_bindgen(module = "/src/bindings.js")]
extern "C" {
    #[wasm_bindgen(js_name = settingBindings)]
    fn setting_bindings(env: &JsValue) -> String;
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = Date, js_name = now)]
    fn now() -> f64;
}

thread_local! {
    /// The settings, parsed once per isolate; `None` if one is malformed.
    static SETTINGS: OnceCell<Option<Rc<Settings>>> = const { OnceCell::new() };

    /// The records that this isolate read recently.
    static RECORD_CACHE: RefCell<RecordCache> = RefCell::default();

    /// The features that this isolate knows to exist.
    static EXISTING_FEATURES: RefCell<ExistingFeatures> = RefCell::default();
}

/// Parses a `GET` request and answers it from the cache, or returns the query for a record.
#[wasm_bindgen]
#[must_use]
pub fn lookup(url: &str, authorization: &str, env: &JsValue) -> Option<String> {
    let (settings, now) = (load_settings(env)?, unix_millis());
    let query = fast_path::parse_query(&settings, url, authorization, now.to_timestamp())?;
    Some(answer_from_cache(&query, &settings, now))
}

/// As [`lookup()`], for a Worker that is bound to this deployment: `target` is a path and a query, and
/// `livemode` the mode of the binding.
#[wasm_bindgen]
#[must_use]
pub fn lookup_bound(target: &str, livemode: bool, env: &JsValue) -> Option<String> {
    let settings = load_settings(env)?;
    let query = fast_path::parse_bound_query(&settings, target, livemode.into())?;
    Some(answer_from_cache(&query, &settings, unix_millis()))
}

fn answer_from_cache(query: &FastQuery, settings: &Settings, now: UnixMillis) -> String {
    let key = query.customer.to_key();
    let cached = RECORD_CACHE.with_borrow(|cache| {
        let record = cache.get(&key, settings.memory_ttl, now)?;
        answer(settings, query, (record, ServedBy::Memory), now)
    });
    match cached {
        Some(answer) => wire::encode_answer(answer, &query.customer.id),
        None => wire::encode_query(query),
    }
}

/// Answers a query of [`lookup()`] from a record of the replica.
#[wasm_bindgen]
#[must_use]
pub fn answer_from_record(query: &str, record: &[u8]) -> Option<String> {
    let query = wire::decode_query(query)?;
    let settings = SETTINGS.with(|cell| cell.get()?.clone())?;
    if !fast_path::accepts_record(&settings, record) {
        return None;
    }
    let now = unix_millis();
    if settings.memory_ttl != 0 {
        let key = query.customer.to_key();
        RECORD_CACHE.with_borrow_mut(|cache| cache.insert(&key, record, now));
    }
    let answer = answer(&settings, &query, (record, ServedBy::Replica), now)?;
    Some(wire::encode_answer(answer, &query.customer.id))
}

fn answer(
    settings: &Settings,
    query: &FastQuery,
    record: (&[u8], ServedBy),
    now: UnixMillis,
) -> Option<FastAnswer> {
    EXISTING_FEATURES.with_borrow_mut(|existing| {
        fast_path::answer_from_record(settings, query, record, existing, now.to_timestamp())
    })
}

/// Notes that a feature exists: the slow path has denied it, and here it may be denied from now on.
#[wasm_bindgen]
pub fn note_existing_feature(livemode: bool, feature: String) {
    if let Ok(feature) = LookupKey::try_from(feature) {
        EXISTING_FEATURES.with_borrow_mut(|existing| existing.insert(livemode.into(), &feature));
    }
}

/// Returns where the objects and the records of the deployment are. `None` if a setting is malformed.
#[wasm_bindgen]
#[must_use]
pub fn placement(env: &JsValue) -> Option<String> {
    Some(wire::encode_placement(&load_settings(env)?.placement))
}

/// Whether the body of a webhook with this signature is read. False also if a setting is malformed.
#[wasm_bindgen]
#[must_use]
pub fn accepts_webhook(signature: &str, env: &JsValue) -> bool {
    load_settings(env).is_some_and(|settings| {
        fast_path::accepts_webhook(&settings, signature, unix_millis().to_timestamp())
    })
}

/// Verifies a webhook. Returns the response, or the summary to store in the customer's ledger object.
#[wasm_bindgen]
#[must_use]
pub fn verify_webhook(url: &str, signature: &str, body: &[u8], env: &JsValue) -> Option<String> {
    let (settings, now) = (load_settings(env)?, unix_millis().to_timestamp());
    match fast_path::verify_webhook(&settings, url, signature, body, now) {
        WebhookResult::Respond(response) => Some(wire::encode_response(&response)),
        WebhookResult::Apply(summary) => wire::encode_event(summary),
        // The slow path calls the coordinator.
        WebhookResult::Poll { .. } => None,
    }
}

/// Builds the response to an event of [`verify_webhook()`] from the receipt of the ledger object.
#[wasm_bindgen]
#[must_use]
pub fn webhook_response(event: &str, receipt: &str) -> Option<String> {
    let (customer, event) = wire::decode_event(event)?;
    let receipt = json::from_slice(receipt.as_bytes()).ok()?;
    Some(wire::encode_response(&fast_path::acknowledgement(&event, &customer.id, receipt)))
}

/// Returns the maximum size of a webhook's body, in bytes.
#[wasm_bindgen]
#[must_use]
pub fn max_webhook_bytes() -> usize {
    body::MAX_WEBHOOK_BYTES
}

/// Returns how long a client may take to send a body, in milliseconds.
#[wasm_bindgen]
#[must_use]
pub fn body_timeout() -> u32 {
    body::BODY_TIMEOUT
}

/// Returns the settings. `None` if one is malformed: the slow path reports which.
fn load_settings(env: &JsValue) -> Option<Rc<Settings>> {
    SETTINGS.with(|cell| {
        let parse = || {
            let bindings = Bindings::decode(&setting_bindings(env));
            Settings::from_bindings(&bindings).ok().map(Rc::new)
        };
        cell.get_or_init(parse).clone()
    })
}

fn unix_millis() -> UnixMillis {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float saturates as an integer"
    )]
    UnixMillis(now() as u64)
}
