//! Operations on webhook endpoints: create, update, roll the secret and delete.

use crate::catalog::{
    error::Error,
    objects::{
        calendar::SECONDS_PER_DAY,
        metadata::{self, Metadata},
        webhook_endpoint::{self, DeletedEndpoint, MAX_ENDPOINTS, WebhookEndpoint},
    },
    tx::Tx,
};

/// The longest that a secret may live on once there is a new one, in seconds: as at Stripe.
pub(crate) const MAX_SECRET_OVERLAP: u64 = SECONDS_PER_DAY.unsigned_abs();

/// The most secrets that sign beside the present one: each makes the header longer.
const MAX_PREVIOUS_SECRETS: usize = 4;

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
        api_version: new.api_version,
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
        endpoint.description = Some(description).filter(|text| !text.is_empty());
    }
    endpoint.metadata = before.metadata.apply(update.metadata)?;
    tx.update(&before, &endpoint)?;
    Ok(endpoint)
}

/// Gives an endpoint a new secret; the present one signs for so many more seconds. If that is none,
/// no other one of before does either.
pub(crate) fn roll_secret(
    tx: &Tx<'_>,
    id: &str,
    expires_in: u64,
) -> Result<WebhookEndpoint, Error> {
    let before: WebhookEndpoint = tx.load(id, "id")?;
    let until = tx.now.saturating_add(i64::try_from(expires_in).unwrap_or(i64::MAX));
    let mut endpoint = before.clone();
    // Who wants no overlap has lost a secret, and perhaps more than one.
    endpoint.previous_secrets.retain(|(_, until)| tx.now < *until && expires_in > 0);
    if endpoint.previous_secrets.len() >= MAX_PREVIOUS_SECRETS {
        return Err(Error::InvalidState(format!(
            "{MAX_PREVIOUS_SECRETS} secrets of before still sign for this endpoint. Wait until one has expired."
        )));
    }
    let present = std::mem::replace(&mut endpoint.secret, new_secret(tx));
    if expires_in > 0 {
        endpoint.previous_secrets.push((present, until));
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
