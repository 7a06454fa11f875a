//! The cache of records in an isolate.

use entgate::{id::UnixMillis, store::record_cache::RecordCache};

#[test]
fn a_record_is_returned_until_it_expires_and_not_if_the_clock_is_set_back() {
    let mut cache = RecordCache::default();
    cache.insert("test:cus_ada", b"{}", UnixMillis(10_000));
    for (why, ttl, now, is_returned) in [
        ("at once", 5_000, 10_000, true),
        ("the last millisecond", 5_000, 14_999, true),
        ("one millisecond later", 5_000, 15_000, false),
        ("a cache that is off", 0, 10_000, false),
        ("a clock that was set back", 5_000, 9_999, false),
    ] {
        assert_eq!(cache.get("test:cus_ada", ttl, UnixMillis(now)).is_some(), is_returned, "{why}");
    }
    assert_eq!(cache.get("live:cus_ada", 5_000, UnixMillis(10_000)), None);
}

#[test]
fn a_later_record_replaces_an_earlier_one() {
    let mut cache = RecordCache::default();
    cache.insert("test:cus_ada", b"1", UnixMillis(0));
    cache.insert("test:cus_ada", b"2", UnixMillis(1));
    assert_eq!(cache.get("test:cus_ada", 5_000, UnixMillis(1)), Some(&b"2"[..]));
}

#[test]
fn a_record_that_is_too_large_is_not_stored_and_removes_the_earlier_one() {
    let mut cache = RecordCache::default();
    let largest = vec![b' '; 256 << 10];
    cache.insert("test:cus_ada", &largest, UnixMillis(0));
    assert_eq!(cache.get("test:cus_ada", 5_000, UnixMillis(0)), Some(&largest[..]));
    cache.insert("test:cus_ada", &vec![b' '; (256 << 10) + 1], UnixMillis(0));
    assert_eq!(cache.get("test:cus_ada", 5_000, UnixMillis(0)), None);
}

#[test]
fn a_full_cache_is_emptied_and_keeps_working() {
    let mut cache = RecordCache::default();
    let record = vec![b' '; 200 << 10];
    for number in 0..100 {
        cache.insert(&format!("test:cus_{number}"), &record, UnixMillis(0));
    }
    let stored = (0..100)
        .filter(|number| cache.get(&format!("test:cus_{number}"), 1, UnixMillis(0)).is_some())
        .count();
    assert!((1..=20).contains(&stored), "{stored}");
    assert!(cache.get("test:cus_99", 1, UnixMillis(0)).is_some(), "the last record is stored");
}
