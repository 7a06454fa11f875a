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
//! | [`tell()`]    | the answer: an object as JSON, or the headers of a 204, a line each     |
//! | [`receive()`] | the answer, as [`text()`] has it; or `!`, what the customer's object is called, a line end, the event's id, another, and what the object has to be told |
//! | [`kept()`]    | the answer, as [`text()`] has it                                        |
//!
//! Each gives nothing where the request has to go the long way.

use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
};

use serde::Serialize;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::{
    api::{
        self,
        hot::{self, Answer, Question, Received, Route},
        settings::Settings,
    },
    entitlement::{Summary, Version},
    id::{Customer, CustomerId, EventId, Livemode, LookupKey, Millis},
    store::{ServedBy, recent::Recent},
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
    static RECENT: RefCell<Recent> = RefCell::default();
}

/// What a question begins with, which no answer does.
const QUESTION: &str = "?";

/// What an event that is to be kept begins with, which no answer does.
const EVENT: &str = "!";

/// What a `GET` asks, if it is answered here.
#[wasm_bindgen]
#[must_use]
pub fn ask(url: &str, authorization: &str, env: &Env) -> Option<String> {
    let (settings, now) = (settings(env)?, millis());
    let question = hot::ask(&settings, url, authorization, now.second())?;
    let key = question.customer.key();
    let remembered = RECENT.with_borrow(|recent| {
        let record = recent.recall(&key, settings.memory_ttl, now)?;
        hot::tell(&question, record, ServedBy::Memory)
    });
    Some(match remembered {
        Some(answer) => shown(answer, question.customer.id),
        None => line(&question),
    })
}

/// The answer to what [`ask()`] gave, by this record.
#[wasm_bindgen]
#[must_use]
pub fn tell(asked: &str, record: &[u8]) -> Option<String> {
    let question = question(asked)?;
    let key = question.customer.key();
    RECENT.with_borrow_mut(|recent| recent.remember(&key, record, millis()));
    Some(shown(hot::tell(&question, record, ServedBy::Replica)?, question.customer.id))
}

fn shown(answer: Answer, customer: CustomerId) -> String {
    match answer {
        Answer::Check(object) => object,
        Answer::Granted(glance, served_by) => [
            glance.version.0.to_string(),
            glance.as_of.0.to_string(),
            served_by.name().to_owned(),
            customer.into(),
        ]
        .join("\n"),
    }
}

/// What becomes of an event that is signed so.
#[wasm_bindgen]
#[must_use]
pub fn receive(signature: &str, body: &[u8], env: &Env) -> Option<String> {
    /// As the customer's object reads it.
    #[derive(Serialize)]
    struct Message<'a> {
        apply: &'a Summary,
    }
    match hot::receive(&*settings(env)?, signature, body, millis().second(), log) {
        Received::Answer(answer) => Some(text(&answer)),
        Received::Summary(summary) => {
            let message = serde_json::to_string(&Message { apply: &summary }).ok()?;
            let key = summary.customer.key();
            Some([EVENT, &key, "\n", summary.event.as_str(), "\n", &message].concat())
        }
    }
}

/// The answer to what [`receive()`] gave, by the receipt of the customer's object.
#[wasm_bindgen]
#[must_use]
pub fn kept(received: &str, receipt: &str) -> Option<String> {
    let mut parts = received.strip_prefix(EVENT)?.splitn(3, '\n');
    let (customer, event) = (customer(parts.next()?)?, EventId::try_from(parts.next()?).ok()?);
    let receipt = serde_json::from_str(receipt).ok()?;
    Some(text(&hot::kept(&event, &customer.id, receipt)))
}

/// An answer as a text: its status, a line each for its headers, an empty one, and its body.
fn text(answer: &api::Response) -> String {
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
fn settings(env: &Env) -> Option<Rc<Settings>> {
    SETTINGS.with(|known| {
        let read = || Settings::read(|name| env.get(name).as_string()).ok().map(Rc::new);
        known.get_or_init(read).clone()
    })
}

fn millis() -> Millis {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float saturates as an integer"
    )]
    Millis(now() as u64)
}

/// A question between [`ask()`] and [`tell()`]. No id and no key has a line end in it.
fn line(question: &Question) -> String {
    let Question { route, customer: Customer { livemode, id }, feature, at_least } = question;
    let route = match route {
        Route::Check => "check",
        Route::Authorize => "authorize",
    };
    let at_least = at_least.to_string();
    let key = [QUESTION, livemode.prefix(), id.as_str()].concat();
    [key.as_str(), route, feature.as_str(), &at_least].join("\n")
}

fn question(line: &str) -> Option<Question> {
    let mut parts = line.strip_prefix(QUESTION)?.splitn(4, '\n');
    let (customer, route) = (customer(parts.next()?)?, parts.next()?);
    let feature = LookupKey::try_from(parts.next()?).ok()?;
    let at_least = Version(parts.next()?.parse().ok()?);
    let route = if route == "check" { Route::Check } else { Route::Authorize };
    Some(Question { route, customer, feature, at_least })
}

/// The customer of a key.
fn customer(key: &str) -> Option<Customer> {
    let (livemode, id) = [Livemode::Test, Livemode::Live]
        .into_iter()
        .find_map(|mode| Some((mode, key.strip_prefix(mode.prefix())?)))?;
    Some(Customer { livemode, id: CustomerId::try_from(id).ok()? })
}
