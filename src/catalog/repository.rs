//! What all objects of the catalog share: to load, save, list and remove them.

use serde::Serialize;

use crate::{
    catalog::{
        error::Error,
        storage::{
            IndexEntry, IndexPosition, IndexRange, IndexedObject, SortOrder, StorageError,
            StoredObject,
        },
        tx::Tx,
    },
    id::Timestamp,
    json::{self, Decoder, FromJson, impl_from_json},
};

/// The most expired objects that one new one removes: more than one, so that they get fewer.
const PURGE_BATCH: usize = 2;

/// A thing that is kept, under an id of its own.
pub(crate) trait Entity: FromJson + Serialize {
    /// What messages call it.
    const TYPE: &'static str;

    fn id(&self) -> &str;

    /// Every list that it stands in.
    fn index_entries(&self) -> Vec<IndexEntry>;
}

/// When an object was made, by the time that it lives in: its place in the lists that clients see.
struct CreatedField {
    created: Timestamp,
}

impl_from_json! { struct CreatedField { created } }

impl Tx<'_> {
    /// The object of an id, if there is one.
    pub(crate) fn find<T: Entity>(&self, id: &str) -> Result<Option<T>, Error> {
        let kept = self.storage.read(&storage_key(T::TYPE, id))?;
        kept.map(|kept| deserialize(T::TYPE, &kept.body)).transpose()
    }

    /// The object that a parameter names; `id` is the one in the path.
    pub(crate) fn load<T: Entity>(&self, id: &str, param: &str) -> Result<T, Error> {
        deserialize(T::TYPE, &self.load_stored(T::TYPE, id, param)?.body)
    }

    fn load_stored(
        &self,
        kind: &'static str,
        id: &str,
        param: &str,
    ) -> Result<StoredObject, Error> {
        self.storage.read(&storage_key(kind, id))?.ok_or_else(|| Error::NotFound {
            kind,
            id: id.to_owned(),
            param: param.to_owned(),
        })
    }

    /// Keeps an object that is new.
    pub(crate) fn insert<T: Entity>(&self, object: &T) -> Result<(), Error> {
        let (key, body) = (storage_key(T::TYPE, object.id()), serialize(object)?);
        Ok(self.storage.write(&key, &body, &[], &object.index_entries())?)
    }

    /// Keeps an object that was another one before.
    pub(crate) fn update<T: Entity>(&self, before: &T, object: &T) -> Result<(), Error> {
        let (key, body) = (storage_key(T::TYPE, object.id()), serialize(object)?);
        self.write_changes(&key, &body, &before.index_entries(), &object.index_entries())
    }

    fn write_changes(
        &self,
        key: &str,
        body: &str,
        left: &[IndexEntry],
        joined: &[IndexEntry],
    ) -> Result<(), Error> {
        let only = |these: &[IndexEntry], those: &[IndexEntry]| -> Vec<IndexEntry> {
            these.iter().filter(|entry| !those.contains(entry)).cloned().collect()
        };
        Ok(self.storage.write(key, body, &only(left, joined), &only(joined, left))?)
    }

    pub(crate) fn remove<T: Entity>(&self, object: &T) -> Result<(), Error> {
        Ok(self.storage.remove(&storage_key(T::TYPE, object.id()), &object.index_entries())?)
    }

    /// Removes the oldest objects of a list that are older than a time: those that have expired.
    pub(crate) fn remove_oldest<T: Entity>(
        &self,
        name: &str,
        before: Timestamp,
    ) -> Result<(), Error> {
        let range = IndexRange {
            after: None,
            before: Some(IndexPosition::start_of(before)),
            order: SortOrder::Ascending,
            limit: PURGE_BATCH,
        };
        let expired: Vec<T> = self.list(name, range)?;
        expired.iter().try_for_each(|object| self.remove(object))
    }

    /// A part of a list.
    pub(crate) fn list<T: Entity>(&self, name: &str, range: IndexRange) -> Result<Vec<T>, Error> {
        deserialize_all(&self.storage.list(name, range)?)
    }

    /// A part of a list, each with its place.
    pub(crate) fn list_with_positions<T: Entity>(
        &self,
        name: &str,
        range: IndexRange,
    ) -> Result<Vec<(IndexPosition, T)>, Error> {
        let listed = self.storage.list(name, range)?;
        let objects: Vec<T> = deserialize_all(&listed)?;
        Ok(listed.iter().map(|listed| listed.position).zip(objects).collect())
    }

    /// Whether there is anything in a list.
    pub(crate) fn has_any(&self, name: &str) -> Result<bool, Error> {
        Ok(!self.storage.list(name, IndexRange::newest_first(1))?.is_empty())
    }

    /// Where an object stands in the lists that clients see.
    pub(crate) fn position_of(
        &self,
        kind: &'static str,
        id: &str,
        param: &str,
    ) -> Result<IndexPosition, Error> {
        let kept = self.load_stored(kind, id, param)?;
        let CreatedField { created } = deserialize(kind, &kept.body)?;
        Ok(IndexPosition { at: created, seq: kept.seq })
    }
}

fn storage_key(kind: &str, id: &str) -> String {
    format!("{kind}/{id}")
}

fn deserialize<T: FromJson>(kind: &str, body: &str) -> Result<T, Error> {
    json::from_slice(body.as_bytes()).map_err(|error| decode_error(kind, &error))
}

/// Reads the objects of a list.
pub(crate) fn deserialize_all<T: Entity>(listed: &[IndexedObject]) -> Result<Vec<T>, Error> {
    let mut reader = Decoder::default();
    let objects = listed.iter().map(|listed| reader.decode(listed.body.as_bytes())).collect();
    reader.into_result().map_err(|error| decode_error(T::TYPE, &error))?;
    Ok(objects)
}

fn decode_error(kind: &str, error: &json::Error) -> Error {
    StorageError(format!("a {kind} cannot be read: {error}")).into()
}

fn serialize<T: Entity>(object: &T) -> Result<String, Error> {
    serde_json::to_string(object)
        .map_err(|error| StorageError(format!("a {} cannot be written: {error}", T::TYPE)).into())
}
