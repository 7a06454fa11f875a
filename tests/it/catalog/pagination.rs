//! Pagination, which is the same for every list.
//!
//! Specification: <https://docs.stripe.com/api/pagination>.

use entgate::id::Timestamp;
use serde_json::json;

use super::{
    deliveries::{create_endpoint, emit_event, fail_attempt},
    fixture::{Fixture, fixture},
    test_catalog::TestCatalog,
};
use crate::support::NOW;

/// How many items each list has at least.
const COUNT: usize = 5;

/// A fixture with [`COUNT`] items or more in each list, and for each list the type of its items and
/// its URL.
pub(super) fn fixture_with_lists() -> (Fixture, Vec<(&'static str, String)>) {
    let mut fixture = fixture();
    let endpoint = create_endpoint(&fixture.catalog);
    // Two items of one second, and others with a second of their own.
    for (number, second) in [(1, 0), (2, 1), (3, 1), (4, 2)] {
        fixture.catalog.now = Timestamp(NOW.0 + second);
        fixture
            .catalog
            .attach(&fixture.product, &fixture.catalog.create_feature(&format!("f{number}")));
        create_endpoint(&fixture.catalog);
        emit_event(&fixture.catalog);
        fixture.catalog.create_product(&[]);
        fixture.catalog.create_price(&fixture.product, "month");
        fixture.catalog.create_clock();
        fixture.catalog.create("/v1/customers", &format!("test_clock={}", fixture.clock));
        fixture.subscribe("");
    }
    fixture.subscribe("");
    fixture.catalog.create("/v1/customers", "");
    let requests = fixture.catalog.lease_due(100);
    for request in requests.iter().filter(|request| request.endpoint == endpoint).take(COUNT) {
        fail_attempt(&fixture.catalog, request);
    }
    let lists = vec![
        ("feature", "/v1/entitlements/features?".to_owned()),
        ("product feature", format!("/v1/products/{}/features?", fixture.product)),
        (
            "active entitlement",
            format!("/v1/entitlements/active_entitlements?customer={}", fixture.customer),
        ),
        ("active entitlement", format!("/v1/customer/{}/entitlements?", fixture.customer)),
        ("product", "/v1/products?active=true".to_owned()),
        ("price", format!("/v1/prices?product={}", fixture.product)),
        ("customer", "/v1/customers?".to_owned()),
        ("customer", format!("/v1/customers?test_clock={}", fixture.clock)),
        ("subscription", format!("/v1/subscriptions?customer={}", fixture.customer)),
        ("subscription", format!("/v1/subscriptions?test_clock={}", fixture.clock)),
        ("test clock", "/v1/test_helpers/test_clocks?".to_owned()),
        ("event", "/v1/events?".to_owned()),
        ("event", "/v1/events?types[]=product.created&types[]=customer.*".to_owned()),
        ("webhook endpoint", "/v1/webhook_endpoints?".to_owned()),
        ("webhook delivery", format!("/v1/webhook_endpoints/{endpoint}/deliveries?")),
    ];
    (fixture, lists)
}

/// The ids of a page, and its `has_more`.
#[track_caller]
pub(super) fn page(catalog: &TestCatalog, target: &str) -> (Vec<String>, bool) {
    let list = catalog.get(target).expect_ok();
    assert_eq!(list["object"], json!("list"));
    assert_eq!(list["url"], json!(target.split('?').next().unwrap()));
    let ids = list["data"].as_array().unwrap().iter();
    let ids = ids.map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    (ids, list["has_more"].as_bool().unwrap())
}

#[test]
fn paging_in_either_direction_returns_each_item_once() {
    let (fixture, lists) = fixture_with_lists();
    for (_, list) in lists {
        let (all, has_more) = page(&fixture.catalog, &format!("{list}&limit=100"));
        assert!(all.len() >= COUNT && !has_more, "{list} {}", all.len());
        for limit in [1, 2, COUNT - 1, COUNT, COUNT + 1, 100] {
            let (mut down, mut cursor) = (Vec::new(), String::new());
            loop {
                let (ids, has_more) =
                    page(&fixture.catalog, &format!("{list}&limit={limit}{cursor}"));
                assert_eq!(ids.len(), limit.min(all.len() - down.len()));
                down.extend(ids);
                assert_eq!(has_more, down.len() < all.len(), "{list}, {limit} at a time, down");
                if !has_more {
                    break;
                }
                cursor = format!("&starting_after={}", down.last().unwrap());
            }
            assert_eq!(down, all, "{list}, {limit} at a time");
            let mut up = vec![all.last().unwrap().clone()];
            loop {
                let cursor = format!("&ending_before={}", up[0]);
                let (ids, has_more) =
                    page(&fixture.catalog, &format!("{list}&limit={limit}{cursor}"));
                assert_eq!(ids.len(), limit.min(all.len() - up.len()));
                up.splice(..0, ids);
                assert_eq!(has_more, up.len() < all.len(), "{list}, {limit} at a time, up");
                if !has_more {
                    break;
                }
            }
            assert_eq!(up, all, "{list}, {limit} at a time, upwards");
        }
        for (cursor, id) in [("starting_after", all.last()), ("ending_before", all.first())] {
            let target = format!("{list}&{cursor}={}", id.unwrap());
            assert_eq!(page(&fixture.catalog, &target), (vec![], false), "{target}");
        }
    }
}

#[test]
fn a_page_has_1_to_100_items_10_by_default_and_accepts_one_cursor() {
    let (fixture, lists) = fixture_with_lists();
    let integer = "parameter_invalid_integer";
    let few = "This value must be greater than or equal to 1 (it currently is '0').";
    let many = "This value must be less than or equal to 100 (it currently is '101').";
    let both = "You may only specify one of these parameters: ending_before, starting_after.";
    for (kind, list) in lists {
        let unknown = format!("No such {kind}: 'x_1'");
        let empty = format!("No such {kind}: ''");
        for (query, code, param, message) in [
            ("limit=0", integer, "limit", few),
            ("limit=101", integer, "limit", many),
            ("limit=ten", integer, "limit", "Invalid integer: ten"),
            ("limit=", integer, "limit", "Invalid integer: "),
            ("starting_after=x_1", "resource_missing", "starting_after", &unknown),
            ("ending_before=x_1", "resource_missing", "ending_before", &unknown),
            ("starting_after=", "resource_missing", "starting_after", &empty),
            ("starting_after=x_1&ending_before=x_1", "parameter_invalid", "ending_before", both),
            ("page=2", "parameter_unknown", "page", "Received unknown parameter: page"),
        ] {
            let rejected = fixture.catalog.get(&format!("{list}&{query}"));
            assert_eq!(rejected.error(), (400, code, param, message), "{list}&{query}");
        }
    }
    let catalog = TestCatalog::new();
    for count in [10, 11] {
        while page(&catalog, "/v1/customers?limit=100").0.len() < count {
            catalog.create("/v1/customers", "");
        }
        let (ids, has_more) = page(&catalog, "/v1/customers");
        assert_eq!((ids.len(), has_more), (10, count == 11));
    }
}

#[test]
fn changes_between_two_pages_do_not_move_other_items() {
    let catalog = TestCatalog::new();
    let [oldest, old, middle, new] = [1, 2, 3, 4].map(|_| catalog.create("/v1/customers", ""));
    assert_eq!(page(&catalog, "/v1/customers?limit=2"), (vec![new.clone(), middle.clone()], true));
    let newest = catalog.create("/v1/customers", "");
    catalog.delete(&format!("/v1/customers/{new}")).expect_ok();
    catalog.delete(&format!("/v1/customers/{old}")).expect_ok();
    catalog.post(&format!("/v1/customers/{oldest}"), "name=Ada").expect_ok();
    let next = format!("/v1/customers?limit=2&starting_after={middle}");
    assert_eq!(page(&catalog, &next), (vec![oldest], false), "an update does not move an item");
    let back = format!("/v1/customers?limit=2&ending_before={middle}");
    assert_eq!(page(&catalog, &back), (vec![newest], false));
}

#[test]
fn a_cursor_and_created_bounds_apply_together() {
    let mut catalog = TestCatalog::new();
    let created = [0, 10, 10, 20, 30].map(|seconds| {
        catalog.now = Timestamp(NOW.0 + seconds);
        catalog.create("/v1/customers", "")
    });
    let bound = |bound: &str, seconds: i64| format!("created[{bound}]={}", NOW.0 + seconds);
    for (cursor, bounds, expected, has_more) in [
        ("starting_after", 3, bound("gte", 10), &[2, 1][..], false),
        ("starting_after", 3, bound("gt", 10), &[], false),
        ("starting_after", 2, bound("gte", 0), &[1, 0], false),
        ("starting_after", 4, bound("gte", 0), &[3, 2], true),
        ("starting_after", 4, bound("lt", 20), &[2, 1], true),
        ("starting_after", 0, bound("lt", 20), &[], false),
        ("ending_before", 1, bound("lte", 10), &[2], false),
        ("ending_before", 1, bound("lte", 30), &[3, 2], true),
        ("ending_before", 0, bound("gte", 20), &[4, 3], false),
        ("ending_before", 4, bound("lte", 30), &[], false),
    ]
    .map(|(cursor, id, bounds, expected, has_more)| {
        (format!("{cursor}={}", created[id]), bounds, expected, has_more)
    }) {
        let target = format!("/v1/customers?limit=2&{cursor}&{bounds}");
        let expected: Vec<_> = expected.iter().map(|index| created[*index].clone()).collect();
        assert_eq!(page(&catalog, &target), (expected, has_more), "{target}");
    }
}

/// The lists select some of 250 products by id.
#[test]
fn a_filtered_page_is_full_even_if_its_items_are_far_apart() {
    let mut catalog = TestCatalog::new();
    catalog.rolls_back = false;
    for number in 0..250 {
        catalog.create("/v1/products", &format!("id=p{number}&name=Lamp"));
    }
    let list = |selected: &[usize], query: &str| {
        let ids: Vec<_> = selected.iter().map(|number| format!("&ids[]=p{number}")).collect();
        let (ids, has_more) = page(&catalog, &format!("/v1/products?{query}{}", ids.concat()));
        let numbers = ids.iter().map(|id| id.trim_start_matches('p').parse::<usize>().unwrap());
        (numbers.collect::<Vec<_>>(), has_more)
    };
    let some = [0, 1, 99, 100, 149, 150, 249];
    for (query, expected, has_more) in [
        ("limit=100", &[249, 150, 149, 100, 99, 1, 0][..], false),
        ("limit=7", &[249, 150, 149, 100, 99, 1, 0], false),
        ("limit=6", &[249, 150, 149, 100, 99, 1], true),
        ("limit=1", &[249], true),
        ("limit=2&starting_after=p150", &[149, 100], true),
        ("limit=2&starting_after=p149", &[100, 99], true),
        ("limit=2&starting_after=p99", &[1, 0], false),
        ("limit=2&ending_before=p0", &[99, 1], true),
        ("limit=2&ending_before=p149", &[249, 150], false),
        ("limit=1&ending_before=p149", &[150], true),
        ("limit=1&ending_before=p150", &[249], false),
    ] {
        assert_eq!(list(&some, query), (expected.to_vec(), has_more), "{query}");
    }
    assert_eq!(list(&[0], "limit=1"), (vec![0], false));
    assert_eq!(list(&[0, 249], "limit=1&ending_before=p0"), (vec![249], false));
    let target = "/v1/products?ids[]=p1&starting_after=p2";
    let message = "No such product: 'p2'";
    let expected = (400, "resource_missing", "starting_after", message);
    assert_eq!(catalog.get(target).error(), expected, "the cursor is not in the list");
    let evens: Vec<_> = (0..250).step_by(2).collect();
    let (found, has_more) = list(&evens, "limit=100");
    assert_eq!((found.len(), found[99], has_more), (100, 50, true));
    let (found, has_more) = list(&evens, "limit=100&starting_after=p50");
    assert_eq!((found.len(), found[24], has_more), (25, 0, false));
}

#[test]
fn subscriptions_of_several_statuses_are_listed_in_one_order() {
    let mut fixture = fixture();
    fixture.catalog.rolls_back = false;
    let created: Vec<_> = (0..210)
        .map(|number| {
            let subscription = fixture.subscribe("");
            let path = format!("/v1/subscriptions/{subscription}");
            match number % 3 {
                0 => {}
                1 => drop(fixture.pause(&subscription).expect_ok()),
                _ => drop(fixture.catalog.delete(&path).expect_ok()),
            }
            subscription
        })
        .collect();
    let expected_ids = |is_listed: fn(usize) -> bool| -> Vec<&String> {
        created
            .iter()
            .enumerate()
            .rev()
            .filter(|(number, _)| is_listed(*number))
            .map(|(_, id)| id)
            .collect()
    };
    let (clock, customer) =
        (format!("test_clock={}", fixture.clock), format!("customer={}", fixture.customer));
    let price = format!("{clock}&price={}", fixture.price);
    for (query, is_listed) in [
        ("", (|number| number % 3 != 2) as fn(usize) -> bool),
        ("&status=all", |_| true),
        ("&status=active", |number| number % 3 == 0),
        ("&status=ended", |number| number % 3 == 2),
    ] {
        for filter in [&clock, &customer, &price] {
            let list = format!("/v1/subscriptions?limit=100&{filter}{query}");
            let expected = expected_ids(is_listed);
            let mut found = Vec::new();
            let mut cursor = String::new();
            loop {
                let (ids, has_more) = page(&fixture.catalog, &format!("{list}{cursor}"));
                found.extend(ids);
                let Some(id) = found.last().filter(|_| has_more) else { break };
                cursor = format!("&starting_after={id}");
            }
            assert!(found.iter().eq(expected.iter().copied()), "{list}");
            let page_before =
                page(&fixture.catalog, &format!("{list}&ending_before={}", created[0]));
            let above = &expected[..expected.len() - usize::from(is_listed(0))];
            let nearest = &above[above.len().saturating_sub(100)..];
            assert!(page_before.0.iter().eq(nearest.iter().copied()), "{list}");
            assert_eq!(page_before.1, above.len() > 100, "{list}");
        }
    }
}
