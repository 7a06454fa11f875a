//! Client for Stripe's API, over any transport: reads entitlements and never writes.
//!
//! | file         | what it does                                              |
//! |--------------|-----------------------------------------------------------|
//! | `client`     | [`StripeClient`], its [`Transport`] and its [`Error`]     |
//! | `request`    | sends one request, with retries                           |
//! | `pagination` | reads a list page by page                                 |
//! | `subscriptions` | a customer's subscriptions, products and their features |
//! | `feature_products` | the subscriptions and products that include a feature |
//! | `paused`     | removes entitlements that only paused subscriptions grant |
//! | `list`       | reads the complete list of entitlements of one customer   |
//! | `events`     | lists the account's events, page by page                  |
//! | `retrieve`   | reads one entitlement or feature, and the list of features |
//! | [`fake`]     | a transport for tests, with an in-memory Stripe           |
//!
//! The transport provides the API key, the clock, randomness and sleeping. What the responses change
//! is decided in [`crate::ledger`].
//!
//! Specification: <https://docs.stripe.com/api>.

mod client;

mod request;

mod pagination;

mod subscriptions;

mod feature_products;

mod paused;

mod list;

mod events;

mod retrieve;

pub mod fake;

pub use self::{
    client::{API_VERSION, Error, MAX_RESPONSE_LEN, StripeClient, StripeResponse, Transport},
    events::{EventPage, EventQuery, MAX_EVENT_PAGE},
    feature_products::{FeatureProduct, FeatureProducts, FeatureSubscription},
    retrieve::{Expand, FeatureObject},
};
