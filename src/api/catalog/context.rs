//! The context of one request to the catalog.

use serde_json::{Value, json};

use super::super::{error::Error, form::Params};
use crate::catalog::{Tx, page::ListQuery, repository::Entity};

/// A request under way.
pub(in crate::api) struct RequestContext<'a> {
    pub(super) tx: Tx<'a>,
    pub(super) params: Params,
    /// The path, as a list's `url` repeats it.
    pub(super) path: &'a str,
    /// What stands for the `{…}` in it.
    pub(super) ids: Vec<String>,
}

impl RequestContext<'_> {
    /// The last `{…}` of the path.
    pub(super) fn id(&self) -> &str {
        self.ids.last().map_or("", String::as_str)
    }

    /// The first `{…}` of the path.
    pub(super) fn first_id(&self) -> &str {
        self.ids.first().map_or("", String::as_str)
    }

    /// Refuses what is no parameter of this request, before anything is done for it.
    pub(super) fn reject_unknown(&mut self) -> Result<(), Error> {
        std::mem::take(&mut self.params).reject_unknown()
    }

    /// A page of objects, as Stripe's lists show them.
    pub(super) fn page_response<T: Entity>(
        &self,
        lists: &[String],
        page: &ListQuery,
        keep: impl Fn(&T) -> bool,
        shown: impl FnMut(&T) -> Result<Value, Error>,
    ) -> Result<Value, Error> {
        let (objects, has_more) = self.tx.list_page(lists, page, keep)?;
        let data: Vec<_> = objects.iter().map(shown).collect::<Result<_, _>>()?;
        Ok(self.list_response(&data, has_more))
    }

    pub(super) fn list_response(&self, data: &[Value], has_more: bool) -> Value {
        json!({ "object": "list", "data": data, "has_more": has_more, "url": self.path })
    }
}

/// What Stripe says of a thing that is gone.
pub(super) fn deleted_object(id: &str, object: &str) -> Value {
    json!({ "id": id, "object": object, "deleted": true })
}
