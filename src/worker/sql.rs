//! SQL in a Durable Object.
//!
//! Statements are string constants, because the platform caches a prepared statement by its text.
//! Values are bound separately. Every call is synchronous. Not here: the schema of an object, which
//! is next to the object.
//!
//! Specification: <https://developers.cloudflare.com/durable-objects/api/sqlite-storage-api/>.

use wasm_bindgen::{JsCast as _, JsValue, prelude::wasm_bindgen};
use worker::{Error, Result, SqlStorage, SqlStorageValue, State, Storage};

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
}

impl SqlTables {
    pub(super) fn new(state: &State) -> Self {
        let storage = state.storage();
        Self { sql: storage.sql(), storage }
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
        match committed {
            Err(error) if !failed => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Runs statements that create tables and indexes.
    pub(super) fn create_tables(&self, schema: &[&str]) -> Result<()> {
        schema.iter().try_for_each(|statement| self.execute(statement, vec![]))
    }

    pub(super) fn table_exists(&self, table: &str) -> Result<bool> {
        let select = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?";
        Ok(!self.query(select, vec![table.into()])?.is_empty())
    }

    pub(super) fn execute(&self, statement: &str, values: Vec<SqlStorageValue>) -> Result<()> {
        self.sql.exec(statement, values).map(drop)
    }

    pub(super) fn query(
        &self,
        statement: &str,
        values: Vec<SqlStorageValue>,
    ) -> Result<Vec<Vec<SqlStorageValue>>> {
        self.sql.exec(statement, values)?.raw().collect()
    }
}

/// Converts a count or a timestamp.
pub(super) fn integer_value(number: u64) -> Result<SqlStorageValue> {
    SqlStorageValue::try_from_i64(i64::try_from(number).unwrap_or(i64::MAX))
}
