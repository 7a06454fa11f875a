//! A shop with something to sell, and somebody to buy it on a test clock: where most tests begin.

use entgate::id::Timestamp;
use serde_json::{Value, json};

use super::{Answer, Shop, shop};

/// A payment method that works.
pub(crate) const WORKS: &str = "pm_card_visa";

/// A payment method that is declined when it is charged.
pub(crate) const FAILS: &str = "pm_card_chargeCustomerFail";

pub(crate) const HOUR: i64 = 3_600;
pub(crate) const DAY: i64 = 24 * HOUR;

/// 2027-01-15T08:00:00Z, when clocks begin, and the ends of the months after it, by Node's `Date.UTC`.
pub(crate) const JANUARY: i64 = 1_800_000_000;
pub(crate) const FEBRUARY: i64 = 1_802_678_400;
pub(crate) const MARCH: i64 = 1_805_097_600;

/// A shop, a plan of it, and a customer on a clock.
pub(crate) struct Stage {
    pub(crate) shop: Shop,
    pub(crate) feature: String,
    pub(crate) product: String,
    /// By the month.
    pub(crate) price: String,
    pub(crate) clock: String,
    pub(crate) customer: String,
}

/// One feature, `sms`, in one product with one price by the month.
pub(crate) fn stage() -> Stage {
    let shop = shop();
    let feature = shop.feature("sms");
    let product = shop.product(&[&feature]);
    let price = shop.price(&product, "month");
    let clock = shop.clock();
    let customer = shop.make("/v1/customers", &format!("test_clock={clock}"));
    Stage { shop, feature, product, price, clock, customer }
}

impl Shop {
    pub(crate) fn feature(&self, key: &str) -> String {
        self.make("/v1/entitlements/features", &format!("lookup_key={key}&name={key}"))
    }

    pub(crate) fn product(&self, features: &[&str]) -> String {
        let product = self.make("/v1/products", "name=Plan");
        for feature in features {
            self.attach(&product, feature);
        }
        product
    }

    /// Puts a feature into a product, and tells the id of its being there.
    #[track_caller]
    pub(crate) fn attach(&self, product: &str, feature: &str) -> String {
        let form = format!("entitlement_feature={feature}");
        self.make(&format!("/v1/products/{product}/features"), &form)
    }

    pub(crate) fn price(&self, product: &str, interval: &str) -> String {
        let form = "currency=usd&unit_amount=500&recurring[interval]";
        self.make("/v1/prices", &format!("product={product}&{form}={interval}"))
    }

    pub(crate) fn clock(&self) -> String {
        self.make("/v1/test_helpers/test_clocks", &format!("frozen_time={JANUARY}"))
    }
}

impl Stage {
    /// A subscription of the customer to the plan, with further parameters: `&trial_period_days=7`.
    #[track_caller]
    pub(crate) fn subscribe(&self, more: &str) -> String {
        self.shop.make("/v1/subscriptions", &self.purchase(more))
    }

    /// What is asked for that.
    pub(crate) fn purchase(&self, more: &str) -> String {
        format!("customer={}&items[0][price]={}{more}", self.customer, self.price)
    }

    /// A subscription as it is shown.
    #[track_caller]
    pub(crate) fn shown(&self, subscription: &str) -> Value {
        let answer = self.shop.get(&format!("/v1/subscriptions/{subscription}"));
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    #[track_caller]
    pub(crate) fn status(&self, subscription: &str) -> String {
        self.shown(subscription)["status"].as_str().unwrap().to_owned()
    }

    /// When the present period of a subscription begins and ends.
    #[track_caller]
    pub(crate) fn period(&self, subscription: &str) -> [i64; 2] {
        let item = &self.shown(subscription)["items"]["data"][0];
        ["current_period_start", "current_period_end"].map(|name| item[name].as_i64().unwrap())
    }

    pub(crate) fn update(&self, subscription: &str, form: &str) -> Answer {
        self.shop.post(&format!("/v1/subscriptions/{subscription}"), form)
    }

    pub(crate) fn pause(&self, subscription: &str) -> Answer {
        self.shop.post(&format!("/v1/subscriptions/{subscription}/pause"), "")
    }

    pub(crate) fn resume(&self, subscription: &str, form: &str) -> Answer {
        self.shop.post(&format!("/v1/subscriptions/{subscription}/resume"), form)
    }

    #[track_caller]
    pub(crate) fn advance(&self, to: i64) {
        self.shop.advance(&self.clock, Timestamp(to));
    }

    /// The lookup keys that the customer is entitled to, newest first.
    #[track_caller]
    pub(crate) fn keys(&self) -> Vec<String> {
        self.shop.keys(&self.customer)
    }
}

impl Answer {
    /// What was asked for was done.
    #[track_caller]
    pub(crate) fn done(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }

    /// The status, code, parameter and message of a refusal; what it does not have is empty.
    pub(crate) fn refusal(&self) -> (u16, &str, &str, &str) {
        let member = |name: &str| self.body["error"][name].as_str().unwrap_or_default();
        (self.status, member("code"), member("param"), member("message"))
    }
}

/// The members of an object by their names.
pub(crate) fn members(object: &Value, names: &[&str]) -> Value {
    json!(names.iter().map(|name| &object[*name]).collect::<Vec<_>>())
}
