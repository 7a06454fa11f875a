//! Failures that a test injects into a store.

use std::{cell::RefCell, collections::VecDeque};

use crate::store::Error;

/// How the next call of a store fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// Nothing is done, and an error answered.
    Before,
    /// The work is done, and an error answered.
    After,
}

pub(super) fn with_fault<T>(
    faults: &RefCell<VecDeque<Fault>>,
    port: &'static str,
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    let failure = |cause: &str| Error::Unreachable { port, cause: cause.to_owned() };
    let fault = faults.borrow_mut().pop_front();
    match fault {
        None => work(),
        Some(Fault::Before) => Err(failure("told to fail before the work")),
        Some(Fault::After) => {
            work()?;
            Err(failure("told to fail after the work"))
        }
    }
}
