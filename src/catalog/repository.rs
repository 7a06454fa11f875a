//! Typed objects over the [`storage`](super::storage) port: load, store, list and remove.
//!
//! An entity is stored as JSON under `type/id`. This module keeps its index entries in line with
//! it. It knows no object; paging is in [`page`](super::page).

use serde::Serialize;

use crate::{
    catalog::{
        error::Error,
        storage::{
            IndexEntry, IndexPosition, IndexRange, IndexedObject, StorageError, StoredObject,
        },
        tx::Tx,
    },
    id::Timestamp,
    json::{self, Decoder, FromJson, json_type},
};

/// The most expired objects removed by one new object. More than one, so that a backlog shrinks.
const PURGE_BATCH: usize = 2;

/// An object that is stored under its own id.
pub(crate) trait Entity: FromJson + Serialize {
    /// The type's name: in messages, and in the storage key.
    const TYPE: &'static str;

    fn id(&self) -> &str;

    /// The entries of every index that contains the object.
    fn index_entries(&self) -> Vec<IndexEntry>;
}

json_type! {
    /// The creation time of any entity, by its own clock: its position in the lists of clients.
    struct CreatedField {
        created: Timestamp,
    }
}

impl Tx<'_> {
    /// The object with this id, if it exists.
    pub(crate) fn find<T: Entity>(&self, id: &str) -> Result<Option<T>, Error> {
        let stored = self.storage.read(&storage_key(T::TYPE, id))?;
        stored.map(|stored| deserialize(T::TYPE, &stored.body)).transpose()
    }

    /// The object that a parameter names; `id` is the one in the path.
    pub(crate) fn load<T: Entity>(&self, id: &str, param: &str) -> Result<T, Error> {
        deserialize(T::TYPE, &self.load_stored(T::TYPE, id, param)?.body)
    }

    fn load_stored(
        &self,
        entity_type: &'static str,
        id: &str,
        param: &str,
    ) -> Result<StoredObject, Error> {
        self.storage
            .read(&storage_key(entity_type, id))?
            .ok_or_else(|| Error::not_found(entity_type, id, param))
    }

    /// Stores a new object.
    pub(crate) fn insert<T: Entity>(&self, object: &T) -> Result<(), Error> {
        let (key, body) = (storage_key(T::TYPE, object.id()), serialize(object)?);
        Ok(self.storage.write(&key, &body, &[], &object.index_entries())?)
    }

    /// Stores a changed object, and writes only the index entries that differ.
    pub(crate) fn update<T: Entity>(&self, before: &T, object: &T) -> Result<(), Error> {
        let (key, body) = (storage_key(T::TYPE, object.id()), serialize(object)?);
        self.write_changes(&key, &body, &before.index_entries(), &object.index_entries())
    }

    fn write_changes(
        &self,
        key: &str,
        body: &str,
        removed: &[IndexEntry],
        added: &[IndexEntry],
    ) -> Result<(), Error> {
        let only = |entries: &[IndexEntry], others: &[IndexEntry]| -> Vec<IndexEntry> {
            entries.iter().filter(|entry| !others.contains(entry)).cloned().collect()
        };
        Ok(self.storage.write(key, body, &only(removed, added), &only(added, removed))?)
    }

    pub(crate) fn remove<T: Entity>(&self, object: &T) -> Result<(), Error> {
        Ok(self.storage.remove(&storage_key(T::TYPE, object.id()), &object.index_entries())?)
    }

    /// Removes the oldest objects of an index: a few of those that are older than `retention`
    /// seconds.
    pub(crate) fn remove_expired<T: Entity>(
        &self,
        index: &str,
        retention: i64,
    ) -> Result<(), Error> {
        let last = self.now.saturating_sub(retention.saturating_add(1));
        let expired: Vec<T> = self.list(index, IndexRange::due_until(last, PURGE_BATCH))?;
        expired.iter().try_for_each(|object| self.remove(object))
    }

    /// Reads a range of an index.
    pub(crate) fn list<T: Entity>(&self, index: &str, range: IndexRange) -> Result<Vec<T>, Error> {
        deserialize_all(&self.storage.list(index, range)?)
    }

    /// Reads a range of an index, each object with its position.
    pub(crate) fn list_with_positions<T: Entity>(
        &self,
        index: &str,
        range: IndexRange,
    ) -> Result<Vec<(IndexPosition, T)>, Error> {
        let indexed = self.storage.list(index, range)?;
        let objects: Vec<T> = deserialize_all(&indexed)?;
        Ok(indexed.iter().map(|object| object.position).zip(objects).collect())
    }

    /// Whether an index has any entry.
    pub(crate) fn has_any(&self, index: &str) -> Result<bool, Error> {
        Ok(!self.storage.list(index, IndexRange::newest_first(1))?.is_empty())
    }

    /// The JSON of the object that a parameter names, and its position in the lists of clients.
    pub(super) fn load_with_position(
        &self,
        entity_type: &'static str,
        id: &str,
        param: &str,
    ) -> Result<(String, IndexPosition), Error> {
        let stored = self.load_stored(entity_type, id, param)?;
        let CreatedField { created } = deserialize(entity_type, &stored.body)?;
        Ok((stored.body, IndexPosition { at: created, seq: stored.seq }))
    }
}

fn storage_key(entity_type: &str, id: &str) -> String {
    format!("{entity_type}/{id}")
}

/// Decodes a stored object.
pub(super) fn deserialize<T: FromJson>(entity_type: &str, body: &str) -> Result<T, Error> {
    json::from_slice(body.as_bytes()).map_err(|error| decode_error(entity_type, &error))
}

/// Decodes the objects of an index range.
pub(crate) fn deserialize_all<T: Entity>(indexed: &[IndexedObject]) -> Result<Vec<T>, Error> {
    let mut decoder = Decoder::default();
    let objects = indexed.iter().map(|object| decoder.decode(object.body.as_bytes())).collect();
    decoder.into_result().map_err(|error| decode_error(T::TYPE, &error))?;
    Ok(objects)
}

fn decode_error(entity_type: &str, error: &json::Error) -> Error {
    StorageError(format!("failed to decode {entity_type}: {error}")).into()
}

fn serialize<T: Entity>(object: &T) -> Result<String, Error> {
    serde_json::to_string(object)
        .map_err(|error| StorageError(format!("failed to encode {}: {error}", T::TYPE)).into())
}
