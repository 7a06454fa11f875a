//! Clock, timers, settings and the log of an isolate.
//!
//! Everything here is cheap to call and has no state but the settings, which an isolate parses
//! once. Not here: random numbers (`random`), and the bindings of a request (`Bindings` in
//! `mod.rs`).

use std::{cell::OnceCell, rc::Rc, time::Duration};

use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use worker::{Delay, Env, ScheduledTime, console_error};

use crate::{
    api::settings::{self, Bindings, Settings},
    id::UnixMillis,
};

/// Timeout of one request to the source, in milliseconds. Stripe returns a page within one second.
pub(super) const SOURCE_TIMEOUT: u32 = 8_000;

#[wasm_bindgen(module = "/src/bindings.js")]
extern "C" {
    #[wasm_bindgen(js_name = settingBindings)]
    fn setting_bindings(env: &JsValue) -> String;
}

thread_local! {
    /// The settings, once they are parsed. They stay the same for the lifetime of the isolate.
    static SETTINGS: OnceCell<Rc<Settings>> = const { OnceCell::new() };
}

/// Returns the settings. The first call of an isolate parses them.
pub(super) fn load_settings(env: &Env) -> Result<Rc<Settings>, settings::Error> {
    if let Some(settings) = SETTINGS.with(|cell| cell.get().cloned()) {
        return Ok(settings);
    }
    let bindings = Bindings::decode(&setting_bindings(env.as_ref()));
    let mut settings = Settings::from_bindings(&bindings)?;
    settings.unknown_settings = bindings.unknown_names();
    Ok(SETTINGS.with(|cell| Rc::clone(cell.get_or_init(|| Rc::new(settings)))))
}

pub(super) fn log_error(line: &str) {
    console_error!("{line}");
}

pub(super) fn now_millis() -> UnixMillis {
    // Without the object that `worker::Date` creates: an event reads the clock several times.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number of milliseconds after 1970"
    )]
    UnixMillis(js_sys::Date::now() as u64)
}

/// Resolves after this many milliseconds.
pub(super) fn sleep(millis: u64) -> Delay {
    Delay::from(Duration::from_millis(millis))
}

/// Converts a timestamp for `set_alarm`.
pub(super) fn scheduled_time(timestamp: UnixMillis) -> ScheduledTime {
    #[expect(clippy::cast_precision_loss, reason = "a date has fewer than 53 bits of milliseconds")]
    ScheduledTime::new(js_sys::Date::new(&(timestamp.0 as f64).into()))
}
