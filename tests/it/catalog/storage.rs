//! The contract of [`Storage`](entgate::catalog::Storage), tested on the storage in memory.

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

const INDEX: &str = "objects";

fn entry(index: &str, at: i64) -> IndexEntry {
    IndexEntry { index: index.to_owned(), at: Timestamp(at) }
}

fn position(at: i64, seq: i64) -> IndexPosition {
    IndexPosition { at: Timestamp(at), seq }
}

/// Writes an object with one entry in the index.
fn write(storage: &MemoryStorage, key: &str, at: i64) {
    storage.write(key, key, &[], &[entry(INDEX, at)]).unwrap();
}

/// The bodies in a range of an index, in the order of the range.
fn bodies(storage: &MemoryStorage, index: &str, range: IndexRange) -> Vec<String> {
    storage.list(index, range).unwrap().into_iter().map(|IndexedObject { body, .. }| body).collect()
}

fn newest_first(storage: &MemoryStorage, index: &str) -> Vec<String> {
    bodies(storage, index, IndexRange::newest_first(100))
}

#[test]
fn an_index_is_ordered_by_time_and_then_by_insertion() {
    let storage = MemoryStorage::default();
    for (key, at) in [("a", 5), ("b", 7), ("c", 5), ("d", -3), ("e", 7)] {
        write(&storage, key, at);
    }
    assert_eq!(newest_first(&storage, INDEX), ["e", "b", "c", "a", "d"]);
    let ascending = IndexRange { order: SortOrder::Ascending, ..IndexRange::newest_first(100) };
    assert_eq!(bodies(&storage, INDEX, ascending), ["d", "a", "c", "b", "e"]);
    let positions: Vec<_> =
        storage.list(INDEX, ascending).unwrap().into_iter().map(|object| object.position).collect();
    assert_eq!(
        positions,
        [position(-3, 4), position(5, 1), position(5, 3), position(7, 2), position(7, 5)]
    );
    assert_eq!(newest_first(&storage, "other"), [""; 0]);
}

#[test]
fn a_range_excludes_both_bounds_in_either_direction() {
    let storage = MemoryStorage::default();
    for (key, at) in [("a", 1), ("b", 2), ("c", 2), ("d", 2), ("e", 3)] {
        write(&storage, key, at);
    }
    let at = |second: i64| Timestamp(second);
    for (above, below, expected) in [
        (None, None, "abcde"),
        (Some(position(1, 1)), None, "bcde"),
        (Some(position(1, 0)), None, "abcde"),
        (None, Some(position(3, 5)), "abcd"),
        (None, Some(position(3, 6)), "abcde"),
        (Some(position(2, 2)), Some(position(2, 4)), "c"),
        (Some(position(2, 2)), Some(position(2, 3)), ""),
        (Some(position(2, 3)), Some(position(2, 3)), ""),
        (Some(position(3, 5)), Some(position(1, 1)), ""),
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
            let ascending = bodies(&storage, INDEX, range(SortOrder::Ascending)).concat();
            assert_eq!(ascending, expected[..limit.min(expected.len())], "{above:?} {below:?}");
            let descending = bodies(&storage, INDEX, range(SortOrder::Descending)).concat();
            let last = &expected[expected.len().saturating_sub(limit)..];
            assert!(descending.chars().eq(last.chars().rev()), "{above:?} {below:?}: {descending}");
        }
    }
}

#[test]
fn a_due_range_contains_everything_up_to_this_second_oldest_first() {
    let storage = MemoryStorage::default();
    for (key, at) in [("late", 30), ("soon", 10), ("now", 20), ("now too", 20)] {
        write(&storage, key, at);
    }
    let due =
        |now: i64, limit| bodies(&storage, INDEX, IndexRange::due_until(Timestamp(now), limit));
    assert_eq!(due(9, 9), [""; 0]);
    assert_eq!(due(10, 9), ["soon"]);
    assert_eq!(due(19, 9), ["soon"]);
    assert_eq!(due(20, 9), ["soon", "now", "now too"]);
    assert_eq!(due(20, 2), ["soon", "now"]);
    assert_eq!(due(i64::MAX, 9), ["soon", "now", "now too", "late"]);
}

#[test]
fn a_replaced_object_keeps_its_position_and_a_recreated_one_gets_a_new_position() {
    let storage = MemoryStorage::default();
    for key in ["a", "b", "c"] {
        write(&storage, key, 1);
    }
    storage.write("b", "B", &[], &[]).unwrap();
    assert_eq!(newest_first(&storage, INDEX), ["c", "B", "a"]);
    assert_eq!(storage.read("b"), Ok(Some(StoredObject { seq: 2, body: "B".to_owned() })));

    storage.write("b", "b", &[entry(INDEX, 1)], &[entry(INDEX, 9), entry("other", 4)]).unwrap();
    assert_eq!(
        (newest_first(&storage, INDEX), newest_first(&storage, "other")),
        (vec!["b".to_owned(), "c".to_owned(), "a".to_owned()], vec!["b".to_owned()],)
    );
    storage.write("b", "b", &[entry(INDEX, 9)], &[entry(INDEX, 1)]).unwrap();
    assert_eq!(newest_first(&storage, INDEX), ["c", "b", "a"], "it has its former position");

    storage.remove("a", &[entry(INDEX, 1)]).unwrap();
    assert_eq!(
        (storage.read("a"), newest_first(&storage, INDEX).concat()),
        (Ok(None), "cb".to_owned())
    );
    write(&storage, "a", 1);
    assert_eq!(newest_first(&storage, INDEX), ["a", "c", "b"]);
    assert_eq!(storage.read("a").map(|object| object.unwrap().seq), Ok(4));
    storage.remove("a", &[entry(INDEX, 1)]).unwrap();
    write(&storage, "d", 1);
    assert_eq!(
        storage.read("d").map(|object| object.unwrap().seq),
        Ok(5),
        "a sequence number is not reused"
    );
}

#[test]
fn a_missing_object_is_neither_read_nor_removed() {
    let storage = MemoryStorage::default();
    write(&storage, "a", 1);
    assert_eq!(storage.read("A"), Ok(None));
    assert_eq!(storage.read(""), Ok(None));
    storage.remove("b", &[entry(INDEX, 1)]).unwrap();
    storage.write("a", "a", &[entry(INDEX, 2), entry("other", 1)], &[]).unwrap();
    assert_eq!(
        (newest_first(&storage, INDEX), newest_first(&storage, "other")),
        (vec!["a".to_owned()], vec![])
    );
}

#[test]
fn a_failed_transaction_changes_nothing() {
    let storage = MemoryStorage::default();
    write(&storage, "a", 1);
    write(&storage, "b", 1);
    let failed = storage.transact(|| {
        storage.write("a", "A", &[entry(INDEX, 1)], &[entry("other", 1)]).unwrap();
        storage.remove("b", &[entry(INDEX, 1)]).unwrap();
        write(&storage, "c", 1);
        Err::<(), _>(StorageError("disk full".to_owned()))
    });
    assert_eq!(failed, Err(StorageError("disk full".to_owned())));
    assert_eq!(
        (newest_first(&storage, INDEX).concat(), newest_first(&storage, "other")),
        ("ba".to_owned(), vec![])
    );
    assert_eq!(storage.read("c"), Ok(None));
    let committed: Result<_, StorageError> = storage.transact(|| {
        write(&storage, "c", 1);
        Ok(storage.read("c")?.unwrap().seq)
    });
    assert_eq!((committed, newest_first(&storage, INDEX).concat()), (Ok(3), "cba".to_owned()));
}
