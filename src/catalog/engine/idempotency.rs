//! Answers that are given again: a request that is sent twice under one key is done once.
//!
//! <https://docs.stripe.com/api/idempotent_requests>. What was refused is not kept: nothing was done,
//! and the same key may be used for the request put right.

use serde::Serialize;

use crate::{
    catalog::{
        error::Error, objects::calendar::SECONDS_PER_DAY, repository::Entity, storage::IndexEntry,
        tx::Tx,
    },
    id::Timestamp,
    json::impl_from_json,
};

/// How long an answer is kept, in seconds: as long as at Stripe.
const KEY_RETENTION: i64 = SECONDS_PER_DAY;

/// The most characters of a key.
pub(crate) const MAX_KEY_LEN: usize = 255;

/// The list of all answers that are kept.
const INDEX: &str = "answers";

/// An answer that is kept.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct StoredResponse {
    key: String,
    created: Timestamp,
    /// What was asked for, in a form in which two requests for the same are alike.
    fingerprint: String,
    pub(crate) status: u16,
    pub(crate) body: String,
    /// The request that it was first the answer to.
    pub(crate) request_id: Option<String>,
}

impl_from_json! { struct StoredResponse { key, created, fingerprint, status, body, request_id } }

impl Entity for StoredResponse {
    const TYPE: &'static str = "answer";

    fn id(&self) -> &str {
        &self.key
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(INDEX, self.created)]
    }
}

/// What is known of a key.
#[derive(Debug)]
pub(crate) enum Replay {
    /// Nothing, or nothing any more.
    Miss,
    /// It was used for this very request.
    Hit(StoredResponse),
    /// It was used for another one.
    Mismatch,
}

pub(crate) fn get(tx: &Tx<'_>, key: &str, asked: &str) -> Result<Replay, Error> {
    let Some(answer) = tx.find::<StoredResponse>(key)? else { return Ok(Replay::Miss) };
    if tx.now.0.saturating_sub(answer.created.0) >= KEY_RETENTION {
        tx.remove(&answer)?;
        return Ok(Replay::Miss);
    }
    Ok(if answer.fingerprint == asked { Replay::Hit(answer) } else { Replay::Mismatch })
}

pub(crate) fn put(
    tx: &Tx<'_>,
    key: &str,
    asked: String,
    status: u16,
    body: String,
) -> Result<(), Error> {
    let request = tx.request.id.clone();
    let answer = StoredResponse {
        key: key.to_owned(),
        created: tx.now,
        fingerprint: asked,
        status,
        body,
        request_id: request,
    };
    tx.insert(&answer)?;
    tx.remove_oldest::<StoredResponse>(INDEX, tx.now.saturating_add(-KEY_RETENTION))
}
