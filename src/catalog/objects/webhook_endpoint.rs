//! A webhook endpoint, and the secrets that sign its deliveries.
//!
//! The secret is returned once, at creation. After a roll, the previous secret signs too for up to
//! a day, so that the receiver can change over.
//!
//! Specification: <https://docs.stripe.com/api/webhook_endpoints>,
//! <https://docs.stripe.com/webhooks#roll-endpoint-secrets>.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    catalog::{
        error::Error,
        repository::Entity,
        storage::{IndexEntry, IndexRange},
        tx::Tx,
    },
    id::{Livemode, Timestamp},
    json::json_type,
    metadata::Metadata,
    webhook::signature,
};

/// The most endpoints of one mode, as at Stripe.
pub(crate) const MAX_ENDPOINTS: usize = 16;

/// The index of all endpoints.
pub(crate) const INDEX: &str = "endpoints";

/// The index of the deleted endpoints that may have pending deliveries.
pub(crate) const DELETED_INDEX: &str = "endpoints deleted";

json_type! {
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
        /// The previous secrets, each with its expiry.
        pub(crate) previous_secrets: Vec<(String, Timestamp)>,
    }
}

/// Omits the secrets, because debug output is logged.
impl std::fmt::Debug for WebhookEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookEndpoint").field("id", &self.id).finish_non_exhaustive()
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

json_type! {
    /// A deleted endpoint, until its pending deliveries are dropped.
    #[derive(Clone, Debug, Serialize)]
    pub(crate) struct DeletedEndpoint {
        pub(crate) id: String,
        pub(crate) deleted_at: Timestamp,
    }
}

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
    /// Stripe's JSON, without the secret.
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

    /// The JSON with the secret, for the response to its creation or roll.
    pub(crate) fn to_json_with_secret(&self, livemode: Livemode) -> Value {
        let mut rendered = self.to_json(livemode);
        if let Value::Object(members) = &mut rendered {
            members.insert("secret".to_owned(), self.secret.clone().into());
        }
        rendered
    }

    /// Whether events of this type are delivered to it.
    pub(crate) fn subscribes_to(&self, r#type: &str) -> bool {
        !self.disabled && self.enabled_events.iter().any(|wanted| wanted == "*" || wanted == r#type)
    }

    /// The `Stripe-Signature` header of a body, with a signature by each unexpired secret.
    pub(crate) fn sign(&self, body: &str, now: Timestamp) -> String {
        let unexpired = self.previous_secrets.iter().filter(|(_, until)| now < *until);
        let secrets = std::iter::once(&self.secret).chain(unexpired.map(|(secret, _)| secret));
        signature::sign(
            body.as_bytes(),
            secrets.filter_map(|secret| signature::SigningSecret::new(secret)),
            now,
        )
    }
}

/// Lists all endpoints.
pub(crate) fn load_all(tx: &Tx<'_>) -> Result<Vec<WebhookEndpoint>, Error> {
    tx.list(INDEX, IndexRange::newest_first(MAX_ENDPOINTS))
}
