//! The client for a built-in catalog in memory.
//!
//! The catalog is a layer above the stores, so a test supplies a function that handles its requests.

use std::{cell::RefCell, collections::VecDeque, fmt};

use super::fault::{Fault, with_fault};
use crate::{
    id::Livemode,
    store::{CatalogClient, Error},
};

/// A catalog in memory.
pub struct MemoryCatalog {
    handler: Box<RequestHandler>,
    faults: RefCell<VecDeque<Fault>>,
}

/// Handles a request to the catalog of one mode.
type RequestHandler = dyn Fn(Livemode, &http::Request<Vec<u8>>) -> http::Response<Vec<u8>>;

impl MemoryCatalog {
    /// Creates a catalog whose requests `handler` handles.
    #[must_use]
    pub fn new(
        handler: impl Fn(Livemode, &http::Request<Vec<u8>>) -> http::Response<Vec<u8>> + 'static,
    ) -> Self {
        Self { handler: Box::new(handler), faults: RefCell::default() }
    }

    /// Makes the next call fail.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.borrow_mut().push_back(fault);
    }
}

impl fmt::Debug for MemoryCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCatalog").field("faults", &self.faults).finish_non_exhaustive()
    }
}

impl CatalogClient for MemoryCatalog {
    async fn send(
        &self,
        livemode: Livemode,
        request: &http::Request<Vec<u8>>,
    ) -> Result<http::Response<Vec<u8>>, Error> {
        with_fault(&self.faults, "catalog", || Ok((self.handler)(livemode, request)))
    }
}
