//! What all objects of the catalog share: to load, save, list and remove them.

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Catalog, Error,
    shelf::{Entry, Failure, Listed, Place, Range},
};
use crate::id::Timestamp;

/// A thing that is kept, under an id of its own.
pub(crate) trait Object: DeserializeOwned + Serialize {
    /// What messages call it.
    const KIND: &'static str;

    fn id(&self) -> &str;

    /// When it was made, by the time that it lives in: its place in the lists that clients see.
    fn created(&self) -> Timestamp;

    /// Every list that it stands in.
    fn entries(&self) -> Vec<Entry>;
}

impl Catalog<'_> {
    /// The object of an id, if there is one.
    pub(crate) fn find<T: Object>(&self, id: &str) -> Result<Option<T>, Error> {
        let kept = self.shelf.read(&key::<T>(id))?;
        kept.map(|kept| read(&kept.body)).transpose()
    }

    /// The object that a parameter names; `id` is the one in the path.
    pub(crate) fn load<T: Object>(&self, id: &str, param: &str) -> Result<T, Error> {
        self.find(id)?.ok_or_else(|| missing::<T>(id, param))
    }

    /// Keeps an object that is new.
    pub(crate) fn add<T: Object>(&self, object: &T) -> Result<(), Error> {
        let (key, body) = (key::<T>(object.id()), written(object)?);
        Ok(self.shelf.write(&key, &body, &[], &object.entries())?)
    }

    /// Keeps an object that was another one before.
    pub(crate) fn replace<T: Object>(&self, before: &T, object: &T) -> Result<(), Error> {
        let (left, joined) = (before.entries(), object.entries());
        let only = |these: &[Entry], those: &[Entry]| -> Vec<Entry> {
            these.iter().filter(|entry| !those.contains(entry)).cloned().collect()
        };
        let (key, body) = (key::<T>(object.id()), written(object)?);
        Ok(self.shelf.write(&key, &body, &only(&left, &joined), &only(&joined, &left))?)
    }

    pub(crate) fn remove<T: Object>(&self, object: &T) -> Result<(), Error> {
        Ok(self.shelf.remove(&key::<T>(object.id()), &object.entries())?)
    }

    /// A part of a list.
    pub(crate) fn list<T: Object>(&self, name: &str, range: Range) -> Result<Vec<T>, Error> {
        let listed = self.shelf.list(name, range)?;
        listed.iter().map(|listed| read(&listed.body)).collect()
    }

    /// A part of a list, each with its place.
    pub(crate) fn places<T: Object>(
        &self,
        name: &str,
        range: Range,
    ) -> Result<Vec<(Place, T)>, Error> {
        let listed = self.shelf.list(name, range)?;
        listed.iter().map(|Listed { place, body }| Ok((*place, read(body)?))).collect()
    }

    /// Whether there is anything in a list.
    pub(crate) fn any(&self, name: &str) -> Result<bool, Error> {
        Ok(!self.shelf.list(name, Range::newest(1))?.is_empty())
    }

    /// Where an object stands in the lists that clients see.
    pub(crate) fn place<T: Object>(&self, id: &str, param: &str) -> Result<Place, Error> {
        let kept = self.shelf.read(&key::<T>(id))?.ok_or_else(|| missing::<T>(id, param))?;
        let object: T = read(&kept.body)?;
        Ok(Place { at: object.created(), seq: kept.seq })
    }
}

fn key<T: Object>(id: &str) -> String {
    format!("{}/{id}", T::KIND)
}

fn missing<T: Object>(id: &str, param: &str) -> Error {
    Error::NoSuch { kind: T::KIND, id: id.to_owned(), param: param.to_owned() }
}

pub(super) fn read<T: Object>(body: &str) -> Result<T, Error> {
    serde_json::from_slice(body.as_bytes())
        .map_err(|error| Failure(format!("a {} cannot be read: {error}", T::KIND)).into())
}

fn written<T: Object>(object: &T) -> Result<String, Error> {
    serde_json::to_string(object)
        .map_err(|error| Failure(format!("a {} cannot be written: {error}", T::KIND)).into())
}
