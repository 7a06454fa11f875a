//! The context of one request to the catalog: transaction, parameters and path.
//!
//! Every handler takes a [`RequestContext`]. It also renders what Stripe's responses share: lists
//! and deleted objects.

use serde_json::{Value, json};

use super::super::{error::Error, form::Params};
use crate::catalog::{
    self, Tx,
    objects::api_version::ApiVersion,
    page::{ListConditions, ListQuery},
    repository::Entity,
};

/// The context of one request.
pub(in crate::api) struct RequestContext<'a> {
    pub(super) tx: Tx<'a>,
    pub(super) params: Params,
    /// The version of Stripe's API that the request asks for.
    pub(super) version: &'a ApiVersion,
    /// The request's path, for the `url` of lists.
    pub(super) path: &'a str,
    /// The path's parameters, in order.
    pub(super) ids: Vec<String>,
}

impl RequestContext<'_> {
    /// The last parameter of the path.
    pub(super) fn id(&self) -> &str {
        self.ids.last().map_or("", String::as_str)
    }

    /// The first parameter of the path.
    pub(super) fn first_id(&self) -> &str {
        self.ids.first().map_or("", String::as_str)
    }

    /// Fails if unknown parameters are left. Handlers call this before they change anything.
    pub(super) fn reject_unknown(&mut self) -> Result<(), Error> {
        std::mem::take(&mut self.params).reject_unknown()
    }

    /// Reads a page and renders it as Stripe's list object.
    pub(super) fn page_response<T: Entity>(
        &self,
        indexes: &[String],
        query: &ListQuery,
        conditions: &ListConditions<'_, T>,
        render: &dyn Fn(&T) -> Result<Value, catalog::Error>,
    ) -> Result<Value, Error> {
        self.to_response(conditions.list_page(&self.tx, indexes, query, render))
    }

    fn to_response(
        &self,
        page: Result<(Vec<Value>, bool), catalog::Error>,
    ) -> Result<Value, Error> {
        let (data, has_more) = page?;
        Ok(list_object(data, has_more, self.path))
    }
}

/// Stripe's list object.
pub(super) fn list_object(data: Vec<Value>, has_more: bool, url: &str) -> Value {
    let mut list = json!({ "object": "list", "data": null, "has_more": has_more, "url": url });
    if let Some(member) = list.get_mut("data") {
        *member = Value::Array(data);
    }
    list
}

/// Stripe's JSON of a deleted object.
pub(super) fn deleted_object(id: &str, object: &str) -> Value {
    json!({ "id": id, "object": object, "deleted": true })
}
