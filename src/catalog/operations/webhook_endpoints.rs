//! Operations on webhook endpoints: create, update, roll the secret and delete.
//!
//! Specification: <https://docs.stripe.com/api/webhook_endpoints>.

use crate::{
    catalog::{
        error::Error,
        objects::{
            api_version::ApiVersion,
            calendar::SECONDS_PER_DAY,
            webhook_endpoint::{self, DeletedEndpoint, MAX_ENDPOINTS, WebhookEndpoint},
        },
        tx::Tx,
    },
    metadata::{Metadata, MetadataPatch},
};

/// The longest time that a previous secret signs after a roll, in seconds. The same as at Stripe.
pub(crate) const MAX_SECRET_OVERLAP: u64 = SECONDS_PER_DAY.unsigned_abs();

/// The most previous secrets that sign. Each one lengthens the header.
const MAX_PREVIOUS_SECRETS: usize = 4;

/// A new endpoint.
#[derive(Default)]
pub(crate) struct NewWebhookEndpoint {
    pub(crate) url: String,
    pub(crate) enabled_events: Vec<String>,
    pub(crate) api_version: Option<ApiVersion>,
    pub(crate) description: Option<String>,
    pub(crate) metadata: MetadataPatch,
    /// A secret that the receiver has already.
    pub(crate) secret: Option<String>,
}

/// A change of an endpoint.
#[derive(Debug, Default)]
pub(crate) struct WebhookEndpointUpdate {
    pub(crate) url: Option<String>,
    pub(crate) enabled_events: Option<Vec<String>>,
    pub(crate) disabled: Option<bool>,
    pub(crate) description: Option<String>,
    pub(crate) metadata: MetadataPatch,
}

pub(crate) fn create(tx: &Tx<'_>, new: NewWebhookEndpoint) -> Result<WebhookEndpoint, Error> {
    if webhook_endpoint::load_all(tx)?.len() >= MAX_ENDPOINTS {
        return Err(Error::InvalidState(format!(
            "You have reached the maximum of {MAX_ENDPOINTS} webhook endpoints."
        )));
    }
    let endpoint = WebhookEndpoint {
        id: tx.new_id("we_1", 23),
        created: tx.now,
        url: new.url,
        enabled_events: new.enabled_events,
        disabled: false,
        api_version: new.api_version.map(|version| version.as_str().to_owned()),
        description: new.description,
        metadata: Metadata::default().apply(new.metadata)?,
        secret: new.secret.unwrap_or_else(|| new_secret(tx)),
        previous_secrets: Vec::new(),
    };
    tx.insert(&endpoint)?;
    Ok(endpoint)
}

pub(crate) fn update(
    tx: &Tx<'_>,
    id: &str,
    update: WebhookEndpointUpdate,
) -> Result<WebhookEndpoint, Error> {
    let before: WebhookEndpoint = tx.load(id, "id")?;
    let mut endpoint = before.clone();
    endpoint.url = update.url.unwrap_or(endpoint.url);
    endpoint.enabled_events = update.enabled_events.unwrap_or(endpoint.enabled_events);
    endpoint.disabled = update.disabled.unwrap_or(endpoint.disabled);
    if let Some(description) = update.description {
        endpoint.description = Some(description).filter(|description| !description.is_empty());
    }
    endpoint.metadata = before.metadata.apply(update.metadata)?;
    tx.update(&before, &endpoint)?;
    Ok(endpoint)
}

/// Creates a new secret. The current one signs for `expires_in` more seconds. If that is zero, all
/// previous secrets stop signing at once.
pub(crate) fn roll_secret(
    tx: &Tx<'_>,
    id: &str,
    expires_in: u64,
) -> Result<WebhookEndpoint, Error> {
    let before: WebhookEndpoint = tx.load(id, "id")?;
    let expires_at = tx.now.saturating_add_unsigned(expires_in);
    let mut endpoint = before.clone();
    // A roll without overlap means that a secret has leaked, and older ones may have leaked too.
    endpoint.previous_secrets.retain(|(_, expires_at)| tx.now < *expires_at && expires_in > 0);
    if endpoint.previous_secrets.len() >= MAX_PREVIOUS_SECRETS {
        return Err(Error::InvalidState(format!(
            "{MAX_PREVIOUS_SECRETS} previous secrets still sign for this endpoint. Wait until one has expired."
        )));
    }
    let current = std::mem::replace(&mut endpoint.secret, new_secret(tx));
    if expires_in > 0 {
        endpoint.previous_secrets.push((current, expires_at));
    }
    tx.update(&before, &endpoint)?;
    Ok(endpoint)
}

pub(crate) fn delete(tx: &Tx<'_>, id: &str) -> Result<(), Error> {
    let endpoint: WebhookEndpoint = tx.load(id, "id")?;
    tx.remove(&endpoint)?;
    tx.insert(&DeletedEndpoint { id: endpoint.id, deleted_at: tx.now })
}

fn new_secret(tx: &Tx<'_>) -> String {
    tx.new_id("whsec_", 32)
}
