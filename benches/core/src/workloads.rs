//! The works of the core, each by the function that the edge does it with.

use std::hint::black_box;

use entgate::{
    api::hot,
    entitlement::{Coverage, Entitlements, Page, Paused, Summary},
    id::{Millis, Timestamp},
    ledger::{self, Account, List, Sighting},
    store::{ServedBy, record},
    webhook::{
        signature::{self, Secret},
        stripe::{self, Incoming, SUMMARY},
    },
};

use crate::{
    deployment::{self as edge, Edge},
    sample::{KEY, NOW, SECRET, SIZES, customer, event, key, set},
    workload::Work,
};

/// The works, in the order in which a customer's set goes its way.
#[must_use]
pub fn works() -> Vec<Work> {
    [verify(), parse(), decide(), checks(), lists(), records()].into_iter().flatten().collect()
}

/// An event, and the header that it is signed with.
fn signed(kind: &str) -> (String, String) {
    let body = event(kind, 10);
    let header = signature::sign(body.as_bytes(), Secret::new(SECRET).into_iter(), NOW);
    (body, header)
}

fn verify() -> Vec<Work> {
    let forge = |(body, header): (String, String)| (body.replace("evt_1", "evt_2"), header);
    let work = |name, (body, header): (String, String)| {
        let secrets: Vec<_> = Secret::new(SECRET).into_iter().collect();
        Work::new(name, move || {
            signature::verify(black_box(&header), black_box(body.as_bytes()), &secrets, NOW)
                .map(|_| ())
        })
    };
    vec![
        work("verify", signed(SUMMARY)),
        work("verify, forged", forge(signed(SUMMARY))),
        receive("verify and parse", signed(SUMMARY)),
        receive("verify and parse, of another type", signed("invoice.paid")),
    ]
}

/// The whole way in, up to the ledger.
fn receive(name: &str, (body, header): (String, String)) -> Work {
    let settings = edge::settings();
    Work::new(name, move || {
        hot::receive(&settings, black_box(&header), black_box(body.as_bytes()), NOW, |_| {})
    })
}

fn parse() -> Vec<Work> {
    let work = |name, kind| {
        let (body, header) = signed(kind);
        // What is measured is to borrow from what lives as long as the process.
        let body: &'static str = body.leak();
        let secrets: Vec<_> = Secret::new(SECRET).into_iter().collect();
        let verified = signature::verify(&header, body.as_bytes(), &secrets, NOW).unwrap();
        Work::new(name, move || stripe::parse(black_box(verified), Paused::Keep))
    };
    vec![work("parse", SUMMARY), work("parse, of another type", "invoice.paid")]
}

fn decide() -> Vec<Work> {
    let held = set(10);
    let same = summary(&held);
    let fewer = summary(&set(9));
    let rule = |name, held: Option<Entitlements>, summary: Summary| {
        Work::new(name, move || {
            ledger::apply(black_box(held.as_ref()), Sighting::First, black_box(&summary))
        })
    };
    let mut account = Account { held: Some(held.clone()), ..Account::default() };
    let mut turns = [summary(&set(9)), summary(&held)].into_iter().cycle();
    vec![
        rule("decide, the first event", None, same.clone()),
        rule("decide, nothing new", Some(held.clone()), same),
        rule("decide, one less", Some(held), fewer),
        Work::new("decide, with all that is kept of a customer", move || {
            let summary = turns.next().unwrap();
            account.receive(&summary, Sighting::First, List::Confirms, Millis::from(NOW))
        }),
    ]
}

/// The event that says so, as it was parsed.
fn summary(set: &Entitlements) -> Summary {
    let body = event(SUMMARY, set.data.len());
    let secret = || Secret::new(SECRET).into_iter();
    let header = signature::sign(body.as_bytes(), secret(), NOW);
    let secrets: Vec<_> = secret().collect();
    let verified = signature::verify(&header, body.as_bytes(), &secrets, NOW).unwrap();
    let Ok(Incoming::Summary(summary)) = stripe::parse(verified, Paused::Keep) else {
        panic!("no summary")
    };
    assert_eq!(summary.page, Some(Page::Whole(set.data.clone())));
    assert_eq!(summary.created, Timestamp(1_706_111_369));
    summary
}

fn checks() -> Vec<Work> {
    let url = |feature: usize| {
        let customer = customer().id;
        format!("https://edge.example.com/v1/check?customer={customer}&feature={}", key(feature))
    };
    let authorization = format!("Bearer {KEY}");
    let ask = {
        let (settings, url, authorization) = (edge::settings(), url(9), authorization.clone());
        Work::new("check: ask", move || {
            hot::ask(&settings, black_box(&url), black_box(&authorization), NOW)
        })
    };
    let glance = |name: String, size, feature| {
        let (record, feature) = (record::write(&set(size)).unwrap(), key(feature));
        Work::new(name, move || record::glance(black_box(&record), black_box(&feature)))
    };
    let tell = |size: usize| {
        let record = record::write(&set(size)).unwrap();
        let question = hot::ask(&edge::settings(), &url(size - 1), &authorization, NOW).unwrap();
        Work::new(format!("check: tell, the last of {size}"), move || {
            hot::tell(black_box(&question), black_box(&record), ServedBy::Replica)
        })
    };
    let whole = |size: usize| {
        let (settings, url, authorization) =
            (edge::settings(), url(size - 1), authorization.clone());
        let record = record::write(&set(size)).unwrap();
        Work::new(format!("check: ask and tell, the last of {size}"), move || {
            let question =
                hot::ask(&settings, black_box(&url), black_box(&authorization), NOW).unwrap();
            hot::tell(&question, black_box(&record), ServedBy::Replica)
        })
    };
    let edge = Edge::new(record::write(&set(10)).unwrap());
    let target = format!("/v1/check?customer={}&feature={}", customer().id, key(9));
    let request = edge::get(&target);
    assert_eq!(edge.answer(&request).status(), 200);
    let handled =
        Work::new("check: the long way, the last of 10", move || edge.answer(black_box(&request)));
    let last =
        SIZES.map(|size| glance(format!("check: glance, the last of {size}"), size, size - 1));
    let absent = SIZES.map(|size| glance(format!("check: glance, none of {size}"), size, size));
    [ask]
        .into_iter()
        .chain(last)
        .chain(absent)
        .chain(SIZES.map(tell))
        .chain(SIZES.map(whole))
        .chain([handled])
        .collect()
}

fn lists() -> Vec<Work> {
    let target = |limit: usize| {
        let path = "/v1/entitlements/active_entitlements";
        format!("{path}?customer={}&limit={limit}", customer().id)
    };
    let whole = |(size, limit)| {
        let (settings, authorization) = (edge::settings(), format!("Bearer {KEY}"));
        let url = format!("https://edge.example.com{}", target(limit));
        let record = record::write(&set(size)).unwrap();
        Work::new(format!("list: ask and tell, {limit} of {size}"), move || {
            let question =
                hot::ask(&settings, black_box(&url), black_box(&authorization), NOW).unwrap();
            hot::tell(&question, black_box(&record), ServedBy::Replica).unwrap()
        })
    };
    let handled = |(size, limit)| {
        let edge = Edge::new(record::write(&set(size)).unwrap());
        let request = edge::get(&target(limit));
        assert_eq!(edge.answer(&request).status(), 200);
        Work::new(format!("list: the long way, {limit} of {size}"), move || {
            edge.answer(black_box(&request))
        })
    };
    let pages = [(10, 10), (100, 10), (100, 100), (300, 10), (300, 100)];
    pages.map(whole).into_iter().chain(pages.map(handled)).collect()
}

fn records() -> Vec<Work> {
    let read = |size| {
        let record = record::write(&set(size)).unwrap();
        Work::new(format!("record: read {size}"), move || record::read(black_box(&record)))
    };
    let write = |size| {
        let set = set(size);
        Work::new(format!("record: write {size}"), move || record::write(black_box(&set)))
    };
    let part = Entitlements { coverage: Coverage::Partial, ..set(10) };
    let part = record::write(&part).unwrap();
    let part = Work::new("record: read 10, a part", move || record::read(black_box(&part)));
    SIZES.map(read).into_iter().chain([part]).chain(SIZES.map(write)).collect()
}
