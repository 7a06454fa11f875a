//! Shell of the fast path: the functions that `worker/entry.js` calls before the `worker` module.
//!
//! It is a wasm module of its own, optimized for speed. An isolate that serves only the fast path
//! never loads the `worker` module, which is optimized for size. Only strings and bytes cross the
//! boundary to JavaScript, because a platform object costs more time than all the work here. Which
//! requests are handled, and how, is in [`api::fast_path`].
//!
//! | function                 | returns                                                              |
//! |--------------------------|----------------------------------------------------------------------|
//! | [`lookup()`]             | a response from the cache, or a query: `?`, the key of the record in KV, a newline, the rest |
//! | [`answer_from_record()`] | the response to that query: JSON of a check, or an encoded response  |
//! | [`verify_webhook()`]     | an encoded response, or `!` and three parts separated by newlines: the name of the ledger object, the event's id, the message to that object |
//! | [`webhook_response()`]   | an encoded response                                                  |
//!
//! An encoded response is the status, a line per header, an empty line and the body. Every function
//! returns `None` if the request must take the slow path.

use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
};

use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::{
    api::{
        self,
        fast_path::{self, FastAnswer, FastQuery, FastWebhookResult},
        settings::Settings,
    },
    id::{CustomerId, CustomerKey, EventId, UnixMillis},
    json,
    store::{
        ServedBy, ledger_request::LedgerRequest, record::FeatureLookup, record_cache::RecordCache,
    },
};

#[wasm_bindgen]
extern "C" {
    /// The Worker's bindings.
    #[derive(Debug)]
    pub type Env;

    #[wasm_bindgen(method, structural, indexing_getter)]
    fn get(this: &Env, name: &str) -> JsValue;

    #[wasm_bindgen(js_namespace = Date, js_name = now)]
    fn now() -> f64;

    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn log(line: &str);
}

thread_local! {
    /// The settings, parsed once per isolate; `None` if one is malformed.
    static SETTINGS: OnceCell<Option<Rc<Settings>>> = const { OnceCell::new() };

    /// The records that this isolate read recently.
    static RECORD_CACHE: RefCell<RecordCache> = RefCell::default();
}

/// Marks an event that must be stored. No encoded response begins with it.
const EVENT_MARKER: &str = "!";

/// Parses a `GET` request and answers it from the cache, or returns the query for a record.
#[wasm_bindgen]
#[must_use]
pub fn lookup(url: &str, authorization: &str, env: &Env) -> Option<String> {
    let (settings, now) = (load_settings(env)?, unix_millis());
    let query = fast_path::parse_query(&settings, url, authorization, now.to_timestamp())?;
    let key = query.customer.to_key();
    let cached = RECORD_CACHE.with_borrow(|cache| {
        let record = cache.get(&key, settings.memory_ttl, now)?;
        fast_path::answer_from_record(&query, record, ServedBy::Memory)
    });
    Some(match cached {
        Some(answer) => encode_answer(answer, &query.customer.id),
        None => query.encode(),
    })
}

/// Answers a query of [`lookup()`] from a record of the replica.
#[wasm_bindgen]
#[must_use]
pub fn answer_from_record(query: &str, record: &[u8]) -> Option<String> {
    let query = FastQuery::decode(query)?;
    if SETTINGS.with(|cell| cell.get()?.as_ref().map(|settings| settings.memory_ttl)) != Some(0) {
        let key = query.customer.to_key();
        RECORD_CACHE.with_borrow_mut(|cache| cache.insert(&key, record, unix_millis()));
    }
    Some(encode_answer(
        fast_path::answer_from_record(&query, record, ServedBy::Replica)?,
        &query.customer.id,
    ))
}

/// Encodes an answer: the JSON object of a check alone, any other as [`encode_response()`] does.
fn encode_answer(answer: FastAnswer, customer: &CustomerId) -> String {
    let (status, version, as_of, served_by, customer, body) = match answer {
        FastAnswer::Check(object) => return object,
        FastAnswer::Granted(FeatureLookup { version, as_of, .. }, served_by) => {
            ("204", version, as_of, served_by, ["\nentgate-customer: ", customer.as_str()], None)
        }
        FastAnswer::List(fast_path::FastList { body, version, as_of, served_by }) => {
            let kind = ["\ncontent-type: ", "application/json"];
            ("200", version, as_of, served_by, kind, Some(body))
        }
    };
    let (version, as_of) = (version.0.to_string(), as_of.0.to_string());
    let [name, value] = customer;
    [
        status,
        "\nentgate-version: ",
        &version,
        "\nentgate-as-of: ",
        &as_of,
        "\nentgate-served-by: ",
        served_by.as_str(),
        "\ncache-control: no-store\nvary: Origin",
        name,
        value,
        "\n\n",
        body.as_deref().unwrap_or_default(),
    ]
    .concat()
}

/// Verifies a webhook. Returns the response, or the summary to store in the customer's ledger object.
#[wasm_bindgen]
#[must_use]
pub fn verify_webhook(signature: &str, body: &[u8], env: &Env) -> Option<String> {
    match fast_path::verify_webhook(
        &*load_settings(env)?,
        signature,
        body,
        unix_millis().to_timestamp(),
        log,
    ) {
        FastWebhookResult::Respond(response) => Some(encode_response(&response)),
        FastWebhookResult::Apply(summary) => {
            let head =
                [EVENT_MARKER, &summary.customer.to_key(), "\n", summary.event.as_str(), "\n"]
                    .concat();
            Some(head + &serde_json::to_string(&LedgerRequest::Apply(summary)).ok()?)
        }
    }
}

/// Builds the response to an event of [`verify_webhook()`] from the receipt of the ledger object.
#[wasm_bindgen]
#[must_use]
pub fn webhook_response(event: &str, receipt: &str) -> Option<String> {
    let mut parts = event.strip_prefix(EVENT_MARKER)?.splitn(3, '\n');
    let (customer, event) =
        (CustomerKey::from_key(parts.next()?)?, EventId::try_from(parts.next()?).ok()?);
    let receipt = json::from_slice(receipt.as_bytes()).ok()?;
    Some(encode_response(&fast_path::webhook_response(&event, &customer.id, receipt)))
}

/// Encodes a response: the status, a line per header, an empty line and the body.
fn encode_response(response: &api::Response) -> String {
    let mut encoded = response.status().as_str().to_owned();
    for (name, value) in response.headers() {
        let value = value.to_str().unwrap_or_default();
        encoded.extend(["\n", name.as_str(), ": ", value]);
    }
    encoded.push_str("\n\n");
    encoded.push_str(std::str::from_utf8(response.body()).unwrap_or_default());
    encoded
}

/// Returns the settings. `None` if one is malformed: the slow path reports which.
fn load_settings(env: &Env) -> Option<Rc<Settings>> {
    SETTINGS.with(|cell| {
        let parse = || Settings::parse(|name| env.get(name).as_string()).ok().map(Rc::new);
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
