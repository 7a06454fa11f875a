//! Reconciliation: every minute, compares sets with the source and re-arms alarms.
//!
//! The customer index leases the customers that are due, oldest first:
//!
//! | customers                                   | request to the ledger       |
//! |---------------------------------------------|-----------------------------|
//! | with a set that was not confirmed for a day | compare it with the source  |
//! | with pending tasks that failed              | set the alarm for the tasks |
//!
//! A customer that does not report within its lease is due again. So a read that fails delays no
//! other customer, and a run that ends early loses nothing.

use futures_util::{StreamExt as _, stream};
use worker::{Env, Result, console_error, console_log};

use super::{
    customer_index::CustomerIndexStub, ledger::LedgerStub, rpc::port_error, runtime::load_settings,
};
use crate::id::{CustomerKey, Livemode};

/// The most customers of either kind in one run, which is 28,800 sets a day. With the customer
/// index, these are fewer than the 50 requests that the free plan allows a run
/// (<https://developers.cloudflare.com/workers/platform/limits/#subrequests>).
const MAX_CUSTOMERS_PER_RUN: u32 = 20;

/// The most requests in flight: as many connections as a Worker may have open.
const MAX_CONCURRENT_REQUESTS: usize = 6;

/// The results of one run.
#[derive(Default)]
struct ReconcileStats {
    confirmed: u32,
    drifted: u32,
    failed: u32,
}

pub(super) async fn reconcile(env: &Env) -> Result<()> {
    let modes = match load_settings(env) {
        Ok(settings) => [Livemode::Test, Livemode::Live]
            .into_iter()
            .filter(|livemode| settings.has_source(*livemode))
            .collect(),
        Err(error) => return Err(error.to_string().into()),
    };
    let customer_index = CustomerIndexStub::from_env(env)?;
    let due = customer_index.lease_due(modes, MAX_CUSTOMERS_PER_RUN).await.map_err(port_error)?;
    let ledger = LedgerStub::from_env(env)?;
    let rearms = due.rearm.iter().filter_map(|key| CustomerKey::from_key(key)).map(|customer| {
        let ledger = &ledger;
        async move {
            if let Err(error) = ledger.rearm(&customer).await {
                console_error!("{}: failed to re-arm the alarm: {error}", customer.to_key());
            }
        }
    });
    stream::iter(rearms).buffer_unordered(MAX_CONCURRENT_REQUESTS).collect::<()>().await;

    let reads = due.reconcile.iter().filter_map(|key| CustomerKey::from_key(key)).map(|customer| {
        let ledger = &ledger;
        async move { ledger.reconcile(&customer).await }
    });
    let reads = stream::iter(reads).buffer_unordered(MAX_CONCURRENT_REQUESTS);
    let stats = reads
        .fold(ReconcileStats::default(), async |mut stats, read| {
            match read {
                Ok(drifted) => {
                    stats.confirmed += 1;
                    stats.drifted += u32::from(drifted);
                }
                // The ledger's object has logged the error.
                Err(_) => stats.failed += 1,
            }
            stats
        })
        .await;
    if !due.reconcile.is_empty() {
        let ReconcileStats { confirmed, drifted, failed } = stats;
        console_log!(
            "reconcile: {confirmed} sets confirmed, {drifted} of them had drifted; {failed} could \
             not be read"
        );
    }
    Ok(())
}
