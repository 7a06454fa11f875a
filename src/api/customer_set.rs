//! Loads the entitlements of one customer for an answer: checks, lists, evaluations, snapshots.
//!
//! An unknown customer is denied only if that is certain: the source has no such customer, or
//! the operator set [`UNKNOWN_CUSTOMERS`](super::settings::UNKNOWN_CUSTOMERS). Otherwise nothing is known
//! and the error says so. A partial set is returned: whether it decides a question is up to the caller.
//!
//! Only the ledger answers for a strict feature
//! ([`STRICT_FEATURES`](super::settings::STRICT_FEATURES)), and for all features if there is a strict one.

use super::{app::App, error::Error, settings::Settings};
use crate::{
    id::{CustomerKey, LookupKey},
    store::{self, Freshness, LoadedSet, ReadFrom, Store},
};

/// Loads a customer's set, as [`store::load()`] does.
///
/// # Errors
///
/// 503 if the store fails, if it does not have the requested version, or if the customer is unknown and
/// cannot be verified.
pub(super) async fn load<S: Store>(
    app: &App<'_, S>,
    customer: &CustomerKey,
    features: &[LookupKey],
    freshness: Freshness,
) -> Result<LoadedSet, Error> {
    let freshness = with_strict_features(app.settings, features, freshness);
    verify_known(
        app.settings,
        customer,
        store::load(app.store, customer, features, freshness).await?,
    )
}

/// The freshness that the settings require for these features, or for all features if the list is
/// empty.
pub(super) fn with_strict_features(
    settings: &Settings,
    features: &[LookupKey],
    freshness: Freshness,
) -> Freshness {
    if settings.needs_ledger(features) {
        Freshness { read_from: ReadFrom::Ledger, ..freshness }
    } else {
        freshness
    }
}

/// Passes a loaded set on, unless the customer is unknown and cannot be verified.
///
/// # Errors
///
/// 503 if so.
pub(super) fn verify_known(
    settings: &Settings,
    customer: &CustomerKey,
    loaded: LoadedSet,
) -> Result<LoadedSet, Error> {
    if loaded.entitlements.is_none() && !settings.can_deny_unknown(customer.livemode) {
        return Err(Error::customer_not_verifiable(customer));
    }
    Ok(loaded)
}
