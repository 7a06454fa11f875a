//! A shelf in memory keeps the promises that the catalog is built on.

use entgate::{
    catalog::{
        Storage as _,
        memory::MemoryStorage,
        storage::{
            IndexEntry, IndexPosition, IndexRange, IndexedObject, SortOrder, StorageError,
            StoredObject,
        },
    },
    id::Timestamp,
};

const LIST: &str = "things";

fn entry(list: &str, at: i64) -> IndexEntry {
    IndexEntry { index: list.to_owned(), at: Timestamp(at) }
}

fn place(at: i64, seq: i64) -> IndexPosition {
    IndexPosition { at: Timestamp(at), seq }
}

/// A thing at a place of the list.
fn put(shelf: &MemoryStorage, key: &str, at: i64) {
    shelf.write(key, key, &[], &[entry(LIST, at)]).unwrap();
}

/// The bodies of a list, in the order that it is asked for.
fn bodies(shelf: &MemoryStorage, list: &str, range: IndexRange) -> Vec<String> {
    shelf.list(list, range).unwrap().into_iter().map(|IndexedObject { body, .. }| body).collect()
}

fn newest(shelf: &MemoryStorage, list: &str) -> Vec<String> {
    bodies(shelf, list, IndexRange::newest_first(100))
}

#[test]
fn a_list_is_in_the_order_of_seconds_and_within_one_of_writing() {
    let shelf = MemoryStorage::default();
    for (key, at) in [("a", 5), ("b", 7), ("c", 5), ("d", -3), ("e", 7)] {
        put(&shelf, key, at);
    }
    assert_eq!(newest(&shelf, LIST), ["e", "b", "c", "a", "d"]);
    let ascending = IndexRange { order: SortOrder::Ascending, ..IndexRange::newest_first(100) };
    assert_eq!(bodies(&shelf, LIST, ascending), ["d", "a", "c", "b", "e"]);
    let places: Vec<_> =
        shelf.list(LIST, ascending).unwrap().into_iter().map(|listed| listed.position).collect();
    assert_eq!(places, [place(-3, 4), place(5, 1), place(5, 3), place(7, 2), place(7, 5)]);
    assert_eq!(newest(&shelf, "other"), [""; 0]);
}

#[test]
fn a_range_leaves_out_both_of_its_ends_in_either_direction() {
    let shelf = MemoryStorage::default();
    for (key, at) in [("a", 1), ("b", 2), ("c", 2), ("d", 2), ("e", 3)] {
        put(&shelf, key, at);
    }
    let at = |second: i64| Timestamp(second);
    for (above, below, expected) in [
        (None, None, "abcde"),
        (Some(place(1, 1)), None, "bcde"),
        (Some(place(1, 0)), None, "abcde"),
        (None, Some(place(3, 5)), "abcd"),
        (None, Some(place(3, 6)), "abcde"),
        (Some(place(2, 2)), Some(place(2, 4)), "c"),
        (Some(place(2, 2)), Some(place(2, 3)), ""),
        (Some(place(2, 3)), Some(place(2, 3)), ""),
        (Some(place(3, 5)), Some(place(1, 1)), ""),
        (Some(IndexPosition::start_of(at(2))), None, "bcde"),
        (Some(IndexPosition::end_of(at(2))), None, "e"),
        (None, Some(IndexPosition::start_of(at(2))), "a"),
        (None, Some(IndexPosition::end_of(at(2))), "abcd"),
        (Some(IndexPosition::start_of(at(2))), Some(IndexPosition::end_of(at(2))), "bcd"),
        (Some(IndexPosition::end_of(at(3))), None, ""),
        (None, Some(IndexPosition::start_of(at(1))), ""),
    ] {
        for limit in [0, 1, 2, 5, 6] {
            let range = |order| IndexRange { after: above, before: below, order, limit };
            let up = bodies(&shelf, LIST, range(SortOrder::Ascending)).concat();
            assert_eq!(up, expected[..limit.min(expected.len())], "{above:?} {below:?}");
            let down = bodies(&shelf, LIST, range(SortOrder::Descending)).concat();
            let last = &expected[expected.len().saturating_sub(limit)..];
            assert!(down.chars().eq(last.chars().rev()), "{above:?} {below:?}: {down}");
        }
    }
}

#[test]
fn what_is_due_is_what_is_of_this_second_or_before_the_first_first() {
    let shelf = MemoryStorage::default();
    for (key, at) in [("late", 30), ("soon", 10), ("now", 20), ("now too", 20)] {
        put(&shelf, key, at);
    }
    let due = |now: i64, limit| bodies(&shelf, LIST, IndexRange::due_until(Timestamp(now), limit));
    assert_eq!(due(9, 9), [""; 0]);
    assert_eq!(due(10, 9), ["soon"]);
    assert_eq!(due(19, 9), ["soon"]);
    assert_eq!(due(20, 9), ["soon", "now", "now too"]);
    assert_eq!(due(20, 2), ["soon", "now"]);
    assert_eq!(due(i64::MAX, 9), ["soon", "now", "now too", "late"]);
}

#[test]
fn what_is_replaced_keeps_its_place_and_what_comes_back_has_a_new_one() {
    let shelf = MemoryStorage::default();
    for key in ["a", "b", "c"] {
        put(&shelf, key, 1);
    }
    shelf.write("b", "B", &[], &[]).unwrap();
    assert_eq!(newest(&shelf, LIST), ["c", "B", "a"]);
    assert_eq!(shelf.read("b"), Ok(Some(StoredObject { seq: 2, body: "B".to_owned() })));

    shelf.write("b", "b", &[entry(LIST, 1)], &[entry(LIST, 9), entry("other", 4)]).unwrap();
    assert_eq!(
        (newest(&shelf, LIST), newest(&shelf, "other")),
        (vec!["b".to_owned(), "c".to_owned(), "a".to_owned()], vec!["b".to_owned()],)
    );
    shelf.write("b", "b", &[entry(LIST, 9)], &[entry(LIST, 1)]).unwrap();
    assert_eq!(newest(&shelf, LIST), ["c", "b", "a"], "it is again where it was");

    shelf.remove("a", &[entry(LIST, 1)]).unwrap();
    assert_eq!((shelf.read("a"), newest(&shelf, LIST).concat()), (Ok(None), "cb".to_owned()));
    put(&shelf, "a", 1);
    assert_eq!(newest(&shelf, LIST), ["a", "c", "b"]);
    assert_eq!(shelf.read("a").map(|kept| kept.unwrap().seq), Ok(4));
    shelf.remove("a", &[entry(LIST, 1)]).unwrap();
    put(&shelf, "d", 1);
    assert_eq!(shelf.read("d").map(|kept| kept.unwrap().seq), Ok(5), "no place is given twice");
}

#[test]
fn what_is_not_there_is_not_read_nor_removed() {
    let shelf = MemoryStorage::default();
    put(&shelf, "a", 1);
    assert_eq!(shelf.read("A"), Ok(None));
    assert_eq!(shelf.read(""), Ok(None));
    shelf.remove("b", &[entry(LIST, 1)]).unwrap();
    shelf.write("a", "a", &[entry(LIST, 2), entry("other", 1)], &[]).unwrap();
    assert_eq!((newest(&shelf, LIST), newest(&shelf, "other")), (vec!["a".to_owned()], vec![]));
}

#[test]
fn work_that_fails_has_done_nothing() {
    let shelf = MemoryStorage::default();
    put(&shelf, "a", 1);
    put(&shelf, "b", 1);
    let failed = shelf.transact(|| {
        shelf.write("a", "A", &[entry(LIST, 1)], &[entry("other", 1)]).unwrap();
        shelf.remove("b", &[entry(LIST, 1)]).unwrap();
        put(&shelf, "c", 1);
        Err::<(), _>(StorageError("it is full".to_owned()))
    });
    assert_eq!(failed, Err(StorageError("it is full".to_owned())));
    assert_eq!((newest(&shelf, LIST).concat(), newest(&shelf, "other")), ("ba".to_owned(), vec![]));
    assert_eq!(shelf.read("c"), Ok(None));
    let done: Result<_, StorageError> = shelf.transact(|| {
        put(&shelf, "c", 1);
        Ok(shelf.read("c")?.unwrap().seq)
    });
    assert_eq!((done, newest(&shelf, LIST).concat()), (Ok(3), "cba".to_owned()));
}
