//! Customers without a test clock who subscribe to the plan of a fixture.

use entgate::catalog::scheduler;

use crate::catalog::{
    fixture::{Fixture, fixture},
    test_catalog::TestCatalog,
};

/// A fixture without rollbacks, and `count` further customers with a subscription to the plan.
pub(super) fn fixture_with_subscribers(count: usize) -> (Fixture, Vec<String>) {
    let mut fixture = fixture();
    fixture.catalog.rolls_back = false;
    let customers = (0..count).map(|_| create_subscriber(&fixture)).collect();
    fixture.catalog.run_due();
    (fixture, customers)
}

/// Creates a customer without a test clock, and subscribes it to the plan.
pub(super) fn create_subscriber(fixture: &Fixture) -> String {
    let customer = fixture.catalog.create("/v1/customers", "");
    let form = format!("customer={customer}&items[0][price]={}", fixture.price);
    fixture.catalog.create("/v1/subscriptions", &form);
    customer
}

/// The newest subscription of a customer.
pub(super) fn subscription_of(catalog: &TestCatalog, customer: &str) -> String {
    catalog.list_ids(&format!("/v1/subscriptions?customer={customer}&status=all")).remove(0)
}

/// How many of these customers are entitled to a lookup key.
pub(super) fn count_entitled(catalog: &TestCatalog, customers: &[String], key: &str) -> usize {
    let is_entitled =
        |customer: &&String| catalog.entitled_keys(customer).iter().any(|entitled| entitled == key);
    customers.iter().filter(is_entitled).count()
}

/// Runs one batch of background work.
pub(super) fn run_batch(catalog: &TestCatalog, limit: usize) {
    catalog.with(|tx| scheduler::run_due(&tx, limit)).unwrap();
}

/// Whether no background work is due now.
pub(super) fn is_idle(catalog: &TestCatalog) -> bool {
    catalog.next_due().is_none_or(|due| due > catalog.now)
}
