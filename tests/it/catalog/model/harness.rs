//! A history on both sides, and what must agree after each step.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::{
    Happening, Passing, Sale, Service, Step,
    event_checks::{REQUEST, Told, shown},
    reference::{Refused, Rules},
    subscription::Method,
};
use crate::{catalog::TestCatalog, support::NOW};

pub(super) struct World {
    pub(super) shop: TestCatalog,
    pub(super) rules: Rules,
    pub(super) features: Vec<String>,
    /// Which feature an id is of.
    pub(super) feature: HashMap<String, usize>,
    pub(super) products: Vec<String>,
    /// The id of each feature's being in a product.
    pub(super) attached: BTreeMap<(usize, usize), String>,
    pub(super) prices: Vec<String>,
    pub(super) clocks: Vec<String>,
    pub(super) customers: Vec<String>,
    pub(super) subscriptions: Vec<String>,
    /// The ids of each subscription's items.
    pub(super) items: Vec<Vec<String>>,
    pub(super) told: Told,
}

impl World {
    /// Two products with a feature each, a few prices, and a customer with a clock and one without.
    pub(super) fn new() -> Self {
        let mut world = Self {
            shop: TestCatalog::new(),
            rules: Rules::new(NOW.0),
            features: Vec::new(),
            feature: HashMap::new(),
            products: Vec::new(),
            attached: BTreeMap::new(),
            prices: Vec::new(),
            clocks: Vec::new(),
            customers: Vec::new(),
            subscriptions: Vec::new(),
            items: Vec::new(),
            told: Told::default(),
        };
        world.shop.rolls_back = false;
        for sale in [
            Sale::Product,
            Sale::Stock(0, 1),
            Sale::Product,
            Sale::Stock(1, 1),
            Sale::Price(0, 3, false),
            Sale::Price(1, 3, false),
            Sale::Price(0, 7, false),
        ] {
            world.sell(&sale);
        }
        world.pass(&Passing::Clock);
        world.serve(&Service::Customer(Some(0), Method::None));
        world.serve(&Service::Customer(None, Method::None));
        world.work();
        world
    }

    /// Asks the API, which must take it or refuse it with this status.
    #[track_caller]
    pub(super) fn ask(
        &mut self,
        method: &str,
        target: &str,
        form: &str,
        expected: Result<(), Refused>,
    ) -> Value {
        // To undo what was refused costs a copy of all that there is.
        self.shop.rolls_back = expected.is_err();
        let answer = self.shop.request(method, target, &[("request-id", REQUEST)], form);
        self.shop.rolls_back = false;
        let status = expected.err().unwrap_or(200);
        assert_eq!(answer.status, status, "{method} {target} {form}: {}", answer.body);
        answer.body
    }

    #[track_caller]
    pub(super) fn make(&mut self, target: &str, form: &str) -> String {
        self.ask("POST", target, form, Ok(()))["id"].as_str().unwrap().to_owned()
    }

    /// A step, and all that is due then, unless that is put off.
    pub(super) fn happen(&mut self, Step { what, late }: &Step) {
        match what {
            Happening::Sell(sale) => self.sell(sale),
            Happening::Serve(service) => self.serve(service),
            Happening::Subscribe(purchase) => self.subscribe(purchase),
            Happening::Interrupt(which, interruption) => self.interrupt(*which, interruption),
            Happening::Amend(which, update) => self.amend(*which, update),
            Happening::Ask(customer) => self.look_at_set(customer % self.customers.len()),
            Happening::Pass(passing) => self.pass(passing),
        }
        if !late {
            self.work();
        }
        // Events that there should be none of are heard with the next ones: to look takes its time.
        if !self.rules.touched.is_empty() || !self.rules.changes.is_empty() {
            self.hear();
        }
    }

    pub(super) fn work(&mut self) {
        self.shop.run_due();
        self.rules.work();
    }

    /// The end of a history: all that is due is done, and everybody is looked at.
    pub(super) fn end(&mut self) {
        self.work();
        self.hear();
        (0..self.customers.len()).for_each(|customer| self.look(customer));
    }

    /// What is listed of a customer and its subscriptions is what the rules say.
    fn look(&mut self, customer: usize) {
        self.look_at_set(customer);
        if self.rules.customers[customer].gone {
            return;
        }
        let id = &self.customers[customer];
        let path = format!("/v1/subscriptions?customer={id}&status=all&limit=100");
        let list = self.ask("GET", &path, "", Ok(()));
        let listed = list["data"].as_array().unwrap().iter().rev().map(shown);
        let facts = self.rules.of_customer(customer).map(|which| self.facts(which));
        assert_eq!(listed.collect::<Vec<_>>(), facts.collect::<Vec<_>>());
    }

    /// What a customer may use is what the rules say; all pages of it.
    fn look_at_set(&mut self, customer: usize) {
        let path = "/v1/entitlements/active_entitlements?limit=7&customer=";
        let path = format!("{path}{}", self.customers[customer]);
        if self.rules.customers[customer].gone {
            self.ask("GET", &path, "", Err(400));
            return;
        }
        self.rules.bring_up_to_date(customer);
        let mut listed = Vec::new();
        loop {
            let cursor = listed.last().map(|it: &Value| it["id"].as_str().unwrap());
            let cursor = cursor.map(|id| format!("&starting_after={id}")).unwrap_or_default();
            let mut list = self.ask("GET", &format!("{path}{cursor}"), "", Ok(()));
            let Value::Array(page) = list["data"].take() else { panic!("{list}") };
            listed.extend(page);
            if list["has_more"] == false {
                break;
            }
        }
        // What came about by asking is told before it is looked at.
        self.hear();
        let set = self.known(customer, &listed);
        assert_eq!(set, self.rules.customers[customer].held, "{}", self.customers[customer]);
    }
}
