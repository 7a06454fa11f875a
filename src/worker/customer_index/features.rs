//! The features that this shard has passed to the coordinator, which knows all features of the mode.
//!
//! | table      | row                                       |
//! |------------|-------------------------------------------|
//! | `features` | a lookup key that the coordinator received |

use std::{cell::RefCell, collections::BTreeSet};

use worker::{Result, SqlStorageValue};

use crate::{id::LookupKey, ledger::ObservedFeatures, worker::sql::SqlTables};

/// The table. Its rows are cached once they are read: most reported features are known.
#[derive(Default)]
pub(super) struct FeatureTable {
    known: RefCell<Option<BTreeSet<LookupKey>>>,
}

impl FeatureTable {
    pub(super) const SCHEMA: &'static [&'static str] =
        &["CREATE TABLE IF NOT EXISTS features (lookup_key TEXT PRIMARY KEY) WITHOUT ROWID"];

    /// The features that the coordinator does not have yet. It keeps no more than a full table has.
    pub(super) fn unknown(
        &self,
        sql: &SqlTables,
        reported: BTreeSet<LookupKey>,
    ) -> Result<BTreeSet<LookupKey>> {
        if reported.is_empty() {
            return Ok(reported);
        }
        if self.known.borrow().is_none() {
            let rows = sql.query("SELECT lookup_key FROM features", vec![])?;
            let mut known = BTreeSet::new();
            known.extend(rows.into_iter().filter_map(|row| match row.into_iter().next() {
                Some(SqlStorageValue::String(key)) => LookupKey::try_from(key).ok(),
                _ => None,
            }));
            self.known.replace(Some(known));
        }
        let known = self.known.borrow();
        let known = known.as_ref();
        let is_full = known.is_some_and(|known| known.len() >= ObservedFeatures::MAX_FEATURES);
        let is_unknown = |key: &LookupKey| known.is_none_or(|known| !known.contains(key));
        Ok(if is_full {
            BTreeSet::new()
        } else {
            reported.into_iter().filter(is_unknown).collect()
        })
    }

    /// Stores features that the coordinator received. The table is written before the cache.
    pub(super) fn add(&self, sql: &SqlTables, features: BTreeSet<LookupKey>) -> Result<()> {
        for feature in &features {
            let insert = "INSERT OR IGNORE INTO features (lookup_key) VALUES (?)";
            sql.execute(insert, vec![feature.as_str().into()])?;
        }
        self.known.borrow_mut().get_or_insert_default().extend(features);
        Ok(())
    }
}
