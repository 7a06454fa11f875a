//! Each step, told to the rules and asked of the API: both take it, or both refuse it.

use entgate::policy::{
    self,
    GrantRule::{Keep, Revoke},
};
use serde_json::Value;

use super::{
    Change, Collection, Ending, Interruption, Passing, Purchase, Sale, Service, Update,
    harness::World,
    reference::{Policy, Price},
    subscription::{Method, Missing, Payment},
};
use crate::catalog::fixture::DAY;

impl World {
    pub(super) fn sell(&mut self, sale: &Sale) {
        match *sale {
            Sale::Feature(key) => self.new_feature(&format!("key{key}")),
            Sale::Archive(which) => {
                let which = which % self.features.len();
                let expected = self.rules.archive(which);
                let path = format!("/v1/entitlements/features/{}", self.features[which]);
                self.ask("POST", &path, "active=false", expected);
            }
            Sale::Product => {
                let id = self.make("/v1/products", "name=Plan");
                self.products.push(id);
                self.rules.products.push(Vec::new().into_iter().collect());
            }
            Sale::Stock(product, count) => {
                for _ in 0..count {
                    self.new_feature(&format!("stock{}", self.features.len()));
                    self.attach(product % self.products.len(), self.features.len() - 1);
                }
            }
            Sale::Attach(product, feature) => {
                self.attach(product % self.products.len(), feature % self.features.len());
            }
            Sale::Detach(product, which) => {
                let product = product % self.products.len();
                let features = &mut self.rules.products[product];
                let which = which.checked_rem(features.len());
                if let Some(feature) = which.and_then(|which| features.iter().nth(which).copied()) {
                    features.remove(&feature);
                    let id = self.attached.remove(&(product, feature)).unwrap();
                    let path = format!("/v1/products/{}/features/{id}", self.products[product]);
                    self.ask("DELETE", &path, "", Ok(()));
                }
            }
            Sale::Apply(product) => {
                let product = product % self.products.len();
                self.rules.apply(product);
                let path = format!("/v1/products/{}/features/apply", self.products[product]);
                let body = self.ask("POST", &path, "", Ok(()));
                assert_eq!(body["status"], "applied");
            }
            Sale::Price(product, days, free) => {
                let product = product % self.products.len();
                let (interval, count) =
                    if days % 7 == 0 { ("week", days / 7) } else { ("day", days) };
                let amount = if free { 0 } else { 500 };
                let form = format!(
                    "product={}&currency=usd&unit_amount={amount}&recurring[interval]={interval}\
                     &recurring[interval_count]={count}",
                    self.products[product]
                );
                let id = self.make("/v1/prices", &form);
                self.prices.push(id);
                self.rules.prices.push(Price { product, every: days * DAY, free, active: true });
            }
            Sale::Withdraw(which) => {
                let which = which % self.prices.len();
                self.rules.prices[which].active = false;
                let path = format!("/v1/prices/{}", self.prices[which]);
                self.ask("POST", &path, "active=false", Ok(()));
            }
        }
    }

    fn new_feature(&mut self, key: &str) {
        let expected = self.rules.feature(key);
        let form = format!("lookup_key={key}&name={key}");
        let body = self.ask("POST", "/v1/entitlements/features", &form, expected);
        if expected.is_ok() {
            let id = text(&body["id"]);
            self.feature.insert(id.clone(), self.features.len());
            self.features.push(id);
        }
    }

    fn attach(&mut self, product: usize, feature: usize) {
        let expected = self.rules.attach(product, feature);
        let path = format!("/v1/products/{}/features", self.products[product]);
        let form = format!("entitlement_feature={}", self.features[feature]);
        let body = self.ask("POST", &path, &form, expected);
        if expected.is_ok() {
            self.attached.insert((product, feature), text(&body["id"]));
        }
    }

    pub(super) fn serve(&mut self, service: &Service) {
        match *service {
            Service::Customer(clock, method) => {
                let clock = clock.map(|clock| clock % self.clocks.len());
                let mut form = vec![paid("payment_method", method)];
                form.extend(clock.map(|clock| format!("test_clock={}", self.clocks[clock])));
                let expected = self.rules.customer(clock, method);
                let body = self.ask("POST", "/v1/customers", &form.join("&"), expected);
                if expected.is_ok() {
                    let id = text(&body["id"]);
                    self.told.customers.insert(id.clone(), self.customers.len());
                    self.customers.push(id);
                }
            }
            Service::Pays(which, method) => {
                let which = which % self.customers.len();
                let expected = self.rules.pays(which, method);
                let path = format!("/v1/customers/{}", self.customers[which]);
                let form = paid("invoice_settings[default_payment_method]", method);
                self.ask("POST", &path, &form, expected);
            }
            Service::Leaves(which) => {
                let which = which % self.customers.len();
                let expected = self.rules.leaves(which);
                let path = format!("/v1/customers/{}", self.customers[which]);
                self.ask("DELETE", &path, "", expected);
            }
        }
    }

    pub(super) fn subscribe(&mut self, asked: &Purchase) {
        let customer = asked.customer % self.customers.len();
        let prices: Vec<_> = asked.prices.iter().map(|price| price % self.prices.len()).collect();
        let mut form = vec![
            format!("customer={}", self.customers[customer]),
            format!("trial_period_days={}", asked.trial_days),
            format!("cancel_at_period_end={}", asked.at_period_end),
            paid("default_payment_method", asked.method),
            missed(asked.missing),
            collected(asked.invoices),
        ];
        let sold = prices.iter().enumerate();
        form.extend(sold.map(|(at, price)| format!("items[{at}][price]={}", self.prices[*price])));
        form.push(match asked.payment {
            Payment::Allow => "payment_behavior=allow_incomplete".to_owned(),
            Payment::Default => "payment_behavior=default_incomplete".to_owned(),
            Payment::Error => "payment_behavior=error_if_incomplete".to_owned(),
        });
        let now = self.rules.time(customer).unwrap_or(self.rules.now);
        form.extend(asked.cancel_in.map(|by| format!("cancel_at={}", now + by)));
        form.extend(asked.anchor_in.map(|by| format!("billing_cycle_anchor={}", now + by)));
        let expected = self.rules.subscribe(&Purchase { customer, prices, ..asked.clone() });
        let body = self.ask("POST", "/v1/subscriptions", &form.join("&"), expected);
        if expected.is_ok() {
            let id = text(&body["id"]);
            self.told.subscriptions.insert(id.clone(), self.subscriptions.len());
            self.subscriptions.push(id);
            self.items.push(items(&body));
        }
    }

    pub(super) fn interrupt(&mut self, which: usize, interruption: &Interruption) {
        let Some(which) = which.checked_rem(self.subscriptions.len()) else { return };
        let expected = self.rules.interrupt(which, interruption);
        let path = format!("/v1/subscriptions/{}", self.subscriptions[which]);
        let anchor = |anew| if anew { "now" } else { "unchanged" };
        match *interruption {
            Interruption::Cancel => self.ask("DELETE", &path, "", expected),
            Interruption::Pause => self.ask("POST", &format!("{path}/pause"), "", expected),
            Interruption::Resume(anew) => {
                let form = format!("billing_cycle_anchor={}", anchor(anew));
                self.ask("POST", &format!("{path}/resume"), &form, expected)
            }
        };
    }

    pub(super) fn amend(&mut self, which: usize, update: &Update) {
        let Some(which) = which.checked_rem(self.subscriptions.len()) else { return };
        let customer = self.rules.subscriptions[which].customer;
        let now = self.rules.time(customer).unwrap_or(self.rules.now);
        let (mut form, changes) = self.changes(which, &update.items);
        let expected = self.rules.update(which, &Update { items: changes, ..update.clone() });
        match update.ending {
            None => {}
            Some(Ending::AtPeriodEnd(so)) => form.push(format!("cancel_at_period_end={so}")),
            Some(Ending::In(None)) => form.push("cancel_at=".to_owned()),
            Some(Ending::In(Some(by))) => form.push(format!("cancel_at={}", now + by)),
        }
        form.extend(update.told.map(|told| format!("status={}", told.name())));
        form.extend(update.trial.map(|by| match by {
            0 => "trial_end=now".to_owned(),
            by => format!("trial_end={}", now + by),
        }));
        form.extend(update.missing.map(missed));
        form.extend(update.method.map(|method| paid("default_payment_method", method)));
        form.extend(update.invoices.map(collected));
        form.extend(update.collection.map(|collection| match collection {
            Collection::On => "pause_collection=".to_owned(),
            Collection::PausedFor(by) => {
                let pause = "pause_collection[behavior]=void&pause_collection[resumes_at]";
                format!("{pause}={}", now + by)
            }
        }));
        if update.anew {
            form.push("billing_cycle_anchor=now".to_owned());
        }
        let path = format!("/v1/subscriptions/{}", self.subscriptions[which]);
        let body = self.ask("POST", &path, &form.join("&"), expected);
        if expected.is_ok() {
            self.items[which] = items(&body);
        }
    }

    /// Changes of items as a form, and as the rules take them.
    fn changes(&self, which: usize, changes: &[Change]) -> (Vec<String>, Vec<Change>) {
        let known = &self.items[which];
        let id = |at, item: &usize| format!("items[{at}][id]={}", known[item % known.len()]);
        let sold = |at, price: &usize| format!("items[{at}][price]={}", self.prices[*price]);
        let placed = |change: &Change| match *change {
            Change::Add(price) => Change::Add(price % self.prices.len()),
            Change::Price(item, price) => Change::Price(item, price % self.prices.len()),
            Change::Quantity(item) => Change::Quantity(item),
            Change::Remove(item) => Change::Remove(item),
        };
        let changes: Vec<Change> = changes.iter().map(placed).collect();
        let form = changes.iter().enumerate().map(|(at, change)| match change {
            Change::Add(price) => sold(at, price),
            Change::Price(item, price) => format!("{}&{}", id(at, item), sold(at, price)),
            Change::Quantity(item) => format!("{}&items[{at}][quantity]=5", id(at, item)),
            Change::Remove(item) => format!("{}&items[{at}][deleted]=true", id(at, item)),
        });
        (form.collect(), changes)
    }

    pub(super) fn pass(&mut self, passing: &Passing) {
        match *passing {
            Passing::Clock => {
                let form = format!("frozen_time={}", self.rules.now);
                let id = self.make("/v1/test_helpers/test_clocks", &form);
                self.clocks.push(id);
                self.rules.clock();
            }
            Passing::DeleteClock(which) => {
                let which = which % self.clocks.len();
                let expected = self.rules.delete_clock(which);
                let path = format!("/v1/test_helpers/test_clocks/{}", self.clocks[which]);
                self.ask("DELETE", &path, "", expected);
            }
            Passing::Advance(which, by) => {
                let which = which % self.clocks.len();
                let form = format!("frozen_time={}", self.rules.clocks[which].time + by);
                let expected = self.rules.advance(which, by);
                let path = format!("/v1/test_helpers/test_clocks/{}/advance", self.clocks[which]);
                self.ask("POST", &path, &form, expected);
            }
            Passing::Time(by) => {
                self.rules.now += by.max(0);
                self.shop.now.0 += by.max(0);
            }
            Passing::Policy(policy) => {
                // Nobody deploys another one before the last was worked in, which is due at once.
                self.work();
                self.rules.policy = policy;
                self.shop.policy = standings(policy);
            }
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn items(subscription: &Value) -> Vec<String> {
    let items = subscription["items"]["data"].as_array().unwrap();
    items.iter().map(|item| text(&item["id"])).collect()
}

fn paid(name: &str, method: Method) -> String {
    let method = match method {
        Method::None => "",
        Method::Works => "pm_card_visa",
        Method::Fails => "pm_card_chargeCustomerFail",
    };
    format!("{name}={method}")
}

fn collected(invoices: bool) -> String {
    let method = if invoices { "send_invoice" } else { "charge_automatically" };
    format!("collection_method={method}")
}

fn missed(missing: Missing) -> String {
    let missing = match missing {
        Missing::CreateInvoice => "create_invoice",
        Missing::Pause => "pause",
        Missing::Cancel => "cancel",
    };
    format!("trial_settings[end_behavior][missing_payment_method]={missing}")
}

fn standings(policy: Policy) -> policy::StatusPolicy {
    let standing = |keeps| if keeps { Keep } else { Revoke };
    policy::StatusPolicy {
        past_due: standing(policy.past_due),
        unpaid: standing(policy.unpaid),
        paused: standing(policy.paused),
    }
}
