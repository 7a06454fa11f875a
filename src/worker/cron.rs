//! Every minute: sets that nobody confirmed for a day are, and debts that were tried in vain are
//! looked after.
//!
//! The roster hands out who is due, oldest first; whoever was handed out and does not report is due
//! again later, so that one whose read fails holds up nobody, and a run that dies loses nothing.

use futures_util::{StreamExt as _, stream};
use worker::{Env, Result, console_error, console_log};

use super::{customer_index::CustomerIndexStub, ledger::LedgerStub, load_settings};
use crate::id::{CustomerId, CustomerKey, Livemode};

/// The most customers of either kind in one run: with the roster below the fifty requests that a
/// run may make on the free plan, and 28,800 sets a day
/// (<https://developers.cloudflare.com/workers/platform/limits/#subrequests>).
const MAX_CUSTOMERS_PER_RUN: u32 = 20;

/// Requests side by side: as many as a Worker may have open.
const MAX_CONCURRENT_REQUESTS: usize = 6;

/// What a run came to.
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
    let due = CustomerIndexStub::from_env(env)?.lease_due(modes, MAX_CUSTOMERS_PER_RUN).await?;
    let ledger = LedgerStub::from_env(env)?;
    let wakes = due.rearm.iter().filter_map(|key| parse_customer_key(key)).map(|customer| {
        let ledger = &ledger;
        async move {
            if let Err(error) = ledger.rearm(&customer).await {
                console_error!("{} is not woken: {error}", customer.to_key());
            }
        }
    });
    stream::iter(wakes).buffer_unordered(MAX_CONCURRENT_REQUESTS).collect::<()>().await;

    let reads = due.reconcile.iter().filter_map(|key| parse_customer_key(key)).map(|customer| {
        let ledger = &ledger;
        async move { ledger.reconcile(&customer).await }
    });
    let reads = stream::iter(reads).buffer_unordered(MAX_CONCURRENT_REQUESTS);
    let tally = reads
        .fold(ReconcileStats::default(), async |mut tally, read| {
            match read {
                Ok(drifted) => {
                    tally.confirmed += 1;
                    tally.drifted += u32::from(drifted);
                }
                // The customer's object has logged why.
                Err(_) => tally.failed += 1,
            }
            tally
        })
        .await;
    if !due.reconcile.is_empty() {
        let ReconcileStats { confirmed, drifted, failed } = tally;
        console_log!(
            "reconcile: {confirmed} sets confirmed, {drifted} of them had drifted; {failed} could \
             not be read"
        );
    }
    Ok(())
}

/// The customer of a key.
fn parse_customer_key(key: &str) -> Option<CustomerKey> {
    [Livemode::Test, Livemode::Live].into_iter().find_map(|livemode| {
        let id = CustomerId::try_from(key.strip_prefix(livemode.key_prefix())?).ok()?;
        Some(CustomerKey { livemode, id })
    })
}
