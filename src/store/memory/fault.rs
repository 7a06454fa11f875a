//! Failures that a test injects into a store.

use std::{cell::RefCell, collections::VecDeque};

use crate::store::Error;

/// How the next call of a store fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The call fails without an effect.
    Before,
    /// The call fails after its effect.
    After,
    /// The call fails without an effect, because a newer release wrote the data.
    NewerSchema,
}

/// Runs an operation of a store, and applies the next queued fault to it.
pub(super) fn with_fault<T>(
    faults: &RefCell<VecDeque<Fault>>,
    port: &'static str,
    operation: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    let failure = |cause: &str| Error::Unreachable { port, cause: cause.to_owned() };
    let fault = faults.borrow_mut().pop_front();
    match fault {
        None => operation(),
        Some(Fault::Before) => Err(failure("injected fault before the operation")),
        Some(Fault::NewerSchema) => Err(Error::NewerSchema { port }),
        Some(Fault::After) => {
            operation()?;
            Err(failure("injected fault after the operation"))
        }
    }
}
