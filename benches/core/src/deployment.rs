//! A deployment in memory whose replica has one record, for every customer, and decodes it on each
//! read as KV's does.
//!
//! The other stores are [`MemoryStore`]'s.

use std::future::ready;

use entgate::{
    api::{self, App, FeatureCache, HealthCache, RefusedOrigins, Request, Response, settings::Settings},
    entitlement::Entitlements,
    id::{CustomerKey, Livemode},
    source::{StripeClient, Transport},
    store::{
        CatalogClient, Coordinator, Crypto, CustomerIndex, Error, Ledger, Replica, Store,
        memory::MemoryStore, record,
    },
    token::JwksCache,
};

use crate::sample::{NOW, SERVER_KEY, WEBHOOK_SECRET};

/// A deployment: its settings, stores and caches.
#[derive(Debug)]
pub struct Deployment {
    settings: Settings,
    stores: Stores,
    feature_cache: FeatureCache,
    jwks_cache: JwksCache,
    health_cache: HealthCache,
    refused_origins: RefusedOrigins,
}

#[derive(Debug)]
struct Stores {
    replica: OneRecord,
    others: MemoryStore,
}

#[derive(Debug)]
struct OneRecord(Vec<u8>);

/// Returns the settings of the deployment.
///
/// # Panics
///
/// Never: they are valid.
#[must_use]
pub fn settings() -> Settings {
    let variable = |name: &str| match name {
        "ENTGATE_API_KEYS" => Some(SERVER_KEY.to_owned()),
        "STRIPE_WEBHOOK_SECRETS" => Some(WEBHOOK_SECRET.to_owned()),
        _ => None,
    };
    Settings::parse(variable).unwrap()
}

impl Deployment {
    /// Creates a deployment whose replica has this record.
    #[must_use]
    pub fn new(record: Vec<u8>) -> Self {
        Self {
            settings: settings(),
            stores: Stores { replica: OneRecord(record), others: MemoryStore::default() },
            feature_cache: FeatureCache::default(),
            jwks_cache: JwksCache::default(),
            health_cache: HealthCache::default(),
            refused_origins: RefusedOrigins::default(),
        }
    }

    /// Answers a request.
    #[must_use]
    pub fn handle(&self, request: &Request) -> Response {
        let Self { settings, stores: store, feature_cache, jwks_cache, health_cache, refused_origins } = self;
        let app = App {
            store,
            settings,
            feature_cache,
            jwks_cache,
            health_cache,
            refused_origins,
            random: || 0,
            sleep: |_| Box::pin(ready(())),
            log: |_| {},
        };
        pollster::block_on(api::handle(&app, request.clone(), NOW))
    }
}

/// Creates a `GET` request with the server key.
///
/// # Panics
///
/// If `path_and_query` is not valid.
#[must_use]
pub fn get(path_and_query: &str) -> Request {
    let request =
        http::Request::get(path_and_query).header("authorization", format!("Bearer {SERVER_KEY}"));
    request.body(Vec::new()).unwrap()
}

impl Replica for OneRecord {
    async fn save(&self, _: &CustomerKey, _: &Entitlements) -> Result<(), Error> {
        Ok(())
    }

    async fn load(&self, _: &CustomerKey) -> Result<Option<Entitlements>, Error> {
        record::decode(&self.0)
            .map(Some)
            .map_err(|error| Error::Unreadable { port: "replica", cause: error.to_string() })
    }
}

impl Store for Stores {
    fn ledger(&self) -> &impl Ledger {
        self.others.ledger()
    }

    fn replica(&self) -> &impl Replica {
        &self.replica
    }

    fn customer_index(&self) -> &impl CustomerIndex {
        self.others.customer_index()
    }

    fn coordinator(&self) -> &impl Coordinator {
        self.others.coordinator()
    }

    fn source(&self, livemode: Livemode) -> Option<&StripeClient<impl Transport>> {
        self.others.source(livemode)
    }

    fn catalog(&self) -> Option<&impl CatalogClient> {
        self.others.catalog()
    }

    fn crypto(&self) -> &impl Crypto {
        self.others.crypto()
    }
}
