//! A deployment whose replica keeps one customer's record, and reads it each time, as the edge's
//! does. Its other stores are those in memory.

use entgate::{
    api::{self, App, Features, Request, Response, settings::Settings},
    entitlement::Entitlements,
    id::{Customer, Livemode},
    source::{Stripe, Transport},
    store::{
        Catalog, Crypto, Error, Journal, Ledger, Replica, Roster, Store, memory::Memory, record,
    },
    token::Keyring,
};

use crate::sample::{KEY, NOW, SECRET};

/// A deployment, its stores and what it keeps beside them.
#[derive(Debug)]
pub struct Edge {
    /// What its operator set.
    pub settings: Settings,
    stores: Stores,
    features: Features,
    keyring: Keyring,
}

#[derive(Debug)]
struct Stores {
    replica: Copy,
    others: Memory,
}

#[derive(Debug)]
struct Copy(Vec<u8>);

/// The settings of the deployment.
///
/// # Panics
///
/// Never: they can be read.
#[must_use]
pub fn settings() -> Settings {
    let text = |name: &str| match name {
        "ENTGATE_API_KEYS" => Some(KEY.to_owned()),
        "STRIPE_WEBHOOK_SECRETS" => Some(SECRET.to_owned()),
        _ => None,
    };
    Settings::read(text).unwrap()
}

impl Edge {
    /// A deployment that holds this record of whomever it is asked about.
    #[must_use]
    pub fn new(record: Vec<u8>) -> Self {
        Self {
            settings: settings(),
            stores: Stores { replica: Copy(record), others: Memory::default() },
            features: Features::default(),
            keyring: Keyring::default(),
        }
    }

    /// Answers a request.
    #[must_use]
    pub fn answer(&self, request: &Request) -> Response {
        let Self { settings, stores: store, features, keyring } = self;
        let app = App { store, settings, features, keyring, random: || 0, log: |_| {} };
        pollster::block_on(api::handle(&app, request, NOW))
    }
}

/// A request with the server key.
///
/// # Panics
///
/// If the target is none.
#[must_use]
pub fn get(target: &str) -> Request {
    let request = http::Request::get(target).header("authorization", format!("Bearer {KEY}"));
    request.body(Vec::new()).unwrap()
}

impl Replica for Copy {
    async fn save(&self, _: &Customer, _: &Entitlements) -> Result<(), Error> {
        Ok(())
    }

    async fn load(&self, _: &Customer) -> Result<Option<Entitlements>, Error> {
        record::read(&self.0)
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

    fn roster(&self) -> &impl Roster {
        self.others.roster()
    }

    fn journal(&self) -> &impl Journal {
        self.others.journal()
    }

    fn source(&self, livemode: Livemode) -> Option<&Stripe<impl Transport>> {
        self.others.source(livemode)
    }

    fn catalog(&self) -> Option<&impl Catalog> {
        self.others.catalog()
    }

    fn crypto(&self) -> &impl Crypto {
        self.others.crypto()
    }
}
