//! The replica in KV: one record per customer, under `test:cus_…` or `live:cus_…`. In a jurisdiction, its
//! name begins the key: `eu:live:cus_…`.
//!
//! KV accepts one write a second per key, and a location may read an old value until its cache expires
//! (<https://developers.cloudflare.com/kv/platform/limits/>). Not here: when a record is written,
//! which the ledger decides, and the format of a record ([`record`]).

use js_sys::{ArrayBuffer, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use worker::{Env, console_error};

use super::runtime::load_settings;
use crate::{
    api::{deployment::DEPLOYMENT_KEY, settings::Placement},
    entitlement::Entitlements,
    id::CustomerKey,
    policy::SourcePolicy,
    store::{Error, Replica, record},
};

/// The binding in `wrangler.toml`.
const BINDING: &str = "ENTITLEMENTS";

/// How long a location may answer from its cache, in seconds: the least that KV allows
/// (<https://developers.cloudflare.com/kv/api/read-key-value-pairs/>). `entry.js` has it too.
const CACHE_TTL: u32 = 30;

#[wasm_bindgen]
extern "C" {
    /// A KV namespace, with the two methods that are called here.
    type KvNamespace;

    #[wasm_bindgen(method, catch)]
    fn get(this: &KvNamespace, key: &str, options: &JsValue) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn put(this: &KvNamespace, key: &str, record: &ArrayBuffer) -> Result<Promise, JsValue>;
}

/// The KV namespace.
pub(super) struct KvReplica {
    namespace: KvNamespace,
    /// The source and the status policy of now: a record of another one is not read.
    policy: SourcePolicy,
    placement: Placement,
}

impl KvReplica {
    pub(super) fn from_env(env: &Env) -> worker::Result<Self> {
        let kv = Reflect::get(env, &BINDING.into())?;
        if kv.is_undefined() {
            return Err(format!("invalid kv store: {BINDING}").into());
        }
        let settings = load_settings(env).map_err(|error| error.to_string())?;
        let policy = settings.source_policy();
        Ok(Self { namespace: kv.unchecked_into(), policy, placement: settings.placement })
    }

    /// Writes the record of a customer that the ledger stores.
    pub(super) async fn put_record(
        &self,
        customer: &CustomerKey,
        record: &[u8],
    ) -> Result<(), Error> {
        self.put(&self.placement.replica_key(customer), record).await
    }

    /// Reads the record of the deployment.
    pub(super) async fn get_deployment(&self) -> Result<Option<Vec<u8>>, Error> {
        self.get(DEPLOYMENT_KEY).await.map_err(unreachable)
    }

    /// Writes the record of the deployment.
    pub(super) async fn put_deployment(&self, record: &str) -> Result<(), Error> {
        self.put(DEPLOYMENT_KEY, record.as_bytes()).await
    }

    /// Returns whether the source set of a record was read under the policy of now, or is missing.
    fn is_current(&self, record: &Entitlements) -> bool {
        record.source.as_ref().is_none_or(|set| set.policy == self.policy)
    }

    async fn put(&self, key: &str, record: &[u8]) -> Result<(), Error> {
        let put = async {
            let put = self.namespace.put(key, &Uint8Array::from(record).buffer())?;
            JsFuture::from(put).await
        };
        put.await.map(drop).map_err(unreachable)
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, JsValue> {
        let options = Object::new();
        Reflect::set(&options, &"type".into(), &"arrayBuffer".into())?;
        Reflect::set(&options, &"cacheTtl".into(), &CACHE_TTL.into())?;
        let stored = JsFuture::from(self.namespace.get(key, &options)?).await?;
        Ok((!stored.is_null()).then(|| Uint8Array::new(&stored).to_vec()))
    }
}

impl Replica for KvReplica {
    async fn save(&self, customer: &CustomerKey, set: &Entitlements) -> Result<(), Error> {
        let record = record::encode(set).map_err(|error| unreadable(&error))?;
        self.put_record(customer, &record).await
    }

    async fn load(&self, customer: &CustomerKey) -> Result<Option<Entitlements>, Error> {
        let stored = self.get(&self.placement.replica_key(customer)).await;
        let loaded = stored.map_err(unreachable).and_then(|stored| match stored {
            Some(bytes) => record::decode(&bytes)
                .map(|record| Some(record).filter(|record| self.is_current(record)))
                .map_err(|error| unreadable(&error)),
            None => Ok(None),
        });
        // The caller continues with the ledger and drops the error.
        if let Err(error) = &loaded {
            console_error!("{error}");
        }
        loaded
    }
}

fn unreachable(error: JsValue) -> Error {
    Error::Unreachable { port: "replica", cause: worker::Error::from(error).to_string() }
}

fn unreadable(error: &record::Error) -> Error {
    Error::Unreadable { port: "replica", cause: error.to_string() }
}
