//! The cursors of a list: which items are valid ones.
//!
//! Specification: <https://docs.stripe.com/api/pagination>.

use super::{
    deliveries::{create_endpoint, emit_event, fail_attempt},
    fixture::fixture,
    pagination::{fixture_with_lists, page},
};

/// Each cursor is an item that left the list after a page was read.
#[test]
fn an_item_that_left_a_list_is_a_valid_cursor_until_it_no_longer_exists() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let [customer, product] = [&fixture.customer, &fixture.product];
    let same = |form: &str| [form, form, form].map(str::to_owned);
    let keys = ["a", "b", "c"].map(|key| format!("lookup_key={key}&name=x"));
    for (list, path, forms, method, change) in [
        ("/v1/entitlements/features?", "/v1/entitlements/features", keys, "POST", "active=false"),
        (
            "/v1/prices?active=true",
            "/v1/prices",
            same(&format!("product={product}&currency=usd&unit_amount=500")),
            "POST",
            "active=false",
        ),
        ("/v1/products?active=true", "/v1/products", same("name=x"), "POST", "active=false"),
        (
            "/v1/customers?email=a@a.example",
            "/v1/customers",
            same("email=a@a.example"),
            "POST",
            "email=b@a.example",
        ),
        (
            "/v1/customers?email=c@a.example",
            "/v1/customers",
            same("email=c@a.example"),
            "DELETE",
            "",
        ),
        (
            &format!("/v1/subscriptions?customer={customer}"),
            "/v1/subscriptions",
            same(&fixture.subscription_form("")),
            "DELETE",
            "",
        ),
        (
            "/v1/test_helpers/test_clocks?",
            "/v1/test_helpers/test_clocks",
            same("frozen_time=0"),
            "DELETE",
            "",
        ),
    ] {
        let [below, removed, above] = forms.map(|form| catalog.create(path, &form));
        catalog.request(method, &format!("{path}/{removed}"), &[], change).expect_ok();
        let at = |cursor: &str| page(catalog, &format!("{list}&limit=1&{cursor}={removed}")).0;
        assert_eq!([at("starting_after"), at("ending_before")], [[below], [above]], "{list}");
        assert!(!page(catalog, &format!("{list}&limit=100")).0.contains(&removed), "{list}");
    }

    let lamp = catalog.create("/v1/products", "name=Lamp");
    catalog.delete(&format!("/v1/products/{lamp}")).expect_ok();
    let message = format!("No such product: '{lamp}'");
    for param in ["starting_after", "ending_before"] {
        let rejected = catalog.get(&format!("/v1/products?{param}={lamp}"));
        assert_eq!(rejected.error(), (400, "resource_missing", param, message.as_str()));
    }
}

/// A cursor of another list is like one that does not exist: the error reveals nothing.
#[test]
fn an_item_of_another_list_is_no_cursor() {
    let (fixture, _) = fixture_with_lists();
    let catalog = &fixture.catalog;
    let customer = catalog.create("/v1/customers", "");
    let product = catalog.create_product(&[]);
    let feature = catalog.create_feature("other");
    let product_feature = catalog.attach(&product, &feature);
    let price = catalog.create_price(&product, "year");
    let form = format!("customer={customer}&items[0][price]={}", fixture.price);
    let subscription = catalog.create("/v1/subscriptions", &form);
    let entitlement = |customer: &str| {
        let target = format!("/v1/entitlements/active_entitlements?customer={customer}");
        catalog.list_ids(&target).remove(0)
    };
    let (owner, clock) = (&fixture.customer, &fixture.clock);
    let [endpoint, other_endpoint] = [0, 1].map(|_| create_endpoint(catalog));
    emit_event(catalog);
    for request in catalog.lease_due(100) {
        if request.endpoint == other_endpoint {
            fail_attempt(catalog, &request);
        }
    }
    let deliveries = |endpoint: &str| format!("/v1/webhook_endpoints/{endpoint}/deliveries?");
    let delivery = catalog.list_ids(&deliveries(&other_endpoint)).remove(0);
    let event = catalog.list_ids("/v1/events?type=price.created").remove(0);
    let entitlements = "/v1/entitlements/active_entitlements?customer";
    for (kind, list, id) in [
        ("active entitlement", format!("{entitlements}={owner}"), entitlement(&customer)),
        (
            "active entitlement",
            format!("/v1/customer/{owner}/entitlements?"),
            entitlement(&customer),
        ),
        ("active entitlement", format!("{entitlements}={customer}"), entitlement(owner)),
        ("subscription", format!("/v1/subscriptions?customer={owner}"), subscription.clone()),
        ("subscription", format!("/v1/subscriptions?test_clock={clock}"), subscription.clone()),
        ("customer", format!("/v1/customers?test_clock={clock}"), customer.clone()),
        ("customer", "/v1/customers?".to_owned(), owner.clone()),
        ("price", format!("/v1/prices?product={}", fixture.product), price.clone()),
        ("price", "/v1/prices?recurring[interval]=month".to_owned(), price.clone()),
        ("price", "/v1/prices?type=one_time".to_owned(), price),
        ("product feature", format!("/v1/products/{}/features?", fixture.product), product_feature),
        ("feature", "/v1/entitlements/features?lookup_key=sms".to_owned(), feature),
        ("product", format!("/v1/products?ids[]={}", fixture.product), product),
        ("webhook delivery", deliveries(&endpoint), delivery),
        ("event", "/v1/events?type=product.created".to_owned(), event.clone()),
        ("event", "/v1/events?types[]=customer.*&types[]=product.*".to_owned(), event),
    ] {
        let message = format!("No such {kind}: '{id}'");
        for param in ["starting_after", "ending_before"] {
            let rejected = catalog.get(&format!("{list}&{param}={id}"));
            assert_eq!(
                rejected.error(),
                (400, "resource_missing", param, message.as_str()),
                "{list}"
            );
        }
    }
}
