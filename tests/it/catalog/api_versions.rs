//! Versions of Stripe's API: the header of a request, and the version of a webhook endpoint.
//!
//! Specification: <https://docs.stripe.com/api/versioning>, <https://docs.stripe.com/changelog>.

use serde_json::{Value, json};

use super::{
    fixture::{FEBRUARY, JANUARY, MARCH, fixture},
    test_catalog::{ApiResponse, TestCatalog},
};
use entgate::catalog::deliveries::AttemptOutcome;

const LATEST: &str = "2026-10-28.endive";

fn get_as(catalog: &TestCatalog, version: &str, target: &str) -> ApiResponse {
    catalog.request("GET", target, &[("stripe-version", version)], "")
}

fn version_of(response: &ApiResponse) -> &str {
    response.http.headers()["stripe-version"].to_str().unwrap()
}

/// The versions before and from a change on.
const BEFORE_BASIL: [&str; 4] = ["2020-08-27", "2022-11-15", "2024-06-20", "2025-02-24.acacia"];
const SINCE_BASIL: [&str; 4] =
    ["2025-03-31.basil", "2025-09-30.clover", "2026-10-28.endive", "2027-01-01.next"];

#[test]
fn a_subscription_has_its_period_until_basil() {
    let fixture = fixture();
    let id = fixture.subscribe("");
    let yearly = fixture.catalog.create_price(&fixture.catalog.create_product(&[]), "year");
    fixture.update(&id, &format!("items[0][price]={yearly}")).expect_ok();
    let path = format!("/v1/subscriptions/{id}");
    let latest = fixture.retrieve(&id);
    let names = ["current_period_start", "current_period_end", "discount"];
    let aggregate = |subscription: &Value| {
        let item = &subscription["items"]["data"][0];
        [&item["plan"], &item["price"]["recurring"]]
            .map(|object| object.as_object().unwrap().get("aggregate_usage").cloned())
    };
    for version in BEFORE_BASIL {
        for target in [path.clone(), format!("/v1/subscriptions?customer={}", fixture.customer)] {
            let body = get_as(&fixture.catalog, version, &target).expect_ok();
            let subscription = body["data"].get(0).unwrap_or(&body);
            let expected = [json!(JANUARY), json!(FEBRUARY), Value::Null];
            let shown = names.map(|name| subscription.as_object().unwrap()[name].clone());
            assert_eq!(shown, expected, "{version} {target}");
            assert_eq!(aggregate(subscription), [Some(Value::Null), Some(Value::Null)]);
            let item = &subscription["items"]["data"][0];
            assert_eq!(item["current_period_end"], json!(FEBRUARY));
        }
    }
    for version in SINCE_BASIL {
        let response = get_as(&fixture.catalog, version, &path);
        assert_eq!(version_of(&response), version);
        assert_eq!(response.expect_ok(), latest, "{version}");
    }
    assert!(names.iter().all(|name| latest.get(name).is_none()));
    assert_eq!(aggregate(&latest), [None, None]);
}

#[test]
fn an_expanded_object_has_the_version_of_the_request() {
    let fixture = fixture();
    fixture.subscribe("");
    let target = format!("/v1/customers/{}?expand[]=subscriptions", fixture.customer);
    let customer = get_as(&fixture.catalog, "2022-11-15", &target).expect_ok();
    let subscription = &customer["subscriptions"]["data"][0];
    assert_eq!(subscription["current_period_end"], json!(FEBRUARY));
}

#[test]
fn the_marketing_features_of_a_product_are_called_features_until_2024_04_10() {
    let catalog = TestCatalog::new();
    let features = json!([{ "name": "SMS" }]);
    for (id, version, name, other) in [
        ("a", "2022-11-15", "features", "marketing_features"),
        ("b", "2023-10-16", "features", "marketing_features"),
        ("c", "2024-04-10", "marketing_features", "features"),
        ("d", LATEST, "marketing_features", "features"),
    ] {
        let headers = [("stripe-version", version)];
        let form = format!("id={id}&name=x&{name}[0][name]=SMS");
        let created = catalog.request("POST", "/v1/products", &headers, &form);
        assert_eq!(version_of(&created), version);
        let created = created.expect_ok();
        assert_eq!((&created[name], created.get(other)), (&features, None), "{version}");
        let attributes = (version == "2022-11-15").then(|| json!([]));
        assert_eq!(created.get("attributes").cloned(), attributes, "{version}");
        let path = format!("/v1/products/{id}");
        assert_eq!(catalog.get(&path).expect_ok()["marketing_features"], features);
        let cleared = catalog.request("POST", &path, &headers, &format!("{name}=")).expect_ok();
        assert_eq!(cleared[name], json!([]), "{version}");
    }
    let rejected = catalog.post("/v1/products", "name=x&features[0][name]=SMS");
    assert_eq!((rejected.status, rejected.error().2), (400, "features"));
}

#[test]
fn a_discount_is_a_parameter_until_basil() {
    let fixture = fixture();
    let subscription = fixture.subscription_form("&coupon=free");
    for (target, form, param) in [
        ("/v1/customers", "coupon=free", "coupon"),
        ("/v1/customers", "promotion_code=promo_1", "promotion_code"),
        ("/v1/subscriptions", subscription.as_str(), "coupon"),
    ] {
        for version in BEFORE_BASIL {
            let headers = [("stripe-version", version)];
            fixture.catalog.request("POST", target, &headers, form).expect_ok();
        }
        for version in SINCE_BASIL {
            let headers = [("stripe-version", version)];
            let rejected = fixture.catalog.request("POST", target, &headers, form);
            assert_eq!((rejected.status, rejected.error().2), (400, param), "{version}");
        }
    }
}

#[test]
fn the_version_is_in_every_response_and_is_the_latest_by_default() {
    let catalog = TestCatalog::new();
    assert_eq!(version_of(&catalog.get("/v1/customers")), LATEST);
    assert_eq!(version_of(&catalog.get("/v1/customers/cus_none")), LATEST);
    let missing = get_as(&catalog, "2022-11-15", "/v1/customers/cus_none");
    assert_eq!((missing.status, version_of(&missing)), (404, "2022-11-15"));
    for version in [
        "2011-01-01",
        "2022-11-15",
        "2026-10-28.endive",
        "2025-04-30.preview",
        "2030-12-31",
        "2025-03-31.basil; custom_checkout_beta=v1",
        "2022-08-01; a_beta=v1;b_beta=v22",
    ] {
        let response = get_as(&catalog, version, "/v1/customers");
        assert_eq!((response.status, version_of(&response)), (200, version));
    }
    for version in [
        "",
        "latest",
        "2019-2-19",
        "2022-13-01",
        "2022-00-01",
        "2022-11-32",
        "2022-11-00",
        "22-11-15",
        "2022-11-15.",
        "2022-11-15.Basil",
        "2022-11-15.basil.1",
        "2018-11-21 accounts_upgrade=true",
        "2022-11-15; beta",
        "2022-11-15; beta=1",
        "2022-11-15, 2022-11-15",
        "2022/11/15",
    ] {
        let message = format!(
            "Invalid Stripe API version: {version}. A version is a date, and since 2024-09-30 the \
             name of a release, such as 2026-10-28.endive."
        );
        let rejected = get_as(&catalog, version, "/v1/customers");
        assert_eq!(rejected.error(), (400, "", "", message.as_str()));
        assert_eq!(version_of(&rejected), LATEST);
        let headers = [("stripe-version", version)];
        assert_eq!(catalog.request("POST", "/v1/customers", &headers, "").status, 400);
        if !version.is_empty() {
            let form = format!("url=https://example.com&enabled_events[]=*&api_version={version}");
            let rejected = catalog.post("/v1/webhook_endpoints", &form);
            assert_eq!(rejected.error(), (400, "", "api_version", message.as_str()));
        }
    }
    assert_eq!(catalog.get("/v1/customers").expect_ok()["data"], json!([]));
}

#[test]
fn a_replayed_response_has_the_version_in_which_it_was_rendered() {
    let catalog = TestCatalog::new();
    let post = |version| {
        let headers = [("idempotency-key", "k"), ("stripe-version", version)];
        catalog.request("POST", "/v1/products", &headers, "name=x")
    };
    let first = post("2022-11-15").expect_ok();
    assert_eq!(first["features"], json!([]));
    let repeated = post(LATEST);
    assert_eq!(version_of(&repeated), "2022-11-15");
    assert_eq!(repeated.expect_ok(), first);
}

#[test]
fn an_endpoint_receives_events_in_its_version() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let endpoint = |name: &str, version: &str| {
        let form = format!(
            "url=https://example.com/{name}&enabled_events[]=customer.subscription.updated\
             &enabled_events[]=product.updated{version}"
        );
        catalog.post("/v1/webhook_endpoints", &form).expect_ok()["api_version"].clone()
    };
    let id = fixture.subscribe("");
    assert_eq!(endpoint("old", "&api_version=2022-11-15"), json!("2022-11-15"));
    assert_eq!(endpoint("new", ""), json!(null));
    fixture.advance(FEBRUARY);
    let sent = |path: &str| {
        let requests = catalog.lease_due(10);
        for request in &requests {
            catalog.record_attempt(&request.delivery, AttemptOutcome::Responded(200));
        }
        let request = requests.into_iter().filter(|it| it.url.ends_with(path)).collect::<Vec<_>>();
        let [request] = request.try_into().unwrap();
        serde_json::from_str::<Value>(&request.body).unwrap()
    };
    let renewed = sent("old");
    assert_eq!(renewed["api_version"], json!("2022-11-15"));
    let object = &renewed["data"]["object"];
    assert_eq!((&object["id"], &object["current_period_end"]), (&json!(id), &json!(MARCH)));
    let previous = &renewed["data"]["previous_attributes"];
    assert_eq!(previous["current_period_start"], json!(JANUARY));
    assert_eq!(previous["current_period_end"], json!(FEBRUARY));
    assert_eq!(previous["items"]["data"][0]["current_period_end"], json!(FEBRUARY));
    assert_eq!(previous.get("discount"), None);

    let product = format!("/v1/products/{}", fixture.product);
    catalog.post(&product, "marketing_features[0][name]=SMS").expect_ok();
    let updated = sent("old");
    assert_eq!(updated["data"]["object"]["features"], json!([{ "name": "SMS" }]));
    assert_eq!(updated["data"]["previous_attributes"]["features"], json!([]));

    catalog.post(&product, "marketing_features=").expect_ok();
    let latest = sent("new");
    assert_eq!(latest["api_version"], json!(LATEST));
    assert_eq!(latest["data"]["object"]["marketing_features"], json!([]));
    let listed = get_as(catalog, "2022-11-15", "/v1/events?limit=1").expect_ok();
    assert_eq!(listed["data"][0]["api_version"], json!(LATEST), "an event keeps its version");
    assert_eq!(listed["data"][0]["data"], latest["data"]);
}
