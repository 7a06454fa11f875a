//! The account of the catalog, and what the catalog says of routes that it has not.
//!
//! Specification: <https://docs.stripe.com/api/accounts/retrieve>.

use entgate::{api::catalog, id::Livemode};
use serde_json::{Value, json};

use super::{
    fixture::fixture,
    test_catalog::{TestCatalog, members},
};

#[test]
fn the_account_of_a_key_has_an_id_that_stays() {
    let mut catalog = TestCatalog::new();
    let account = catalog.get("/v1/account").expect_ok();
    let id = account["id"].as_str().unwrap();
    assert!(id.starts_with("acct_") && id.len() == 21, "{id}");
    let names = ["object", "type", "charges_enabled", "details_submitted", "payouts_enabled"];
    assert_eq!(members(&account, &names), json!(["account", "standard", true, true, true]));
    assert_eq!(account.get("email"), Some(&Value::Null));
    assert_eq!(catalog.get(&format!("/v1/accounts/{id}")).expect_ok(), account);
    catalog.livemode = Livemode::Live;
    assert_eq!(catalog.get("/v1/account").expect_ok(), account, "of both modes");
    let other = TestCatalog::new().get("/v1/account").expect_ok();
    assert_eq!(other, account, "of each deployment");
}

#[test]
fn another_account_is_a_403() {
    let catalog = TestCatalog::new();
    let message = "The provided key does not have access to account 'acct_1' (or that account does \
                   not exist). The account of the catalog is 'acct_1entgateCatalog0'.";
    let rejected = catalog.get("/v1/accounts/acct_1");
    assert_eq!(rejected.error(), (403, "account_invalid", "", message));
    let unknown = catalog.get("/v1/account?name=x");
    let (status, code, param, _) = unknown.error();
    assert_eq!((status, code, param), (400, "parameter_unknown", "name"));
}

/// A key without connected accounts lists none at Stripe. dj-stripe asks for them before it copies anything.
#[test]
fn the_list_of_connected_accounts_is_empty() {
    let catalog = TestCatalog::new();
    let none = json!({ "object": "list", "data": [], "has_more": false, "url": "/v1/accounts" });
    for query in ["", "?limit=100", "?created[gte]=-1&limit=1"] {
        assert_eq!(catalog.get(&format!("/v1/accounts{query}")).expect_ok(), none, "{query}");
    }
    let rejected = catalog.get("/v1/accounts?starting_after=acct_1");
    let expected = (400, "resource_missing", "starting_after", "No such account: 'acct_1'");
    assert_eq!(rejected.error(), expected);
    let unknown = catalog.get("/v1/accounts?name=x");
    let (status, code, param, _) = unknown.error();
    assert_eq!((status, code, param), (400, "parameter_unknown", "name"));
}

#[test]
fn a_route_of_stripe_that_the_catalog_has_not_says_what_to_do_instead() {
    let catalog = TestCatalog::new();
    for (method, path, advice) in [
        (
            "POST",
            "/v1/checkout/sessions",
            "Create the subscription itself with POST /v1/subscriptions.",
        ),
        ("GET", "/v1/checkout/sessions/cs_1", "The catalog has no checkout."),
        (
            "POST",
            "/v1/billing_portal/sessions",
            "Change a subscription with POST /v1/subscriptions/{id}",
        ),
        ("GET", "/v1/invoices", "Report whether a subscription is paid by `status`"),
        ("POST", "/v1/invoices/create_preview", "The catalog has no invoices"),
        ("POST", "/v1/payment_intents", "The catalog moves no money."),
        ("POST", "/v1/setup_intents/seti_1/confirm", "The catalog moves no money."),
        ("GET", "/v1/charges", "failing test methods as its `default_payment_method`"),
        ("POST", "/v1/coupons", "`discounts` is accepted and ignored"),
        ("GET", "/v1/promotion_codes", "The catalog has no discounts"),
        ("POST", "/v1/subscription_schedules", "Use `trial_end`, `cancel_at`"),
        ("GET", "/v1/tax_rates", "The catalog has no taxes"),
        ("POST", "/v1/billing/meters", "The catalog has no meters"),
        ("GET", "/v1/customers/cus_1/balance_transactions", "GET /openapi.json lists them."),
        ("GET", "/v1/nonsense", "GET /openapi.json lists them."),
    ] {
        let response = catalog.request(method, path, &[], "");
        let (status, code, param, message) = response.error();
        assert_eq!((status, code, param), (404, "", ""), "{method} {path}");
        let start = format!("Unrecognized request URL ({method}: {path}). ");
        assert!(message.starts_with(&start), "{message}");
        assert!(message.contains(advice), "{message}");
    }
    for path in ["/v2/core/events", "/", "/v1"] {
        let message = format!("Unrecognized request URL (GET: {path}).");
        assert_eq!(catalog.get(path).error(), (404, "", "", message.as_str()));
    }
}

/// Collects each `url` in a response, and the path of each list.
fn collect_urls(value: &Value, urls: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(url) if name == "url" => urls.push(url.clone()),
                    member => collect_urls(member, urls),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_urls(item, urls)),
        _ => {}
    }
}

#[test]
fn every_url_in_a_response_is_a_route() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    fixture.subscribe("");
    let mut urls = Vec::new();
    let lists = catalog::routes().filter(|(method, path)| *method == "GET" && !path.contains('{'));
    for (_, path) in lists {
        let query = match path {
            "/v1/entitlements/active_entitlements" => format!("customer={}", fixture.customer),
            "/v1/subscription_items" => continue,
            path if path.ends_with("/search") => "query=created%3E0".to_owned(),
            _ => "limit=100".to_owned(),
        };
        let query = if path == "/v1/account" { "" } else { &query };
        collect_urls(&catalog.get(&format!("{path}?{query}")).expect_ok(), &mut urls);
    }
    urls.sort();
    urls.dedup();
    let relative: Vec<_> = urls.iter().filter(|url| url.starts_with('/')).collect();
    assert!(relative.iter().any(|url| url.contains("/v1/subscription_items?")), "{relative:?}");
    assert!(relative.iter().any(|url| url.contains("/v1/customer/")), "{relative:?}");
    for url in relative {
        let query = match url.as_str() {
            "/v1/entitlements/active_entitlements" => format!("?customer={}", fixture.customer),
            url if url.ends_with("/search") => "?query=created%3E0".to_owned(),
            _ => String::new(),
        };
        assert_eq!(catalog.get(&format!("{url}{query}")).status, 200, "{url}");
    }
}
