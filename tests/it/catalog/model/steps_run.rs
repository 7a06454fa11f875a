//! Each step runs on the reference model and as a request to the API: both accept or both reject it.

use std::collections::BTreeSet;

use entgate::policy::{GrantRule, PauseOnPaymentFailure, StatusPolicy};

use super::{
    event_checks::check_events,
    harness::{Harness, string},
    reference::{Policy, Price, Product},
    requests,
    state_checks::{check_customer, check_entitlements},
    steps::{CustomerStep, EnvironmentStep, ProductStep, Step, TimedStep},
    subscription::{PausingFailure, PaymentMethod},
    subscription_steps::{act, create_subscription, payment_method_param, update_subscription},
};
use crate::catalog::fixture::DAY;

/// Creates two products with a feature each, three prices, and a customer with a clock and one
/// without.
pub(super) fn set_up() -> Harness {
    let mut harness = Harness::new();
    for step in [
        ProductStep::CreateProduct,
        ProductStep::AddFeatures(0, 1),
        ProductStep::CreateProduct,
        ProductStep::AddFeatures(1, 1),
        ProductStep::CreatePrice(0, 3, false),
        ProductStep::CreatePrice(1, 3, false),
        ProductStep::CreatePrice(0, 7, false),
    ] {
        run_product_step(&mut harness, &step);
    }
    run_environment_step(&mut harness, &EnvironmentStep::CreateClock);
    run_customer_step(&mut harness, &CustomerStep::Create(Some(0), PaymentMethod::None));
    run_customer_step(&mut harness, &CustomerStep::Create(None, PaymentMethod::None));
    harness.run_due();
    harness
}

/// Runs a step, and the background work unless it is postponed.
pub(super) fn run(harness: &mut Harness, TimedStep { step, postpones_work }: &TimedStep) {
    match step {
        Step::Product(step) => run_product_step(harness, step),
        Step::Customer(step) => run_customer_step(harness, step),
        Step::Subscribe(params) => create_subscription(harness, params),
        Step::Act(index, action) => act(harness, *index, action),
        Step::Update(index, update) => update_subscription(harness, *index, update),
        Step::ListEntitlements(customer) => {
            check_entitlements(harness, customer % harness.customers.len());
        }
        Step::Environment(step) => run_environment_step(harness, step),
    }
    if !postpones_work {
        harness.run_due();
    }
    // A check costs time. It also finds unexpected events of the steps before it.
    let model = &harness.model;
    if !model.changed_subscriptions.is_empty() || !model.entitlement_changes.is_empty() {
        check_events(harness);
    }
}

/// Ends a sequence: runs the background work, and checks every customer.
pub(super) fn finish(harness: &mut Harness) {
    harness.run_due();
    check_events(harness);
    (0..harness.customers.len()).for_each(|customer| check_customer(harness, customer));
}

fn run_product_step(harness: &mut Harness, step: &ProductStep) {
    match *step {
        ProductStep::CreateFeature(key) => create_feature(harness, &format!("key{key}")),
        ProductStep::ArchiveFeature(index) => {
            let index = index % harness.features.len();
            let expected = requests::archive_feature(&mut harness.model, index);
            let path = format!("/v1/entitlements/features/{}", harness.features[index]);
            harness.request("POST", &path, "active=false", expected);
        }
        ProductStep::CreateProduct => {
            let id = harness.create("/v1/products", "name=Plan");
            harness.products.push(id);
            harness.model.products.push(Product {
                features: BTreeSet::new(),
                is_active: true,
                default_price: None,
            });
        }
        ProductStep::AddFeatures(product, count) => {
            for _ in 0..count {
                let key = format!("added{}", harness.features.len());
                create_feature(harness, &key);
                attach(harness, product % harness.products.len(), harness.features.len() - 1);
            }
        }
        ProductStep::Attach(product, feature) => {
            let (product, feature) =
                (product % harness.products.len(), feature % harness.features.len());
            attach(harness, product, feature);
        }
        ProductStep::Detach(product, index) => detach(harness, product, index),
        ProductStep::ApplyFeatures(product) => {
            let product = product % harness.products.len();
            requests::apply_features(&mut harness.model, product);
            let path = format!("/v1/products/{}/features/apply", harness.products[product]);
            let body = harness.request("POST", &path, "", Ok(()));
            assert_eq!(body["status"], "applied");
        }
        ProductStep::CreatePrice(product, days, is_free) => {
            create_price(harness, product % harness.products.len(), days, is_free);
        }
        ProductStep::DeactivatePrice(index) => {
            let index = index % harness.prices.len();
            let expected = requests::deactivate_price(&mut harness.model, index);
            let path = format!("/v1/prices/{}", harness.prices[index]);
            harness.request("POST", &path, "active=false", expected);
        }
        ProductStep::SetDefaultPrice(index) => {
            let index = index % harness.prices.len();
            let expected = requests::set_default_price(&mut harness.model, index);
            let product = harness.model.prices[index].product;
            let path = format!("/v1/products/{}", harness.products[product]);
            let form = format!("default_price={}", harness.prices[index]);
            harness.request("POST", &path, &form, expected);
        }
        ProductStep::SetActive(product, is_active) => {
            let product = product % harness.products.len();
            harness.model.products[product].is_active = is_active;
            let path = format!("/v1/products/{}", harness.products[product]);
            harness.request("POST", &path, &format!("active={is_active}"), Ok(()));
        }
    }
}

fn create_feature(harness: &mut Harness, key: &str) {
    let expected = requests::create_feature(&mut harness.model, key);
    let form = format!("lookup_key={key}&name={key}");
    let body = harness.request("POST", "/v1/entitlements/features", &form, expected);
    if expected.is_ok() {
        let id = string(&body["id"]);
        harness.feature_index.insert(id.clone(), harness.features.len());
        harness.features.push(id);
    }
}

fn attach(harness: &mut Harness, product: usize, feature: usize) {
    let expected = requests::attach(&mut harness.model, product, feature);
    let path = format!("/v1/products/{}/features", harness.products[product]);
    let form = format!("entitlement_feature={}", harness.features[feature]);
    let body = harness.request("POST", &path, &form, expected);
    if expected.is_ok() {
        harness.product_features.insert((product, feature), string(&body["id"]));
    }
}

/// Detaches one of the features of a product, if it has any.
fn detach(harness: &mut Harness, product: usize, index: usize) {
    let product = product % harness.products.len();
    let features = &mut harness.model.products[product].features;
    let index = index.checked_rem(features.len());
    if let Some(feature) = index.and_then(|index| features.iter().nth(index).copied()) {
        features.remove(&feature);
        let id = harness.product_features.remove(&(product, feature)).unwrap();
        let path = format!("/v1/products/{}/features/{id}", harness.products[product]);
        harness.request("DELETE", &path, "", Ok(()));
    }
}

fn create_price(harness: &mut Harness, product: usize, days: i64, is_free: bool) {
    let (interval, count) = if days % 7 == 0 { ("week", days / 7) } else { ("day", days) };
    let amount = if is_free { 0 } else { 500 };
    let form = format!(
        "product={}&currency=usd&unit_amount={amount}&recurring[interval]={interval}\
         &recurring[interval_count]={count}",
        harness.products[product]
    );
    let id = harness.create("/v1/prices", &form);
    harness.prices.push(id);
    let period_len = days * DAY;
    harness.model.prices.push(Price { product, period_len, is_free, is_active: true });
}

fn run_customer_step(harness: &mut Harness, step: &CustomerStep) {
    match *step {
        CustomerStep::Create(clock, method) => {
            let clock = clock.map(|clock| clock % harness.clocks.len());
            let mut form = vec![payment_method_param("payment_method", method)];
            form.extend(clock.map(|clock| format!("test_clock={}", harness.clocks[clock])));
            let expected = requests::create_customer(&mut harness.model, clock, method);
            let body = harness.request("POST", "/v1/customers", &form.join("&"), expected);
            if expected.is_ok() {
                let id = string(&body["id"]);
                harness.observed.customers.insert(id.clone(), harness.customers.len());
                harness.customers.push(id);
            }
        }
        CustomerStep::SetPaymentMethod(index, method) => {
            let index = index % harness.customers.len();
            let expected = requests::set_payment_method(&mut harness.model, index, method);
            let path = format!("/v1/customers/{}", harness.customers[index]);
            let form = payment_method_param("invoice_settings[default_payment_method]", method);
            harness.request("POST", &path, &form, expected);
        }
        CustomerStep::Delete(index) => {
            let index = index % harness.customers.len();
            let expected = requests::delete_customer(&mut harness.model, index);
            let path = format!("/v1/customers/{}", harness.customers[index]);
            harness.request("DELETE", &path, "", expected);
        }
    }
}

fn run_environment_step(harness: &mut Harness, step: &EnvironmentStep) {
    match *step {
        EnvironmentStep::CreateClock => {
            let form = format!("frozen_time={}", harness.model.now);
            let id = harness.create("/v1/test_helpers/test_clocks", &form);
            harness.clocks.push(id);
            requests::create_clock(&mut harness.model);
        }
        EnvironmentStep::DeleteClock(index) => {
            let index = index % harness.clocks.len();
            let expected = requests::delete_clock(&mut harness.model, index);
            let path = format!("/v1/test_helpers/test_clocks/{}", harness.clocks[index]);
            harness.request("DELETE", &path, "", expected);
        }
        EnvironmentStep::AdvanceClock(index, seconds) => {
            let index = index % harness.clocks.len();
            let form = format!("frozen_time={}", harness.model.clocks[index].time + seconds);
            let expected = requests::advance_clock(&mut harness.model, index, seconds);
            let path = format!("/v1/test_helpers/test_clocks/{}/advance", harness.clocks[index]);
            harness.request("POST", &path, &form, expected);
        }
        EnvironmentStep::AdvanceTime(seconds) => {
            harness.model.now += seconds.max(0);
            harness.catalog.now.0 += seconds.max(0);
        }
        EnvironmentStep::ChangePolicy(policy) => {
            // The model expects that the job of the previous policy is complete.
            harness.run_due();
            harness.model.policy = policy;
            harness.catalog.policy = status_policy(policy);
        }
        EnvironmentStep::ChangePausingFailure(failure) => {
            // What is due by now is due under the previous setting.
            harness.run_due();
            harness.model.pausing_failure = failure;
            harness.catalog.pause_on_payment_failure = match failure {
                PausingFailure::None => PauseOnPaymentFailure::Never,
                PausingFailure::First => PauseOnPaymentFailure::First,
                PausingFailure::Final => PauseOnPaymentFailure::Final,
            };
        }
    }
}

fn status_policy(policy: Policy) -> StatusPolicy {
    let rule = |keeps| if keeps { GrantRule::Keep } else { GrantRule::Revoke };
    StatusPolicy {
        past_due: rule(policy.past_due),
        unpaid: rule(policy.unpaid),
        paused: rule(policy.paused),
    }
}
