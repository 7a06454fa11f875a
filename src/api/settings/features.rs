//! Parses the settings that list features by their lookup keys.

use super::value::Error;
use crate::id::LookupKey;

/// The maximum number of features in one setting. Each of them costs time on every request.
const MAX_FEATURES: usize = 50;

/// Parses the features of the setting with this name. A lookup key in this list has no comma, and no white
/// space at its ends.
pub(super) fn parse_features(
    name: &'static str,
    value: Option<String>,
) -> Result<Vec<LookupKey>, Error> {
    let error = |problem| Error { name, problem };
    let value = value.unwrap_or_default();
    if value.trim().is_empty() {
        return Ok(Vec::new());
    }
    let mut features = Vec::new();
    for key in value.split(',') {
        let key = LookupKey::try_from(key.trim()).map_err(|_| {
            error("has an item that is not a lookup key: separate lookup keys by one comma")
        })?;
        if features.contains(&key) {
            return Err(error("has one lookup key twice"));
        }
        features.push(key);
    }
    if features.len() > MAX_FEATURES {
        return Err(error("has more than 50 lookup keys"));
    }
    Ok(features)
}
