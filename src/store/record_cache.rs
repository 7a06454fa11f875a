//! A cache of replica records in the memory of one isolate.
//!
//! A caller may only answer "yes" from a cached record. A "no" must be read again, so that a customer
//! who has just paid does not wait.

use std::collections::HashMap;

use crate::id::UnixMillis;

/// The most bytes in the cache: 4 MiB of an isolate's 128 MB
/// (<https://developers.cloudflare.com/workers/platform/limits/>). That is some 40,000 customers with
/// ten features each.
const MAX_CACHE_BYTES: usize = 4 << 20;

/// The most bytes of one record. A set with thousands of features is rarely read often.
const MAX_RECORD_BYTES: usize = MAX_CACHE_BYTES / 16;

/// Records by the storage key of their customer, each with the time when it was read.
#[derive(Debug, Default)]
pub struct RecordCache {
    records: HashMap<Box<str>, (UnixMillis, Box<[u8]>)>,
    bytes: usize,
}

impl RecordCache {
    /// Stores a record that was read at `now`, and replaces an earlier one.
    pub fn insert(&mut self, key: &str, record: &[u8], now: UnixMillis) {
        self.remove(key);
        if record.len() > MAX_RECORD_BYTES {
            return;
        }
        // A full cache is emptied at once. Frequently read customers return soon, and no order of use
        // has to be maintained.
        if self.bytes.saturating_add(entry_size(key, record)) > MAX_CACHE_BYTES {
            self.records.clear();
            self.bytes = 0;
        }
        self.bytes = self.bytes.saturating_add(entry_size(key, record));
        self.records.insert(key.into(), (now, record.into()));
    }

    /// Returns a record that was read less than `ttl` milliseconds ago.
    #[must_use]
    pub fn get(&self, key: &str, ttl: u64, now: UnixMillis) -> Option<&[u8]> {
        let (read_at, record) = self.records.get(key)?;
        // A clock that was set back must not extend the lifetime.
        (read_at.0 <= now.0 && now.0 - read_at.0 < ttl).then_some(record)
    }

    fn remove(&mut self, key: &str) {
        if let Some((_, record)) = self.records.remove(key) {
            self.bytes = self.bytes.saturating_sub(entry_size(key, &record));
        }
    }
}

/// The approximate memory of an entry, including the overhead of the map.
fn entry_size(key: &str, record: &[u8]) -> usize {
    key.len() + record.len() + 64
}
