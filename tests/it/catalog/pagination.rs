//! Lists, a page at a time: all of them alike.

use entgate::id::Timestamp;
use serde_json::json;

use super::{
    Shop,
    deliveries::{endpoint, fail, tell},
    fixture::{Stage, stage},
    shop,
};
use crate::support::NOW;

/// How many things each list has.
const COUNT: usize = 5;

/// Every list, with five things in it or more.
fn lists() -> (Stage, Vec<(&'static str, String)>) {
    let mut stage = stage();
    let told = endpoint(&stage.shop);
    // Two of a second, and some by themselves.
    for (number, second) in [(1, 0), (2, 1), (3, 1), (4, 2)] {
        stage.shop.now = Timestamp(NOW.0 + second);
        stage.shop.attach(&stage.product, &stage.shop.feature(&format!("f{number}")));
        endpoint(&stage.shop);
        tell(&stage.shop);
        stage.shop.product(&[]);
        stage.shop.price(&stage.product, "month");
        stage.shop.clock();
        stage.shop.make("/v1/customers", &format!("test_clock={}", stage.clock));
        stage.subscribe("");
    }
    stage.subscribe("");
    stage.shop.make("/v1/customers", "");
    let parcels = stage.shop.take(100);
    for parcel in parcels.iter().filter(|parcel| parcel.endpoint == told).take(COUNT) {
        fail(&stage.shop, parcel);
    }
    let lists = vec![
        ("feature", "/v1/entitlements/features?".to_owned()),
        ("product feature", format!("/v1/products/{}/features?", stage.product)),
        (
            "active entitlement",
            format!("/v1/entitlements/active_entitlements?customer={}", stage.customer),
        ),
        ("active entitlement", format!("/v1/customer/{}/entitlements?", stage.customer)),
        ("product", "/v1/products?active=true".to_owned()),
        ("price", format!("/v1/prices?product={}", stage.product)),
        ("customer", "/v1/customers?".to_owned()),
        ("customer", format!("/v1/customers?test_clock={}", stage.clock)),
        ("subscription", format!("/v1/subscriptions?customer={}", stage.customer)),
        ("subscription", format!("/v1/subscriptions?test_clock={}", stage.clock)),
        ("test clock", "/v1/test_helpers/test_clocks?".to_owned()),
        ("event", "/v1/events?".to_owned()),
        ("event", "/v1/events?types[]=product.created&types[]=customer.*".to_owned()),
        ("webhook endpoint", "/v1/webhook_endpoints?".to_owned()),
        ("webhook delivery", format!("/v1/webhook_endpoints/{told}/deliveries?")),
    ];
    (stage, lists)
}

/// The ids of a page, and whether there is more.
#[track_caller]
fn page(shop: &Shop, target: &str) -> (Vec<String>, bool) {
    let list = shop.get(target).done();
    assert_eq!(list["object"], json!("list"));
    assert_eq!(list["url"], json!(target.split('?').next().unwrap()));
    let ids = list["data"].as_array().unwrap().iter();
    let ids = ids.map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    (ids, list["has_more"].as_bool().unwrap())
}

#[test]
fn whoever_goes_through_a_list_in_either_direction_sees_each_thing_once() {
    let (stage, lists) = lists();
    for (_, list) in lists {
        let (all, more) = page(&stage.shop, &format!("{list}&limit=100"));
        assert!(all.len() >= COUNT && !more, "{list} {}", all.len());
        for limit in [1, 2, COUNT - 1, COUNT, COUNT + 1, 100] {
            let (mut down, mut cursor) = (Vec::new(), String::new());
            loop {
                let (ids, more) = page(&stage.shop, &format!("{list}&limit={limit}{cursor}"));
                assert_eq!(ids.len(), limit.min(all.len() - down.len()));
                down.extend(ids);
                assert_eq!(more, down.len() < all.len(), "{list}, {limit} at a time, down");
                if !more {
                    break;
                }
                cursor = format!("&starting_after={}", down.last().unwrap());
            }
            assert_eq!(down, all, "{list}, {limit} at a time");
            let mut up = vec![all.last().unwrap().clone()];
            loop {
                let cursor = format!("&ending_before={}", up[0]);
                let (ids, more) = page(&stage.shop, &format!("{list}&limit={limit}{cursor}"));
                assert_eq!(ids.len(), limit.min(all.len() - up.len()));
                up.splice(..0, ids);
                assert_eq!(more, up.len() < all.len(), "{list}, {limit} at a time, up");
                if !more {
                    break;
                }
            }
            assert_eq!(up, all, "{list}, {limit} at a time, upwards");
        }
        for (cursor, id) in [("starting_after", all.last()), ("ending_before", all.first())] {
            let target = format!("{list}&{cursor}={}", id.unwrap());
            assert_eq!(page(&stage.shop, &target), (vec![], false), "{target}");
        }
    }
}

#[test]
fn a_page_has_1_to_100_things_10_if_nothing_is_said_and_one_cursor() {
    let (stage, lists) = lists();
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
            let refused = stage.shop.get(&format!("{list}&{query}"));
            assert_eq!(refused.refusal(), (400, code, param, message), "{list}&{query}");
        }
    }
    let shop = shop();
    for count in [10, 11] {
        while page(&shop, "/v1/customers?limit=100").0.len() < count {
            shop.make("/v1/customers", "");
        }
        let (ids, more) = page(&shop, "/v1/customers");
        assert_eq!((ids.len(), more), (10, count == 11));
    }
}

/// Cursors of things that were in the list when the last page was read.
#[test]
fn what_has_left_a_list_still_marks_its_place_unless_it_is_gone_altogether() {
    let stage = stage();
    let shop = &stage.shop;
    let [customer, product] = [&stage.customer, &stage.product];
    let same = |form: &str| [form, form, form].map(str::to_owned);
    let keys = ["a", "b", "c"].map(|key| format!("lookup_key={key}&name=x"));
    for (list, path, forms, method, change) in [
        ("/v1/entitlements/features?", "/v1/entitlements/features", keys, "POST", "active=false"),
        (
            "/v1/prices?active=true",
            "/v1/prices",
            same(&format!("product={product}&currency=usd")),
            "POST",
            "active=false",
        ),
        ("/v1/products?active=true", "/v1/products", same("name=x"), "POST", "active=false"),
        ("/v1/customers?email=a", "/v1/customers", same("email=a"), "POST", "email=b"),
        ("/v1/customers?email=c", "/v1/customers", same("email=c"), "DELETE", ""),
        (
            &format!("/v1/subscriptions?customer={customer}"),
            "/v1/subscriptions",
            same(&stage.purchase("")),
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
        let [below, left, above] = forms.map(|form| shop.make(path, &form));
        shop.request(method, &format!("{path}/{left}"), &[], change).done();
        let at = |cursor: &str| page(shop, &format!("{list}&limit=1&{cursor}={left}")).0;
        assert_eq!([at("starting_after"), at("ending_before")], [[below], [above]], "{list}");
        assert!(!page(shop, &format!("{list}&limit=100")).0.contains(&left), "{list}");
    }

    let lamp = shop.make("/v1/products", "name=Lamp");
    shop.delete(&format!("/v1/products/{lamp}")).done();
    let message = format!("No such product: '{lamp}'");
    for param in ["starting_after", "ending_before"] {
        let refused = shop.get(&format!("/v1/products?{param}={lamp}"));
        assert_eq!(refused.refusal(), (400, "resource_missing", param, message.as_str()));
    }
}

#[test]
fn what_comes_and_goes_between_two_pages_moves_nothing_else() {
    let shop = shop();
    let [oldest, old, middle, new] = [1, 2, 3, 4].map(|_| shop.make("/v1/customers", ""));
    assert_eq!(page(&shop, "/v1/customers?limit=2"), (vec![new.clone(), middle.clone()], true));
    let newest = shop.make("/v1/customers", "");
    shop.delete(&format!("/v1/customers/{new}")).done();
    shop.delete(&format!("/v1/customers/{old}")).done();
    shop.post(&format!("/v1/customers/{oldest}"), "name=Ada").done();
    let next = format!("/v1/customers?limit=2&starting_after={middle}");
    assert_eq!(page(&shop, &next), (vec![oldest], false), "to change is not to move");
    let back = format!("/v1/customers?limit=2&ending_before={middle}");
    assert_eq!(page(&shop, &back), (vec![newest], false));
}

#[test]
fn a_cursor_and_dates_bound_a_list_together() {
    let mut shop = shop();
    let made = [0, 10, 10, 20, 30].map(|seconds| {
        shop.now = Timestamp(NOW.0 + seconds);
        shop.make("/v1/customers", "")
    });
    let bound = |bound: &str, seconds: i64| format!("created[{bound}]={}", NOW.0 + seconds);
    for (cursor, bounds, expected, more) in [
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
    .map(|(cursor, id, bounds, expected, more)| {
        (format!("{cursor}={}", made[id]), bounds, expected, more)
    }) {
        let target = format!("/v1/customers?limit=2&{cursor}&{bounds}");
        let expected: Vec<_> = expected.iter().map(|index| made[*index].clone()).collect();
        assert_eq!(page(&shop, &target), (expected, more), "{target}");
    }
}

/// Of 250 products those are asked for whose ids are given, wherever among the others they are.
#[test]
fn a_page_of_what_is_picked_out_is_full_however_far_apart_it_stands() {
    let mut shop = shop();
    shop.rolls_back = false;
    for number in 0..250 {
        shop.make("/v1/products", &format!("id=p{number}&name=Lamp"));
    }
    let list = |picked: &[usize], query: &str| {
        let ids: Vec<_> = picked.iter().map(|number| format!("&ids[]=p{number}")).collect();
        let (ids, more) = page(&shop, &format!("/v1/products?{query}{}", ids.concat()));
        let numbers = ids.iter().map(|id| id.trim_start_matches('p').parse::<usize>().unwrap());
        (numbers.collect::<Vec<_>>(), more)
    };
    let some = [0, 1, 99, 100, 149, 150, 249];
    for (query, expected, more) in [
        ("limit=100", &[249, 150, 149, 100, 99, 1, 0][..], false),
        ("limit=7", &[249, 150, 149, 100, 99, 1, 0], false),
        ("limit=6", &[249, 150, 149, 100, 99, 1], true),
        ("limit=1", &[249], true),
        ("limit=2&starting_after=p150", &[149, 100], true),
        ("limit=2&starting_after=p149", &[100, 99], true),
        ("limit=2&starting_after=p99", &[1, 0], false),
        ("limit=2&starting_after=p200", &[150, 149], true),
        ("limit=2&ending_before=p0", &[99, 1], true),
        ("limit=2&ending_before=p50", &[100, 99], true),
        ("limit=2&ending_before=p149", &[249, 150], false),
        ("limit=1&ending_before=p149", &[150], true),
        ("limit=1&ending_before=p150", &[249], false),
    ] {
        assert_eq!(list(&some, query), (expected.to_vec(), more), "{query}");
    }
    assert_eq!(list(&[0], "limit=1"), (vec![0], false));
    assert_eq!(list(&[249], "limit=1&ending_before=p0"), (vec![249], false));
    let evens: Vec<_> = (0..250).step_by(2).collect();
    let (found, more) = list(&evens, "limit=100");
    assert_eq!((found.len(), found[99], more), (100, 50, true));
    let (found, more) = list(&evens, "limit=100&starting_after=p50");
    assert_eq!((found.len(), found[24], more), (25, 0, false));
}

#[test]
fn subscriptions_of_several_statuses_are_one_list() {
    let mut stage = stage();
    stage.shop.rolls_back = false;
    let made: Vec<_> = (0..210)
        .map(|number| {
            let subscription = stage.subscribe("");
            let path = format!("/v1/subscriptions/{subscription}");
            match number % 3 {
                0 => {}
                1 => drop(stage.pause(&subscription).done()),
                _ => drop(stage.shop.delete(&path).done()),
            }
            subscription
        })
        .collect();
    let left = |kept: fn(usize) -> bool| -> Vec<&String> {
        made.iter()
            .enumerate()
            .rev()
            .filter(|(number, _)| kept(*number))
            .map(|(_, id)| id)
            .collect()
    };
    let (clock, customer) =
        (format!("test_clock={}", stage.clock), format!("customer={}", stage.customer));
    let price = format!("{clock}&price={}", stage.price);
    for (query, kept) in [
        ("", (|number| number % 3 != 2) as fn(usize) -> bool),
        ("&status=all", |_| true),
        ("&status=active", |number| number % 3 == 0),
        ("&status=ended", |number| number % 3 == 2),
    ] {
        for by in [&clock, &customer, &price] {
            let list = format!("/v1/subscriptions?limit=100&{by}{query}");
            let expected = left(kept);
            let mut found = Vec::new();
            let mut cursor = String::new();
            loop {
                let (ids, more) = page(&stage.shop, &format!("{list}{cursor}"));
                found.extend(ids);
                let Some(seen) = found.last().filter(|_| more) else { break };
                cursor = format!("&starting_after={seen}");
            }
            assert!(found.iter().eq(expected.iter().copied()), "{list}");
            let upwards = page(&stage.shop, &format!("{list}&ending_before={}", made[0]));
            let above = &expected[..expected.len() - usize::from(kept(0))];
            let nearest = &above[above.len().saturating_sub(100)..];
            assert!(upwards.0.iter().eq(nearest.iter().copied()), "{list}");
            assert_eq!(upwards.1, above.len() > 100, "{list}");
        }
    }
}
