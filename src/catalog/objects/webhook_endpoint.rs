//! Who wants to know: a webhook endpoint, and the secrets that sign what it is told.
//!
//! <https://docs.stripe.com/api/webhook_endpoints>. The secret is shown once. When it is rolled, the
//! one before signs too for up to a day, so that a receiver can change over
//! (<https://docs.stripe.com/webhooks#roll-endpoint-secrets>).

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    catalog::{
        Error, Tx,
        objects::{
            calendar::SECONDS_PER_DAY,
            metadata::{self, Metadata},
        },
        repository::Entity,
        storage::{IndexEntry, IndexRange},
    },
    id::{Livemode, Timestamp},
    json::impl_from_json,
    webhook::signature,
};

/// The most endpoints of one mode: as at Stripe.
pub(crate) const MAX_ENDPOINTS: usize = 16;

/// The longest that a secret may live on once there is a new one, in seconds: as at Stripe.
pub(crate) const MAX_SECRET_OVERLAP: u64 = SECONDS_PER_DAY.unsigned_abs();

/// The most secrets that sign beside the present one: each makes the header longer.
const MAX_PREVIOUS_SECRETS: usize = 4;

/// The list of all endpoints.
pub(crate) const INDEX: &str = "endpoints";

/// The list of those deleted ones to whom something may still be owed.
pub(crate) const DELETED_INDEX: &str = "endpoints gone";

/// A webhook endpoint.
#[derive(Clone, Serialize)]
pub(crate) struct WebhookEndpoint {
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
    previous_secrets: Vec<(String, Timestamp)>,
}

impl_from_json! {
    struct WebhookEndpoint {
        id, created, url, enabled_events, disabled, api_version, description, metadata, secret,
        previous_secrets,
    }
}

/// Never the secrets: what is debugged is logged.
impl std::fmt::Debug for WebhookEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Entity for WebhookEndpoint {
    const TYPE: &'static str = "webhook endpoint";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(INDEX, self.created)]
    }
}

/// An endpoint that is deleted, until nothing is owed to it any more.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DeletedEndpoint {
    id: String,
    deleted_at: Timestamp,
}

impl_from_json! { struct DeletedEndpoint { id, deleted_at } }

impl Entity for DeletedEndpoint {
    const TYPE: &'static str = "deleted webhook endpoint";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(DELETED_INDEX, self.deleted_at)]
    }
}

/// An endpoint to be.
#[derive(Default)]
pub(crate) struct NewWebhookEndpoint {
    pub(crate) url: String,
    pub(crate) enabled_events: Vec<String>,
    pub(crate) api_version: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) metadata: metadata::MetadataPatch,
    /// A secret that the receiver knows already.
    pub(crate) secret: Option<String>,
}

/// What a request changes.
#[derive(Debug, Default)]
pub(crate) struct WebhookEndpointUpdate {
    pub(crate) url: Option<String>,
    pub(crate) enabled_events: Option<Vec<String>>,
    pub(crate) disabled: Option<bool>,
    pub(crate) description: Option<String>,
    pub(crate) metadata: metadata::MetadataPatch,
}

impl WebhookEndpoint {
    /// As Stripe shows it: without the secret.
    pub(crate) fn to_json(&self, livemode: Livemode) -> Value {
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
    pub(crate) fn to_json_with_secret(&self, livemode: Livemode) -> Value {
        let mut shown = self.to_json(livemode);
        if let Value::Object(members) = &mut shown {
            members.insert("secret".to_owned(), self.secret.clone().into());
        }
        shown
    }

    /// Whether it is to be told of events of this type.
    pub(crate) fn subscribes_to(&self, r#type: &str) -> bool {
        !self.disabled && self.enabled_events.iter().any(|wanted| wanted == "*" || wanted == r#type)
    }

    /// The header that proves a body to be ours, by each secret that lives.
    pub(crate) fn sign(&self, body: &str, now: Timestamp) -> String {
        let living = self.previous_secrets.iter().filter(|(_, until)| now < *until);
        let secrets = std::iter::once(&self.secret).chain(living.map(|(secret, _)| secret));
        signature::sign(
            body.as_bytes(),
            secrets.filter_map(|text| signature::SigningSecret::new(text)),
            now,
        )
    }
}

impl Tx<'_> {
    /// All endpoints.
    pub(crate) fn load_endpoints(&self) -> Result<Vec<WebhookEndpoint>, Error> {
        self.list(INDEX, IndexRange::newest_first(MAX_ENDPOINTS))
    }

    fn new_secret(&self) -> String {
        self.new_id("whsec_", 32)
    }
}

pub(crate) fn create(catalog: &Tx<'_>, new: NewWebhookEndpoint) -> Result<WebhookEndpoint, Error> {
    if catalog.load_endpoints()?.len() >= MAX_ENDPOINTS {
        return Err(Error::InvalidState(format!(
            "You have reached the maximum of {MAX_ENDPOINTS} webhook endpoints."
        )));
    }
    let endpoint = WebhookEndpoint {
        id: catalog.new_id("we_1", 23),
        created: catalog.now,
        url: new.url,
        enabled_events: new.enabled_events,
        disabled: false,
        api_version: new.api_version,
        description: new.description,
        metadata: Metadata::default().apply(new.metadata)?,
        secret: new.secret.unwrap_or_else(|| catalog.new_secret()),
        previous_secrets: Vec::new(),
    };
    catalog.insert(&endpoint)?;
    Ok(endpoint)
}

pub(crate) fn update(
    catalog: &Tx<'_>,
    id: &str,
    update: WebhookEndpointUpdate,
) -> Result<WebhookEndpoint, Error> {
    let before: WebhookEndpoint = catalog.load(id, "id")?;
    let mut endpoint = before.clone();
    endpoint.url = update.url.unwrap_or(endpoint.url);
    endpoint.enabled_events = update.enabled_events.unwrap_or(endpoint.enabled_events);
    endpoint.disabled = update.disabled.unwrap_or(endpoint.disabled);
    if let Some(description) = update.description {
        endpoint.description = Some(description).filter(|text| !text.is_empty());
    }
    endpoint.metadata = before.metadata.apply(update.metadata)?;
    catalog.update(&before, &endpoint)?;
    Ok(endpoint)
}

/// Gives an endpoint a new secret; the present one signs for so many more seconds. If that is none,
/// no other one of before does either.
pub(crate) fn roll_secret(
    catalog: &Tx<'_>,
    id: &str,
    expires_in: u64,
) -> Result<WebhookEndpoint, Error> {
    let before: WebhookEndpoint = catalog.load(id, "id")?;
    let until = catalog.now.0.saturating_add(i64::try_from(expires_in).unwrap_or(i64::MAX));
    let mut endpoint = before.clone();
    // Who wants no overlap has lost a secret, and perhaps more than one.
    endpoint.previous_secrets.retain(|(_, until)| catalog.now < *until && expires_in > 0);
    if endpoint.previous_secrets.len() >= MAX_PREVIOUS_SECRETS {
        return Err(Error::InvalidState(format!(
            "{MAX_PREVIOUS_SECRETS} secrets of before still sign for this endpoint. Wait until one has expired."
        )));
    }
    let present = std::mem::replace(&mut endpoint.secret, catalog.new_secret());
    if expires_in > 0 {
        endpoint.previous_secrets.push((present, Timestamp(until)));
    }
    catalog.update(&before, &endpoint)?;
    Ok(endpoint)
}

pub(crate) fn delete(catalog: &Tx<'_>, id: &str) -> Result<(), Error> {
    let endpoint: WebhookEndpoint = catalog.load(id, "id")?;
    catalog.remove(&endpoint)?;
    catalog.insert(&DeletedEndpoint { id: endpoint.id, deleted_at: catalog.now })
}
