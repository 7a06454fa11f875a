//! What all objects of the catalog share: to load, save, list and remove them.

use serde::Serialize;

use super::{
    Catalog, Error,
    shelf::{Entry, Failure, Kept, Listed, Place, Range},
};
use crate::{
    id::Timestamp,
    json::{self, Read, Reader, readable},
};

/// A thing that is kept, under an id of its own.
pub(crate) trait Object: Read + Serialize {
    /// What messages call it.
    const KIND: &'static str;

    fn id(&self) -> &str;

    /// Every list that it stands in.
    fn entries(&self) -> Vec<Entry>;
}

/// When an object was made, by the time that it lives in: its place in the lists that clients see.
struct Created {
    created: Timestamp,
}

readable! { struct Created { created } }

impl Catalog<'_> {
    /// The object of an id, if there is one.
    pub(crate) fn find<T: Object>(&self, id: &str) -> Result<Option<T>, Error> {
        let kept = self.shelf.read(&key(T::KIND, id))?;
        kept.map(|kept| read(T::KIND, &kept.body)).transpose()
    }

    /// The object that a parameter names; `id` is the one in the path.
    pub(crate) fn load<T: Object>(&self, id: &str, param: &str) -> Result<T, Error> {
        read(T::KIND, &self.kept(T::KIND, id, param)?.body)
    }

    fn kept(&self, kind: &'static str, id: &str, param: &str) -> Result<Kept, Error> {
        self.shelf.read(&key(kind, id))?.ok_or_else(|| Error::NoSuch {
            kind,
            id: id.to_owned(),
            param: param.to_owned(),
        })
    }

    /// Keeps an object that is new.
    pub(crate) fn add<T: Object>(&self, object: &T) -> Result<(), Error> {
        let (key, body) = (key(T::KIND, object.id()), written(object)?);
        Ok(self.shelf.write(&key, &body, &[], &object.entries())?)
    }

    /// Keeps an object that was another one before.
    pub(crate) fn replace<T: Object>(&self, before: &T, object: &T) -> Result<(), Error> {
        let (key, body) = (key(T::KIND, object.id()), written(object)?);
        self.rewrite(&key, &body, &before.entries(), &object.entries())
    }

    fn rewrite(
        &self,
        key: &str,
        body: &str,
        left: &[Entry],
        joined: &[Entry],
    ) -> Result<(), Error> {
        let only = |these: &[Entry], those: &[Entry]| -> Vec<Entry> {
            these.iter().filter(|entry| !those.contains(entry)).cloned().collect()
        };
        Ok(self.shelf.write(key, body, &only(left, joined), &only(joined, left))?)
    }

    pub(crate) fn remove<T: Object>(&self, object: &T) -> Result<(), Error> {
        Ok(self.shelf.remove(&key(T::KIND, object.id()), &object.entries())?)
    }

    /// A part of a list.
    pub(crate) fn list<T: Object>(&self, name: &str, range: Range) -> Result<Vec<T>, Error> {
        read_all(&self.shelf.list(name, range)?)
    }

    /// A part of a list, each with its place.
    pub(crate) fn places<T: Object>(
        &self,
        name: &str,
        range: Range,
    ) -> Result<Vec<(Place, T)>, Error> {
        let listed = self.shelf.list(name, range)?;
        let objects: Vec<T> = read_all(&listed)?;
        Ok(listed.iter().map(|listed| listed.place).zip(objects).collect())
    }

    /// Whether there is anything in a list.
    pub(crate) fn any(&self, name: &str) -> Result<bool, Error> {
        Ok(!self.shelf.list(name, Range::newest(1))?.is_empty())
    }

    /// Where an object stands in the lists that clients see.
    pub(super) fn place(&self, kind: &'static str, id: &str, param: &str) -> Result<Place, Error> {
        let kept = self.kept(kind, id, param)?;
        let Created { created } = read(kind, &kept.body)?;
        Ok(Place { at: created, seq: kept.seq })
    }
}

fn key(kind: &str, id: &str) -> String {
    format!("{kind}/{id}")
}

fn read<T: Read>(kind: &str, body: &str) -> Result<T, Error> {
    json::read(body.as_bytes()).map_err(|error| unreadable(kind, &error))
}

/// Reads the objects of a list.
pub(super) fn read_all<T: Object>(listed: &[Listed]) -> Result<Vec<T>, Error> {
    let mut reader = Reader::default();
    let objects = listed.iter().map(|listed| reader.read(listed.body.as_bytes())).collect();
    reader.finish().map_err(|error| unreadable(T::KIND, &error))?;
    Ok(objects)
}

fn unreadable(kind: &str, error: &json::Error) -> Error {
    Failure(format!("a {kind} cannot be read: {error}")).into()
}

fn written<T: Object>(object: &T) -> Result<String, Error> {
    serde_json::to_string(object)
        .map_err(|error| Failure(format!("a {} cannot be written: {error}", T::KIND)).into())
}
