//! A catalog with one plan and a customer on a test clock: the state that most tests begin with.

use entgate::id::Timestamp;
use serde_json::Value;

use super::test_catalog::{ApiResponse, CLOCK_START, TestCatalog};

/// A payment method that every charge succeeds with.
pub(crate) const VALID_CARD: &str = "pm_card_visa";

/// A payment method that every charge is declined with.
pub(crate) const DECLINED_CARD: &str = "pm_card_chargeCustomerFail";

/// One hour, in seconds.
pub(crate) const HOUR: i64 = 3_600;
/// One day, in seconds.
pub(crate) const DAY: i64 = 24 * HOUR;

/// The start of the first period of the fixture's subscriptions.
pub(crate) const JANUARY: i64 = CLOCK_START;
/// One month after [`JANUARY`], computed with `Date.UTC` of Node.
pub(crate) const FEBRUARY: i64 = 1_802_678_400;
/// Two months after [`JANUARY`], computed with `Date.UTC` of Node.
pub(crate) const MARCH: i64 = 1_805_097_600;

/// A catalog with one feature, `sms`, in one product with one monthly price.
pub(crate) struct Fixture {
    pub(crate) catalog: TestCatalog,
    pub(crate) feature: String,
    pub(crate) product: String,
    pub(crate) price: String,
    pub(crate) clock: String,
    /// A customer on the clock, without a payment method.
    pub(crate) customer: String,
}

/// Sets up a [`Fixture`].
pub(crate) fn fixture() -> Fixture {
    let catalog = TestCatalog::new();
    let feature = catalog.create_feature("sms");
    let product = catalog.create_product(&[&feature]);
    let price = catalog.create_price(&product, "month");
    let clock = catalog.create_clock();
    let customer = catalog.create("/v1/customers", &format!("test_clock={clock}"));
    Fixture { catalog, feature, product, price, clock, customer }
}

impl Fixture {
    /// Subscribes the customer to the plan with further parameters, such as `&trial_period_days=7`.
    #[track_caller]
    pub(crate) fn subscribe(&self, params: &str) -> String {
        self.catalog.create("/v1/subscriptions", &self.subscription_form(params))
    }

    /// The form that [`Self::subscribe`] sends.
    pub(crate) fn subscription_form(&self, params: &str) -> String {
        format!("customer={}&items[0][price]={}{params}", self.customer, self.price)
    }

    /// Retrieves a subscription.
    #[track_caller]
    pub(crate) fn retrieve(&self, subscription: &str) -> Value {
        self.catalog.get(&format!("/v1/subscriptions/{subscription}")).expect_ok()
    }

    #[track_caller]
    pub(crate) fn status(&self, subscription: &str) -> String {
        self.retrieve(subscription)["status"].as_str().unwrap().to_owned()
    }

    /// The start and the end of the current period of a subscription.
    #[track_caller]
    pub(crate) fn current_period(&self, subscription: &str) -> [i64; 2] {
        let item = &self.retrieve(subscription)["items"]["data"][0];
        ["current_period_start", "current_period_end"].map(|name| item[name].as_i64().unwrap())
    }

    pub(crate) fn update(&self, subscription: &str, form: &str) -> ApiResponse {
        self.catalog.post(&format!("/v1/subscriptions/{subscription}"), form)
    }

    pub(crate) fn cancel(&self, subscription: &str) -> ApiResponse {
        self.catalog.delete(&format!("/v1/subscriptions/{subscription}"))
    }

    pub(crate) fn pause(&self, subscription: &str) -> ApiResponse {
        self.catalog.post(&format!("/v1/subscriptions/{subscription}/pause"), "")
    }

    pub(crate) fn resume(&self, subscription: &str, form: &str) -> ApiResponse {
        self.catalog.post(&format!("/v1/subscriptions/{subscription}/resume"), form)
    }

    /// Advances the clock, and runs what is due by then.
    #[track_caller]
    pub(crate) fn advance(&self, to: i64) {
        self.catalog.advance_clock(&self.clock, Timestamp(to));
    }

    /// The lookup keys of the features that the customer is entitled to, newest first.
    #[track_caller]
    pub(crate) fn entitled_keys(&self) -> Vec<String> {
        self.catalog.entitled_keys(&self.customer)
    }
}
