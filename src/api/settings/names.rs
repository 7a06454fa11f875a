//! The names of the settings.

use super::{
    environment::DEVELOPMENT,
    keys::{API_KEYS, STRIPE_API_KEY, WEBHOOK_SECRETS},
    origins::ALLOWED_ORIGINS,
    tokens::{
        JWKS_URL, JWT_AUDIENCE, JWT_CUSTOMER_CLAIM, JWT_ISSUER, JWT_LIVEMODE, SIGNING_KEY,
        TOKEN_SECRETS,
    },
};

/// How long an isolate caches a record in memory, in seconds.
pub const MEMORY_TTL: &str = "ENTGATE_MEMORY_TTL";

/// The origin of Stripe's API.
pub const STRIPE_API_BASE: &str = "STRIPE_API_BASE";

/// The source of entitlements.
pub const SOURCE: &str = "ENTGATE_SOURCE";

/// Whether a customer without any data is denied although no key for Stripe is set.
pub const UNKNOWN_CUSTOMERS: &str = "ENTGATE_UNKNOWN_CUSTOMERS";

/// Whether a paused subscription grants its features.
pub const PAUSED_SUBSCRIPTIONS: &str = "ENTGATE_PAUSED_SUBSCRIPTIONS";

/// Whether a past due subscription of the catalog grants its features.
pub const PAST_DUE_SUBSCRIPTIONS: &str = "ENTGATE_PAST_DUE_SUBSCRIPTIONS";

/// Whether an unpaid subscription of the catalog grants its features.
pub const UNPAID_SUBSCRIPTIONS: &str = "ENTGATE_UNPAID_SUBSCRIPTIONS";

/// Where Durable Objects run and are stored.
pub const JURISDICTION: &str = "ENTGATE_JURISDICTION";

/// Near which place Durable Objects are created.
pub const LOCATION_HINT: &str = "ENTGATE_LOCATION_HINT";

/// Whether data points have the ids of customers.
pub const METRICS_CUSTOMERS: &str = "ENTGATE_METRICS_CUSTOMERS";

/// Which failed payment of a renewal pauses a subscription of the catalog.
pub const PAUSE_ON_PAYMENT_FAILURE: &str = "ENTGATE_PAUSE_ON_PAYMENT_FAILURE";

/// The seconds between two polls of Stripe's events; 0 turns the poll off.
pub const EVENT_POLL: &str = "ENTGATE_EVENT_POLL";

/// The most reads of Stripe a second.
pub const STRIPE_RATE: &str = "ENTGATE_STRIPE_RATE";

/// The features whose checks only the ledger answers.
pub const STRICT_FEATURES: &str = "ENTGATE_STRICT_FEATURES";

/// The features that every customer has.
pub const DEFAULT_FEATURES: &str = "ENTGATE_DEFAULT_FEATURES";

/// Every setting. Any other name that begins with `ENTGATE_` or `STRIPE_` is reported as unknown.
pub const NAMES: [&str; 27] = [
    API_KEYS,
    WEBHOOK_SECRETS,
    SOURCE,
    STRIPE_API_KEY,
    STRIPE_API_BASE,
    EVENT_POLL,
    STRIPE_RATE,
    UNKNOWN_CUSTOMERS,
    PAUSED_SUBSCRIPTIONS,
    PAST_DUE_SUBSCRIPTIONS,
    UNPAID_SUBSCRIPTIONS,
    PAUSE_ON_PAYMENT_FAILURE,
    TOKEN_SECRETS,
    JWKS_URL,
    JWT_ISSUER,
    JWT_AUDIENCE,
    JWT_CUSTOMER_CLAIM,
    JWT_LIVEMODE,
    MEMORY_TTL,
    STRICT_FEATURES,
    DEFAULT_FEATURES,
    JURISDICTION,
    LOCATION_HINT,
    METRICS_CUSTOMERS,
    SIGNING_KEY,
    ALLOWED_ORIGINS,
    DEVELOPMENT,
];
