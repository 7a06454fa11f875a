//! The events: each change is told once, in its order, and what is told last is what is there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Value, json};

use super::{harness::World, subscription::Reason};
use crate::catalog::fixture::DAY;

/// Stripe puts at most so many entitlements into a summary.
const SUMMARY: usize = 10;

/// What each request is called.
pub(super) const REQUEST: &str = "req_history";

/// How long events can be listed.
const MEMORY: i64 = 30 * DAY;

/// What has been told so far.
#[derive(Default)]
pub(super) struct Told {
    /// Which customer and which subscription an id is of.
    pub(super) customers: BTreeMap<String, usize>,
    pub(super) subscriptions: BTreeMap<String, usize>,
    /// What each customer holds.
    held: BTreeMap<usize, BTreeSet<usize>>,
    /// The ids of entitlements, as far as they were told.
    grants: BTreeMap<(usize, usize), String>,
    /// Each subscription as it was shown last.
    shown: BTreeMap<usize, Value>,
    /// The last event, and when it was.
    last: Option<(String, i64)>,
}

/// The changes of what each customer holds that are still to be told.
type Changes = BTreeMap<usize, VecDeque<BTreeSet<usize>>>;

impl World {
    /// Reads the events since the last ones, and compares them with what has happened by the rules.
    pub(super) fn hear(&mut self) {
        let mut changes = Changes::new();
        for (customer, holds) in self.rules.changes.split_off(0) {
            changes.entry(customer).or_default().push_back(holds);
        }
        let mut touched = std::mem::take(&mut self.rules.touched);
        let mut unasked = BTreeMap::new();
        for event in self.events() {
            let object = &event["data"]["object"];
            match object["object"].as_str().unwrap() {
                "subscription" => {
                    let which = self.hear_of_subscription(&event);
                    touched.insert(which);
                    if event["request"]["id"] != REQUEST {
                        assert_eq!(event["request"]["id"], Value::Null);
                        *unasked.entry(which).or_insert(0) += 1;
                    }
                }
                "entitlements.active_entitlement_summary" => self.hear_of_set(&event, &mut changes),
                _ => {}
            }
        }
        changes.retain(|_, sets| !sets.is_empty());
        assert_eq!(changes, Changes::new(), "changes that nobody was told of");
        let happened = std::mem::take(&mut self.rules.unasked);
        assert_eq!(unasked, happened, "what happened to which subscription without a request");
        for which in touched {
            assert_eq!(shown(&self.told.shown[&which]), self.facts(which), "was told last");
        }
    }

    /// The events since the last ones, oldest first.
    fn events(&mut self) -> Vec<Value> {
        let id = |event: &Value| event["id"].as_str().unwrap().to_owned();
        // Where the last one is too old to be listed, all that can be is new.
        let now = self.rules.now;
        let known = self.told.last.clone().filter(|(_, created)| created + MEMORY >= now);
        let mut cursor = known.as_ref().map(|(id, _)| format!("&ending_before={id}"));
        let mut events = Vec::new();
        loop {
            let path = format!("/v1/events?limit=100{}", cursor.as_deref().unwrap_or_default());
            let mut list = self.ask("GET", &path, "", Ok(()));
            let Value::Array(mut page) = list["data"].take() else { panic!("{list}") };
            if known.is_some() {
                cursor = page.first().map(|event| format!("&ending_before={}", id(event)));
                page.reverse();
            } else {
                cursor = page.last().map(|event| format!("&starting_after={}", id(event)));
            }
            events.extend(page);
            if list["has_more"] == false {
                break;
            }
        }
        if known.is_none() {
            events.reverse();
        }
        if let Some(event) = events.last() {
            self.told.last = Some((id(event), event["created"].as_i64().unwrap()));
        }
        events
    }

    fn hear_of_subscription(&mut self, event: &Value) -> usize {
        let (data, object) = (&event["data"], &event["data"]["object"]);
        let which = self.told.subscriptions[object["id"].as_str().unwrap()];
        let before = self.told.shown.insert(which, object.clone());
        let before = before.as_ref().map(|shown| shown["status"].as_str().unwrap());
        let status = object["status"].as_str().unwrap();
        let verb = match (before, status) {
            (None, _) => "created",
            (_, "canceled") => "deleted",
            (Some("paused"), "paused") => "updated",
            (_, "paused") => "paused",
            (Some("paused"), _) => "resumed",
            _ => "updated",
        };
        assert_eq!(event["type"], format!("customer.subscription.{verb}"), "{before:?}, {status}");
        let other = before.filter(|before| verb == "updated" && *before != status);
        assert_eq!(data["previous_attributes"]["status"], json!(other), "{event}");
        which
    }

    fn hear_of_set(&mut self, event: &Value, changes: &mut Changes) {
        assert_eq!(event["request"], json!({ "id": null, "idempotency_key": null }));
        let (data, object) = (&event["data"], &event["data"]["object"]);
        let customer = self.told.customers[object["customer"].as_str().unwrap()];
        let set = changes.get_mut(&customer).and_then(VecDeque::pop_front);
        let set = set.unwrap_or_else(|| panic!("no change: {event}"));
        let before = self.told.held.insert(customer, set.clone()).unwrap_or_default();
        self.told.grants.retain(|(other, it), _| *other != customer || set.contains(it));
        let page = |entitlements: &Value| entitlements["data"].as_array().unwrap().clone();
        let after = self.known(customer, &page(&object["entitlements"]));
        let has_more = object["entitlements"]["has_more"] == true;
        assert!(shows(&after, &set) && has_more == (set.len() > SUMMARY), "{set:?}: {event}");
        let previous = self.set(&page(&data["previous_attributes"]["entitlements"]));
        assert!(shows(&previous, &before), "{before:?}: {event}");
    }

    /// The features of some entitlements of a customer, each of which is there once and keeps its id.
    pub(super) fn known(&mut self, customer: usize, entitlements: &[Value]) -> BTreeSet<usize> {
        let set = self.set(entitlements);
        for entitlement in entitlements {
            let feature = self.feature[entitlement["feature"].as_str().unwrap()];
            let id = entitlement["id"].as_str().unwrap();
            let known = self.told.grants.entry((customer, feature)).or_insert(id.to_owned());
            assert_eq!(known, id, "an entitlement that stayed has another id");
        }
        set
    }

    fn set(&self, entitlements: &[Value]) -> BTreeSet<usize> {
        let feature = |it: &Value| self.feature[it["feature"].as_str().unwrap()];
        let set: BTreeSet<_> = entitlements.iter().map(feature).collect();
        assert_eq!(set.len(), entitlements.len());
        set
    }

    /// What the rules say of a subscription, as [`shown`] has it.
    pub(super) fn facts(&self, which: usize) -> Value {
        let it = &self.rules.subscriptions[which];
        let items = it.items.iter().map(|item| &self.prices[item.price]);
        json!([
            self.subscriptions[which],
            it.status.name(),
            [it.anchor, it.start, it.end],
            it.trial.map(|(start, _)| start),
            it.trial.map(|(_, end)| end),
            [json!(it.at_period_end), json!(it.cancel_at), json!(it.canceled), json!(it.ended)],
            it.reason.map(Reason::name),
            it.collected_at,
            items.collect::<Vec<_>>(),
        ])
    }
}

/// What a subscription is shown to be.
pub(super) fn shown(subscription: &Value) -> Value {
    let it = |name: &str| &subscription[name];
    let items = it("items")["data"].as_array().unwrap();
    let period = |name: &str| &items[0][name];
    let [start, end] = ["current_period_start", "current_period_end"].map(period);
    json!([
        it("id"),
        it("status"),
        [it("billing_cycle_anchor"), start, end],
        it("trial_start"),
        it("trial_end"),
        [it("cancel_at_period_end"), it("cancel_at"), it("canceled_at"), it("ended_at")],
        it("cancellation_details")["reason"],
        it("pause_collection")["resumes_at"],
        items.iter().map(|item| &item["price"]["id"]).collect::<Vec<_>>(),
    ])
}

/// Whether a page of a summary is all of a set, or the most of it that there is room for.
fn shows(page: &BTreeSet<usize>, set: &BTreeSet<usize>) -> bool {
    page.is_subset(set) && page.len() == set.len().min(SUMMARY)
}
