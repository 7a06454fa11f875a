//! What a catalog's process runs on in a Durable Object: its SQLite, its alarm, ledgers, `fetch`.
//!
//! Not here: when anything runs ([`crate::catalog::process`]).

use std::cell::OnceCell;

use futures_util::future::LocalBoxFuture;
use worker::{Env, State};

use super::{
    sender,
    storage::{SqliteStorage, storage_error},
    stub::CatalogStub,
};
use crate::{
    api::settings::Source,
    catalog::{
        Tx,
        deliveries::{AttemptOutcome, WebhookRequest},
        ports::CatalogPorts,
        storage::StorageError,
    },
    entitlement::Summary,
    id::{Livemode, UnixMillis},
    store::Ledger as _,
    worker::{
        ledger::LedgerStub,
        random::random_u64,
        runtime::{load_settings, log_error, now_millis, scheduled_time, sleep},
    },
};

/// The Durable Object below the process of one catalog.
pub(super) struct CatalogObjectPorts {
    state: State,
    env: Env,
    pub(super) storage: SqliteStorage,
    livemode: OnceCell<Livemode>,
}

impl CatalogObjectPorts {
    pub(super) fn new(state: State, env: Env) -> Self {
        Self { storage: SqliteStorage::new(&state), state, env, livemode: OnceCell::new() }
    }

    fn livemode(&self) -> worker::Result<Livemode> {
        if let Some(livemode) = self.livemode.get() {
            return Ok(*livemode);
        }
        let livemode = CatalogStub::from_env(&self.env)?.livemode_of(&self.state)?;
        Ok(*self.livemode.get_or_init(|| livemode))
    }

    fn transact(&self, work: &mut dyn FnMut(Tx<'_>) -> bool) -> worker::Result<()> {
        let settings = load_settings(&self.env).map_err(|error| error.to_string())?;
        let (policy, failure) = (settings.policy, settings.pause_on_payment_failure);
        let (livemode, now) = (self.livemode()?, now_millis().to_timestamp());
        self.storage.transact(&mut |storage| {
            let tx = Tx::new(storage, livemode, policy, &random_u64, now);
            work(tx.with_pause_on_payment_failure(failure))
        })
    }
}

impl CatalogPorts for CatalogObjectPorts {
    fn transact(&self, work: &mut dyn FnMut(Tx<'_>) -> bool) -> Result<(), StorageError> {
        self.transact(work).map_err(|error| storage_error(&error))
    }

    fn may_write(&self) -> Result<bool, StorageError> {
        self.storage.may_write().map_err(|error| storage_error(&error))
    }

    async fn set_alarm(&self, at: Option<UnixMillis>) -> Result<(), StorageError> {
        let storage = self.state.storage();
        let set = match at {
            Some(at) => storage.set_alarm(scheduled_time(at)).await,
            None => storage.delete_alarm().await,
        };
        set.map_err(|error| storage_error(&error))
    }

    async fn send_webhook(&self, request: &WebhookRequest) -> AttemptOutcome {
        sender::send(request).await
    }

    async fn apply_summary(&self, summary: &Summary) -> Result<(), String> {
        let settings = load_settings(&self.env).map_err(|error| error.to_string())?;
        // After a change to Stripe as the source, the catalog's transitions still run.
        if settings.source != Source::Catalog {
            return Ok(());
        }
        let ledgers = LedgerStub::from_env(&self.env).map_err(|error| error.to_string())?;
        let applied = ledgers.apply(summary, now_millis().to_timestamp()).await;
        applied.map(drop).map_err(|error| error.to_string())
    }

    fn now(&self) -> UnixMillis {
        now_millis()
    }

    async fn sleep(&self, millis: u64) {
        sleep(millis).await;
    }

    fn spawn(&self, task: LocalBoxFuture<'static, ()>) {
        self.state.wait_until(task);
    }

    fn log(&self, line: &str) {
        log_error(line);
    }
}
