//! Items with different billing intervals, which flexible billing allows.
//!
//! Specification: <https://docs.stripe.com/billing/subscriptions/mixed-interval>,
//! <https://docs.stripe.com/changelog/basil/2025-07-30/cancel-at-enums>.

use serde_json::{Value, json};

use super::fixture::{DAY, FEBRUARY, Fixture, JANUARY, MARCH, fixture};

/// One year after [`JANUARY`], computed with `Date.UTC` of Node.
const NEXT_JANUARY: i64 = 1_831_536_000;

/// A fixture, and a yearly price of another product with the feature `sso`.
fn fixture_with_yearly_price() -> (Fixture, String) {
    let fixture = fixture();
    let feature = fixture.catalog.create_feature("sso");
    let product = fixture.catalog.create_product(&[&feature]);
    let yearly = fixture.catalog.create_price(&product, "year");
    (fixture, yearly)
}

/// The period of each item.
fn periods(subscription: &Value) -> Vec<[i64; 2]> {
    let items = subscription["items"]["data"].as_array().unwrap().iter();
    let period = |item: &Value| {
        ["current_period_start", "current_period_end"].map(|name| item[name].as_i64().unwrap())
    };
    items.map(period).collect()
}

#[track_caller]
fn update(fixture: &Fixture, id: &str, form: &str) -> Value {
    fixture.update(id, form).expect_ok()
}

#[test]
fn each_item_is_billed_at_its_own_interval() {
    let (fixture, yearly) = fixture_with_yearly_price();
    let id = fixture.subscribe(&format!("&items[1][price]={yearly}"));
    let year = [JANUARY, NEXT_JANUARY];
    assert_eq!(periods(&fixture.retrieve(&id)), [[JANUARY, FEBRUARY], year]);
    assert_eq!(fixture.retrieve(&id)["billing_mode"]["type"], json!("flexible"));
    fixture.advance(FEBRUARY);
    assert_eq!(periods(&fixture.retrieve(&id)), [[FEBRUARY, MARCH], year]);
    fixture.advance(NEXT_JANUARY);
    let [month, year] = periods(&fixture.retrieve(&id)).try_into().unwrap();
    assert_eq!((month[0], year[0]), (NEXT_JANUARY, NEXT_JANUARY));
    assert_eq!(year[1] - year[0], 366 * DAY, "2028 is a leap year");
}

#[test]
fn an_item_within_its_period_keeps_its_features_when_another_one_renews() {
    let (fixture, yearly) = fixture_with_yearly_price();
    let id = fixture.subscribe(&format!("&items[1][price]={yearly}"));
    let [monthly_product, yearly_product] = [0, 1].map(|item| {
        let product = &fixture.retrieve(&id)["items"]["data"][item]["price"]["product"];
        product.as_str().unwrap().to_owned()
    });
    for (product, key) in [(monthly_product, "fax"), (yearly_product, "api")] {
        let feature = fixture.catalog.create_feature(key);
        fixture.catalog.attach(&product, &feature);
    }
    let keys = || {
        let mut keys = fixture.entitled_keys();
        keys.sort();
        keys
    };
    assert_eq!(keys(), ["sms", "sso"]);
    fixture.advance(FEBRUARY);
    assert_eq!(keys(), ["fax", "sms", "sso"]);
    fixture.advance(NEXT_JANUARY);
    assert_eq!(keys(), ["api", "fax", "sms", "sso"]);
}

#[test]
fn an_item_with_another_interval_is_added_and_removed_without_a_new_billing_cycle() {
    let (fixture, yearly) = fixture_with_yearly_price();
    let id = fixture.subscribe("");
    fixture.advance(FEBRUARY + DAY);
    let added = update(&fixture, &id, &format!("items[0][price]={yearly}"));
    assert_eq!(added["billing_cycle_anchor"], json!(JANUARY));
    assert_eq!(periods(&added), [[FEBRUARY, MARCH], [JANUARY, NEXT_JANUARY]]);
    let monthly = added["items"]["data"][0]["id"].as_str().unwrap();
    let removed = update(&fixture, &id, &format!("items[0][id]={monthly}&items[0][deleted]=true"));
    assert_eq!(periods(&removed), [[JANUARY, NEXT_JANUARY]]);
    let back = update(&fixture, &id, &format!("items[0][price]={}", fixture.price));
    assert_eq!(periods(&back), [[JANUARY, NEXT_JANUARY], [FEBRUARY, MARCH]]);

    let reset = update(&fixture, &id, "billing_cycle_anchor=now");
    let starts: Vec<i64> = periods(&reset).iter().map(|[start, _]| *start).collect();
    assert_eq!(starts, [FEBRUARY + DAY, FEBRUARY + DAY]);
}

#[test]
fn a_trial_is_the_period_of_every_item() {
    let (fixture, yearly) = fixture_with_yearly_price();
    let id = fixture.subscribe(&format!("&items[1][price]={yearly}&trial_period_days=7"));
    let trial = [JANUARY, JANUARY + 7 * DAY];
    assert_eq!(periods(&fixture.retrieve(&id)), [trial, trial]);
    fixture.advance(JANUARY + 7 * DAY);
    let ends: Vec<i64> = periods(&fixture.retrieve(&id)).iter().map(|[_, end]| *end).collect();
    assert_eq!(ends, [FEBRUARY + 7 * DAY, NEXT_JANUARY + 7 * DAY]);
}

#[test]
fn a_subscription_is_canceled_at_the_end_of_its_first_or_its_last_period() {
    for (form, at, at_period_end) in [
        ("cancel_at=min_period_end", FEBRUARY, false),
        ("cancel_at=max_period_end", NEXT_JANUARY, false),
        ("cancel_at_period_end=true", FEBRUARY, true),
    ] {
        let (fixture, yearly) = fixture_with_yearly_price();
        let created = fixture.subscribe(&format!("&items[1][price]={yearly}&{form}"));
        let updated = fixture.subscribe(&format!("&items[1][price]={yearly}"));
        update(&fixture, &updated, form);
        for id in [&created, &updated] {
            let subscription = fixture.retrieve(id);
            assert_eq!(subscription["cancel_at"], json!(at), "{form}");
            assert_eq!(subscription["cancel_at_period_end"], json!(at_period_end), "{form}");
        }
        for (time, status) in [(at - 1, "active"), (at, "canceled")] {
            fixture.advance(time);
            let statuses = [&created, &updated].map(|id| fixture.status(id));
            assert_eq!(statuses, [status, status], "{form}");
        }
    }
}

#[test]
fn the_end_of_a_period_is_resolved_at_once() {
    let fixture = fixture();
    let id = fixture.subscribe("&trial_period_days=7&cancel_at=max_period_end");
    assert_eq!(fixture.retrieve(&id)["cancel_at"], json!(JANUARY + 7 * DAY));
    let id = fixture.subscribe("&cancel_at=min_period_end");
    let yearly = fixture.catalog.create_price(&fixture.product, "year");
    let item = fixture.retrieve(&id)["items"]["data"][0]["id"].as_str().unwrap().to_owned();
    let to_yearly = format!("items[0][id]={item}&items[0][price]={yearly}");
    let updated = update(&fixture, &id, &to_yearly);
    assert_eq!(updated["cancel_at"], json!(FEBRUARY), "a later period does not move it");
    let updated = update(&fixture, &id, "cancel_at=max_period_end");
    assert_eq!(updated["cancel_at"], json!(NEXT_JANUARY));
    assert_eq!(update(&fixture, &id, "cancel_at=")["cancel_at"], json!(null));
    for form in ["cancel_at=min_period_end&cancel_at_period_end=true", "cancel_at=period_end"] {
        let rejected = fixture.update(&id, form);
        assert_eq!((rejected.status, rejected.error().2), (400, "cancel_at"), "{form}");
    }
}
