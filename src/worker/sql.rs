//! SQL in a Durable Object.
//!
//! Statements are string constants, because the platform caches a prepared statement by its text.
//! Values are bound separately. Every call is synchronous.
//!
//! The table `schema` has one row: the versions of the tables ([`SchemaStamp`]). It is created with
//! the first tables of an object. Not here: these tables, which are next to the object, and the rule
//! which code may use them ([`crate::store::schema`]).
//!
//! Specification: <https://developers.cloudflare.com/durable-objects/api/sqlite-storage-api/>.

use std::cell::Cell;

use wasm_bindgen::{JsCast as _, JsValue, prelude::wasm_bindgen};
use worker::{Error, Result, SqlStorage, SqlStorageValue, State, Storage};

use crate::{
    id::Timestamp,
    store::schema::{SCHEMA_VERSION, SchemaAccess, SchemaStamp},
};

const SCHEMA_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema (id INTEGER PRIMARY KEY \
    CHECK (id = 0), written_by INTEGER NOT NULL, readable_from INTEGER NOT NULL)";

const INSERT_STAMP: &str =
    "INSERT OR IGNORE INTO schema (id, written_by, readable_from) VALUES (0, ?, ?)";

#[wasm_bindgen]
extern "C" {
    /// The storage of a Durable Object, for the one method that the `worker` crate lacks.
    type SyncStorage;

    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    fn transaction_sync(
        this: &SyncStorage,
        work: &mut dyn FnMut() -> std::result::Result<(), JsValue>,
    ) -> std::result::Result<JsValue, JsValue>;
}

/// The SQLite database of one object.
pub(super) struct SqlTables {
    storage: Storage,
    sql: SqlStorage,
    access: Cell<CachedAccess>,
}

/// What an object knows of the access of this code to its tables.
#[derive(Clone, Copy, Default)]
enum CachedAccess {
    #[default]
    Unread,
    NoTables,
    Tables(SchemaAccess),
}

impl SqlTables {
    pub(super) fn new(state: &State) -> Self {
        let storage = state.storage();
        Self { sql: storage.sql(), storage, access: Cell::default() }
    }

    /// Runs `work` in a transaction, which is rolled back if `work` fails. The outer result is the
    /// transaction's, the inner one is what `work` returned.
    pub(super) fn transact<T, E>(
        &self,
        work: impl FnOnce() -> std::result::Result<T, E>,
    ) -> Result<std::result::Result<T, E>> {
        let mut work = Some(work);
        let mut result = None;
        self.transaction_sync(&mut || {
            if let Some(work) = work.take() {
                result = Some(work());
            }
            matches!(result, Some(Ok(_)))
        })?;
        result.ok_or_else(|| Error::RustError("the transaction did not run".to_owned()))
    }

    /// Runs `work` in a transaction, which is rolled back if `work` returns false.
    fn transaction_sync(&self, work: &mut dyn FnMut() -> bool) -> Result<()> {
        let mut failed = false;
        let mut callback = || {
            failed = !work();
            if failed { Err(JsValue::from("rolled back")) } else { Ok(()) }
        };
        let storage: &SyncStorage = self.storage.as_raw().unchecked_ref();
        let committed = storage.transaction_sync(&mut callback);
        if committed.is_err() {
            // The transaction may have created the tables.
            self.access.take();
        }
        match committed {
            Err(error) if !failed => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Runs statements that create tables and indexes, and stores the stamp of this code if the
    /// tables have none.
    pub(super) fn create_tables(&self, schema: &[&str]) -> Result<()> {
        // The platform accepts several statements in one call.
        let mut statements = schema.join(";");
        if self.access()?.is_some() {
            return self.execute(&statements, vec![]);
        }
        statements.extend([";", SCHEMA_TABLE, ";", INSERT_STAMP]);
        let SchemaStamp { written_by, readable_from } = SchemaStamp::CURRENT;
        let values = vec![integer_value(written_by.into())?, integer_value(readable_from.into())?];
        self.execute(&statements, values)?;
        self.access.set(CachedAccess::Tables(SchemaStamp::CURRENT.access(SCHEMA_VERSION)));
        Ok(())
    }

    /// Returns the access of this code to the tables, or `None` if there are no tables yet.
    pub(super) fn access(&self) -> Result<Option<SchemaAccess>> {
        match self.access.get() {
            CachedAccess::Unread => {}
            CachedAccess::NoTables => return Ok(None),
            CachedAccess::Tables(access) => return Ok(Some(access)),
        }
        let access = self.read_stamp()?.map(|stamp| stamp.access(SCHEMA_VERSION));
        self.access.set(access.map_or(CachedAccess::NoTables, CachedAccess::Tables));
        Ok(access)
    }

    /// Returns whether this code may read the tables.
    pub(super) fn may_read(&self) -> Result<bool> {
        Ok(self.access()? != Some(SchemaAccess::None))
    }

    /// Returns whether this code may write the tables, or may create them.
    pub(super) fn may_write(&self) -> Result<bool> {
        Ok(matches!(self.access()?, None | Some(SchemaAccess::ReadWrite)))
    }

    fn read_stamp(&self) -> Result<Option<SchemaStamp>> {
        let exists = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema'";
        if self.query(exists, vec![])?.is_empty() {
            return Ok(None);
        }
        let rows = self.query("SELECT written_by, readable_from FROM schema", vec![])?;
        match rows.first().map(Vec::as_slice) {
            None => Ok(None),
            Some(
                [SqlStorageValue::Integer(written_by), SqlStorageValue::Integer(readable_from)],
            ) => {
                let version = |stored: i64| u32::try_from(stored).unwrap_or(u32::MAX);
                let (written_by, readable_from) = (version(*written_by), version(*readable_from));
                Ok(Some(SchemaStamp { written_by, readable_from }))
            }
            Some(_) => Err(Error::RustError("unexpected columns in the table schema".to_owned())),
        }
    }

    pub(super) fn execute(&self, statement: &str, values: Vec<SqlStorageValue>) -> Result<()> {
        self.sql.exec_raw(statement, to_js(values)).map(drop)
    }

    pub(super) fn query(
        &self,
        statement: &str,
        values: Vec<SqlStorageValue>,
    ) -> Result<Vec<Vec<SqlStorageValue>>> {
        self.sql.exec_raw(statement, to_js(values))?.raw().collect()
    }
}

/// Converts the values of a statement. The crate's own conversion calls `Number.isSafeInteger` for each
/// integer, which `try_from_i64` has checked.
fn to_js(values: Vec<SqlStorageValue>) -> Vec<JsValue> {
    let convert = |value| match value {
        #[expect(clippy::cast_precision_loss, reason = "it has at most 53 bits")]
        SqlStorageValue::Integer(integer) => JsValue::from_f64(integer as f64),
        value => value.into(),
    };
    values.into_iter().map(convert).collect()
}

/// Reads a count or a timestamp. Returns `None` for `NULL`.
pub(super) fn number_from_value(value: &SqlStorageValue) -> Option<u64> {
    match value {
        SqlStorageValue::Integer(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

/// Converts a count or a timestamp.
pub(super) fn integer_value(number: u64) -> Result<SqlStorageValue> {
    SqlStorageValue::try_from_i64(i64::try_from(number).unwrap_or(i64::MAX))
}

/// The largest integer that passes through JavaScript unchanged.
pub(super) const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Converts a timestamp. A larger one than an integer of JavaScript is as good as that.
pub(super) fn timestamp_value(timestamp: Timestamp) -> Result<SqlStorageValue> {
    const MAX: i64 = (1 << 53) - 1;
    SqlStorageValue::try_from_i64(timestamp.0.clamp(-MAX, MAX))
}
