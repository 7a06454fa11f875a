//! Schema versions of stored tables: which code may read and write them.
//!
//! The tables of a Durable Object store a [`SchemaStamp`]: the schema that wrote them, and the oldest
//! code that may read them. Code with an older schema runs after a rollback, or on one side of a
//! rollout. It then serves only what it understands, and changes nothing.
//!
//! Not here: the table with the stamp, which the Workers shell creates, and the version of a record
//! ([`super::record`]).

/// The schema that this code writes.
pub const SCHEMA_VERSION: u32 = 1;

/// The oldest schema whose code can read what this code writes.
pub const READABLE_FROM: u32 = 1;

/// The versions that are stored with tables.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SchemaStamp {
    /// The schema that wrote the tables.
    pub written_by: u32,
    /// The oldest schema whose code may read the tables.
    pub readable_from: u32,
}

impl SchemaStamp {
    /// The stamp of tables that this code creates.
    pub const CURRENT: Self = Self { written_by: SCHEMA_VERSION, readable_from: READABLE_FROM };

    /// Returns the access of code with this schema.
    #[must_use]
    pub fn access(self, code: u32) -> SchemaAccess {
        if code < self.readable_from {
            SchemaAccess::None
        } else if code < self.written_by {
            SchemaAccess::ReadOnly
        } else {
            SchemaAccess::ReadWrite
        }
    }
}

/// How code may use tables.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SchemaAccess {
    /// It may read and write them.
    ReadWrite,
    /// It may read them. A newer release wrote them.
    ReadOnly,
    /// It may not use them. A newer release wrote them, in a form that this code cannot read.
    None,
}

#[cfg(test)]
mod tests {
    use super::{SCHEMA_VERSION, SchemaAccess, SchemaStamp};

    #[test]
    fn the_access_of_code_depends_on_both_versions() {
        for (written_by, readable_from, code, access) in [
            (1, 1, 0, SchemaAccess::None),
            (1, 1, 1, SchemaAccess::ReadWrite),
            (1, 1, 2, SchemaAccess::ReadWrite),
            (3, 2, 1, SchemaAccess::None),
            (3, 2, 2, SchemaAccess::ReadOnly),
            (3, 2, 3, SchemaAccess::ReadWrite),
            (3, 2, 4, SchemaAccess::ReadWrite),
            (2, 2, 1, SchemaAccess::None),
            (2, 2, 2, SchemaAccess::ReadWrite),
        ] {
            let stamp = SchemaStamp { written_by, readable_from };
            assert_eq!(stamp.access(code), access, "{stamp:?} with the code {code}");
        }
    }

    #[test]
    fn this_code_may_write_the_tables_that_it_creates() {
        assert_eq!(SchemaStamp::CURRENT.access(SCHEMA_VERSION), SchemaAccess::ReadWrite);
    }
}
