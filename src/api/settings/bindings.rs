//! The Worker's bindings as settings: text of any type of variable, and names that are not settings.
//!
//! A shell passes every binding whose name begins with `ENTGATE_` or `STRIPE_`. A variable that is a
//! number, a boolean or a table is its text. Any other binding, such as one of the Secrets Store, has
//! no text: ignoring it would leave a setting at its default, which may be the less strict one.

use super::{names::NAMES, value::Error};

/// The most edits between an unknown name and a setting that is near it.
const MAX_EDITS: usize = 4;

/// The longest unknown name that is compared with the settings, in bytes.
const MAX_NAME_LEN: usize = 64;

/// The Worker's bindings: names and texts.
#[derive(Clone, Debug, Default)]
pub struct Bindings(Vec<(String, Option<String>)>);

impl Bindings {
    /// Decodes the string of `src/bindings.js`: name and `=text` of each binding, separated by NUL
    /// characters. A binding without a text has an empty string in place of `=text`.
    #[must_use]
    pub fn decode(encoded: &str) -> Self {
        let mut parts = encoded.split('\0');
        let mut bindings = Vec::new();
        while let (Some(name), Some(text)) = (parts.next(), parts.next()) {
            bindings.push((name.to_owned(), text.strip_prefix('=').map(str::to_owned)));
        }
        Self(bindings)
    }

    /// The text of a setting.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        let (_, text) = self.0.iter().find(|(other, _)| other == name)?;
        text.clone()
    }

    /// Fails if a setting is a binding without a text.
    pub(super) fn require_texts(&self) -> Result<(), Error> {
        let has_no_text =
            |name: &&str| self.0.iter().any(|(other, text)| other == name && text.is_none());
        match NAMES.into_iter().find(has_no_text) {
            None => Ok(()),
            Some(name) => {
                let problem = "is not text: set it as a variable or a secret of the Worker, not as another binding or one of the Secrets Store";
                Err(Error { name, problem })
            }
        }
    }

    /// The names that are not settings, each with the setting that was probably meant.
    #[must_use]
    pub fn unknown_names(&self) -> Vec<String> {
        let names = self.0.iter().map(|(name, _)| name.as_str());
        let unknown = names.filter(|name| !NAMES.contains(name));
        let describe = |name: &str| match nearest(name) {
            Some(known) => format!("{name}: did you mean {known}?"),
            None => name.to_owned(),
        };
        let mut unknown: Vec<String> = unknown.map(describe).collect();
        // A platform lists bindings in any order.
        unknown.sort_unstable();
        unknown
    }
}

/// The setting whose name is nearest, if it is near.
fn nearest(name: &str) -> Option<&'static str> {
    if name.len() > MAX_NAME_LEN {
        return None;
    }
    let upper = name.to_ascii_uppercase().replace('-', "_");
    let distances = NAMES.into_iter().map(|known| (strsim::levenshtein(&upper, known), known));
    let (edits, known) = distances.min_by_key(|(edits, _)| *edits)?;
    (edits <= MAX_EDITS).then_some(known)
}
