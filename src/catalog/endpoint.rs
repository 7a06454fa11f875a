//! Who wants to know: a webhook endpoint, and the secrets that sign what it is told.
//!
//! <https://docs.stripe.com/api/webhook_endpoints>. The secret is shown once. When it is rolled, the
//! one before signs too for up to a day, so that a receiver can change over
//! (<https://docs.stripe.com/webhooks#roll-endpoint-secrets>).

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Catalog, DAY, Error, Object,
    metadata::{self, Metadata},
    shelf::{Entry, Range},
};
use crate::{
    id::{Livemode, Timestamp},
    json::readable,
    webhook::signature,
};

/// The most endpoints of one mode: as at Stripe.
pub(crate) const LIMIT: usize = 16;

/// The longest that a secret may live on once there is a new one, in seconds: as at Stripe.
pub(crate) const OVERLAP: u64 = DAY.unsigned_abs();

/// The most secrets that sign beside the present one: each makes the header longer.
const SECRETS: usize = 4;

/// The list of all endpoints.
pub(crate) const LIST: &str = "endpoints";

/// The list of those deleted ones to whom something may still be owed.
pub(crate) const GONE: &str = "endpoints gone";

/// A webhook endpoint.
#[derive(Clone, Serialize)]
pub(crate) struct Endpoint {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) url: String,
    pub(crate) enabled_events: Vec<String>,
    pub(crate) disabled: bool,
    pub(crate) api_version: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) metadata: Metadata,
    secret: String,
    /// The secrets before, each with the second from which it is no more.
    before: Vec<(String, Timestamp)>,
}

readable! {
    struct Endpoint {
        id, created, url, enabled_events, disabled, api_version, description, metadata, secret,
        before,
    }
}

/// Never the secrets: what is debugged is logged.
impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Object for Endpoint {
    const KIND: &'static str = "webhook endpoint";

    fn id(&self) -> &str {
        &self.id
    }

    fn entries(&self) -> Vec<Entry> {
        vec![Entry::new(LIST, self.created)]
    }
}

/// An endpoint that is deleted, until nothing is owed to it any more.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Gone {
    id: String,
    deleted: Timestamp,
}

readable! { struct Gone { id, deleted } }

impl Object for Gone {
    const KIND: &'static str = "deleted webhook endpoint";

    fn id(&self) -> &str {
        &self.id
    }

    fn entries(&self) -> Vec<Entry> {
        vec![Entry::new(GONE, self.deleted)]
    }
}

/// An endpoint to be.
#[derive(Default)]
pub(crate) struct New {
    pub(crate) url: String,
    pub(crate) enabled_events: Vec<String>,
    pub(crate) api_version: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) metadata: metadata::Change,
    /// A secret that the receiver knows already.
    pub(crate) secret: Option<String>,
}

/// What a request changes.
#[derive(Debug, Default)]
pub(crate) struct Update {
    pub(crate) url: Option<String>,
    pub(crate) enabled_events: Option<Vec<String>>,
    pub(crate) disabled: Option<bool>,
    pub(crate) description: Option<String>,
    pub(crate) metadata: metadata::Change,
}

impl Endpoint {
    /// As Stripe shows it: without the secret.
    pub(crate) fn shown(&self, livemode: Livemode) -> Value {
        json!({
            "id": self.id,
            "object": "webhook_endpoint",
            "api_version": self.api_version,
            "application": null,
            "created": self.created,
            "description": self.description,
            "enabled_events": self.enabled_events,
            "livemode": bool::from(livemode),
            "metadata": self.metadata,
            "status": if self.disabled { "disabled" } else { "enabled" },
            "url": self.url,
        })
    }

    /// The same with the secret in it: once, to whom it was made for.
    pub(crate) fn shown_with_secret(&self, livemode: Livemode) -> Value {
        let mut shown = self.shown(livemode);
        if let Value::Object(members) = &mut shown {
            members.insert("secret".to_owned(), self.secret.clone().into());
        }
        shown
    }

    /// Whether it is to be told of events of this type.
    pub(crate) fn wants(&self, r#type: &str) -> bool {
        !self.disabled && self.enabled_events.iter().any(|wanted| wanted == "*" || wanted == r#type)
    }

    /// The header that proves a body to be ours, by each secret that lives.
    pub(crate) fn sign(&self, body: &str, now: Timestamp) -> String {
        let living = self.before.iter().filter(|(_, until)| now < *until);
        let secrets = std::iter::once(&self.secret).chain(living.map(|(secret, _)| secret));
        signature::sign(
            body.as_bytes(),
            secrets.filter_map(|text| signature::Secret::new(text)),
            now,
        )
    }
}

impl Catalog<'_> {
    /// All endpoints.
    pub(crate) fn endpoints(&self) -> Result<Vec<Endpoint>, Error> {
        self.list(LIST, Range::newest(LIMIT))
    }

    fn secret(&self) -> String {
        self.name("whsec_", 32)
    }
}

pub(crate) fn create(catalog: &Catalog<'_>, new: New) -> Result<Endpoint, Error> {
    if catalog.endpoints()?.len() >= LIMIT {
        return Err(Error::State(format!(
            "You have reached the maximum of {LIMIT} webhook endpoints."
        )));
    }
    let endpoint = Endpoint {
        id: catalog.name("we_1", 23),
        created: catalog.now,
        url: new.url,
        enabled_events: new.enabled_events,
        disabled: false,
        api_version: new.api_version,
        description: new.description,
        metadata: Metadata::default().changed(new.metadata)?,
        secret: new.secret.unwrap_or_else(|| catalog.secret()),
        before: Vec::new(),
    };
    catalog.add(&endpoint)?;
    Ok(endpoint)
}

pub(crate) fn update(catalog: &Catalog<'_>, id: &str, update: Update) -> Result<Endpoint, Error> {
    let before: Endpoint = catalog.load(id, "id")?;
    let mut endpoint = before.clone();
    endpoint.url = update.url.unwrap_or(endpoint.url);
    endpoint.enabled_events = update.enabled_events.unwrap_or(endpoint.enabled_events);
    endpoint.disabled = update.disabled.unwrap_or(endpoint.disabled);
    if let Some(description) = update.description {
        endpoint.description = Some(description).filter(|text| !text.is_empty());
    }
    endpoint.metadata = before.metadata.changed(update.metadata)?;
    catalog.replace(&before, &endpoint)?;
    Ok(endpoint)
}

/// Gives an endpoint a new secret; the present one signs for so many more seconds. If that is none,
/// no other one of before does either.
pub(crate) fn roll(catalog: &Catalog<'_>, id: &str, expires_in: u64) -> Result<Endpoint, Error> {
    let before: Endpoint = catalog.load(id, "id")?;
    let until = catalog.now.0.saturating_add(i64::try_from(expires_in).unwrap_or(i64::MAX));
    let mut endpoint = before.clone();
    // Who wants no overlap has lost a secret, and perhaps more than one.
    endpoint.before.retain(|(_, until)| catalog.now < *until && expires_in > 0);
    if endpoint.before.len() >= SECRETS {
        return Err(Error::State(format!(
            "{SECRETS} secrets of before still sign for this endpoint. Wait until one has expired."
        )));
    }
    let present = std::mem::replace(&mut endpoint.secret, catalog.secret());
    if expires_in > 0 {
        endpoint.before.push((present, Timestamp(until)));
    }
    catalog.replace(&before, &endpoint)?;
    Ok(endpoint)
}

pub(crate) fn delete(catalog: &Catalog<'_>, id: &str) -> Result<(), Error> {
    let endpoint: Endpoint = catalog.load(id, "id")?;
    catalog.remove(&endpoint)?;
    catalog.add(&Gone { id: endpoint.id, deleted: catalog.now })
}
