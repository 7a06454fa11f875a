//! The slots of reads: when a read may start, within the budget of its mode.
//!
//! | read                           | asks                  | then                                         |
//! |--------------------------------|-----------------------|----------------------------------------------|
//! | in the background              | once, for up to 5 s   | starts, or the alarm is set to the slot      |
//! | · and no answer, or an error   |                       | is a read that failed: asks again, with back-off |
//! | · and its slot is a minute ago | once more             | the slot is lost, since others need it now   |
//! | for a caller                   | for up to 200 ms      | starts, or waits for the slot, or fails      |
//! | · and no answer, or an error   |                       | starts                                       |
//! | of the sweep                   | not                   | starts: the sweep obeys the budget           |
//!
//! A slot may be days from now: as many reads are before it. Not here: the budget, which is behind
//! [`LedgerPorts::reserve_read()`].

use super::instance::Instance;
use crate::{
    id::CustomerKey,
    ledger::{
        ports::{LedgerPorts, LedgerStorage as _, PortError, StepError},
        reconcile::ReadPriority,
        state::LedgerState,
    },
    waiting::within,
};

/// How long a background read waits for its slot to be assigned, in milliseconds.
const BACKGROUND_RESERVE_TIMEOUT: u64 = 5_000;

/// How long a read that a caller waits for waits for its slot to be assigned, in milliseconds.
const INTERACTIVE_RESERVE_TIMEOUT: u64 = 200;

/// Returns whether a background read may start now. If not, its tasks are postponed.
pub(super) async fn reserve_background<P: LedgerPorts>(
    instance: &Instance<P>,
    customer: &CustomerKey,
) -> Result<bool, StepError> {
    let ports = &instance.ports;
    let storage = ports.storage();
    if storage.read(|ledger| ledger.has_current_slot(ports.now()))? {
        return Ok(true);
    }
    let priority = storage.read(LedgerState::read_priority)?;
    let reserve = ports.reserve_read(customer, priority);
    let reserved = within(ports.sleep(BACKGROUND_RESERVE_TIMEOUT), reserve).await;
    let now = ports.now();
    let cause = match reserved {
        Some(Ok(slot)) => {
            let Some(slot) = slot.filter(|slot| *slot > now) else { return Ok(true) };
            instance.update(customer, |ledger, _| {
                ledger.defer_reads(slot, priority);
                Ok(())
            })?;
            return Ok(false);
        }
        Some(Err(error)) => error.to_string(),
        None => format!("no response within {} s", BACKGROUND_RESERVE_TIMEOUT / 1_000),
    };
    let key = customer.to_key();
    instance.log_error(&format!("{key}: failed to reserve a read of the source: {cause}"));
    instance.update(customer, |ledger, now| {
        ledger.source_failed(None, now, now, ports.jitter());
        Ok(())
    })?;
    Ok(false)
}

/// Waits for the slot of a read that a caller waits for.
///
/// # Errors
///
/// When the slot is too late for the caller.
pub(super) async fn wait_for_slot<P: LedgerPorts>(
    instance: &Instance<P>,
    customer: &CustomerKey,
) -> Result<(), PortError> {
    const MAX_DELAY: u64 = ReadPriority::MAX_CALLER_DELAY;
    let ports = &instance.ports;
    let reserve = ports.reserve_read(customer, ReadPriority::Interactive);
    let reserved = within(ports.sleep(INTERACTIVE_RESERVE_TIMEOUT), reserve).await;
    let slot = match reserved {
        Some(Ok(slot)) => slot,
        Some(Err(_)) | None => None,
    };
    match slot.map_or(0, |slot| slot.millis_since(ports.now())) {
        0 => Ok(()),
        delay @ 1..=MAX_DELAY => {
            ports.sleep(delay).await;
            Ok(())
        }
        delay => {
            let seconds = delay.div_ceil(1_000);
            Err(PortError(format!(
                "the rate of reads is used up: the next one may start in {seconds} s"
            )))
        }
    }
}
