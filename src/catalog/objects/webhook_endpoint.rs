//! Who wants to know: a webhook endpoint, and the secrets that sign what it is told.
//!
//! <https://docs.stripe.com/api/webhook_endpoints>. The secret is shown once. When it is rolled, the
//! one before signs too for up to a day, so that a receiver can change over
//! (<https://docs.stripe.com/webhooks#roll-endpoint-secrets>).

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    catalog::{
        error::Error,
        objects::metadata::Metadata,
        repository::Entity,
        storage::{IndexEntry, IndexRange},
        tx::Tx,
    },
    id::{Livemode, Timestamp},
    json::impl_from_json,
    webhook::signature,
};

/// The most endpoints of one mode: as at Stripe.
pub(crate) const MAX_ENDPOINTS: usize = 16;

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
    pub(crate) secret: String,
    /// The secrets before, each with the second from which it is no more.
    pub(crate) previous_secrets: Vec<(String, Timestamp)>,
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
    pub(crate) id: String,
    pub(crate) deleted_at: Timestamp,
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

/// All endpoints.
pub(crate) fn load_all(tx: &Tx<'_>) -> Result<Vec<WebhookEndpoint>, Error> {
    tx.list(INDEX, IndexRange::newest_first(MAX_ENDPOINTS))
}
