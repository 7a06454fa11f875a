//! What the operator sets: names, forms and defaults. The shell hands the texts over.
//!
//! | name                     | form                             | absent                           |
//! |--------------------------|----------------------------------|----------------------------------|
//! | `ENTGATE_API_KEYS`       | `sk_test_…` or `sk_live_…`, comma-separated | every server route is 401 |
//! | `STRIPE_WEBHOOK_SECRETS` | `whsec_…`, comma-separated       | the webhook route is 503         |
//!
//! A setting that is malformed stops everything: half a configuration would look like a working one.

use subtle::ConstantTimeEq as _;

use crate::{id::Livemode, webhook::signature::Secret};

/// The server keys.
pub const API_KEYS: &str = "ENTGATE_API_KEYS";

/// The secrets that sign Stripe's events.
pub const WEBHOOK_SECRETS: &str = "STRIPE_WEBHOOK_SECRETS";

/// The most keys or secrets in one setting: each costs time on every request.
const LIMIT: usize = 16;

/// What the operator set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who may ask; none by default.
    pub api_keys: Vec<ApiKey>,
    /// Who may tell; none by default.
    pub webhook_secrets: Vec<Secret>,
}

/// A server key. Its prefix says which mode it opens.
#[derive(Clone)]
pub struct ApiKey {
    text: Box<str>,
    /// The mode that the key opens.
    pub livemode: Livemode,
}

/// A setting that cannot be used. It names the setting and never tells the value.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{name} {problem}")]
pub struct Error {
    /// Which setting.
    pub name: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl Settings {
    /// Reads the settings; `text` answers what a name is set to.
    ///
    /// # Errors
    ///
    /// Names the first setting that is malformed.
    pub fn read(text: impl Fn(&'static str) -> Option<String>) -> Result<Self, Error> {
        Ok(Self {
            api_keys: items(API_KEYS, text(API_KEYS), |item| {
                ApiKey::new(item).ok_or("has a key that does not begin with sk_test_ or sk_live_")
            })?,
            webhook_secrets: items(WEBHOOK_SECRETS, text(WEBHOOK_SECRETS), |item| {
                item.strip_prefix("whsec_")
                    .filter(|rest| !rest.is_empty())
                    .and_then(|_| Secret::new(item))
                    .ok_or("has a secret that does not begin with whsec_")
            })?,
        })
    }
}

impl ApiKey {
    fn new(text: &str) -> Option<Self> {
        let livemode = match (text.strip_prefix("sk_test_"), text.strip_prefix("sk_live_")) {
            (Some(rest), _) if !rest.is_empty() => Livemode::Test,
            (_, Some(rest)) if !rest.is_empty() => Livemode::Live,
            _ => return None,
        };
        Some(Self { text: text.into(), livemode })
    }

    /// Whether this is the key, in a time that tells nothing but its length.
    #[must_use]
    pub fn is(&self, given: &[u8]) -> bool {
        self.text.as_bytes().ct_eq(given).into()
    }
}

/// Never the key itself: what is debugged is logged.
impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKey").field("livemode", &self.livemode).finish_non_exhaustive()
    }
}

/// A comma-separated setting. An empty one counts as absent: that is how a variable is cleared.
fn items<T>(
    name: &'static str,
    text: Option<String>,
    parse: impl Fn(&str) -> Result<T, &'static str>,
) -> Result<Vec<T>, Error> {
    let text = text.unwrap_or_default();
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let failed = |problem| Error { name, problem };
    let mut items = Vec::new();
    for item in text.split(',').map(str::trim) {
        if item.is_empty() {
            return Err(failed("has an empty item: two commas in a row, or one at an end"));
        }
        if item.contains(char::is_whitespace) {
            return Err(failed("has white space inside an item: separate items by commas"));
        }
        items.push(parse(item).map_err(failed)?);
    }
    if items.len() > LIMIT {
        return Err(failed("has more than 16 items"));
    }
    Ok(items)
}
