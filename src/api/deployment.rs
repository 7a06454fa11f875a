//! The record of the deployment in KV: in which jurisdiction its objects were created.
//!
//! Objects of another jurisdiction are other objects: after a change of `ENTGATE_JURISDICTION` every
//! customer would be unknown. So the first isolate of a deployment writes the record, and an isolate that
//! finds another jurisdiction in it answers nothing. `scripts/deploy/running-worker.mjs` reads the record
//! before a deployment.

use super::settings::{JURISDICTION, Placement};
use crate::json::{self, json_type};

/// The key of the record. It is not the key of a customer, which begins with a jurisdiction or a mode.
pub const DEPLOYMENT_KEY: &str = "entgate:deployment";

json_type! {
    struct DeploymentRecord {
        jurisdiction: Option<String>,
    }
}

/// What the record says about the settings.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DeploymentCheck {
    /// The record names the jurisdiction of the settings.
    Confirmed,
    /// There is no record yet: the caller writes [`deployment_record()`].
    Unrecorded,
    /// The record names another jurisdiction.
    Changed(JurisdictionChanged),
}

/// The jurisdiction of the settings is not that of the stored objects.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{JURISDICTION} is {}, and the objects of this deployment are {}",
    name(*configured),
    place(stored.as_deref())
)]
pub struct JurisdictionChanged {
    /// The jurisdiction in the record.
    pub stored: Option<String>,
    /// The jurisdiction of the settings.
    pub configured: Option<&'static str>,
}

/// The record of a deployment with this placement.
#[must_use]
pub fn deployment_record(placement: &Placement) -> String {
    match placement.jurisdiction() {
        Some(jurisdiction) => format!("{{\"jurisdiction\":\"{jurisdiction}\"}}"),
        None => "{\"jurisdiction\":null}".to_owned(),
    }
}

/// Compares the stored record with the settings. A record that cannot be read counts as another one.
#[must_use]
pub fn check_deployment(stored: Option<&[u8]>, placement: &Placement) -> DeploymentCheck {
    let Some(stored) = stored else { return DeploymentCheck::Unrecorded };
    let configured = placement.jurisdiction();
    let stored = match json::from_slice(stored) {
        Ok(DeploymentRecord { jurisdiction }) => jurisdiction,
        Err(_) => Some("an unreadable record".to_owned()),
    };
    if stored.as_deref() == configured {
        return DeploymentCheck::Confirmed;
    }
    DeploymentCheck::Changed(JurisdictionChanged { stored, configured })
}

fn name(jurisdiction: Option<&str>) -> String {
    jurisdiction.map_or("not set".to_owned(), |jurisdiction| format!("`{jurisdiction}`"))
}

fn place(jurisdiction: Option<&str>) -> String {
    jurisdiction.map_or("in no jurisdiction".to_owned(), |name| format!("in `{name}`"))
}
