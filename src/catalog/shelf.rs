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
pub struct Failure(pub String);

/// That an object stands in a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// The list's name.
    pub list: String,
    /// The object's place in it.
    pub at: Timestamp,
}

impl Entry {
    pub(crate) fn new(list: impl Into<String>, at: Timestamp) -> Self {
        Self { list: list.into(), at }
    }
}

/// A place in a list.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// The second.
    pub at: Timestamp,
    /// The order of writing.
    pub seq: i64,
}

impl Place {
    /// Before all that are of this second or later.
    #[must_use]
    pub fn before(at: Timestamp) -> Self {
        Self { at, seq: i64::MIN }
    }

    /// After all that are of this second or earlier.
    #[must_use]
    pub fn after(at: Timestamp) -> Self {
        Self { at, seq: i64::MAX }
    }
}

/// In which direction a list is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// The latest place first.
    Descending,
    /// The earliest place first.
    Ascending,
}

/// A part of a list: what lies between two places, both left out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Range {
    /// Only later ones.
    pub above: Option<Place>,
    /// Only earlier ones.
    pub below: Option<Place>,
    /// Which end comes first.
    pub order: Order,
    /// At most so many.
    pub limit: usize,
}

impl Range {
    /// The first so many of a list, in the order that clients see: newest first.
    #[must_use]
    pub fn newest(limit: usize) -> Self {
        Self { above: None, below: None, order: Order::Descending, limit }
    }

    /// The first so many that are due at a moment.
    #[must_use]
    pub fn due(now: Timestamp, limit: usize) -> Self {
        Self { above: None, below: Some(Place::after(now)), order: Order::Ascending, limit }
    }
}

/// An object as it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Kept {
    /// In which place it was first written.
    pub seq: i64,
    /// The object.
    pub body: String,
}

/// An object of a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listed {
    /// Where it stands in the list.
    pub place: Place,
    /// The object.
    pub body: String,
}

/// What the objects are kept in.
pub trait Shelf {
    /// The object under a key.
    ///
    /// # Errors
    ///
    /// When the shelf is out of order; so with the others.
    fn read(&self, key: &str) -> Result<Option<Kept>, Failure>;

    /// Puts an object under a key, takes it out of the lists that it left, and into those that it
    /// joined. Entries that stay as they are stand in neither.
    ///
    /// # Errors
    ///
    /// As above.
    fn write(&self, key: &str, body: &str, left: &[Entry], joined: &[Entry])
    -> Result<(), Failure>;

    /// Removes an object, and from the lists that it stood in.
    ///
    /// # Errors
    ///
    /// As above.
    fn remove(&self, key: &str, left: &[Entry]) -> Result<(), Failure>;

    /// A part of a list.
    ///
    /// # Errors
    ///
    /// As above.
    fn list(&self, name: &str, range: Range) -> Result<Vec<Listed>, Failure>;
}
