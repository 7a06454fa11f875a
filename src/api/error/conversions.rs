//! Errors of the modules below the API, and their HTTP statuses.

use http::{StatusCode, header};

use super::{Error, ErrorType};
use crate::{
    api::{body, settings},
    metadata, source, store, token, webhook,
};

/// 401 for every invalid token, because the caller needs another one. `WWW-Authenticate` follows
/// RFC 6750, section 3. 403 if the token is valid and names no customer, because a new token of the
/// same issuer would not either.
impl From<token::Error> for Error {
    fn from(error: token::Error) -> Self {
        let code = match &error {
            token::Error::MissingCustomer(_) | token::Error::InvalidCustomer(_) => {
                return Self::forbidden("customer_missing", format!("{error}."));
            }
            token::Error::Expired { .. } => "token_expired",
            _ => "token_invalid",
        };
        let mut response =
            Self::new(StatusCode::UNAUTHORIZED, ErrorType::InvalidRequest, format!("{error}."));
        response.0.body.code = Some(code);
        let challenge = "Bearer realm=\"entgate\", error=\"invalid_token\"".to_owned();
        response.0.header = Some((header::WWW_AUTHENTICATE, challenge));
        response
    }
}

/// 400: the caller sent the metadata.
impl From<metadata::Error> for Error {
    fn from(error: metadata::Error) -> Self {
        Self::parameter(error.param(), "parameter_invalid", error.to_string())
    }
}

/// 503 for every error of Stripe, because a retry may succeed. The message names a rejected API key,
/// since only callers with a server key receive it.
impl From<source::Error> for Error {
    fn from(error: source::Error) -> Self {
        match &error {
            source::Error::KeyRejected { .. } => {
                let mut response = Self::unavailable(format!("{error}. Set another one."));
                response.0.cause = Some(response.0.body.message.clone());
                response
            }
            error => Self::source_unavailable(error.to_string()),
        }
    }
}

/// 503 for every error of a store: the stored entitlements are unchanged and a retry may succeed.
impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        let message = match &error {
            store::Error::VersionNotReached { requested, current } => {
                let mut response = Self::unavailable(format!(
                    "Version {requested} is not available yet: the current version is {current}."
                ));
                response.0.body.code = Some("version_not_reached");
                return response;
            }
            store::Error::NewerSchema { .. } => {
                let mut response = Self::newer_schema();
                response.0.cause = Some(error.to_string());
                return response;
            }
            store::Error::Unreachable { port: "customer index", .. } => {
                "The customer index cannot be read at the moment."
            }
            store::Error::Ledger(_) => "The event does not fit the store. It was not applied.",
            store::Error::Unreachable { .. } | store::Error::Unreadable { .. } => {
                "The entitlements cannot be read or written at the moment. This is not a denial."
            }
        };
        let mut response = Self::unavailable(message);
        response.0.cause = Some(error.to_string());
        response
    }
}

/// 413 and 408, as HTTP defines them. A client whose body ended early does not see its 400.
impl From<body::Error> for Error {
    fn from(error: body::Error) -> Self {
        let status = match error {
            body::Error::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            body::Error::TimedOut => StatusCode::REQUEST_TIMEOUT,
            body::Error::Interrupted => StatusCode::BAD_REQUEST,
        };
        let advice = match error {
            body::Error::TooLarge { .. } | body::Error::Interrupted => "",
            body::Error::TimedOut => " Send the request again, with its whole body at once.",
        };
        Self::new(status, ErrorType::InvalidRequest, format!("The {error}.{advice}"))
    }
}

/// 400: Stripe shows the message in its dashboard and retries.
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
                "Was the request replayed or delayed? Stripe creates a new signature for each delivery."
            }
        };
        Self::parameter("Stripe-Signature", "signature_invalid", format!("{error}: {advice}"))
    }
}

/// 400: Stripe shows the message in its dashboard and retries.
impl From<webhook::stripe::Error> for Error {
    fn from(error: webhook::stripe::Error) -> Self {
        use webhook::stripe::Error as Event;
        match &error {
            // Stripe's code.
            Event::WrongMode { livemode } => Self::parameter(
                "Stripe-Signature",
                "livemode_mismatch",
                format!(
                    "The signature is valid, but {error}. Put the signing secret of the {mode} \
                     endpoint into {} as {mode}:whsec_….",
                    settings::WEBHOOK_SECRETS,
                    mode = livemode.as_str(),
                ),
            ),
            Event::CreatedAfterSignature { .. } | Event::NegativeCreated(_) => Self::parameter(
                "created",
                "parameter_invalid_integer",
                format!("The signature is valid, but the event was not applied: {error}."),
            ),
            error => Self::invalid(format!(
                "The signature is valid, but the event cannot be parsed: {error}."
            )),
        }
    }
}

/// 500: no request can succeed until the operator corrects the setting.
impl From<&settings::Error> for Error {
    fn from(error: &settings::Error) -> Self {
        let mut response = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            ErrorType::Api,
            format!("The deployment is misconfigured: {error}."),
        );
        response.0.cause = Some(response.0.body.message.clone());
        response
    }
}
