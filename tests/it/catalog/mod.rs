//! Tests of the catalog through its HTTP API, over the storage in memory.
//!
//! [`TestCatalog`] sends the requests; [`fixture`] sets up what most tests begin with. Each other
//! file tests one resource or one rule, and [`model`] compares random sequences of requests with a
//! reference model. The specification is Stripe's API: <https://docs.stripe.com/api>.
//! The HTTP server, authentication and the Worker are not tested here.

mod fixture;
mod test_catalog;

mod api_versions;
mod cursors;
mod end_to_end;
mod expand;
mod idempotency;
mod pagination;
mod parameters;
mod storage;

mod archived;
mod features;
mod plans;
mod prices;
mod product_features;
mod products;

mod accounts;
mod customers;
mod payment_methods;
mod search;
mod test_clocks;

mod cancellation;
mod charges;
mod checkouts;
mod collection;
mod mixed_intervals;
mod pause;
mod reported_status;
mod resume;
mod statuses;
mod subscription_items;
mod trials;

mod bulk_jobs;
mod feature_snapshots;
mod overdue_transitions;

mod deliveries;
mod delivery_status;
mod endpoint_urls;
mod event_contents;
mod event_list;
mod events;
mod webhook_endpoints;

mod process;

mod model;

pub(crate) use self::test_catalog::TestCatalog;
