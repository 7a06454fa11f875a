//! The cron trigger: every minute, makes sure that the coordinators' alarms are set.
//!
//! Local servers run no cron trigger: there, requests do the same. Not here: what a coordinator does
//! ([`crate::coordinator`]).

use worker::{Env, Result};

use super::{coordinator::CoordinatorStub, rpc::port_error, runtime::load_settings};
use crate::id::Livemode;

/// Sets the alarm of each mode's coordinator, if it is lost.
pub(super) async fn arm_coordinators(env: &Env) -> Result<()> {
    let settings = load_settings(env).map_err(|error| error.to_string())?;
    let coordinator = CoordinatorStub::from_env(env)?;
    for livemode in [Livemode::Test, Livemode::Live] {
        if settings.is_used(livemode) {
            coordinator.arm(livemode).await.map_err(port_error)?;
        }
    }
    Ok(())
}
