//! Customers: lists, deletion, and payment by the customer's payment method.
//!
//! Specification: <https://docs.stripe.com/api/customers>.

use entgate::id::Timestamp;
use serde_json::{Value, json};

use super::{
    fixture::{DECLINED_CARD, HOUR, JANUARY, VALID_CARD, fixture},
    test_catalog::{TestCatalog, members},
};
use crate::support::NOW;

const PATH: &str = "/v1/customers";

#[track_caller]
fn list(catalog: &TestCatalog, query: &str) -> Vec<String> {
    catalog.list_ids(&format!("{PATH}?{query}"))
}

#[test]
fn customers_are_listed_by_current_email_and_by_test_clock() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let ada = catalog.create(PATH, "email=ada@example.com");
    let bob = catalog.create(PATH, "email=bob@example.com");
    let on_clock =
        catalog.create(PATH, &format!("email=ada@example.com&test_clock={}", fixture.clock));
    let clock = format!("test_clock={}", fixture.clock);
    let list = |query: &str| list(catalog, query);
    assert_eq!(list(""), [bob.as_str(), &ada]);
    assert_eq!(list("email=ada@example.com"), [ada.as_str()]);
    assert_eq!(list("email=ADA@example.com"), [""; 0]);
    assert_eq!(list(&clock), [on_clock.as_str(), &fixture.customer]);
    assert_eq!(list(&format!("{clock}&email=ada@example.com")), [on_clock.as_str()]);

    catalog.post(&format!("{PATH}/{bob}"), "email=ada@example.com").expect_ok();
    assert_eq!(list("email=ada@example.com"), [bob.as_str(), &ada]);
    assert_eq!(list("email=bob@example.com"), [""; 0]);
    catalog.post(&format!("{PATH}/{bob}"), "email=").expect_ok();
    assert_eq!(list("email=ada@example.com"), [ada.as_str()]);
    catalog.delete(&format!("{PATH}/{ada}")).expect_ok();
    assert_eq!(list("email=ada@example.com"), [""; 0]);
    assert_eq!(list(""), [bob]);
    let unknown = catalog.get(&format!("{PATH}?test_clock=x_1"));
    let expected = (400, "resource_missing", "test_clock", "No such test clock: 'x_1'");
    assert_eq!(unknown.error(), expected);
}

#[test]
fn an_email_has_up_to_512_characters() {
    let catalog = TestCatalog::new();
    let at_limit = format!("{}@example.com", "é".repeat(500));
    assert_eq!(catalog.post(PATH, &format!("email={at_limit}")).status, 200);
    let rejected = catalog.post(PATH, &format!("email=é{at_limit}"));
    let message = format!("Invalid string: {}…; must be at most 512 characters", "é".repeat(60));
    assert_eq!(rejected.error(), (400, "parameter_invalid", "email", message.as_str()));
}

#[test]
fn an_email_is_a_local_part_and_a_domain_with_a_dot() {
    let catalog = TestCatalog::new();
    let customer = catalog.create(PATH, "");
    let update = format!("{PATH}/{customer}");
    for email in [
        "ada@example.com",
        "a@b.co",
        "Ada.Lovelace%2Bsms@mail.example.co.uk",
        "ada..@docomo.example",
        "josé@müller.example",
        "ada@127.example",
        "",
    ] {
        assert_eq!(catalog.post(&update, &format!("email={email}")).status, 200, "{email}");
    }
    for email in [
        "not-an-email",
        "@example.com",
        "ada@",
        "ada@localhost",
        "ada@example.",
        "ada@.example",
        "ada@exa..mple.com",
        "ada@-a.example",
        "ada@a@example.com",
        " ada@example.com",
        "ada@example.com ",
        "ada lovelace@example.com",
        "Ada <ada@example.com>",
        "ada@example.com,bob@example.com",
        "ada@exa/mple.com",
        "ada＠example.com",
    ] {
        let message = format!("Invalid email address: {email}");
        let expected = (400, "email_invalid", "email", message.as_str());
        assert_eq!(catalog.post(PATH, &format!("email={email}")).error(), expected);
        assert_eq!(catalog.post(&update, &format!("email={email}")).error(), expected);
    }
    assert_eq!(catalog.get(&update).expect_ok()["email"], json!(null));
}

#[test]
fn an_address_has_all_its_members() {
    let catalog = TestCatalog::new();
    let address = |country: &str, line1: Option<&str>| {
        json!({
            "city": null, "country": country, "line1": line1, "line2": null, "postal_code": null,
            "state": null,
        })
    };
    let form = "address[line1]=6 Main Street&address[country]=DE&shipping[name]=Ada\
                &shipping[address][country]=FR";
    let customer = catalog.post(PATH, form).expect_ok();
    let shipping = |address: Value| {
        json!({
            "address": address, "carrier": null, "name": "Ada", "phone": null,
            "tracking_number": null,
        })
    };
    assert_eq!(customer["address"], address("DE", Some("6 Main Street")));
    assert_eq!(customer["shipping"], shipping(address("FR", None)));

    let path = format!("{PATH}/{}", customer["id"].as_str().unwrap());
    let update = |form: &str| catalog.post(&path, form).expect_ok();
    assert_eq!(update("address[country]=US&address[city]=")["address"], address("US", None));
    assert_eq!(update("shipping[name]=Ada")["shipping"], shipping(Value::Null));
    assert_eq!(update("name=Ada")["address"], address("US", None));
    let cleared = update("address=&shipping=");
    assert_eq!(members(&cleared, &["address", "shipping"]), json!([null, null]));
    for (param, name) in [
        ("address[planet]", "address[planet]"),
        ("shipping[planet]", "shipping[planet]"),
        ("shipping[address][planet]", "shipping[address][planet]"),
    ] {
        let message = format!("Received unknown parameter: {name}");
        let rejected = catalog.post(PATH, &format!("{param}=Mars"));
        assert_eq!(rejected.error(), (400, "parameter_unknown", name, message.as_str()));
    }
}

#[test]
fn deleting_a_customer_cancels_its_subscriptions_and_revokes_its_entitlements() {
    let fixture = fixture();
    let subscriptions = [fixture.subscribe(""), fixture.subscribe("&trial_period_days=7")];
    fixture.catalog.delete(&format!("{PATH}/{}", fixture.customer)).expect_ok();
    for subscription in &subscriptions {
        let subscription = members(&fixture.retrieve(subscription), &["status", "ended_at"]);
        assert_eq!(subscription, json!(["canceled", JANUARY]));
    }
    let events = fixture.catalog.get("/v1/events?limit=4").expect_ok();
    let types = events["data"].as_array().unwrap().iter().map(|event| &event["type"]);
    assert_eq!(
        types.collect::<Vec<_>>(),
        [
            "customer.deleted",
            "entitlements.active_entitlement_summary.updated",
            "customer.subscription.deleted",
            "customer.subscription.deleted",
        ]
    );
    assert_eq!(events["data"][1]["data"]["object"]["entitlements"]["data"], json!([]));
    assert_eq!(events["data"][0]["data"]["object"]["id"], json!(fixture.customer));
}

#[test]
fn a_deleted_customer_keeps_only_its_id() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    catalog.create(PATH, "id=ada&email=ada@example.com");
    let deleted = json!({ "id": "ada", "object": "customer", "deleted": true });
    assert_eq!(catalog.delete(&format!("{PATH}/ada")).expect_ok(), deleted);
    assert_eq!(catalog.get(&format!("{PATH}/ada")).expect_ok(), deleted);
    let rejected = catalog.post(PATH, "id=ada");
    assert_eq!(
        rejected.error(),
        (400, "resource_already_exists", "id", "Customer already exists.")
    );

    let form = format!("customer=ada&items[0][price]={}", fixture.price);
    for (status, param, response) in [
        (404, "id", catalog.delete(&format!("{PATH}/ada"))),
        (404, "id", catalog.post(&format!("{PATH}/ada"), "name=Ada")),
        (404, "id", catalog.get("/v1/customer/ada/entitlements")),
        (400, "customer", catalog.get("/v1/entitlements/active_entitlements?customer=ada")),
        (400, "customer", catalog.get("/v1/subscriptions?customer=ada")),
        (400, "customer", catalog.post("/v1/subscriptions", &form)),
    ] {
        let expected = (status, "resource_missing", param, "No such customer: 'ada'");
        assert_eq!(response.error(), expected);
    }
}

#[test]
fn due_transitions_run_before_a_customer_is_deleted() {
    let mut catalog = TestCatalog::new();
    let product = catalog.create_product(&[]);
    let price = catalog.create_price(&product, "month");
    let customer = catalog.create(PATH, "");
    let end = NOW.0 + 10;
    let form = format!("customer={customer}&items[0][price]={price}&cancel_at={end}");
    let subscription = catalog.create("/v1/subscriptions", &form);
    catalog.now = Timestamp(end + 10);
    catalog.delete(&format!("{PATH}/{customer}")).expect_ok();
    let subscription = catalog.get(&format!("/v1/subscriptions/{subscription}")).expect_ok();
    assert_eq!(members(&subscription, &["status", "ended_at"]), json!(["canceled", end]));
}

#[test]
fn a_payment_method_of_the_customer_pays_an_incomplete_subscription_within_23_hours() {
    for (seconds, status) in [(23 * HOUR - 1, "active"), (23 * HOUR, "incomplete_expired")] {
        let mut catalog = TestCatalog::new();
        let product = catalog.create_product(&[]);
        let price = catalog.create_price(&product, "month");
        let customer = catalog.create(PATH, &format!("payment_method={DECLINED_CARD}"));
        let form = format!("customer={customer}&items[0][price]={price}");
        let subscription = catalog.create("/v1/subscriptions", &form);
        catalog.now = Timestamp(NOW.0 + seconds);
        let form = format!("invoice_settings[default_payment_method]={VALID_CARD}");
        catalog.post(&format!("{PATH}/{customer}"), &form).expect_ok();
        let subscription = catalog.get(&format!("/v1/subscriptions/{subscription}")).expect_ok();
        assert_eq!(subscription["status"], json!(status), "after {seconds} s");
    }
}

#[test]
fn a_payment_method_of_the_customer_pays_for_subscriptions_without_their_own() {
    let fixture = fixture();
    let path = format!("{PATH}/{}", fixture.customer);
    let set_payment_method = |method: &str| {
        let form = format!("invoice_settings[default_payment_method]={method}");
        fixture.catalog.post(&path, &form).expect_ok();
    };
    set_payment_method(DECLINED_CARD);
    let own = fixture.subscribe(&format!("&default_payment_method={DECLINED_CARD}"));
    let without = fixture.subscribe("");
    assert_eq!([fixture.status(&own), fixture.status(&without)], ["incomplete", "incomplete"]);
    set_payment_method("");
    assert_eq!(fixture.status(&without), "incomplete", "the customer has no payment method");
    set_payment_method(VALID_CARD);
    assert_eq!([fixture.status(&own), fixture.status(&without)], ["incomplete", "active"]);
}
