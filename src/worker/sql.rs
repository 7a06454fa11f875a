//! SQL in a Durable Object, as all of them speak it.
//!
//! Statements are constant texts, since the platform keeps what it made of a text; values are handed
//! over beside them. Everything answers at once. What the tables are, each object knows for itself.

use wasm_bindgen::{JsCast as _, JsValue, prelude::wasm_bindgen};
use worker::{Error, Result, SqlStorage, SqlStorageValue, State, Storage};

#[wasm_bindgen]
extern "C" {
    /// A Durable Object's storage, for the one method that the `worker` crate leaves out.
    type SyncStorage;

    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    fn transaction_sync(
        this: &SyncStorage,
        work: &mut dyn FnMut() -> std::result::Result<(), JsValue>,
    ) -> std::result::Result<JsValue, JsValue>;
}

/// The tables of one object.
pub(super) struct SqlTables {
    storage: Storage,
    sql: SqlStorage,
}

impl SqlTables {
    pub(super) fn new(state: &State) -> Self {
        let storage = state.storage();
        Self { sql: storage.sql(), storage }
    }

    /// Does some work on the tables: all of it, or none if it fails. What the work came to stands
    /// within what became of the transaction.
    pub(super) fn transact<T, E>(
        &self,
        work: impl FnOnce() -> std::result::Result<T, E>,
    ) -> Result<std::result::Result<T, E>> {
        let mut work = Some(work);
        let mut done = None;
        self.transaction_sync(&mut || {
            if let Some(work) = work.take() {
                done = Some(work());
            }
            matches!(done, Some(Ok(_)))
        })?;
        done.ok_or_else(|| Error::RustError("the transaction was not run".to_owned()))
    }

    /// Does some work that says whether it came to its end.
    fn transaction_sync(&self, work: &mut dyn FnMut() -> bool) -> Result<()> {
        let mut failed = false;
        let mut once = || {
            failed = !work();
            if failed { Err(JsValue::from("rolled back")) } else { Ok(()) }
        };
        let storage: &SyncStorage = self.storage.as_raw().unchecked_ref();
        let committed = storage.transaction_sync(&mut once);
        match committed {
            Err(error) if !failed => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Makes what is not there yet.
    pub(super) fn create_tables(&self, schema: &[&str]) -> Result<()> {
        schema.iter().try_for_each(|statement| self.execute(statement, vec![]))
    }

    pub(super) fn table_exists(&self, table: &str) -> Result<bool> {
        let named = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?";
        Ok(!self.query(named, vec![table.into()])?.is_empty())
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

/// A count or a moment.
pub(super) fn integer_value(number: u64) -> Result<SqlStorageValue> {
    SqlStorageValue::try_from_i64(i64::try_from(number).unwrap_or(i64::MAX))
}
