//! Deliveries: when they are tried, by whom they are put off, and when nobody tries any more.

use std::cell::Cell;

use entgate::{
    catalog::{
        Tx,
        deliveries::{self, AttemptOutcome, WebhookRequest},
    },
    id::Timestamp,
};
use serde_json::{Value, json};

use super::{
    Shop,
    fixture::{DAY, members},
    shop,
};
use crate::support::NOW;

const ENDPOINTS: &str = "/v1/webhook_endpoints";

/// An endpoint that is told of everything.
#[track_caller]
pub(crate) fn endpoint(shop: &Shop) -> String {
    shop.make(ENDPOINTS, "url=https://example.com/hook&enabled_events[]=*")
}

/// Something happens: the id of the event.
#[track_caller]
pub(crate) fn tell(shop: &Shop) -> String {
    shop.make("/v1/customers", "");
    let events = shop.get("/v1/events?limit=1").done();
    events["data"][0]["id"].as_str().unwrap().to_owned()
}

pub(crate) fn pending(shop: &Shop, event: &str) -> Value {
    shop.get(&format!("/v1/events/{event}")).done()["pending_webhooks"].clone()
}

/// The one delivery that is due.
#[track_caller]
pub(crate) fn taken(shop: &Shop) -> WebhookRequest {
    let mut parcels = shop.take(100);
    assert_eq!(parcels.len(), 1);
    parcels.remove(0)
}

pub(crate) fn fail(shop: &Shop, parcel: &WebhookRequest) {
    shop.report(&parcel.delivery, AttemptOutcome::Responded(500));
}

/// The log of an endpoint, newest first, by these members.
#[track_caller]
pub(crate) fn log(shop: &Shop, endpoint: &str, names: &[&str]) -> Vec<Value> {
    let list = shop.get(&format!("{ENDPOINTS}/{endpoint}/deliveries?limit=100")).done();
    let data = list["data"].as_array().unwrap().iter();
    data.map(|attempt| members(attempt, names)).collect()
}

fn later(seconds: i64) -> Timestamp {
    Timestamp(NOW.0 + seconds)
}

/// How much longer a pause is than it must be.
#[derive(Clone, Copy)]
enum Luck {
    Least,
    Most,
}

/// Takes a delivery and fails, again and again: after how many seconds each time.
fn tries(shop: &mut Shop, luck: Luck) -> Vec<i64> {
    // What all the lengths divide that there are to choose from.
    const ALL: u64 = 182_658_305_830;
    let count = Cell::new(0);
    let chance = || {
        count.set(count.get() + 1);
        match luck {
            Luck::Least => count.get() * ALL,
            Luck::Most => (count.get() + 1) * ALL - 1,
        }
    };
    let mut seconds = Vec::new();
    while let Some(due) = shop.next_delivery() {
        shop.now = due;
        seconds.push(due.0 - NOW.0);
        let parcel = taken(shop);
        let catalog = Tx::new(&shop.shelf, shop.livemode, shop.policy, &chance, shop.now);
        deliveries::record_attempt(&catalog, &parcel.delivery, AttemptOutcome::Responded(500))
            .unwrap();
    }
    seconds
}

/// By the rule: 1, 4, 16 … 43 200 s, up to a tenth more, and what is left of the second that it is.
#[test]
fn what_fails_is_tried_13_or_14_times_in_three_days() {
    let least =
        [0, 2, 7, 24, 89, 346, 1_371, 5_468, 21_853, 65_054, 108_255, 151_456, 194_657, 237_858];
    let most = [0, 2, 7, 25, 96, 378, 1_505, 6_011, 24_034, 71_555, 119_076, 166_597, 214_118];
    for (luck, expected) in [(Luck::Least, &least[..]), (Luck::Most, &most)] {
        let mut shop = shop();
        let endpoint = endpoint(&shop);
        let event = tell(&shop);
        assert_eq!(tries(&mut shop, luck), expected);
        assert_eq!(pending(&shop, &event), json!(0));
        let log = log(&shop, &endpoint, &["attempt", "created", "next_attempt"]);
        let tried = expected.iter().enumerate().map(|(index, seconds)| {
            let next = expected.get(index + 1).map(|seconds| NOW.0 + seconds);
            json!([index + 1, NOW.0 + seconds, next])
        });
        assert!(log.into_iter().rev().eq(tried));
    }
}

#[test]
fn the_last_try_is_three_days_after_the_event_and_not_a_second_later() {
    for (seconds, next) in
        [(3 * DAY - 2, Some(later(3 * DAY))), (3 * DAY - 1, None), (3 * DAY, None)]
    {
        let mut shop = shop();
        let endpoint = endpoint(&shop);
        let event = tell(&shop);
        shop.now = later(seconds);
        fail(&shop, &taken(&shop));
        assert_eq!(log(&shop, &endpoint, &["next_attempt"]), [json!([next])], "{seconds}");
        assert_eq!(pending(&shop, &event), json!(u8::from(next.is_some())), "{seconds}");
        if let Some(next) = next {
            shop.now = next;
            fail(&shop, &taken(&shop));
        }
        assert_eq!((shop.next_delivery(), pending(&shop, &event)), (None, json!(0)), "{seconds}");
    }
}

#[test]
fn what_was_taken_is_taken_again_after_60_seconds_unless_its_fate_is_known() {
    let mut shop = shop();
    let endpoint = endpoint(&shop);
    tell(&shop);
    let first = taken(&shop);
    for lost in [60, 120, 180] {
        assert_eq!(shop.next_delivery(), Some(later(lost)));
        shop.now = later(lost - 1);
        assert_eq!(shop.take(100), []);
        shop.now = later(lost);
        let again = taken(&shop);
        assert_eq!((&again.delivery, &again.body), (&first.delivery, &first.body));
        assert_ne!(again.signature, first.signature, "it is signed as of now");
    }
    assert_eq!(log(&shop, &endpoint, &[]), [Value::Null; 0], "nobody knows how they went");
    fail(&shop, &first);
    assert_eq!(log(&shop, &endpoint, &["attempt"]), [json!([1])]);
    assert_eq!(shop.next_delivery(), Some(later(182)));
    shop.report(&first.delivery, AttemptOutcome::Responded(200));
    assert_eq!(shop.next_delivery(), None, "one who came late succeeded");
    for outcome in [AttemptOutcome::Responded(500), AttemptOutcome::Responded(200)] {
        shop.report(&first.delivery, outcome);
    }
    assert_eq!((shop.next_delivery(), log(&shop, &endpoint, &[]).len()), (None, 2));
}

#[test]
fn what_is_2xx_is_done_and_anything_else_is_tried_again() {
    let answered = |status| (AttemptOutcome::Responded(status), json!(status), Value::Null);
    let failed = (
        AttemptOutcome::Failed("no route to host".to_owned()),
        Value::Null,
        json!("no route to host"),
    );
    for (success, (outcome, status, error)) in [
        (true, answered(200)),
        (true, answered(204)),
        (true, answered(299)),
        (false, answered(199)),
        (false, answered(300)),
        (false, answered(301)),
        (false, answered(308)),
        (false, answered(400)),
        (false, answered(410)),
        (false, answered(500)),
        (false, failed),
    ] {
        let shop = shop();
        let endpoint = endpoint(&shop);
        let event = tell(&shop);
        shop.report(&taken(&shop).delivery, outcome);
        let next = (!success).then(|| later(2));
        assert_eq!(shop.next_delivery(), next, "{status}");
        assert_eq!(pending(&shop, &event), json!(u8::from(!success)), "{status}");
        let mut list = shop.get(&format!("{ENDPOINTS}/{endpoint}/deliveries")).done();
        assert!(list["data"][0]["id"].take().as_str().unwrap().starts_with("wha_"));
        let expected = json!([{
            "id": null,
            "object": "webhook_delivery",
            "attempt": 1,
            "created": NOW,
            "endpoint": endpoint,
            "error": error,
            "event": event,
            "event_type": "customer.created",
            "next_attempt": next,
            "outcome": if success { "succeeded" } else { "failed" },
            "status": status,
        }]);
        assert_eq!(list["data"], expected);
    }
}

#[test]
fn an_endpoint_that_is_disabled_when_a_try_is_due_gets_none_of_it() {
    for (disabled_at, enabled_at, tried) in
        [(0, None, false), (1, None, false), (0, Some(1), true), (2, Some(2), true)]
    {
        let mut shop = shop();
        let path = format!("{ENDPOINTS}/{}", endpoint(&shop));
        let event = tell(&shop);
        fail(&shop, &taken(&shop));
        for (at, flag) in [(Some(disabled_at), true), (enabled_at, false)] {
            let Some(at) = at else { continue };
            shop.now = later(at);
            shop.post(&path, &format!("disabled={flag}")).done();
            if at < 2 {
                assert_eq!(shop.take(100), [], "nothing is due");
                assert_eq!(pending(&shop, &event), json!(1));
            }
        }
        assert_eq!(shop.next_delivery(), Some(later(2)));
        shop.now = later(2);
        assert_eq!(shop.take(100).len(), usize::from(tried));
        assert_eq!(pending(&shop, &event), json!(u8::from(tried)));
        shop.post(&path, "disabled=false").done();
        let next = tried.then(|| later(62));
        assert_eq!(shop.next_delivery(), next, "what was given up does not come back");
    }
    let shop = shop();
    let path = format!("{ENDPOINTS}/{}", endpoint(&shop));
    shop.post(&path, "disabled=true").done();
    let event = tell(&shop);
    shop.post(&path, "disabled=false").done();
    assert_eq!((shop.next_delivery(), pending(&shop, &event)), (None, json!(0)));
}

#[test]
fn what_is_owed_to_an_endpoint_that_is_deleted_or_disabled_is_given_up_100_at_a_time() {
    for (count, left) in [(1, 0), (99, 0), (100, 0), (101, 1), (250, 150)] {
        for deleted in [true, false] {
            let mut shop = shop();
            shop.rolls_back = false;
            let path = format!("{ENDPOINTS}/{}", endpoint(&shop));
            let events: Vec<_> = (0..count).map(|_| tell(&shop)).collect();
            if deleted {
                shop.delete(&path).done();
            } else {
                shop.post(&path, "disabled=true").done();
            }
            let owed = |shop: &Shop| {
                events.iter().filter(|event| pending(shop, event) == json!(1)).count()
            };
            assert_eq!(owed(&shop), count);
            assert_eq!(shop.take(100), []);
            assert_eq!(owed(&shop), left, "{count}");
            while shop.next_delivery() == Some(NOW) {
                assert_eq!(shop.take(100), []);
            }
            assert_eq!((shop.next_delivery(), owed(&shop)), (None, 0), "{count}");
        }
    }
}

#[test]
fn what_is_under_way_to_an_endpoint_that_is_deleted_is_not_tried_again() {
    for (buried, outcome) in [(false, 500), (true, 500), (false, 200), (true, 200)] {
        let mut shop = shop();
        let id = endpoint(&shop);
        let other = endpoint(&shop);
        shop.post(&format!("{ENDPOINTS}/{other}"), "disabled=true").done();
        let event = tell(&shop);
        let parcel = taken(&shop);
        shop.delete(&format!("{ENDPOINTS}/{id}")).done();
        if buried {
            assert_eq!(shop.take(100), []);
        }
        shop.report(&parcel.delivery, AttemptOutcome::Responded(outcome));
        for seconds in [0, 2, 60] {
            shop.now = later(seconds);
            assert_eq!(shop.take(100), []);
        }
        assert_eq!((shop.next_delivery(), pending(&shop, &event)), (None, json!(0)));
        assert_eq!(shop.get(&format!("{ENDPOINTS}/{id}/deliveries")).status, 404);
    }
}

#[test]
fn each_endpoint_is_sent_as_much_as_there_is_room_for_and_the_oldest_first() {
    let mut shop = shop();
    let slow = endpoint(&shop);
    let [first, second] = [tell(&shop), tell(&shop)];
    shop.now = later(1);
    let fast = endpoint(&shop);
    let [third, fourth] = [tell(&shop), tell(&shop)];
    let take = |limit: usize, [to_slow, to_fast]: [usize; 2]| {
        let room = |endpoint: &str| if endpoint == slow { to_slow } else { to_fast };
        let parcels = shop.with(|catalog| deliveries::lease_due(&catalog, limit, &room)).unwrap();
        let parcels = parcels.into_iter().map(|WebhookRequest { endpoint, body, .. }| {
            let event: Value = serde_json::from_str(&body).unwrap();
            (endpoint, event["id"].as_str().unwrap().to_owned())
        });
        parcels.collect::<Vec<_>>()
    };
    let due = |[to_slow, to_fast]: [usize; 2]| {
        let room = |endpoint: &str| if endpoint == slow { to_slow } else { to_fast };
        shop.with(|catalog| deliveries::next_due(&catalog, &room)).unwrap()
    };
    let [to_slow, to_fast] =
        [&slow, &fast].map(|endpoint| |event: &String| (endpoint.clone(), event.clone()));
    assert_eq!(take(0, [9, 9]), []);
    assert_eq!(take(9, [0, 0]), []);
    assert_eq!([due([0, 0]), due([0, 1]), due([1, 0])], [None, Some(later(1)), Some(NOW)]);
    assert_eq!(take(9, [0, 1]), [to_fast(&third)], "who has no room holds up nobody");
    assert_eq!(take(1, [9, 9]), [to_slow(&first)], "the oldest is first");
    assert_eq!(take(9, [1, 9]), [to_slow(&second), to_fast(&fourth)]);
    assert_eq!(take(9, [1, 9]), [to_slow(&third)]);
    assert_eq!(due([0, 1]), Some(later(61)), "all that is for it is under way");
    assert_eq!(take(9, [9, 9]), [to_slow(&fourth)]);
    shop.post(&format!("{ENDPOINTS}/{slow}"), "disabled=true").done();
    assert_eq!(due([0, 0]), Some(later(61)), "to be given up, it needs no room");
}
