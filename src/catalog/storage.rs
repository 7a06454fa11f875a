//! The storage port: objects by key, with secondary indexes.
//!
//! An object is a string under a key, `type/id`. It is in any number of indexes. Its position in an
//! index is `at` (seconds: when it was created, or when it is due) and `seq`, the order in which
//! objects were first written. Each read is one key or one range of one index, so that its cost
//! does not depend on the number of other objects.
//!
//! Calls are synchronous. The shell runs all calls of one request in one transaction. The objects
//! themselves are in `objects`.

use crate::id::Timestamp;

/// A read or write failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("catalog storage failed: {0}")]
pub struct StorageError(pub String);

/// Membership of an object in an index.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IndexEntry {
    /// The index's name.
    pub index: String,
    /// The object's time in it.
    pub at: Timestamp,
}

impl IndexEntry {
    pub(crate) fn new(index: impl Into<String>, at: Timestamp) -> Self {
        Self { index: index.into(), at }
    }
}

/// A position in an index.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct IndexPosition {
    /// The time, in seconds.
    pub at: Timestamp,
    /// The order of first writing.
    pub seq: i64,
}

impl IndexPosition {
    /// Before every position of this second or later.
    #[must_use]
    pub fn start_of(at: Timestamp) -> Self {
        Self { at, seq: i64::MIN }
    }

    /// After every position of this second or earlier.
    #[must_use]
    pub fn end_of(at: Timestamp) -> Self {
        Self { at, seq: i64::MAX }
    }
}

/// The direction in which an index is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SortOrder {
    /// The latest position first.
    Descending,
    /// The earliest position first.
    Ascending,
}

/// A range of an index between two positions, both excluded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct IndexRange {
    /// Only later positions.
    pub after: Option<IndexPosition>,
    /// Only earlier positions.
    pub before: Option<IndexPosition>,
    /// Which end comes first.
    pub order: SortOrder,
    /// The most objects to return.
    pub limit: usize,
}

impl IndexRange {
    /// The first objects in the order of clients: newest first.
    #[must_use]
    pub fn newest_first(limit: usize) -> Self {
        Self { after: None, before: None, order: SortOrder::Descending, limit }
    }

    /// The first object in the order of time.
    #[must_use]
    pub fn earliest() -> Self {
        Self { after: None, before: None, order: SortOrder::Ascending, limit: 1 }
    }

    /// The objects that are due at a time, earliest first.
    #[must_use]
    pub fn due_until(now: Timestamp, limit: usize) -> Self {
        Self {
            after: None,
            before: Some(IndexPosition::end_of(now)),
            order: SortOrder::Ascending,
            limit,
        }
    }
}

/// A stored object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredObject {
    /// The order in which it was first written.
    pub seq: i64,
    /// The object, as JSON.
    pub body: String,
}

/// An object of an index.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IndexedObject {
    /// Its position in the index.
    pub position: IndexPosition,
    /// The object, as JSON.
    pub body: String,
}

/// Stores the objects of one catalog.
pub trait Storage {
    /// The object under a key.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    fn read(&self, key: &str) -> Result<Option<StoredObject>, StorageError>;

    /// Writes an object under a key, and changes its index entries. Entries that stay are in
    /// neither `removed` nor `added`.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    fn write(
        &self,
        key: &str,
        body: &str,
        removed: &[IndexEntry],
        added: &[IndexEntry],
    ) -> Result<(), StorageError>;

    /// Removes an object and its index entries.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    fn remove(&self, key: &str, removed: &[IndexEntry]) -> Result<(), StorageError>;

    /// Reads a range of an index.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    fn list(&self, index: &str, range: IndexRange) -> Result<Vec<IndexedObject>, StorageError>;
}
