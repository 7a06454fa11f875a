//! `POST /webhooks/stripe`: verifies one event, parses it and applies it to the customer's ledger.
//!
//! A 200 means that the ledger stored the event, or that the event concerns no entitlements. For every
//! other status, Stripe retries for days. The steps are in [`crate::webhook`] and [`crate::ledger`].
//!
//! Specification: <https://docs.stripe.com/webhooks>.

use http::{HeaderName, StatusCode};
use serde::Serialize;

use super::{
    app::{App, Request, Response, header_str, json_response},
    body::{self, MAX_WEBHOOK_BYTES, RequestBody},
    error::Error,
    settings::{self, Settings},
};
use crate::{
    entitlement::{Summary, Version},
    id::{CustomerId, EventId, Livemode, Timestamp},
    ledger::{self, ApplyOutcome},
    store::{Coordinator as _, Ledger as _, Store},
    webhook::{
        signature,
        stripe::{self, IgnoreReason, Incoming},
    },
};

/// The header with the signature of an event.
pub(super) const SIGNATURE_HEADER: HeaderName = HeaderName::from_static("stripe-signature");

/// The response body, which Stripe's dashboard shows for the delivery.
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

/// What to do with a received event.
#[derive(Debug)]
pub enum WebhookResult {
    /// Apply this summary to the customer's ledger.
    Apply(Summary),
    /// Poll for the events of these modes: the event does not name the customer.
    Poll {
        /// The id of the event.
        event: EventId,
        /// The modes, at least one.
        modes: Vec<Livemode>,
    },
    /// Send this response: no ledger needs the event.
    Respond(Response),
}

/// Handles `POST /webhooks/stripe`.
pub(super) async fn receive_stripe<S: Store>(
    app: &App<'_, S>,
    request: &mut Request,
    body: &impl RequestBody,
    now: Timestamp,
) -> Result<Response, Error> {
    check_head(app.settings, header_str(request, SIGNATURE_HEADER).unwrap_or_default(), now)?;
    body::receive(request, body, MAX_WEBHOOK_BYTES).await?;
    let header = header_str(request, SIGNATURE_HEADER).unwrap_or_default();
    match verify_and_parse(app.settings, header, request.body(), now)? {
        WebhookResult::Apply(summary) => {
            let receipt = app.store.ledger().apply(&summary, now).await?;
            Ok(acknowledgement(&summary.event, &summary.customer.id, receipt))
        }
        WebhookResult::Poll { event, modes } => {
            for livemode in modes {
                app.store.coordinator().poll_soon(livemode).await?;
            }
            Ok(deferred(&event))
        }
        WebhookResult::Respond(response) => Ok(response),
    }
}

/// The response to an event that makes the poll due.
fn deferred(event: &EventId) -> Response {
    json_response(
        StatusCode::OK,
        &WebhookReceipt {
            object: "webhook_receipt",
            event,
            outcome: WebhookOutcome::Applied(ApplyOutcome::Deferred),
            customer: None,
            version: None,
            message: Some("The event poll reads which customer changed.".to_owned()),
        },
    )
}

/// Checks what is known of an event before its body is read: that a secret is set, and that the
/// signature has a valid form and a recent timestamp.
pub(super) fn check_head(
    settings: &Settings,
    signature: &str,
    now: Timestamp,
) -> Result<(), Error> {
    if settings.webhook_secrets.is_empty() {
        return Err(Error::unconfigured(format!(
            "No webhook secret is set. Put the signing secret of the endpoint in Stripe (whsec_…) \
             into {}.",
            settings::WEBHOOK_SECRETS
        )));
    }
    Ok(signature::check_header(signature, now)?)
}

/// Verifies and parses one event. Writes nothing: no error here has a cause for the operator's log.
pub(super) fn verify_and_parse(
    settings: &Settings,
    signature: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<WebhookResult, Error> {
    check_head(settings, signature, now)?;
    let verified = signature::verify(signature, body, &settings.webhook_secrets, now)?;
    match stripe::parse(verified, settings.paused)? {
        Incoming::Summary(summary) => Ok(WebhookResult::Apply(summary)),
        Incoming::Thin { event, kind, mut modes } => {
            modes.retain(|livemode| settings.has_event_poll(*livemode));
            if modes.is_empty() {
                // A 200 would lose the event, because it does not name the customer.
                return Err(Error::invalid(format!(
                    "The thin event {kind} does not name the customer. In Stripe, set this endpoint to \
                     send {} in the snapshot payload style.",
                    stripe::SUMMARY_EVENT
                )));
            }
            Ok(WebhookResult::Poll { event, modes })
        }
        Incoming::Ignored { event, kind, reason } => {
            let message = match reason {
                IgnoreReason::UnrelatedType => {
                    format!(
                        "The event type {kind} changes no entitlements: only {} and {} do.",
                        stripe::SUMMARY_EVENT,
                        stripe::CUSTOMER_DELETED_EVENT
                    )
                }
                IgnoreReason::ConnectedAccount => {
                    "The event is of a connected account, whose customers are not stored."
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

/// The response after the ledger stored an event.
#[must_use]
pub fn acknowledgement(
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
