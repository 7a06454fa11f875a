//! Why an operation on the catalog fails.
//!
//! HTTP statuses are assigned in `api::error::catalog`. Messages reach the client, except the
//! message of `Storage`.

use crate::{catalog::storage, metadata};

/// Why an operation fails.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The object does not exist.
    #[error("No such {entity_type}: '{id}'")]
    NotFound {
        /// The object's type, as messages call it.
        entity_type: &'static str,
        /// The id that was looked up.
        id: String,
        /// The parameter that named it; `id` for the path.
        param: String,
    },
    /// Another object already has this id or key.
    #[error("{message}")]
    AlreadyExists {
        /// The parameter with the id or key.
        param: &'static str,
        /// Which object has it.
        message: String,
    },
    /// A parameter is missing that another one requires. Stripe's wording.
    #[error("Missing required param: {param}.")]
    MissingParameter {
        /// The parameter's name.
        param: &'static str,
    },
    /// A parameter is invalid.
    #[error("{message}")]
    InvalidParameter {
        /// The parameter's name.
        param: String,
        /// Why it is invalid.
        message: String,
    },
    /// The object's state does not allow the operation.
    #[error("{0}")]
    InvalidState(String),
    /// The charge is declined.
    #[error("Your card was declined.")]
    CardDeclined,
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] storage::StorageError),
}

impl Error {
    pub(crate) fn not_found(entity_type: &'static str, id: &str, param: &str) -> Self {
        Self::NotFound { entity_type, id: id.to_owned(), param: param.to_owned() }
    }

    pub(crate) fn invalid_parameter(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::InvalidParameter { param: param.into(), message: message.into() }
    }
}

impl From<metadata::Error> for Error {
    fn from(error: metadata::Error) -> Self {
        Self::invalid_parameter(error.param(), error.to_string())
    }
}
