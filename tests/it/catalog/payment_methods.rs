//! Payment methods: cards that customers and subscriptions name.
//!
//! Specification: <https://docs.stripe.com/api/payment_methods>, <https://docs.stripe.com/testing>.

use entgate::id::Livemode;
use serde_json::{Value, json};

use super::{
    fixture::{DECLINED_CARD, VALID_CARD, fixture},
    test_catalog::{TestCatalog, members},
};

const PATH: &str = "/v1/payment_methods";

#[track_caller]
fn retrieve(catalog: &TestCatalog, id: &str) -> Value {
    catalog.get(&format!("{PATH}/{id}")).expect_ok()
}

#[test]
fn a_payment_method_is_expanded_where_it_is_named() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let id = fixture.subscribe(&format!("&default_payment_method={VALID_CARD}"));
    let customer = format!("/v1/customers/{}", fixture.customer);
    catalog.post(&customer, "invoice_settings[default_payment_method]=pm_mine").expect_ok();
    let subscription = format!("/v1/subscriptions/{id}");
    let list = format!("/v1/subscriptions?customer={}&status=all&limit=1", fixture.customer);
    let in_settings = "invoice_settings.default_payment_method";
    for (target, path, at, method) in [
        (
            format!("{subscription}?"),
            "default_payment_method",
            "/default_payment_method",
            VALID_CARD,
        ),
        (list, "data.default_payment_method", "/data/0/default_payment_method", VALID_CARD),
        (
            format!("{customer}?"),
            in_settings,
            "/invoice_settings/default_payment_method",
            "pm_mine",
        ),
        (
            format!("{subscription}?"),
            "customer.invoice_settings.default_payment_method",
            "/customer/invoice_settings/default_payment_method",
            "pm_mine",
        ),
        (
            format!("{subscription}?expand[]=customer"),
            "default_payment_method",
            "/default_payment_method",
            VALID_CARD,
        ),
    ] {
        let body = catalog.get(&format!("{target}&expand[]={path}")).expect_ok();
        let expanded = body.pointer(at).unwrap();
        assert_eq!(
            members(expanded, &["id", "object", "type", "customer"]),
            json!([method, "payment_method", "card", fixture.customer]),
            "{path}"
        );
        assert_eq!(expanded, &retrieve(catalog, method), "{path}");
    }
    let target = format!("{subscription}?expand[]=default_payment_method.customer");
    let body = catalog.get(&target).expect_ok();
    assert_eq!(body["default_payment_method"]["customer"]["object"], json!("customer"));
}

#[test]
fn the_test_methods_have_the_details_of_their_cards() {
    let catalog = TestCatalog::new();
    for (id, brand, funding, last4) in [
        (VALID_CARD, "visa", "credit", "4242"),
        ("pm_card_visa_debit", "visa", "debit", "5556"),
        ("pm_card_mastercard", "mastercard", "credit", "4444"),
        ("pm_card_mastercard_prepaid", "mastercard", "prepaid", "5100"),
        ("pm_card_amex", "amex", "credit", "8431"),
        (DECLINED_CARD, "visa", "credit", "0341"),
        ("pm_card_chargeDeclined", "visa", "credit", "0002"),
        ("pm_card_chargeDeclinedInsufficientFunds", "visa", "credit", "9995"),
        ("pm_card_visa_chargeDeclined", "visa", "credit", "0002"),
    ] {
        let method = retrieve(&catalog, id);
        let card = members(&method["card"], &["brand", "funding", "last4"]);
        assert_eq!(card, json!([brand, funding, last4]), "{id}");
        assert_eq!(members(&method, &["id", "type", "customer"]), json!([id, "card", null]));
    }
}

#[test]
fn a_payment_method_that_nobody_names_does_not_exist() {
    let mut catalog = TestCatalog::new();
    let customer = catalog.create("/v1/customers", "payment_method=pm_mine");
    assert_eq!(retrieve(&catalog, "pm_mine")["customer"], json!(customer));
    catalog.post(&format!("/v1/customers/{customer}"), "payment_method=pm_other").expect_ok();
    let other = catalog.create("/v1/customers", "");
    catalog.livemode = Livemode::Test;
    for path in [
        format!("{PATH}/pm_mine"),
        format!("{PATH}/pm_card_"),
        format!("{PATH}/pm_card_unknown"),
        format!("/v1/customers/{customer}/payment_methods/pm_mine"),
        format!("/v1/customers/{other}/payment_methods/pm_other"),
        format!("/v1/customers/{other}/payment_methods/{VALID_CARD}"),
    ] {
        let id = path.rsplit('/').next().unwrap();
        let message = format!("No such PaymentMethod: '{id}'");
        let expected = (404, "resource_missing", "id", message.as_str());
        assert_eq!(catalog.get(&path).error(), expected, "{path}");
    }
    let path = format!("/v1/customers/{customer}/payment_methods/pm_other");
    assert_eq!(catalog.get(&path).expect_ok(), retrieve(&catalog, "pm_other"));
    catalog.livemode = Livemode::Live;
    assert_eq!(catalog.get(&format!("{PATH}/{VALID_CARD}")).status, 404, "it is for test mode");
}

#[test]
fn a_customer_has_its_own_payment_method_and_those_of_its_subscriptions() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let list = |query: &str| catalog.list_ids(&format!("{PATH}?{query}"));
    let of_customer = format!("customer={}", fixture.customer);
    assert_eq!(list(&of_customer), [""; 0]);
    catalog.post(&format!("/v1/customers/{}", fixture.customer), "payment_method=pm_a").expect_ok();
    for method in ["pm_b", "pm_a", "pm_c", "pm_b"] {
        fixture.subscribe(&format!("&default_payment_method={method}"));
    }
    let all = ["pm_b", "pm_c", "pm_a"];
    assert_eq!(list(&of_customer), all);
    assert_eq!(list(&format!("{of_customer}&type=card")), all);
    assert_eq!(list(&format!("{of_customer}&type=sepa_debit")), [""; 0]);
    assert_eq!(list(""), [""; 0]);
    assert_eq!(list(&format!("{of_customer}&limit=1&starting_after=pm_b")), ["pm_c"]);
    assert_eq!(list(&format!("{of_customer}&limit=1&ending_before=pm_a")), ["pm_c"]);
    let path = format!("/v1/customers/{}/payment_methods", fixture.customer);
    let body = catalog.get(&format!("{path}?limit=2")).expect_ok();
    assert_eq!((&body["url"], &body["has_more"]), (&json!(path), &json!(true)));
    let message = "No such PaymentMethod: 'pm_none'";
    let unknown = catalog.get(&format!("{path}?starting_after=pm_none"));
    assert_eq!(unknown.error(), (400, "resource_missing", "starting_after", message));
    let message = "No such customer: 'cus_none'";
    let unknown = catalog.get(&format!("{PATH}?customer=cus_none"));
    assert_eq!(unknown.error(), (400, "resource_missing", "customer", message));
    let unknown = catalog.get("/v1/customers/cus_none/payment_methods");
    assert_eq!(unknown.error(), (404, "resource_missing", "id", message));
}
