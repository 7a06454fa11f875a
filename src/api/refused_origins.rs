//! The origins whose pages an instance has refused, so that each is logged once.

use core::cell::RefCell;

/// The most origins that are logged: anyone can send a request with another one.
const MAX_ORIGINS: usize = 20;

/// The origins that were logged.
#[derive(Debug, Default)]
pub struct RefusedOrigins(RefCell<Vec<Box<str>>>);

impl RefusedOrigins {
    /// Inserts an origin. Returns whether it is to be logged: it is new, and there is space.
    pub(super) fn insert(&self, origin: &str) -> bool {
        let mut logged = self.0.borrow_mut();
        if logged.len() >= MAX_ORIGINS || logged.iter().any(|other| **other == *origin) {
            return false;
        }
        logged.push(origin.into());
        true
    }
}
