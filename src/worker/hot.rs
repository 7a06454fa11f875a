//! The hot path's way in and out: what `entry.js` asks of the core before anything else is tried.
//!
//! Texts cross to JavaScript and back, and the record crosses once: an object of the platform costs
//! more than all that is done here. Who asks and what is answered is in [`crate::api::hot`].
//!
//! | function      | gives                                                                   |
//! |---------------|-------------------------------------------------------------------------|
//! | [`ask()`]     | the answer, from memory; or `?`, the key of the record that has it, a line end, and the question |
//! | [`tell()`]    | the answer: an object as JSON, or the headers of a 204, a line each     |
//! | [`receive()`] | a response, or a promise of one                                         |
//!
//! Each gives nothing where the request has to go the long way.

use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
};

use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::future_to_promise;
use worker::Env;

use super::{http, ledger::DurableLedger, log, millis, settings};
use crate::{
    api::{
        hot::{self, Answer, Question, Received, Route},
        settings::Settings,
    },
    id::CustomerId,
    store::{Ledger as _, ServedBy, recent::Recent},
};

thread_local! {
    /// What the operator set: it is the same for as long as this isolate lives.
    static SETTINGS: OnceCell<Option<Rc<Settings>>> = const { OnceCell::new() };

    /// What this isolate has read a moment ago.
    static RECENT: RefCell<Recent> = RefCell::default();
}

/// What a `GET` asks, if it is answered here.
#[wasm_bindgen(js_name = hotAsk)]
#[expect(unreachable_pub, reason = "wasm-bindgen exports what is public")]
pub fn ask(url: &str, authorization: &str, env: &Env) -> Option<String> {
    let (settings, now) = (known(env)?, millis());
    let question = hot::ask(&settings, url, authorization, now.second())
        .filter(|question| !matches!(question.route, Route::List(_)))?;
    let key = question.customer.key();
    let remembered = RECENT.with_borrow(|recent| {
        let record = recent.recall(&key, settings.memory_ttl, now)?;
        hot::tell(&question, record, ServedBy::Memory)
    });
    Some(match remembered {
        Some(answer) => shown(answer, question.customer.id),
        None => question.to_line(),
    })
}

/// The answer to what [`ask()`] gave, by this record.
#[wasm_bindgen(js_name = hotTell)]
#[expect(unreachable_pub, reason = "wasm-bindgen exports what is public")]
pub fn tell(asked: &str, record: &[u8]) -> Option<String> {
    let question = Question::from_line(asked)?;
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
        Answer::List(list) => list.body,
    }
}

/// The answer to an event that is signed so, or a promise of it.
#[wasm_bindgen(js_name = hotReceive)]
#[expect(unreachable_pub, reason = "wasm-bindgen exports what is public")]
pub fn receive(signature: &str, body: &[u8], env: &Env) -> Option<JsValue> {
    let now = millis().second();
    let summary = match hot::receive(&*known(env)?, signature, body, now, log) {
        Received::Answer(answer) => {
            return http::answer(answer, http::request_id()).ok().map(Into::into);
        }
        Received::Summary(summary) => summary,
    };
    let ledger = DurableLedger::open(env).ok()?;
    let answer = async move {
        let answer = hot::keep(&summary, ledger.apply(&summary, now).await, log);
        Ok(http::answer(answer, http::request_id())?.into())
    };
    Some(future_to_promise(answer).into())
}

/// The settings, unless one is malformed.
fn known(env: &Env) -> Option<Rc<Settings>> {
    SETTINGS.with(|known| known.get_or_init(|| settings(env).ok().map(Rc::new)).clone())
}
