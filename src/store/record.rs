//! How a set is written down, in the ledger and in the replica alike.
//!
//! JSON, one object: `{"v":1,"version":3,"as_of":1706111369,"coverage":"whole","data":[{"id",
//! "feature","lookup_key"}…]}`. `v` is the form: whoever changes the form gives it the next number
//! and goes on reading the older ones, since a replica holds them until its customer changes.

use serde::{Deserialize, Serialize};

use crate::{
    entitlement::{ActiveEntitlement, Coverage, Entitlements, Version},
    id::Timestamp,
};

/// The form written now.
const FORM: u32 = 1;

/// Why a record cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is of a form that came after this code.
    #[error("form {0}, which is newer than this deployment")]
    Form(u32),
    /// It is no record.
    #[error("{0}")]
    Shape(String),
}

#[derive(Deserialize, Serialize)]
struct Record<D> {
    v: u32,
    version: Version,
    as_of: Timestamp,
    coverage: Coverage,
    data: D,
}

/// Writes a set down.
///
/// # Errors
///
/// None that a set can cause; JSON's writer has one all the same.
pub fn write(set: &Entitlements) -> Result<Vec<u8>, Error> {
    let record = Record {
        v: FORM,
        version: set.version,
        as_of: set.as_of,
        coverage: set.coverage,
        data: &set.data,
    };
    serde_json::to_vec(&record).map_err(|error| Error::Shape(error.to_string()))
}

/// Reads what [`write()`] wrote.
///
/// # Errors
///
/// When the bytes are no record, or one of a newer form.
pub fn read(bytes: &[u8]) -> Result<Entitlements, Error> {
    #[derive(Deserialize)]
    struct Form {
        v: u32,
    }
    let shape = |error: serde_json::Error| Error::Shape(error.to_string());
    let Form { v } = serde_json::from_slice(bytes).map_err(shape)?;
    if v > FORM {
        return Err(Error::Form(v));
    }
    let Record { version, as_of, coverage, data, .. } =
        serde_json::from_slice::<Record<Vec<ActiveEntitlement>>>(bytes).map_err(shape)?;
    Ok(Entitlements { version, as_of, coverage, data })
}
