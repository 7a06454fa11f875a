//! Products: ids, default prices, lists and deletion.
//!
//! Specification: <https://docs.stripe.com/api/products>.

use serde_json::json;

use super::{
    fixture::fixture,
    test_catalog::{TestCatalog, members},
};

const PATH: &str = "/v1/products";

#[track_caller]
fn list(catalog: &TestCatalog, query: &str) -> Vec<String> {
    catalog.list_ids(&format!("{PATH}?{query}"))
}

#[test]
fn an_id_from_the_caller_has_1_to_255_letters_digits_and_marks() {
    let catalog = TestCatalog::new();
    let (longest, too_long) = ("i".repeat(255), "i".repeat(256));
    let marks = "An id has letters, digits and marks, and no `/`, blank or accent.";
    let long = format!("Invalid string: {}…; must be at most 255 characters", "i".repeat(60));
    for path in [PATH, "/v1/customers"] {
        for id in ["a", &longest, "a-b_c.d:e~f!"] {
            assert_eq!(catalog.create(path, &format!("id={id}&name=x")), id);
            assert_eq!(catalog.get(&format!("{path}/{id}")).expect_ok()["id"], json!(id));
        }
        for (id, message) in [
            (too_long.as_str(), long.as_str()),
            ("a/b", marks),
            ("a%20b", marks),
            ("a%0Ab", marks),
            ("é", marks),
        ] {
            let rejected = catalog.post(path, &format!("id={id}&name=x"));
            assert_eq!(rejected.error(), (400, "parameter_invalid", "id", message), "{id}");
        }
        let rejected = catalog.post(path, "id=&name=x");
        let (status, code, param, _) = rejected.error();
        assert_eq!((status, code, param), (400, "parameter_invalid_empty", "id"));
    }
    let rejected = catalog.post(PATH, "id=a&name=x");
    assert_eq!(rejected.error(), (400, "resource_already_exists", "id", "Product already exists."));
}

#[test]
fn a_product_and_its_default_price_are_created_together_or_not_at_all() {
    let catalog = TestCatalog::new();
    let data = "default_price_data[currency]=EUR&default_price_data[unit_amount]=900&\
                default_price_data[recurring][interval]=year";
    let product = catalog.post(PATH, &format!("name=Lamp&{data}")).expect_ok();
    let price = product["default_price"].as_str().unwrap();
    let price = catalog.get(&format!("/v1/prices/{price}")).expect_ok();
    assert_eq!(
        members(&price, &["product", "currency", "unit_amount", "type"]),
        json!([product["id"], "eur", 900, "recurring"])
    );
    assert_eq!(members(&price["recurring"], &["interval", "interval_count"]), json!(["year", 1]));

    for (form, code, param) in [
        ("default_price_data[unit_amount]=1", "parameter_missing", "default_price_data[currency]"),
        (
            "default_price_data[currency]=eur&default_price_data[unit_amount]=1&\
             default_price_data[product]=x",
            "parameter_unknown",
            "default_price_data[product]",
        ),
        (
            "default_price_data[currency]=eur&default_price_data[recurring][interval_count]=1",
            "parameter_missing",
            "default_price_data[recurring][interval]",
        ),
        ("default_price_data=eur", "parameter_invalid", "default_price_data"),
    ] {
        let rejected = catalog.post(PATH, &format!("name=Chair&{form}"));
        let (status, error_code, name, _) = rejected.error();
        assert_eq!((status, error_code, name), (400, code, param), "{form}");
    }
    assert_eq!(list(&catalog, ""), [product["id"].as_str().unwrap()]);
}

#[test]
fn a_default_price_belongs_to_the_product_and_can_be_cleared() {
    let fixture = fixture();
    let (catalog, price) = (&fixture.catalog, &fixture.price);
    let path = format!("{PATH}/{}", fixture.product);
    let product = catalog.post(&path, &format!("default_price={price}")).expect_ok();
    assert_eq!(product["default_price"], json!(price));
    assert_eq!(catalog.post(&path, "default_price=").expect_ok()["default_price"], json!(null));

    let other = catalog.create_product(&[]);
    let message = format!("The price '{price}' belongs to another product, '{}'.", fixture.product);
    let rejected = catalog.post(&format!("{PATH}/{other}"), &format!("default_price={price}"));
    let expected = (400, "parameter_invalid", "default_price", message.as_str());
    assert_eq!(rejected.error(), expected);
    let unknown = catalog.post(&path, "default_price=x_1");
    let expected = (400, "resource_missing", "default_price", "No such price: 'x_1'");
    assert_eq!(unknown.error(), expected);
}

#[test]
fn a_product_with_a_price_cannot_be_deleted_and_one_without_is_deleted_with_its_features() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    catalog.post(&format!("/v1/prices/{}", fixture.price), "active=false").expect_ok();
    let message = "This product cannot be deleted because it has one or more user-created prices.";
    let rejected = catalog.delete(&format!("{PATH}/{}", fixture.product));
    assert_eq!(rejected.error(), (400, "", "", message), "even if the price is inactive");

    catalog.create(PATH, "id=mine&name=Mine");
    let attached = catalog.attach("mine", &fixture.feature);
    let deleted = catalog.delete(&format!("{PATH}/mine")).expect_ok();
    assert_eq!(deleted, json!({ "id": "mine", "object": "product", "deleted": true }));
    for method in ["GET", "DELETE"] {
        let response = catalog.request(method, &format!("{PATH}/mine"), &[], "");
        assert_eq!(response.error(), (404, "resource_missing", "id", "No such product: 'mine'"));
    }
    catalog.create(PATH, "id=mine&name=Mine");
    assert_eq!(catalog.get(&format!("{PATH}/mine/features")).expect_ok()["data"], json!([]));
    assert_eq!(catalog.get(&format!("{PATH}/mine/features/{attached}")).status, 404);
}

#[test]
fn products_are_listed_by_whether_they_are_active() {
    let catalog = TestCatalog::new();
    let (one, two) = (catalog.create_product(&[]), catalog.create_product(&[]));
    catalog.post(&format!("{PATH}/{one}"), "active=false").expect_ok();
    for (query, expected) in [
        ("", vec![&two, &one]),
        ("active=true", vec![&two]),
        ("active=false", vec![&one]),
        (&format!("ids[]={one}&ids[]={two}&active=true"), vec![&two]),
        ("ids[]=x_1", vec![]),
    ] {
        assert_eq!(list(&catalog, query).iter().collect::<Vec<_>>(), expected, "{query}");
    }
}

/// Stripe's SDKs declare these lists as never null. An empty string clears a list.
#[test]
fn a_list_of_a_product_is_never_null() {
    let catalog = TestCatalog::new();
    for (form, images) in [("images=", json!([])), ("images[1]=b&images[0]=a", json!(["a", "b"]))] {
        let product = catalog.post(PATH, &format!("name=x&{form}")).expect_ok();
        assert_eq!(product["images"], images, "{form}");
    }
    let product = catalog.post(PATH, "name=x&marketing_features=").expect_ok();
    assert_eq!(product["marketing_features"], json!([]));
    assert_eq!(catalog.post(PATH, "name=x&images=a").status, 400);
}
