//! The hot path's shell: what `worker/entry.js` asks before anything else is tried.
//!
//! It is a WebAssembly module of its own, built for speed: an isolate that is asked nothing but this
//! starts with this alone, and the `worker` module, built for its size, begins when it is needed.
//! Texts cross to JavaScript and back, and a record or an event crosses once: an object of the
//! platform costs more than all that is done here. Who asks and what is answered is in [`api::hot`].
//!
//! | function      | gives                                                                   |
//! |---------------|-------------------------------------------------------------------------|
//! | [`ask()`]     | the answer, from memory; or `?`, the key of the record that has it, a line end, and the question |
//! | [`tell()`]    | the answer: an object as JSON, or as `text` has it                  |
//! | [`receive()`] | the answer, as `text` has it; or `!`, what the customer's object is called, a line end, the event's id, another, and what the object has to be told |
//! | [`kept()`]    | the answer, as `text` has it                                        |
//!
//! Each gives nothing where the request has to go the long way.

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
    /// What the operator set: it is the same for as long as this isolate lives.
    static SETTINGS: OnceCell<Option<Rc<Settings>>> = const { OnceCell::new() };

    /// What this isolate has read a moment ago.
    static RECENT: RefCell<RecordCache> = RefCell::default();
}

/// What an event that is to be kept begins with, which no answer does.
const EVENT_MARKER: &str = "!";

/// What a `GET` asks, if it is answered here.
#[wasm_bindgen]
#[must_use]
pub fn lookup(url: &str, authorization: &str, env: &Env) -> Option<String> {
    let (settings, now) = (load_settings(env)?, unix_millis());
    let question = fast_path::parse_query(&settings, url, authorization, now.to_timestamp())?;
    let key = question.customer.to_key();
    let remembered = RECENT.with_borrow(|recent| {
        let record = recent.get(&key, settings.memory_ttl, now)?;
        fast_path::answer_from_record(&question, record, ServedBy::Memory)
    });
    Some(match remembered {
        Some(answer) => encode_answer(answer, &question.customer.id),
        None => question.encode(),
    })
}

/// The answer to what [`ask()`] gave, by this record.
#[wasm_bindgen]
#[must_use]
pub fn answer_from_record(asked: &str, record: &[u8]) -> Option<String> {
    let question = FastQuery::decode(asked)?;
    if SETTINGS.with(|known| known.get()?.as_ref().map(|settings| settings.memory_ttl)) != Some(0) {
        let key = question.customer.to_key();
        RECENT.with_borrow_mut(|recent| recent.insert(&key, record, unix_millis()));
    }
    Some(encode_answer(
        fast_path::answer_from_record(&question, record, ServedBy::Replica)?,
        &question.customer.id,
    ))
}

/// An answer to a question: an object of a check as it is, else all of it as [`text()`] has it.
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

/// What becomes of an event that is signed so.
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
        FastWebhookResult::Respond(answer) => Some(encode_response(&answer)),
        FastWebhookResult::Apply(summary) => {
            let head =
                [EVENT_MARKER, &summary.customer.to_key(), "\n", summary.event.as_str(), "\n"]
                    .concat();
            Some(head + &serde_json::to_string(&LedgerRequest::Apply(summary)).ok()?)
        }
    }
}

/// The answer to what [`receive()`] gave, by the receipt of the customer's object.
#[wasm_bindgen]
#[must_use]
pub fn webhook_response(received: &str, receipt: &str) -> Option<String> {
    let mut parts = received.strip_prefix(EVENT_MARKER)?.splitn(3, '\n');
    let (customer, event) =
        (CustomerKey::from_key(parts.next()?)?, EventId::try_from(parts.next()?).ok()?);
    let receipt = json::from_slice(receipt.as_bytes()).ok()?;
    Some(encode_response(&fast_path::webhook_response(&event, &customer.id, receipt)))
}

/// An answer as a text: its status, a line each for its headers, an empty one, and its body.
fn encode_response(answer: &api::Response) -> String {
    let mut text = answer.status().as_str().to_owned();
    for (name, value) in answer.headers() {
        let value = value.to_str().unwrap_or_default();
        text.extend(["\n", name.as_str(), ": ", value]);
    }
    text.push_str("\n\n");
    text.push_str(std::str::from_utf8(answer.body()).unwrap_or_default());
    text
}

/// The settings, unless one is malformed.
fn load_settings(env: &Env) -> Option<Rc<Settings>> {
    SETTINGS.with(|known| {
        let read = || Settings::parse(|name| env.get(name).as_string()).ok().map(Rc::new);
        known.get_or_init(read).clone()
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
