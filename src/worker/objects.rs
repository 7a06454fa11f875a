//! The Durable Objects of one binding: their stubs and their ids, in the jurisdiction of the deployment.
//!
//! `src/objects.js` creates every stub, of this core and of the fast path.

use js_sys::{Promise, Reflect};
use wasm_bindgen::{JsCast as _, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use web_sys::{RequestInit, Response};
use worker::{Env, Result, State};

use super::runtime::load_settings;
use crate::{api::settings::Placement, id::Livemode};

#[wasm_bindgen(module = "/src/objects.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = objectId)]
    fn object_id(
        namespace: &JsValue,
        name: &str,
        jurisdiction: &str,
    ) -> std::result::Result<String, JsValue>;

    #[wasm_bindgen(catch, js_name = objectStub)]
    fn object_stub(
        namespace: &JsValue,
        name: &str,
        jurisdiction: &str,
        location_hint: &str,
    ) -> std::result::Result<ObjectStub, JsValue>;
}

#[wasm_bindgen]
extern "C" {
    /// The stub of one object. The `worker` crate's own has no RPC, and would read a response chunk by
    /// chunk.
    pub(super) type ObjectStub;

    #[wasm_bindgen(method, catch, js_name = request)]
    fn request_text(this: &ObjectStub, message: &str) -> std::result::Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = fetch)]
    fn fetch_url(
        this: &ObjectStub,
        url: &str,
        init: &RequestInit,
    ) -> std::result::Result<Promise, JsValue>;

    #[cfg(feature = "catalog")]
    #[wasm_bindgen(method, catch, js_name = fetch)]
    fn fetch_request(
        this: &ObjectStub,
        request: &web_sys::Request,
    ) -> std::result::Result<Promise, JsValue>;
}

impl ObjectStub {
    /// Calls the object's method `request`. Only the catalog has none.
    pub(super) async fn request(&self, message: &str) -> Result<String> {
        let response = JsFuture::from(self.request_text(message)?).await?;
        Ok(response.as_string().ok_or_else(|| "the object returned no string".to_owned())?)
    }

    /// Sends a request to this URL.
    pub(super) async fn fetch(&self, url: &str, init: &RequestInit) -> Result<Response> {
        Ok(JsFuture::from(self.fetch_url(url, init)?).await?.unchecked_into())
    }

    /// Sends a request.
    #[cfg(feature = "catalog")]
    pub(super) async fn send(&self, request: &web_sys::Request) -> Result<Response> {
        Ok(JsFuture::from(self.fetch_request(request)?).await?.unchecked_into())
    }
}

/// The Durable Objects of one binding.
pub(super) struct Objects {
    namespace: JsValue,
    placement: Placement,
}

impl Objects {
    /// Fails without this binding, or if a setting is malformed.
    pub(super) fn from_env(env: &Env, binding: &str) -> Result<Self> {
        let namespace = Reflect::get(env, &binding.into())?;
        if namespace.is_undefined() {
            return Err(format!("the binding {binding} is missing").into());
        }
        let settings = load_settings(env).map_err(|error| error.to_string())?;
        Ok(Self { namespace, placement: settings.placement })
    }

    /// Creates the stub of the object with this name.
    pub(super) fn stub(&self, name: &str) -> Result<ObjectStub> {
        let (jurisdiction, hint) = (self.jurisdiction(), self.placement.location_hint());
        Ok(object_stub(&self.namespace, name, jurisdiction, hint.unwrap_or_default())?)
    }

    /// Whether this is the state of the object with this name. An object does not know its own name.
    pub(super) fn is_state_of(&self, state: &State, name: &str) -> Result<bool> {
        Ok(object_id(&self.namespace, name, self.jurisdiction())? == state.id().to_string())
    }

    /// Returns the mode after which the object with this state is named.
    pub(super) fn livemode_of(&self, state: &State) -> Result<Livemode> {
        for livemode in [Livemode::Test, Livemode::Live] {
            if self.is_state_of(state, livemode.as_str())? {
                return Ok(livemode);
            }
        }
        Err("the name of this object is not a mode".into())
    }

    /// Fails if the runtime has no jurisdictions and the deployment has one.
    pub(super) fn check_placement(&self) -> Result<()> {
        object_id(&self.namespace, "", self.jurisdiction())?;
        Ok(())
    }

    fn jurisdiction(&self) -> &'static str {
        self.placement.jurisdiction().unwrap_or_default()
    }
}
