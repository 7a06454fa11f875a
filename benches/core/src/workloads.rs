//! The workloads of the core. Each calls the functions that the Worker calls.

use std::{cell::RefCell, hint::black_box};

use entgate::{
    api::fast_path::{self, ExistingFeatures},
    entitlement::{Completeness, SourceSet, Summary, SummaryPage},
    id::UnixMillis,
    ledger::{self, Dedup, EventOrigin, LedgerState, SourceAccess, UnsavedRows, VersionedRecord},
    policy::SourcePolicy,
    store::{ServedBy, record},
    webhook::{
        signature::{self, EndpointSecret, SigningSecret},
        stripe::{self, Incoming, SUMMARY_EVENT},
    },
};

use crate::{
    deployment::{self, Deployment, settings},
    sample::{self, CREATED, NOW, SERVER_KEY, SIZES, WEBHOOK_SECRET, customer, event, set},
    workload::Workload,
};

/// Returns the workloads, in the order in which a set passes through the core.
#[must_use]
pub fn all() -> Vec<Workload> {
    [verify(), parse(), apply(), checks(), lists(), records()].into_iter().flatten().collect()
}

/// Returns an event with 10 entitlements, and its signature header.
fn signed_event(event_type: &str) -> (String, String) {
    let body = event(event_type, 10);
    let header = sign(&body);
    (body, header)
}

fn sign(body: &str) -> String {
    signature::sign(body.as_bytes(), SigningSecret::new(WEBHOOK_SECRET).into_iter(), NOW)
}

fn secrets() -> Vec<EndpointSecret> {
    settings().webhook_secrets
}

fn verify() -> Vec<Workload> {
    let workload = |name, (body, header): (String, String)| {
        let secrets = secrets();
        Workload::new(name, move || {
            signature::verify(black_box(&header), black_box(body.as_bytes()), &secrets, NOW)
                .map(|_| ())
        })
    };
    let (body, header) = signed_event(SUMMARY_EVENT);
    vec![
        workload("verify", (body.clone(), header.clone())),
        workload("verify, invalid signature", (body.replace("evt_1", "evt_2"), header)),
        verify_and_parse("verify and parse", signed_event(SUMMARY_EVENT)),
        verify_and_parse("verify and parse, other event type", signed_event("invoice.paid")),
    ]
}

/// All steps of a webhook before the ledger.
fn verify_and_parse(name: &str, (body, header): (String, String)) -> Workload {
    let (settings, url) = (settings(), url("/webhooks/stripe"));
    Workload::new(name, move || {
        let body = black_box(body.as_bytes());
        fast_path::verify_webhook(&settings, black_box(&url), black_box(&header), body, NOW)
    })
}

fn parse() -> Vec<Workload> {
    let workload = |name, event_type| {
        let (body, header) = signed_event(event_type);
        // The workload needs a `Verified<'static>`, which borrows the body.
        let body: &'static str = body.leak();
        let verified = signature::verify(&header, body.as_bytes(), &secrets(), NOW).unwrap();
        let paused = settings().paused;
        Workload::new(name, move || stripe::parse(black_box(verified), paused))
    };
    vec![workload("parse", SUMMARY_EVENT), workload("parse, other event type", "invoice.paid")]
}

fn apply() -> Vec<Workload> {
    let current = set(10);
    let unchanged = summary(&current);
    let one_removed = summary(&set(9));
    let workload = |name, current: Option<SourceSet>, summary: Summary| {
        Workload::new(name, move || {
            let policy = SourcePolicy::default();
            ledger::apply(black_box(current.as_ref()), Dedup::New, black_box(&summary), policy)
        })
    };
    let record = VersionedRecord {
        entitlements: Some(sample::entitlements(current.clone())),
        ..VersionedRecord::default()
    };
    let mut state = LedgerState { record, ..LedgerState::default() };
    let mut summaries = [one_removed.clone(), unchanged.clone()].into_iter().cycle();
    vec![
        workload("apply, first event", None, unchanged.clone()),
        workload("apply, unchanged set", Some(current.clone()), unchanged),
        workload("apply, one entitlement removed", Some(current), one_removed),
        Workload::new("apply, complete ledger state", move || {
            let summary = summaries.next().unwrap();
            let now = UnixMillis::from(NOW);
            let policy = SourcePolicy::default();
            let event = (Dedup::New, EventOrigin::Delivery);
            state.advance(&[], now);
            let applied = state.apply_event(&summary, event, SourceAccess::Available, policy, now);
            // The storage takes them.
            state.record.unsaved = UnsavedRows::default();
            applied
        }),
    ]
}

/// Returns the summary that an event with this set is parsed to.
fn summary(set: &SourceSet) -> Summary {
    let body = event(SUMMARY_EVENT, set.data.len());
    let header = sign(&body);
    let verified = signature::verify(&header, body.as_bytes(), &secrets(), NOW).unwrap();
    let Ok(Incoming::Summary(summary)) = stripe::parse(verified, settings().paused) else {
        panic!("the event has no summary")
    };
    assert_eq!(summary.page, Some(SummaryPage::Complete(set.data.clone())));
    assert_eq!(summary.created, CREATED);
    summary
}

fn checks() -> Vec<Workload> {
    let path = |feature: usize| {
        format!("/v1/check?customer={}&feature={}", customer().id, sample::lookup_key(feature))
    };
    let parse_query = {
        let (settings, url, authorization) = (settings(), url(&path(9)), authorization());
        Workload::new("check: lookup", move || {
            fast_path::parse_query(&settings, black_box(&url), black_box(&authorization), NOW)
        })
    };
    let lookup_feature = |name: String, size, feature| {
        let (record, feature) = (sample::record(size), sample::lookup_key(feature));
        Workload::new(name, move || {
            record::lookup_feature(black_box(&record), black_box(&feature), &[], NOW)
        })
    };
    let last = SIZES.map(|size| {
        lookup_feature(format!("check: lookup_feature, last of {size}"), size, size - 1)
    });
    let absent = SIZES
        .map(|size| lookup_feature(format!("check: lookup_feature, absent in {size}"), size, size));
    let answer_from_record = SIZES.map(|size| {
        let (record, url) = (sample::record(size), url(&path(size - 1)));
        let settings = settings();
        let query = fast_path::parse_query(&settings, &url, &authorization(), NOW).unwrap();
        let existing = RefCell::new(ExistingFeatures::default());
        Workload::new(format!("check: answer_from_record, last of {size}"), move || {
            let (replica, query) = ((black_box(&record[..]), ServedBy::Replica), black_box(&query));
            let existing = &mut existing.borrow_mut();
            fast_path::answer_from_record(&settings, query, replica, existing, NOW)
        })
    });
    let fast = SIZES
        .map(|size| fast_get(format!("check: fast path, last of {size}"), &path(size - 1), size));
    let slow = slow_get("check: slow path, last of 10".to_owned(), &path(9), 10);
    [parse_query]
        .into_iter()
        .chain(last)
        .chain(absent)
        .chain(answer_from_record)
        .chain(fast)
        .chain([slow])
        .collect()
}

fn lists() -> Vec<Workload> {
    let path = |limit: usize| {
        let path = "/v1/entitlements/active_entitlements";
        format!("{path}?customer={}&limit={limit}", customer().id)
    };
    let pages = [(10, 10), (100, 10), (100, 100), (300, 10), (300, 100)];
    let fast = pages.map(|(size, limit)| {
        fast_get(format!("list: fast path, {limit} of {size}"), &path(limit), size)
    });
    let slow = pages.map(|(size, limit)| {
        slow_get(format!("list: slow path, {limit} of {size}"), &path(limit), size)
    });
    fast.into_iter().chain(slow).collect()
}

fn records() -> Vec<Workload> {
    let read = |name: String, record: Vec<u8>| {
        Workload::new(name, move || record::decode(black_box(&record)))
    };
    let write = |size| {
        let set = sample::entitlements(set(size));
        Workload::new(format!("record: write {size}"), move || record::encode(black_box(&set)))
    };
    let partial = SourceSet { completeness: Completeness::Partial, ..set(10) };
    let partial = record::encode(&sample::entitlements(partial)).unwrap();
    SIZES
        .map(|size| read(format!("record: read {size}"), sample::record(size)))
        .into_iter()
        .chain([read("record: read 10, partial set".to_owned(), partial)])
        .chain(SIZES.map(write))
        .collect()
}

fn url(path: &str) -> String {
    format!("https://edge.example.com{path}")
}

fn authorization() -> String {
    format!("Bearer {SERVER_KEY}")
}

/// A `GET` that the fast path answers from the record of a set.
fn fast_get(name: String, path: &str, size: usize) -> Workload {
    let (settings, url, authorization) = (settings(), url(path), authorization());
    let record = sample::record(size);
    let existing = RefCell::new(ExistingFeatures::default());
    Workload::new(name, move || {
        let query =
            fast_path::parse_query(&settings, black_box(&url), black_box(&authorization), NOW)
                .unwrap();
        assert!(fast_path::accepts_record(&settings, black_box(&record)));
        let replica = (black_box(&record[..]), ServedBy::Replica);
        let existing = &mut existing.borrow_mut();
        fast_path::answer_from_record(&settings, &query, replica, existing, NOW).unwrap()
    })
}

/// The same `GET`, answered by the router and its handler.
fn slow_get(name: String, path: &str, size: usize) -> Workload {
    let deployment = Deployment::new(sample::record(size));
    let request = deployment::get(path);
    assert_eq!(deployment.handle(&request).status(), 200);
    Workload::new(name, move || deployment.handle(black_box(&request)))
}
