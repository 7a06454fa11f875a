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
    pub fn access(self, code: u32) -> Access {
        if code < self.readable_from {
            Access::None
        } else if code < self.written_by {
            Access::ReadOnly
        } else {
            Access::ReadWrite
        }
    }
}

/// How code may use tables.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// It may read and write them.
    ReadWrite,
    /// It may read them. A newer release wrote them.
    ReadOnly,
    /// It may not use them. A newer release wrote them, in a form that this code cannot read.
    None,
}

#[cfg(test)]
mod tests {
    use super::{Access, SCHEMA_VERSION, SchemaStamp};

    #[test]
    fn the_access_of_code_depends_on_both_versions() {
        for (written_by, readable_from, code, access) in [
            (1, 1, 0, Access::None),
            (1, 1, 1, Access::ReadWrite),
            (1, 1, 2, Access::ReadWrite),
            (3, 2, 1, Access::None),
            (3, 2, 2, Access::ReadOnly),
            (3, 2, 3, Access::ReadWrite),
            (3, 2, 4, Access::ReadWrite),
            (2, 2, 1, Access::None),
            (2, 2, 2, Access::ReadWrite),
        ] {
            let stamp = SchemaStamp { written_by, readable_from };
            assert_eq!(stamp.access(code), access, "{stamp:?} with the code {code}");
        }
    }

    #[test]
    fn this_code_may_write_the_tables_that_it_creates() {
        assert_eq!(SchemaStamp::CURRENT.access(SCHEMA_VERSION), Access::ReadWrite);
    }
}
