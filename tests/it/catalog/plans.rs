//! Plans: recurring prices in their older form. The account that clients ask for first.
//!
//! Specification: <https://docs.stripe.com/api/plans>, <https://docs.stripe.com/api/accounts>.

use serde_json::json;

use super::{fixture::fixture, test_catalog::members};

const PATH: &str = "/v1/plans";

#[test]
fn a_plan_is_the_older_form_of_a_recurring_price() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let subscription = fixture.retrieve(&fixture.subscribe(""));
    let plan = catalog.get(&format!("{PATH}/{}", fixture.price)).expect_ok();
    assert_eq!(plan, subscription["items"]["data"][0]["plan"]);
    let names = ["id", "object", "amount", "currency", "interval", "interval_count", "product"];
    let expected = json!([fixture.price, "plan", 500, "usd", "month", 1, fixture.product]);
    assert_eq!(members(&plan, &names), expected);
    let expanded = catalog.get(&format!("{PATH}/{}?expand[]=product", fixture.price)).expect_ok();
    assert_eq!(expanded["product"]["id"], json!(fixture.product));

    let form = format!("product={}&currency=usd&unit_amount=5", fixture.product);
    let once = catalog.create("/v1/prices", &form);
    for id in [&*once, "price_none"] {
        let message = format!("No such plan: '{id}'");
        let response = catalog.get(&format!("{PATH}/{id}"));
        assert_eq!(response.error(), (404, "resource_missing", "id", message.as_str()));
    }
}

#[test]
fn plans_are_listed_by_product_and_by_whether_they_are_active() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let product = catalog.create_product(&[]);
    let [other, archived] = [(); 2].map(|()| catalog.create_price(&product, "year"));
    catalog.create("/v1/prices", &format!("product={product}&currency=usd&unit_amount=5"));
    catalog.post(&format!("/v1/prices/{archived}"), "active=false").expect_ok();
    let mine = &fixture.price;
    for (query, expected) in [
        (String::new(), vec![&archived, &other, mine]),
        ("active=true".to_owned(), vec![&other, mine]),
        ("active=false".to_owned(), vec![&archived]),
        (format!("product={product}"), vec![&archived, &other]),
        (format!("product={product}&active=true"), vec![&other]),
        (format!("limit=1&starting_after={archived}"), vec![&other]),
        ("created[gt]=4000000000".to_owned(), vec![]),
    ] {
        let ids = catalog.list_ids(&format!("{PATH}?{query}"));
        assert_eq!(ids.iter().collect::<Vec<_>>(), expected, "{query}");
    }
    let list = catalog.get(PATH).expect_ok();
    assert_eq!(members(&list, &["object", "has_more", "url"]), json!(["list", false, PATH]));
    assert_eq!(catalog.post(PATH, "currency=usd&interval=month").status, 405);
}
