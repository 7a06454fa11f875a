//! Idempotent requests: the response to a request with a key is stored, and replayed.
//!
//! Only successful responses are stored. A rejected request changed nothing, so that its key can be
//! used again for the corrected request.
//!
//! Specification: <https://docs.stripe.com/api/idempotent_requests>.

use serde::Serialize;

use crate::{
    catalog::{
        error::Error, objects::calendar::SECONDS_PER_DAY, repository::Entity, storage::IndexEntry,
        tx::Tx,
    },
    id::Timestamp,
    json::json_type,
};

/// How long a response is retained, in seconds. The same as at Stripe.
const KEY_RETENTION: i64 = SECONDS_PER_DAY;

/// The index of all stored responses.
const INDEX: &str = "responses";

json_type! {
    /// A stored response.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub(crate) struct StoredResponse {
        key: String,
        created: Timestamp,
        /// The request's hash: equal for equal requests.
        fingerprint: String,
        pub(crate) status: u16,
        pub(crate) body: String,
        /// The version of Stripe's API of the body.
        pub(crate) api_version: String,
        /// The id of the request that it first responded to.
        pub(crate) request_id: Option<String>,
    }
}

impl Entity for StoredResponse {
    const TYPE: &'static str = "idempotent response";

    fn id(&self) -> &str {
        &self.key
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(INDEX, self.created)]
    }
}

/// A response to store.
#[derive(Debug)]
pub(crate) struct NewResponse {
    /// The request's hash.
    pub(crate) fingerprint: String,
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) api_version: String,
}

/// The result of looking up a key.
#[derive(Debug)]
pub(crate) enum StoredReplay {
    /// No response is stored, or its retention is over.
    Miss,
    /// The response to the same request.
    Hit(StoredResponse),
    /// The key was used for another request.
    Mismatch,
}

pub(crate) fn get(tx: &Tx<'_>, key: &str, fingerprint: &str) -> Result<StoredReplay, Error> {
    let Some(response) = tx.find::<StoredResponse>(key)? else { return Ok(StoredReplay::Miss) };
    if tx.now.seconds_since(response.created) >= KEY_RETENTION {
        tx.remove(&response)?;
        return Ok(StoredReplay::Miss);
    }
    Ok(if response.fingerprint == fingerprint {
        StoredReplay::Hit(response)
    } else {
        StoredReplay::Mismatch
    })
}

pub(crate) fn put(tx: &Tx<'_>, key: &str, new: NewResponse) -> Result<(), Error> {
    let response = StoredResponse {
        key: key.to_owned(),
        created: tx.now,
        fingerprint: new.fingerprint,
        status: new.status,
        body: new.body,
        api_version: new.api_version,
        request_id: tx.request.id.clone(),
    };
    tx.insert(&response)?;
    tx.remove_expired::<StoredResponse>(INDEX, KEY_RETENTION)
}
