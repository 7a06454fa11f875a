//! The sets that were read last, for some seconds: a customer who asks often asks again.
//!
//! What is remembered is the replica's record, and who remembers it may only say yes by it: a no is
//! looked up anew, since a customer who has just paid is not to wait.

use std::collections::HashMap;

use crate::id::UnixMillis;

/// The most bytes of records that are remembered, 4 MiB of the 128 that an isolate has
/// (<https://developers.cloudflare.com/workers/platform/limits/>): some 40,000 customers of ten
/// features.
const MAX_CACHE_BYTES: usize = 4 << 20;

/// The most bytes of one of them: the sets of thousands of features are nobody's who asks often.
const MAX_RECORD_BYTES: usize = MAX_CACHE_BYTES / 16;

/// Records by the key of their customer, each with the moment when it was read.
#[derive(Debug, Default)]
pub struct RecordCache {
    records: HashMap<Box<str>, (UnixMillis, Box<[u8]>)>,
    bytes: usize,
}

impl RecordCache {
    /// Remembers what was read of a customer.
    pub fn insert(&mut self, key: &str, record: &[u8], now: UnixMillis) {
        self.remove(key);
        if record.len() > MAX_RECORD_BYTES {
            return;
        }
        // All at once: who is asked about often is soon here again, and there is nothing to keep in order.
        if self.bytes.saturating_add(entry_size(key, record)) > MAX_CACHE_BYTES {
            self.records.clear();
            self.bytes = 0;
        }
        self.bytes = self.bytes.saturating_add(entry_size(key, record));
        self.records.insert(key.into(), (now, record.into()));
    }

    /// The record of a customer that was read less than `ttl` milliseconds ago.
    #[must_use]
    pub fn get(&self, key: &str, ttl: u64, now: UnixMillis) -> Option<&[u8]> {
        let (read, record) = self.records.get(key)?;
        // A clock that was set back makes nothing last longer.
        (read.0 <= now.0 && now.0 - read.0 < ttl).then_some(record)
    }

    fn remove(&mut self, key: &str) {
        if let Some((_, record)) = self.records.remove(key) {
            self.bytes = self.bytes.saturating_sub(entry_size(key, &record));
        }
    }
}

/// What a record takes, with some room for the table around it.
fn entry_size(key: &str, record: &[u8]) -> usize {
    key.len() + record.len() + 64
}
