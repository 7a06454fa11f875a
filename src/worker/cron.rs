//! Every minute: sets that nobody confirmed for a day are, and debts that were tried in vain are
//! looked after.
//!
//! The roster hands out who is due, oldest first; whoever was handed out and does not report is due
//! again later, so that one whose read fails holds up nobody, and a run that dies loses nothing.

use futures_util::{StreamExt as _, stream};
use worker::{Env, Result, console_error, console_log};

use super::{ledger::DurableLedger, roster::DurableRoster, settings};
use crate::id::{Customer, CustomerId, Livemode};

/// The most customers of either kind in one run: with the roster below the fifty requests that a
/// run may make on the free plan, and 28,800 sets a day
/// (<https://developers.cloudflare.com/workers/platform/limits/#subrequests>).
const LIMIT: u32 = 20;

/// Requests side by side: as many as a Worker may have open.
const AT_ONCE: usize = 6;

/// What a run came to.
#[derive(Default)]
struct Tally {
    confirmed: u32,
    drifted: u32,
    failed: u32,
}

pub(super) async fn reconcile(env: &Env) -> Result<()> {
    let modes = match settings(env) {
        Ok(settings) => [Livemode::Test, Livemode::Live]
            .into_iter()
            .filter(|livemode| settings.has_source(*livemode))
            .collect(),
        Err(error) => return Err(error.to_string().into()),
    };
    let due = DurableRoster::open(env)?.due(modes, LIMIT).await?;
    let ledger = DurableLedger::open(env)?;
    let wakes = due.wake.iter().filter_map(|key| customer(key)).map(|customer| {
        let ledger = &ledger;
        async move {
            if let Err(error) = ledger.wake(&customer).await {
                console_error!("{} is not woken: {error}", customer.key());
            }
        }
    });
    stream::iter(wakes).buffer_unordered(AT_ONCE).collect::<()>().await;

    let reads = due.confirm.iter().filter_map(|key| customer(key)).map(|customer| {
        let ledger = &ledger;
        async move { ledger.confirm(&customer).await }
    });
    let reads = stream::iter(reads).buffer_unordered(AT_ONCE);
    let tally = reads
        .fold(Tally::default(), async |mut tally, read| {
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
    if !due.confirm.is_empty() {
        let Tally { confirmed, drifted, failed } = tally;
        console_log!(
            "reconcile: {confirmed} sets confirmed, {drifted} of them had drifted; {failed} could \
             not be read"
        );
    }
    Ok(())
}

/// The customer of a key.
fn customer(key: &str) -> Option<Customer> {
    [Livemode::Test, Livemode::Live].into_iter().find_map(|livemode| {
        let id = CustomerId::try_from(key.strip_prefix(livemode.prefix())?).ok()?;
        Some(Customer { livemode, id })
    })
}
