//! The ports of a ledger object: its storage, its alarm, its WebSockets, and calls to other services.

use futures_util::future::LocalBoxFuture;
use worker::{Env, State, console_error, console_warn};

use super::{storage::LedgerTables, websockets};
use crate::{
    api::settings::Source,
    effective_set::MissingSource,
    id::{CustomerKey, Livemode, LookupKey, UnixMillis},
    ledger::{
        IndexMessage, Jitter, LedgerPorts, LedgerStorage, LogLevel, NotFoundAdvice, PortError,
        ReadPriority, SourceFailure, SourceState,
    },
    policy::SourcePolicy,
    source::{self, StripeClient, Transport},
    worker::{
        coordinator::CoordinatorStub,
        customer_index::CustomerIndexStub,
        deployment,
        random::random_jitter,
        replica::KvReplica,
        rpc::port_error,
        runtime::{load_settings, now_millis, scheduled_time, sleep},
        source::open_source,
    },
};

/// The platform of one ledger object.
pub(super) struct LedgerObjectPorts {
    context: State,
    env: Env,
    storage: LedgerTables,
}

impl LedgerObjectPorts {
    pub(super) fn new(context: State, env: Env) -> Self {
        Self { storage: LedgerTables::new(&context), context, env }
    }

    /// The object's tables.
    pub(super) fn tables(&self) -> &LedgerTables {
        &self.storage
    }

    /// The platform's side of the object, for its WebSockets.
    pub(super) fn context(&self) -> &State {
        &self.context
    }

    fn source_client(&self, livemode: Livemode) -> Option<StripeClient<impl Transport + use<>>> {
        let settings = load_settings(&self.env).ok()?;
        open_source(&self.env, &settings, livemode).ok()?
    }
}

impl LedgerPorts for LedgerObjectPorts {
    fn storage(&self) -> &impl LedgerStorage {
        &self.storage
    }

    fn has_source(&self, livemode: Livemode) -> bool {
        self.source_client(livemode).is_some()
    }

    fn source_policy(&self) -> SourcePolicy {
        // Malformed settings answer no request.
        load_settings(&self.env).map(|settings| settings.source_policy()).unwrap_or_default()
    }

    fn default_features(&self) -> Vec<LookupKey> {
        let settings = load_settings(&self.env);
        settings.map(|settings| settings.default_features.clone()).unwrap_or_default()
    }

    fn missing_source(&self) -> MissingSource {
        let settings = load_settings(&self.env);
        settings.map_or(MissingSource::Undetermined, |settings| settings.missing_source())
    }

    async fn reserve_read(
        &self,
        customer: &CustomerKey,
        priority: ReadPriority,
    ) -> Result<Option<UnixMillis>, PortError> {
        let settings = load_settings(&self.env).map_err(|error| PortError(error.to_string()))?;
        // The catalog has no budget.
        if settings.source != Source::Stripe {
            return Ok(None);
        }
        let reserved = match priority {
            ReadPriority::Routine => {
                CustomerIndexStub::from_env(&self.env)?.reserve_read(customer).await
            }
            ReadPriority::Background | ReadPriority::Interactive => {
                let coordinator = CoordinatorStub::from_env(&self.env)?;
                coordinator.reserve_read(customer.livemode, priority).await
            }
        };
        reserved.map(Some).map_err(port_error)
    }

    async fn report_rate_limit(&self, livemode: Livemode) {
        if let Ok(coordinator) = CoordinatorStub::from_env(&self.env)
            && let Err(error) = coordinator.report_rate_limited(livemode).await
        {
            console_warn!("failed to report a rate limit: {error}");
        }
    }

    async fn read_source(
        &self,
        customer: &CustomerKey,
    ) -> Option<Result<SourceState, SourceFailure>> {
        let client = self.source_client(customer.livemode)?;
        let listed = client.list_entitlements(&customer.id).await;
        Some(listed.map_err(source::Error::into_failure))
    }

    fn not_found_advice(&self) -> NotFoundAdvice {
        let settings = load_settings(&self.env);
        match settings.map(|settings| settings.source).unwrap_or_default() {
            Source::Stripe => NotFoundAdvice {
                cause: "Stripe has no such customer",
                advice: "Check that STRIPE_API_KEY is of the account that sends the events.",
            },
            #[cfg(feature = "catalog")]
            Source::Catalog => NotFoundAdvice {
                cause: "the catalog has no such customer",
                advice: "While the catalog is the source, do not send events of a Stripe account.",
            },
        }
    }

    async fn write_replica(&self, customer: &CustomerKey, record: &[u8]) -> Result<(), PortError> {
        deployment::confirm(&self.env).await?;
        let replica = KvReplica::from_env(&self.env)?;
        replica.put_record(customer, record).await.map_err(|error| PortError(error.to_string()))
    }

    async fn send_to_index(&self, message: &IndexMessage) -> Result<(), PortError> {
        deployment::confirm(&self.env).await?;
        let index = CustomerIndexStub::from_env(&self.env)?;
        index.send(message).await.map_err(port_error)
    }

    fn notify_subscribers(&self) {
        websockets::broadcast(&self.context, &self.storage);
    }

    async fn set_alarm(&self, at: Option<UnixMillis>) -> Result<(), PortError> {
        let storage = self.context.storage();
        match at {
            Some(at) => storage.set_alarm(scheduled_time(at)).await?,
            None => storage.delete_alarm().await?,
        }
        Ok(())
    }

    fn spawn(&self, future: LocalBoxFuture<'static, ()>) {
        self.context.wait_until(future);
    }

    fn sleep(&self, millis: u64) -> impl Future<Output = ()> {
        sleep(millis)
    }

    fn now(&self) -> UnixMillis {
        now_millis()
    }

    fn jitter(&self) -> Jitter {
        random_jitter()
    }

    fn log(&self, level: LogLevel, line: &str) {
        match level {
            LogLevel::Warning => console_warn!("{line}"),
            LogLevel::Error => console_error!("{line}"),
        }
    }
}
