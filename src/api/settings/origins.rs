//! Which pages of other origins a browser may let ask: <https://fetch.spec.whatwg.org/#http-cors-protocol>.

use super::{Error, items, url};

/// Browsers' origins for CORS.
pub const ALLOWED_ORIGINS: &str = "ENTGATE_ALLOWED_ORIGINS";

/// Which origins may ask.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Origins {
    /// None.
    #[default]
    None,
    /// These.
    Some(Vec<Box<str>>),
    /// Whichever: a token in a header opens, and no cookie does.
    Any,
}

impl Origins {
    pub(super) fn read(text: Option<String>) -> Result<Self, Error> {
        let origins = items(ALLOWED_ORIGINS, text, |item| {
            if item == "*" {
                return Ok(Box::from(item));
            }
            // A browser writes a scheme and a host in lower case, and nothing behind them.
            let sound = item.split_once("://").is_some_and(|(_, rest)| !rest.contains('/'))
                && !item.chars().any(char::is_uppercase)
                && (item.starts_with("http://") || url(item).is_ok());
            if sound { Ok(item.into()) } else { Err(FORM) }
        })?;
        Ok(match origins.as_slice() {
            [] => Self::None,
            [any] if **any == *"*" => Self::Any,
            all if all.iter().any(|origin| **origin == *"*") => {
                return Err(Error { name: ALLOWED_ORIGINS, problem: "has `*` beside others" });
            }
            _ => Self::Some(origins),
        })
    }

    /// What `Access-Control-Allow-Origin` says to a page of this origin.
    #[must_use]
    pub fn allow<'a>(&self, origin: &'a str) -> Option<&'a str> {
        match self {
            Self::None => None,
            Self::Any => Some("*"),
            Self::Some(origins) => origins.iter().any(|one| **one == *origin).then_some(origin),
        }
    }
}

const FORM: &str = "has an item that is no origin as browsers write it: https://app.example.com";
