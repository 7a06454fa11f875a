//! Ledger updates: leases those that are due, and completes or retries each.
//!
//! The ledger receives the customer's complete list as of the lease, with the id and the time of the
//! newest summary event. Updates of one customer are sent one after the other. The ledger ignores
//! an event that it has applied before, so an update may be sent twice.
//!
//! The lease and the back-off are those of webhook [`deliveries`](super::deliveries). An update is
//! retried until the ledger has applied it.

use crate::{
    catalog::{
        engine::deliveries::{LEASE, backoff},
        error::Error,
        objects::{
            active_entitlement::{self, StoredEntitlement},
            event::Event,
            ledger_update::{LedgerUpdate, QUEUE_INDEX},
        },
        storage::{IndexRange, StorageError},
        tx::Tx,
    },
    entitlement::{ActiveEntitlement, SourceSet, Summary, SummaryPage},
    id::{self, CustomerKey, Timestamp},
};

/// Stores the update for a summary event of a customer.
pub(crate) fn schedule(tx: &Tx<'_>, customer: &str, event: Event) -> Result<(), Error> {
    let before = tx.find::<LedgerUpdate>(customer)?;
    let leased_until = before.as_ref().filter(|update| update.leased).map(|update| update.due);
    let after = LedgerUpdate {
        customer: customer.to_owned(),
        event: event.id,
        created: event.created,
        attempts: 0,
        leased: leased_until.is_some(),
        due: leased_until.unwrap_or(tx.now),
    };
    before.map_or_else(|| tx.insert(&after), |before| tx.update(&before, &after))
}

/// When the next ledger update is due.
///
/// # Errors
///
/// When the storage fails.
pub fn next_due(tx: &Tx<'_>) -> Result<Option<Timestamp>, Error> {
    let first = IndexRange::earliest();
    let next: Vec<LedgerUpdate> = tx.list(QUEUE_INDEX, first)?;
    Ok(next.first().map(|update| update.due))
}

/// Leases at most `limit` ledger updates that are due. Returns what to apply to the ledgers.
///
/// # Errors
///
/// When the storage fails.
pub fn lease_due(tx: &Tx<'_>, limit: usize) -> Result<Vec<Summary>, Error> {
    let due: Vec<LedgerUpdate> = tx.list(QUEUE_INDEX, IndexRange::due_until(tx.now, limit))?;
    let lease = |update: LedgerUpdate| {
        let due = tx.now.saturating_add(LEASE);
        tx.update(&update, &LedgerUpdate { leased: true, due, ..update.clone() })?;
        // A ledger refuses a list that is too long, and must not take a part of it as complete.
        let range = IndexRange::newest_first(SourceSet::MAX_LEN + 1);
        let list = tx.list(&active_entitlement::index(&update.customer), range)?;
        let decode_error =
            |error| StorageError(format!("failed to decode a ledger update: an id is {error}"));
        Ok(to_summary(tx, update, list).map_err(decode_error)?)
    };
    due.into_iter().map(lease).collect()
}

/// Removes the update that the ledger has applied, unless there was an event since the lease.
///
/// # Errors
///
/// When the storage fails.
pub fn complete(tx: &Tx<'_>, applied: &Summary) -> Result<(), Error> {
    let Some(update) = tx.find::<LedgerUpdate>(applied.customer.id.as_str())? else {
        return Ok(());
    };
    if update.event == applied.event.as_str() {
        return tx.remove(&update);
    }
    tx.update(&update, &LedgerUpdate { leased: false, due: tx.now, ..update.clone() })
}

/// Schedules the next attempt of an update that the ledger has not applied.
///
/// # Errors
///
/// When the storage fails.
pub fn retry(tx: &Tx<'_>, failed: &Summary) -> Result<(), Error> {
    let Some(update) = tx.find::<LedgerUpdate>(failed.customer.id.as_str())? else {
        return Ok(());
    };
    let attempts = update.attempts.saturating_add(1);
    let due = tx.now.saturating_add(backoff(attempts, (tx.random)()).saturating_add(1));
    tx.update(&update, &LedgerUpdate { attempts, leased: false, due, ..update.clone() })
}

fn to_summary(
    tx: &Tx<'_>,
    update: LedgerUpdate,
    list: Vec<StoredEntitlement>,
) -> Result<Summary, id::Error> {
    let list = list.into_iter().map(|StoredEntitlement { id, feature, lookup_key, .. }| {
        let (id, feature) = (id.try_into()?, feature.try_into()?);
        Ok(ActiveEntitlement { id, feature, lookup_key: lookup_key.try_into()? })
    });
    Ok(Summary {
        event: update.event.try_into()?,
        customer: CustomerKey { livemode: tx.livemode, id: update.customer.try_into()? },
        created: update.created,
        page: Some(SummaryPage::Complete(list.collect::<Result<_, id::Error>>()?)),
    })
}
