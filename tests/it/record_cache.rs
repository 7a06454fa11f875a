//! What an isolate remembers.

use entgate::{id::UnixMillis, store::record_cache::RecordCache};

#[test]
fn a_record_is_recalled_until_its_time_is_over_and_not_by_a_clock_set_back() {
    let mut recent = RecordCache::default();
    recent.insert("test:cus_ada", b"{}", UnixMillis(10_000));
    for (why, ttl, now, recalled) in [
        ("at once", 5_000, 10_000, true),
        ("the last millisecond", 5_000, 14_999, true),
        ("a millisecond too late", 5_000, 15_000, false),
        ("turned off", 0, 10_000, false),
        ("a clock that was set back", 5_000, 9_999, false),
    ] {
        assert_eq!(recent.get("test:cus_ada", ttl, UnixMillis(now)).is_some(), recalled, "{why}");
    }
    assert_eq!(recent.get("live:cus_ada", 5_000, UnixMillis(10_000)), None);
}

#[test]
fn what_was_read_last_counts() {
    let mut recent = RecordCache::default();
    recent.insert("test:cus_ada", b"1", UnixMillis(0));
    recent.insert("test:cus_ada", b"2", UnixMillis(1));
    assert_eq!(recent.get("test:cus_ada", 5_000, UnixMillis(1)), Some(&b"2"[..]));
}

#[test]
fn a_record_too_large_is_not_kept_and_ends_what_was_known() {
    let mut recent = RecordCache::default();
    let largest = vec![b' '; 256 << 10];
    recent.insert("test:cus_ada", &largest, UnixMillis(0));
    assert_eq!(recent.get("test:cus_ada", 5_000, UnixMillis(0)), Some(&largest[..]));
    recent.insert("test:cus_ada", &vec![b' '; (256 << 10) + 1], UnixMillis(0));
    assert_eq!(recent.get("test:cus_ada", 5_000, UnixMillis(0)), None);
}

#[test]
fn memory_has_an_end_and_goes_on_after_it() {
    let mut recent = RecordCache::default();
    let record = vec![b' '; 200 << 10];
    for number in 0..100 {
        recent.insert(&format!("test:cus_{number}"), &record, UnixMillis(0));
    }
    let kept = (0..100)
        .filter(|number| recent.get(&format!("test:cus_{number}"), 1, UnixMillis(0)).is_some())
        .count();
    assert!((1..=20).contains(&kept), "{kept}");
    assert!(recent.get("test:cus_99", 1, UnixMillis(0)).is_some(), "the last one is there");
}
