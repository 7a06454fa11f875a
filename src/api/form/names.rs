//! The names of parameters: unknown, misspelled and missing ones.
//!
//! An error about a name says which name was probably meant.

use super::Params;
use crate::api::{
    error::{Error, excerpt},
    nearest::nearest,
};

impl Params {
    /// Rejects the remaining parameters: a misspelled name must not count as an absent parameter.
    pub(in crate::api) fn reject_unknown(self) -> Result<(), Error> {
        let remaining: Vec<_> = self.remaining.iter().map(|(name, _)| name.as_str()).collect();
        self.reject(&remaining, self.asked.iter().map(String::as_str))
    }

    /// Rejects parameters with other names. A handler that calls this first names a misspelled parameter,
    /// and not the one that is missing because of it.
    pub(in crate::api) fn accept(&self, names: &[&str]) -> Result<(), Error> {
        let remaining = self.remaining.iter().map(|(name, _)| name.as_str());
        let unknown: Vec<_> = remaining.filter(|name| !names.contains(name)).collect();
        self.reject(&unknown, names.iter().copied())
    }

    fn reject<'a>(
        &self,
        unknown: &[&str],
        known: impl Iterator<Item = &'a str>,
    ) -> Result<(), Error> {
        let Some(first) = unknown.first() else { return Ok(()) };
        let meant = nearest(first, known).map(|name| self.qualified(name));
        let names: Vec<_> = unknown.iter().map(|name| self.qualified(name)).collect();
        Err(unknown_params(&names, meant.as_deref()))
    }

    /// 400: a required parameter is missing. If a similar name is given instead, the error is about that.
    pub(in crate::api) fn missing(&self, name: &str) -> Error {
        let others = self.remaining.iter().map(|(other, _)| other.as_str());
        let qualified = self.qualified(name);
        match nearest(name, others) {
            Some(other) => unknown_params(&[self.qualified(other)], Some(&qualified)),
            None => Error::missing_param(&qualified),
        }
    }
}

/// 400: these parameters are not known. `meant` is the name that the first of them resembles.
fn unknown_params(names: &[String], meant: Option<&str>) -> Error {
    let shown: Vec<_> = names.iter().map(|name| excerpt(name)).collect();
    let plural = if names.len() > 1 { "s" } else { "" };
    let mut message = format!("Received unknown parameter{plural}: {}", shown.join(", "));
    if let Some(meant) = meant {
        message.push_str(". Did you mean ");
        message.push_str(&excerpt(meant));
        message.push('?');
    }
    let first = names.first().map(String::as_str).unwrap_or_default();
    Error::parameter(first, "parameter_unknown", message)
}
