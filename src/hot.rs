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
        hot::{self, Answer, Question, Received},
        settings::Settings,
    },
    id::{Customer, CustomerId, EventId, Millis},
    json,
    store::{ServedBy, message::Message, recent::Recent, record::Glance},
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
        Some(answer) => shown(answer, &question.customer.id),
        None => question.to_line(),
    })
}

/// The answer to what [`ask()`] gave, by this record.
#[wasm_bindgen]
#[must_use]
pub fn tell(asked: &str, record: &[u8]) -> Option<String> {
    let question = Question::from_line(asked)?;
    if SETTINGS.with(|known| known.get()?.as_ref().map(|settings| settings.memory_ttl)) != Some(0) {
        let key = question.customer.key();
        RECENT.with_borrow_mut(|recent| recent.remember(&key, record, millis()));
    }
    Some(shown(hot::tell(&question, record, ServedBy::Replica)?, &question.customer.id))
}

/// An answer to a question: an object of a check as it is, else all of it as [`text()`] has it.
fn shown(answer: Answer, customer: &CustomerId) -> String {
    let (status, version, as_of, served_by, customer, body) = match answer {
        Answer::Check(object) => return object,
        Answer::Granted(Glance { version, as_of, .. }, served_by) => {
            ("204", version, as_of, served_by, ["\nentgate-customer: ", customer.as_str()], None)
        }
        Answer::List(hot::List { body, version, as_of, served_by }) => {
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
        served_by.name(),
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
pub fn receive(signature: &str, body: &[u8], env: &Env) -> Option<String> {
    match hot::receive(&*settings(env)?, signature, body, millis().second(), log) {
        Received::Answer(answer) => Some(text(&answer)),
        Received::Summary(summary) => {
            let head =
                [EVENT, &summary.customer.key(), "\n", summary.event.as_str(), "\n"].concat();
            Some(head + &serde_json::to_string(&Message::Apply(summary)).ok()?)
        }
    }
}

/// The answer to what [`receive()`] gave, by the receipt of the customer's object.
#[wasm_bindgen]
#[must_use]
pub fn kept(received: &str, receipt: &str) -> Option<String> {
    let mut parts = received.strip_prefix(EVENT)?.splitn(3, '\n');
    let (customer, event) =
        (Customer::of_key(parts.next()?)?, EventId::try_from(parts.next()?).ok()?);
    let receipt = json::read(receipt.as_bytes()).ok()?;
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
