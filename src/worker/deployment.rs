//! Confirms, once per isolate, that the objects of the deployment are in the jurisdiction of the settings.
//!
//! Not here: what the record in KV says ([`crate::api::deployment`]).

use std::cell::Cell;

use worker::Env;

use super::{
    objects::Objects,
    replica::KvReplica,
    runtime::{load_settings, log_error},
};
use crate::{
    api::{
        self, Response,
        deployment::{DEPLOYMENT_KEY, DeploymentCheck, check_deployment, deployment_record},
        settings::JURISDICTION,
    },
    ledger::PortError,
};

/// The binding of the ledgers: their objects are where all others are.
const LEDGERS: &str = "LEDGERS";

thread_local! {
    static IS_CONFIRMED: Cell<bool> = const { Cell::new(false) };
}

/// The deployment cannot answer: the response to every request.
pub(super) struct Misplaced {
    pub(super) response: Response,
    cause: String,
}

impl From<Misplaced> for PortError {
    fn from(Misplaced { cause, .. }: Misplaced) -> Self {
        Self(cause)
    }
}

impl From<Misplaced> for worker::Error {
    fn from(Misplaced { cause, .. }: Misplaced) -> Self {
        cause.into()
    }
}

/// Confirms the jurisdiction of the deployment, and records that of a new one. Succeeds if KV cannot be
/// read: then the next request of the isolate tries again.
///
/// # Errors
///
/// If the objects are in another jurisdiction, or the runtime has none.
pub(super) async fn confirm(env: &Env) -> Result<(), Misplaced> {
    if IS_CONFIRMED.get() {
        return Ok(());
    }
    // The caller reports a malformed setting, or a missing binding.
    let Ok(settings) = load_settings(env) else { return Ok(()) };
    let (Ok(ledgers), Ok(replica)) = (Objects::from_env(env, LEDGERS), KvReplica::from_env(env))
    else {
        return Ok(());
    };
    let placement = &settings.placement;
    if placement.jurisdiction().is_some()
        && let Err(error) = ledgers.check_placement()
    {
        let cause = format!("failed to use {JURISDICTION}: {error}");
        log_error(&cause);
        return Err(Misplaced { response: api::jurisdiction_unsupported(), cause });
    }
    let stored = match replica.get_deployment().await {
        Ok(stored) => stored,
        Err(error) => {
            log_error(&format!("failed to read {DEPLOYMENT_KEY}: {error}"));
            return Ok(());
        }
    };
    match check_deployment(stored.as_deref(), placement) {
        DeploymentCheck::Confirmed => {}
        DeploymentCheck::Unrecorded => {
            if let Err(error) = replica.put_deployment(&deployment_record(placement)).await {
                log_error(&format!("failed to write {DEPLOYMENT_KEY}: {error}"));
                return Ok(());
            }
        }
        DeploymentCheck::Changed(changed) => {
            let cause = changed.to_string();
            log_error(&cause);
            return Err(Misplaced { response: api::jurisdiction_changed(&changed), cause });
        }
    }
    IS_CONFIRMED.set(true);
    Ok(())
}
