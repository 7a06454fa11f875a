//! Failures of what is below the API, and the status of each.

use http::{StatusCode, header};

use super::{Error, ErrorType};
use crate::{api::settings, source, store, token, webhook};

/// 401, whatever is wrong with it: the caller needs another one. `WWW-Authenticate` says so as RFC 6750
/// has it. But 403 where the token is genuine and names no customer: another one would not either.
impl From<token::Error> for Error {
    fn from(error: token::Error) -> Self {
        let code = match &error {
            token::Error::MissingCustomer(_) | token::Error::InvalidCustomer(_) => {
                return Self::forbidden("customer_missing", format!("{error}."));
            }
            token::Error::Expired { .. } => "token_expired",
            _ => "token_invalid",
        };
        let mut told =
            Self::new(StatusCode::UNAUTHORIZED, ErrorType::InvalidRequest, format!("{error}."));
        told.0.body.code = Some(code);
        let challenge = "Bearer realm=\"entgate\", error=\"invalid_token\"".to_owned();
        told.0.header = Some((header::WWW_AUTHENTICATE, challenge));
        told
    }
}

/// 503: whatever Stripe said, it may say something else when it is tried again. That it does not
/// take the deployment's key is told, since only those with a server key hear it.
impl From<source::Error> for Error {
    fn from(error: source::Error) -> Self {
        match &error {
            source::Error::KeyRejected { .. } => {
                let mut told = Self::unavailable(format!("{error}. Set another one."));
                told.0.cause = Some(told.0.body.message.clone());
                told
            }
            error => Self::source_unavailable(error.to_string()),
        }
    }
}

/// 503 where trying again may help, since the set that is held is left alone.
impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        let told = match &error {
            store::Error::VersionNotReached { requested: asked, current: held } => {
                let mut told = Self::unavailable(format!(
                    "Version {asked} is not here yet: the newest is {held}."
                ));
                told.0.body.code = Some("version_not_reached");
                return told;
            }
            store::Error::Unreachable { port: "activity log", .. } => {
                "The activity log cannot be read at the moment."
            }
            store::Error::Ledger(_) => "The event does not fit the store. It was not applied.",
            store::Error::Unreachable { .. } | store::Error::Unreadable { .. } => {
                "The entitlements cannot be read or written at the moment. This is not a no."
            }
        };
        let mut told = Self::unavailable(told);
        told.0.cause = Some(error.to_string());
        told
    }
}

/// 400, so that Stripe shows it in its dashboard and tries again.
impl From<webhook::signature::Error> for Error {
    fn from(error: webhook::signature::Error) -> Self {
        use webhook::signature::Error as Signature;
        let advice = match &error {
            Signature::Malformed => {
                "The Stripe-Signature header must be passed on as Stripe sent it, t=…,v1=…."
            }
            Signature::Mismatch => {
                "Put the signing secret of this very endpoint (whsec_…, shown in Stripe's dashboard \
                 under Webhooks) into STRIPE_WEBHOOK_SECRETS, and let nothing rewrite the body on \
                 its way."
            }
            Signature::Stale { .. } => {
                "Was the request replayed or held back? Stripe signs each delivery anew."
            }
        };
        Self::parameter("Stripe-Signature", "signature_invalid", format!("{error}: {advice}"))
    }
}

/// 400, so that Stripe shows it in its dashboard and tries again.
impl From<webhook::stripe::Error> for Error {
    fn from(error: webhook::stripe::Error) -> Self {
        Self::invalid(format!("The event is genuine and cannot be read: {error}."))
    }
}

/// 500: no request can change it, and the operator has to see it at once.
impl From<&settings::Error> for Error {
    fn from(error: &settings::Error) -> Self {
        let mut told = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            ErrorType::Api,
            format!("The deployment is misconfigured: {error}."),
        );
        told.0.cause = Some(told.0.body.message.clone());
        told
    }
}
