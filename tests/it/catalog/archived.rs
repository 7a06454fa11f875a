//! Archived products and prices: what cannot be bought, and what subscribers keep.
//!
//! Specification: <https://docs.stripe.com/products-prices/manage-prices#archive-price>.

use serde_json::json;

use super::{
    fixture::{FEBRUARY, Fixture, MARCH, fixture},
    test_catalog::ApiResponse,
};

const INACTIVE_PRICE: &str =
    "The price specified is inactive. This field only accepts active prices.";

/// A way to buy a price, and the parameter with the price. The last argument is the price.
type Purchase = (&'static str, &'static str, fn(&Fixture, &str, &str) -> ApiResponse);

fn item_of(fixture: &Fixture, subscription: &str) -> String {
    fixture.retrieve(subscription)["items"]["data"][0]["id"].as_str().unwrap().to_owned()
}

const PURCHASES: [Purchase; 8] = [
    ("a new subscription", "items[1][price]", |fixture, _, price| {
        let form = fixture.subscription_form(&format!("&items[1][price]={price}"));
        fixture.catalog.post("/v1/subscriptions", &form)
    }),
    ("a new subscription with the older name", "items[1][price]", |fixture, _, price| {
        let form = fixture.subscription_form(&format!("&items[1][plan]={price}"));
        fixture.catalog.post("/v1/subscriptions", &form)
    }),
    ("a trial", "items[1][price]", |fixture, _, price| {
        let params = format!("&items[1][price]={price}&trial_period_days=7");
        fixture.catalog.post("/v1/subscriptions", &fixture.subscription_form(&params))
    }),
    ("another item", "items[0][price]", |fixture, id, price| {
        fixture.update(id, &format!("items[0][price]={price}"))
    }),
    ("another price of an item", "items[0][price]", |fixture, id, price| {
        let item = item_of(fixture, id);
        fixture.update(id, &format!("items[0][id]={item}&items[0][price]={price}"))
    }),
    ("another price of an item, with the older name", "items[0][price]", |fixture, id, price| {
        let item = item_of(fixture, id);
        fixture.update(id, &format!("items[0][id]={item}&items[0][plan]={price}"))
    }),
    ("a new subscription item", "price", |fixture, id, price| {
        let form = format!("subscription={id}&price={price}");
        fixture.catalog.post("/v1/subscription_items", &form)
    }),
    ("another price of a subscription item", "price", |fixture, id, price| {
        let path = format!("/v1/subscription_items/{}", item_of(fixture, id));
        fixture.catalog.post(&path, &format!("price={price}"))
    }),
];

#[test]
fn an_archived_price_or_a_price_of_an_archived_product_cannot_be_bought() {
    for (why, param, buy) in PURCHASES {
        let fixture = fixture();
        let catalog = &fixture.catalog;
        let subscription = fixture.subscribe("");
        let product = catalog.create_product(&[&catalog.create_feature("sso")]);
        let price = catalog.create_price(&product, "month");
        let (product_path, price_path) =
            (format!("/v1/products/{product}"), format!("/v1/prices/{price}"));
        let state = || [fixture.entitled_keys(), fixture.catalog.list_ids("/v1/subscriptions")];
        let before = state();

        catalog.post(&price_path, "active=false").expect_ok();
        let rejected = buy(&fixture, &subscription, &price);
        assert_eq!(rejected.error(), (400, "parameter_invalid", param, INACTIVE_PRICE), "{why}");

        catalog.post(&price_path, "active=true").expect_ok();
        catalog.post(&product_path, "active=false").expect_ok();
        let message = format!(
            "Price `{price}` is not available to be purchased because its product is not active. To \
             sell it, set `active` of the product '{product}' to true."
        );
        let rejected = buy(&fixture, &subscription, &price);
        let expected = (400, "parameter_invalid", param, message.as_str());
        assert_eq!(rejected.error(), expected, "{why}");
        assert_eq!(state(), before, "{why}");

        catalog.post(&product_path, "active=true").expect_ok();
        buy(&fixture, &subscription, &price).expect_ok();
        assert_eq!(fixture.entitled_keys()[0], "sso", "{why}");
    }
}

#[test]
fn a_price_that_a_request_creates_for_an_archived_product_cannot_be_bought() {
    let fixture = fixture();
    let product = fixture.catalog.create_product(&[]);
    fixture.catalog.post(&format!("/v1/products/{product}"), "active=false").expect_ok();
    let price_data = |name: &str| {
        format!(
            "{name}[product]={product}&{name}[currency]=usd&{name}[unit_amount]=500\
             &{name}[recurring][interval]=month"
        )
    };
    let subscription = fixture.subscribe("");
    for (path, form, param) in [
        (
            "/v1/subscriptions",
            format!("customer={}&{}", fixture.customer, price_data("items[0][price_data]")),
            "items[0][price]",
        ),
        (
            "/v1/subscription_items",
            format!("subscription={subscription}&{}", price_data("price_data")),
            "price",
        ),
    ] {
        let rejected = fixture.catalog.post(path, &form);
        let (status, code, name, _) = rejected.error();
        assert_eq!((status, code, name), (400, "parameter_invalid", param), "{}", rejected.body);
        let prices = fixture.catalog.list_ids(&format!("/v1/prices?product={product}"));
        assert_eq!(prices, [""; 0], "the price is not created either");
    }
}

#[test]
fn a_subscriber_keeps_an_item_whose_price_and_product_are_archived() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let subscription = fixture.subscribe("");
    let item = item_of(&fixture, &subscription);
    catalog.post(&format!("/v1/prices/{}", fixture.price), "active=false").expect_ok();
    catalog.post(&format!("/v1/products/{}", fixture.product), "active=false").expect_ok();
    for form in [
        format!("items[0][id]={item}&items[0][quantity]=3"),
        format!("items[0][id]={item}&items[0][price]={}", fixture.price),
        "metadata[a]=1".to_owned(),
    ] {
        fixture.update(&subscription, &form).expect_ok();
    }
    fixture.advance(FEBRUARY);
    assert_eq!(fixture.current_period(&subscription), [FEBRUARY, MARCH]);
    fixture.pause(&subscription).expect_ok();
    fixture.resume(&subscription, "").expect_ok();
    assert_eq!(fixture.status(&subscription), "active");
    assert_eq!(fixture.entitled_keys(), ["sms"]);
}

#[test]
fn the_default_price_of_a_product_cannot_be_archived() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let (product, price) =
        (format!("/v1/products/{}", fixture.product), format!("/v1/prices/{}", fixture.price));
    let other = catalog.create_price(&fixture.product, "year");
    catalog.post(&product, &format!("default_price={}", fixture.price)).expect_ok();
    let message = format!(
        "This price cannot be archived because it is the default price of its product. Set another \
         `default_price` of the product '{}' first.",
        fixture.product
    );
    let rejected = catalog.post(&price, "active=false&metadata[a]=1");
    assert_eq!(rejected.error(), (400, "parameter_invalid", "active", message.as_str()));
    assert_eq!(catalog.get(&price).expect_ok()["metadata"], json!({}), "nothing is changed");
    catalog.post(&price, "active=true&metadata[a]=1").expect_ok();
    catalog.post(&product, "active=false").expect_ok();
    assert_eq!(catalog.post(&price, "active=false").status, 400, "of an archived product neither");

    catalog.post(&product, &format!("default_price={other}")).expect_ok();
    assert_eq!(catalog.post(&price, "active=false").expect_ok()["active"], json!(false));
    catalog.post(&product, "default_price=").expect_ok();
    catalog.post(&format!("/v1/prices/{other}"), "active=false").expect_ok();
    let rejected = catalog.post(&product, &format!("default_price={other}"));
    assert_eq!(rejected.error(), (400, "parameter_invalid", "default_price", INACTIVE_PRICE));
    let data = "default_price_data[currency]=usd&default_price_data[unit_amount]=1";
    let rejected =
        catalog.post("/v1/products", &format!("name=x&{data}&default_price_data[active]=false"));
    assert_eq!(rejected.error(), (400, "parameter_invalid", "default_price", INACTIVE_PRICE));
}
