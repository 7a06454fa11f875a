//! The slots of reads: when a read may start, within the budget of its mode.
//!
//! | read              | asks                                | then                                         |
//! |-------------------|-------------------------------------|----------------------------------------------|
//! | in the background | once, for up to 5 s                 | starts, or the alarm is set to the slot      |
//! | for a caller      | for up to 200 ms                    | starts, or waits for the slot, or fails      |
//! | of the sweep      | not: the sweep obeys the budget     | starts                                       |
//!
//! Without an answer, a read starts at once. Not here: the budget, which is behind
//! [`LedgerPorts::reserve_read()`].

use super::instance::Instance;
use crate::{
    id::CustomerKey,
    ledger::ports::{LedgerPorts, LedgerStorage as _, PortError, ReadPriority, StepError},
    waiting::within,
};

/// How long a background read waits for its slot to be assigned, in milliseconds.
const BACKGROUND_RESERVE_TIMEOUT: u64 = 5_000;

/// How long a read that a caller waits for waits for its slot to be assigned, in milliseconds.
const INTERACTIVE_RESERVE_TIMEOUT: u64 = 200;

/// The latest slot of a background read, in milliseconds from now: an hour.
const MAX_SLOT_DELAY: u64 = 60 * 60 * 1_000;

/// The latest slot of a read that a caller waits for, in milliseconds from now. The caller needs time
/// for the read itself.
const MAX_CALLER_DELAY: u64 = 8_000;

/// Returns whether a background read may start now. If not, its tasks are postponed to its slot.
pub(super) async fn reserve_background<P: LedgerPorts>(
    instance: &Instance<P>,
    customer: &CustomerKey,
) -> Result<bool, StepError> {
    let ports = &instance.ports;
    let storage = ports.storage();
    let slot = if let Some(slot) = storage.read(|ledger| ledger.read_slot)? {
        Some(slot)
    } else {
        let reserve = ports.reserve_read(customer, ReadPriority::Background);
        within(ports.sleep(BACKGROUND_RESERVE_TIMEOUT), reserve).await.flatten()
    };
    let now = ports.now();
    let Some(slot) = slot.filter(|slot| *slot > now) else { return Ok(true) };
    instance.update(customer, |ledger, now| {
        ledger.defer_reads(slot.min(now.saturating_add(MAX_SLOT_DELAY)));
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
    let ports = &instance.ports;
    let reserve = ports.reserve_read(customer, ReadPriority::Interactive);
    let slot = within(ports.sleep(INTERACTIVE_RESERVE_TIMEOUT), reserve).await.flatten();
    match slot.map_or(0, |slot| slot.millis_since(ports.now())) {
        0 => Ok(()),
        delay @ 1..=MAX_CALLER_DELAY => {
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
