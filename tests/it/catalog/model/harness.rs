//! The catalog under test next to the reference model, and the ids of the objects in both.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::{reference::ReferenceModel, subscription::ErrorStatus};
use crate::{catalog::test_catalog::TestCatalog, support::NOW};

/// The id of each request.
pub(super) const REQUEST_ID: &str = "req_model";

/// An object has the same index in each list here and in the model.
pub(super) struct Harness {
    pub(super) catalog: TestCatalog,
    pub(super) model: ReferenceModel,
    pub(super) features: Vec<String>,
    /// The index of each feature by its id.
    pub(super) feature_index: HashMap<String, usize>,
    pub(super) products: Vec<String>,
    /// The id of each product feature by product and feature.
    pub(super) product_features: BTreeMap<(usize, usize), String>,
    pub(super) prices: Vec<String>,
    pub(super) clocks: Vec<String>,
    pub(super) customers: Vec<String>,
    pub(super) subscriptions: Vec<String>,
    /// The ids of the items of each subscription.
    pub(super) items: Vec<Vec<String>>,
    pub(super) observed: Observed,
}

/// What the events so far have reported.
#[derive(Default)]
pub(super) struct Observed {
    /// The index of each customer by its id.
    pub(super) customers: BTreeMap<String, usize>,
    /// The index of each subscription by its id.
    pub(super) subscriptions: BTreeMap<String, usize>,
    /// The features that each customer is entitled to.
    pub(super) entitlements: BTreeMap<usize, BTreeSet<usize>>,
    /// The id of each entitlement by customer and feature, if an event or a list contained it.
    pub(super) entitlement_ids: BTreeMap<(usize, usize), String>,
    /// The last JSON of each subscription.
    pub(super) last_json: BTreeMap<usize, Value>,
    /// How often the end of a trial of each subscription was announced.
    pub(super) trial_notices: BTreeMap<usize, usize>,
    /// The subscriptions whose last event must be followed by an `updated` of the same change.
    pub(super) incomplete_changes: BTreeMap<usize, Value>,
    /// The id of the last event, and when it was created.
    pub(super) last_event: Option<(String, i64)>,
}

impl Harness {
    pub(super) fn new() -> Self {
        let mut catalog = TestCatalog::new();
        catalog.rolls_back = false;
        Self {
            catalog,
            model: ReferenceModel::new(NOW.0),
            features: Vec::new(),
            feature_index: HashMap::new(),
            products: Vec::new(),
            product_features: BTreeMap::new(),
            prices: Vec::new(),
            clocks: Vec::new(),
            customers: Vec::new(),
            subscriptions: Vec::new(),
            items: Vec::new(),
            observed: Observed::default(),
        }
    }

    /// Sends a request that the API must accept or reject as the model does.
    #[track_caller]
    pub(super) fn request(
        &mut self,
        method: &str,
        target: &str,
        form: &str,
        expected: Result<(), ErrorStatus>,
    ) -> Value {
        // A rollback copies the whole storage, so only a rejected request gets one.
        self.catalog.rolls_back = expected.is_err();
        let response = self.catalog.request(method, target, &[("request-id", REQUEST_ID)], form);
        self.catalog.rolls_back = false;
        let status = expected.err().unwrap_or(200);
        assert_eq!(response.status, status, "{method} {target} {form}: {}", response.body);
        response.body
    }

    /// Creates an object, and returns its id.
    #[track_caller]
    pub(super) fn create(&mut self, target: &str, form: &str) -> String {
        self.request("POST", target, form, Ok(()))["id"].as_str().unwrap().to_owned()
    }

    /// Runs the background work on both sides.
    pub(super) fn run_due(&mut self) {
        self.catalog.run_due();
        self.model.run_due();
    }
}

/// The contents of a JSON string.
pub(super) fn string(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
