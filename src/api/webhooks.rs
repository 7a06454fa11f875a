//! `POST /webhooks/stripe`: one event in. Durable before it is acknowledged.
//!
//! Whatever is not a 2xx makes Stripe try again for days (<https://docs.stripe.com/webhooks>): so a
//! 200 says that the event was kept, or that it is none of ours, and nothing else is a 200.

use http::{HeaderName, StatusCode};
use serde::Serialize;

use super::{
    App, Request, Response,
    error::Error,
    header_str, json_response,
    settings::{self, Settings},
};
use crate::{
    entitlement::{Summary, Version},
    id::{CustomerId, EventId, Timestamp},
    ledger::{self, ApplyOutcome},
    store::{Ledger as _, Store},
    webhook::{
        signature,
        stripe::{self, IgnoreReason, Incoming},
    },
};

/// The header of an event's signature.
pub(super) const SIGNATURE_HEADER: HeaderName = HeaderName::from_static("stripe-signature");

/// What the operator reads in Stripe's dashboard under the delivery.
#[derive(Serialize)]
struct WebhookReceipt<'a> {
    object: &'static str,
    event: &'a EventId,
    outcome: WebhookOutcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'a CustomerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Version>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum WebhookOutcome {
    Applied(ApplyOutcome),
    /// Always `ignored`.
    Ignored(&'static str),
}

/// What came in.
pub(super) enum WebhookResult {
    /// A customer's entitlements changed: it is the ledger's to say what of that is new.
    Apply(Summary),
    /// The answer to an event that is none of ours.
    Respond(Response),
}

/// Verifies, parses and applies one event.
pub(super) async fn receive_stripe<S: Store>(
    app: &App<'_, S>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Error> {
    let header = header_str(request, SIGNATURE_HEADER).unwrap_or_default();
    match verify_and_parse(app.settings, header, request.body(), now)? {
        WebhookResult::Apply(summary) => {
            let receipt = app.store.ledger().apply(&summary, now).await?;
            Ok(acknowledgement(&summary.event, &summary.customer.id, receipt))
        }
        WebhookResult::Respond(answer) => Ok(answer),
    }
}

/// Verifies and parses one event.
pub(super) fn verify_and_parse(
    settings: &Settings,
    header: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<WebhookResult, Error> {
    let secrets = &settings.webhook_secrets;
    if secrets.is_empty() {
        return Err(Error::unconfigured(format!(
            "No webhook secret is set. Put the signing secret of the endpoint in Stripe (whsec_…) \
             into {}.",
            settings::WEBHOOK_SECRETS
        )));
    }
    let verified = signature::verify(header, body, secrets, now)?;
    match stripe::parse(verified, settings.paused)? {
        Incoming::Summary(summary) => Ok(WebhookResult::Apply(summary)),
        // Acknowledged, it would be lost: it does not say whose entitlements changed.
        Incoming::Thin { kind, .. } => Err(Error::invalid(format!(
            "The thin event {kind} does not name the customer. In Stripe, set this endpoint to send \
             {} in the snapshot payload style.",
            stripe::SUMMARY_EVENT
        ))),
        Incoming::Ignored { event, kind, reason } => {
            let message = match reason {
                IgnoreReason::UnrelatedType => {
                    format!(
                        "{kind} changes no entitlements: only {} and {} do.",
                        stripe::SUMMARY_EVENT,
                        stripe::CUSTOMER_DELETED_EVENT
                    )
                }
                IgnoreReason::ConnectedAccount => {
                    "The event is of a connected account, whose customers are not kept here."
                        .to_owned()
                }
            };
            Ok(WebhookResult::Respond(json_response(
                StatusCode::OK,
                &WebhookReceipt {
                    object: "webhook_receipt",
                    event: &event,
                    outcome: WebhookOutcome::Ignored("ignored"),
                    customer: None,
                    version: None,
                    message: Some(message),
                },
            )))
        }
    }
}

/// The answer once the ledger has kept an event.
pub(super) fn acknowledgement(
    event: &EventId,
    customer: &CustomerId,
    receipt: ledger::ApplyReceipt,
) -> Response {
    json_response(
        StatusCode::OK,
        &WebhookReceipt {
            object: "webhook_receipt",
            event,
            outcome: WebhookOutcome::Applied(receipt.outcome),
            customer: Some(customer),
            version: Some(receipt.version),
            message: None,
        },
    )
}
