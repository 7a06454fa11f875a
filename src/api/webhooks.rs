//! `POST /webhooks/stripe`: one event in. Durable before it is acknowledged.
//!
//! Whatever is not a 2xx makes Stripe try again for days (<https://docs.stripe.com/webhooks>): so a
//! 200 says that the event was kept, or that it is none of ours, and nothing else is a 200.

use http::StatusCode;
use serde::Serialize;

use super::{App, Request, Response, error::Error, json, settings, text};
use crate::{
    entitlement::Version,
    id::{CustomerId, EventId, Timestamp},
    ledger::Effect,
    store::{Ledger as _, Store},
    webhook::{
        signature,
        stripe::{self, Incoming, Unrelated},
    },
};

/// What the operator reads in Stripe's dashboard under the delivery.
#[derive(Serialize)]
struct Receipt<'a> {
    object: &'static str,
    event: &'a EventId,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'a CustomerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Version>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    Kept(Effect),
    /// Always `ignored`.
    Ignored(&'static str),
}

/// Verifies, parses and applies one event.
pub(super) async fn stripe<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Error> {
    let secrets = &app.settings.webhook_secrets;
    if secrets.is_empty() {
        return Err(Error::unconfigured(format!(
            "No webhook secret is set. Put the signing secret of the endpoint in Stripe (whsec_…) \
             into {}.",
            settings::WEBHOOK_SECRETS
        )));
    }
    let header = text(request, "stripe-signature").unwrap_or_default();
    let verified = signature::verify(header, request.body(), secrets, now)?;
    match stripe::parse(verified, app.settings.paused)? {
        Incoming::Summary(summary) => {
            let kept = app.store.ledger().apply(&summary, now).await?;
            Ok(json(
                StatusCode::OK,
                &Receipt {
                    object: "webhook_receipt",
                    event: &summary.event,
                    outcome: Outcome::Kept(kept.effect),
                    customer: Some(&summary.customer.id),
                    version: Some(kept.version),
                    message: None,
                },
            ))
        }
        // Acknowledged, it would be lost: it does not say whose entitlements changed.
        Incoming::Thin { kind, .. } => Err(Error::invalid(format!(
            "The thin event {kind} does not name the customer. In Stripe, set this endpoint to send \
             {} in the snapshot payload style.",
            stripe::SUMMARY
        ))),
        Incoming::Other { event, kind, reason } => {
            let message = match reason {
                Unrelated::Type => {
                    format!(
                        "{kind} changes no entitlements: only {} and {} do.",
                        stripe::SUMMARY,
                        stripe::DELETED
                    )
                }
                Unrelated::ConnectedAccount => {
                    "The event is of a connected account, whose customers are not kept here."
                        .to_owned()
                }
            };
            Ok(json(
                StatusCode::OK,
                &Receipt {
                    object: "webhook_receipt",
                    event: &event,
                    outcome: Outcome::Ignored("ignored"),
                    customer: None,
                    version: None,
                    message: Some(message),
                },
            ))
        }
    }
}
