//! Where the catalog's objects are kept: the port, and what a list is.
//!
//! An object is a text under a key, `kind/id`. It stands in any number of lists; in each it has a
//! place, `at` (seconds: when it was made, or when it is due) and, among those of one second, the
//! order in which they were first written. Every question is a range of one list, so that its cost
//! does not grow with what else there is.
//!
//! All calls answer at once, and those of one request happen together or not at all: the shell sees
//! to that. What the objects are is not here.

use crate::id::Timestamp;

/// The shelf did not do what it was asked to.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the catalog is out of order: {0}")]
pub struct StorageError(pub String);

/// That an object stands in a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IndexEntry {
    /// The list's name.
    pub index: String,
    /// The object's place in it.
    pub at: Timestamp,
}

impl IndexEntry {
    pub(crate) fn new(list: impl Into<String>, at: Timestamp) -> Self {
        Self { index: list.into(), at }
    }
}

/// A place in a list.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct IndexPosition {
    /// The second.
    pub at: Timestamp,
    /// The order of writing.
    pub seq: i64,
}

impl IndexPosition {
    /// Before all that are of this second or later.
    #[must_use]
    pub fn start_of(at: Timestamp) -> Self {
        Self { at, seq: i64::MIN }
    }

    /// After all that are of this second or earlier.
    #[must_use]
    pub fn end_of(at: Timestamp) -> Self {
        Self { at, seq: i64::MAX }
    }
}

/// In which direction a list is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SortOrder {
    /// The latest place first.
    Descending,
    /// The earliest place first.
    Ascending,
}

/// A part of a list: what lies between two places, both left out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct IndexRange {
    /// Only later ones.
    pub after: Option<IndexPosition>,
    /// Only earlier ones.
    pub before: Option<IndexPosition>,
    /// Which end comes first.
    pub order: SortOrder,
    /// At most so many.
    pub limit: usize,
}

impl IndexRange {
    /// The first so many of a list, in the order that clients see: newest first.
    #[must_use]
    pub fn newest_first(limit: usize) -> Self {
        Self { after: None, before: None, order: SortOrder::Descending, limit }
    }

    /// The first so many that are due at a moment.
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

/// An object as it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredObject {
    /// In which place it was first written.
    pub seq: i64,
    /// The object.
    pub body: String,
}

/// An object of a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IndexedObject {
    /// Where it stands in the list.
    pub position: IndexPosition,
    /// The object.
    pub body: String,
}

/// What the objects are kept in.
pub trait Storage {
    /// The object under a key.
    ///
    /// # Errors
    ///
    /// When the shelf is out of order; so with the others.
    fn read(&self, key: &str) -> Result<Option<StoredObject>, StorageError>;

    /// Puts an object under a key, takes it out of the lists that it left, and into those that it
    /// joined. Entries that stay as they are stand in neither.
    ///
    /// # Errors
    ///
    /// As above.
    fn write(
        &self,
        key: &str,
        body: &str,
        left: &[IndexEntry],
        joined: &[IndexEntry],
    ) -> Result<(), StorageError>;

    /// Removes an object, and from the lists that it stood in.
    ///
    /// # Errors
    ///
    /// As above.
    fn remove(&self, key: &str, left: &[IndexEntry]) -> Result<(), StorageError>;

    /// A part of a list.
    ///
    /// # Errors
    ///
    /// As above.
    fn list(&self, name: &str, range: IndexRange) -> Result<Vec<IndexedObject>, StorageError>;
}
