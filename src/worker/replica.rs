//! The replica in KV: one key per customer, `test:cus_…` or `live:cus_…`.
//!
//! KV takes one write a second per key and lets a location see an old value for 60 s
//! (<https://developers.cloudflare.com/kv/platform/limits/>). Who may write, and when, is the
//! ledger's business.

use worker::{Env, console_error, kv::KvStore};

use crate::{
    entitlement::Entitlements,
    id::Customer,
    store::{Error, Replica, record},
};

/// The binding in `wrangler.toml`.
const BINDING: &str = "ENTITLEMENTS";

/// The KV namespace.
pub(super) struct KvReplica {
    kv: KvStore,
}

impl KvReplica {
    pub(super) fn open(env: &Env) -> worker::Result<Self> {
        Ok(Self { kv: env.kv(BINDING)? })
    }

    /// Writes a record as it stands in the ledger.
    pub(super) async fn put(&self, key: &str, record: &[u8]) -> Result<(), Error> {
        let failed = |error: worker::kv::KvError| unreachable(&error);
        self.kv.put_bytes(key, record).map_err(failed)?.execute().await.map_err(failed)
    }
}

impl Replica for KvReplica {
    async fn save(&self, customer: &Customer, set: &Entitlements) -> Result<(), Error> {
        let record = record::write(set).map_err(|error| unreadable(&error))?;
        self.put(&customer.key(), &record).await
    }

    async fn load(&self, customer: &Customer) -> Result<Option<Entitlements>, Error> {
        let stored = self.kv.get(&customer.key()).bytes().await;
        let loaded = stored.map_err(|error| unreachable(&error)).and_then(|stored| match stored {
            Some(bytes) => record::read(&bytes).map(Some).map_err(|error| unreadable(&error)),
            None => Ok(None),
        });
        // The caller goes on to the ledger, so that nobody else would hear of it.
        if let Err(error) = &loaded {
            console_error!("{error}");
        }
        loaded
    }
}

fn unreachable(error: &worker::kv::KvError) -> Error {
    Error::Unreachable { port: "replica", cause: error.to_string() }
}

fn unreadable(error: &record::Error) -> Error {
    Error::Unreadable { port: "replica", cause: error.to_string() }
}
