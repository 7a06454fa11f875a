//! The catalog's errors.

use crate::catalog::storage;

/// Why something cannot be done.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such thing.
    #[error("No such {kind}: '{id}'")]
    NotFound {
        /// What it is called.
        kind: &'static str,
        /// What it was looked for by.
        id: String,
        /// Which parameter named it; `id` for the path.
        param: String,
    },
    /// There is such a thing already.
    #[error("{message}")]
    AlreadyExists {
        /// Which parameter asked for it.
        param: &'static str,
        /// Which thing it is.
        message: String,
    },
    /// A parameter is at fault.
    #[error("{message}")]
    InvalidParameter {
        /// Which one.
        param: String,
        /// What is wrong with it.
        message: String,
    },
    /// The thing is in no state for this.
    #[error("{0}")]
    InvalidState(String),
    /// The payment method fails.
    #[error("Your card was declined.")]
    CardDeclined,
    /// The shelf failed.
    #[error(transparent)]
    Storage(#[from] storage::StorageError),
}

impl Error {
    pub(crate) fn invalid_parameter(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::InvalidParameter { param: param.into(), message: message.into() }
    }
}
