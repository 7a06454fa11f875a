//! What a coordinator's process runs on in a Durable Object: its SQLite, its alarm, Stripe, ledgers.
//!
//! Not here: when anything runs ([`crate::coordinator`]).

use std::cell::OnceCell;

use worker::{Env, State, console_error, console_warn};

use super::{storage::CoordinatorTables, stub::CoordinatorStub};
use crate::{
    coordinator::{
        CoordinatorPorts, CoordinatorSettings, CoordinatorStorage, IndexQuery, IndexReport,
    },
    id::{CustomerKey, Livemode, UnixMillis},
    ledger::{ApplyReceipt, LedgerRequest, LogLevel, PortError},
    source::{self, EventPage, EventQuery},
    worker::{
        customer_index::CustomerIndexStub,
        ledger::LedgerStub,
        rpc::port_error,
        runtime::{load_settings, now_millis, scheduled_time, sleep},
        source::open_source,
    },
};

/// The Durable Object below the process of one coordinator.
pub(super) struct CoordinatorObjectPorts {
    state: State,
    env: Env,
    storage: CoordinatorTables,
    livemode: OnceCell<Livemode>,
}

impl CoordinatorObjectPorts {
    pub(super) fn new(state: State, env: Env) -> Self {
        Self { storage: CoordinatorTables::new(&state), state, env, livemode: OnceCell::new() }
    }

    pub(super) fn may_read(&self) -> worker::Result<bool> {
        self.storage.may_read()
    }

    fn livemode(&self) -> worker::Result<Livemode> {
        if let Some(livemode) = self.livemode.get() {
            return Ok(*livemode);
        }
        let livemode = CoordinatorStub::from_env(&self.env)?.livemode_of(&self.state)?;
        Ok(*self.livemode.get_or_init(|| livemode))
    }
}

impl CoordinatorPorts for CoordinatorObjectPorts {
    fn storage(&self) -> &impl CoordinatorStorage {
        &self.storage
    }

    fn settings(&self) -> Result<CoordinatorSettings, PortError> {
        let settings = load_settings(&self.env).map_err(|error| PortError(error.to_string()))?;
        let livemode = self.livemode()?;
        let interval = u64::from(settings.event_poll).saturating_mul(1_000);
        Ok(CoordinatorSettings {
            livemode,
            is_used: settings.is_used(livemode),
            has_source: settings.has_source(livemode),
            has_webhook_secret: settings.has_webhook_secret(livemode),
            poll_interval: settings.has_event_poll(livemode).then_some(interval),
            rate: settings.stripe_rate(livemode),
            paused: settings.paused,
        })
    }

    async fn list_events(&self, query: EventQuery<'_>) -> Result<EventPage, source::Error> {
        let unavailable = |cause: String| source::Error::Unavailable { cause, retry_after_ms: 0 };
        let settings = load_settings(&self.env).map_err(|error| unavailable(error.to_string()))?;
        let livemode = self.livemode().map_err(|error| unavailable(error.to_string()))?;
        match open_source(&self.env, &settings, livemode) {
            Ok(Some(client)) => client.list_events(query).await,
            Ok(None) => Err(unavailable("no Stripe key is set for this mode".to_owned())),
            Err(error) => Err(unavailable(error.to_string())),
        }
    }

    async fn send_event(
        &self,
        customer: &CustomerKey,
        request: &LedgerRequest,
    ) -> Result<ApplyReceipt, PortError> {
        let ledgers = LedgerStub::from_env(&self.env)?;
        ledgers.send_event(customer, request).await.map_err(port_error)
    }

    async fn reconcile(&self, customer: &CustomerKey) -> Result<(), PortError> {
        let ledgers = LedgerStub::from_env(&self.env)?;
        ledgers.reconcile(customer).await.map(drop).map_err(port_error)
    }

    async fn rearm(&self, customer: &CustomerKey) -> Result<(), PortError> {
        let ledgers = LedgerStub::from_env(&self.env)?;
        ledgers.rearm(customer).await.map_err(port_error)
    }

    async fn query_index(&self, query: IndexQuery) -> Result<IndexReport, PortError> {
        let index = CustomerIndexStub::from_env(&self.env)?;
        index.survey(query).await.map_err(port_error)
    }

    async fn alarm(&self) -> Result<Option<UnixMillis>, PortError> {
        let at = self.state.storage().get_alarm().await?;
        Ok(at.and_then(|at| u64::try_from(at).ok()).map(UnixMillis))
    }

    async fn set_alarm(&self, at: UnixMillis) -> Result<(), PortError> {
        Ok(self.state.storage().set_alarm(scheduled_time(at)).await?)
    }

    async fn sleep(&self, millis: u64) {
        sleep(millis).await;
    }

    fn now(&self) -> UnixMillis {
        now_millis()
    }

    fn log(&self, level: LogLevel, line: &str) {
        match level {
            LogLevel::Warning => console_warn!("{line}"),
            LogLevel::Error => console_error!("{line}"),
        }
    }
}
