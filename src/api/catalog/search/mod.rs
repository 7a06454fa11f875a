//! Handlers of `/v1/{customers,subscriptions,products,prices}/search`.
//!
//! | file       | what it has                                                  |
//! |------------|--------------------------------------------------------------|
//! | this file  | the handlers: indexes, pages and the response                |
//! | [`query`]  | Stripe's search query language: parses it, and matches       |
//! | [`fields`] | which fields of each object can be searched                  |
//!
//! A search reads the objects themselves, so that it finds a change at once; Stripe needs up to a
//! minute. It finds the objects of test clocks too. The results are in the order of lists: newest
//! first.
//!
//! Specification: <https://docs.stripe.com/search>.

mod fields;
mod query;

use serde_json::{Value, json};

use self::query::{SearchFields, SearchQuery, Searchable};
use super::{
    super::{error::Error, page},
    context::RequestContext,
    params::MAX_STRING_LEN,
};
use crate::{
    catalog::{
        self,
        objects::{
            customer::{self, Customer},
            price::{self, Price, PriceFilter},
            product::{self, Product},
            status::Status,
            subscription::{self, Subscription},
        },
        repository::{self, Entity},
        storage::{IndexPosition, IndexedObject},
    },
    id::Timestamp,
};

/// What differs between the searches.
struct Resource {
    fields: &'static SearchFields,
    /// The indexes with all objects that a query can match.
    indexes: fn(&SearchQuery) -> Vec<String>,
    decode: Decode,
}

/// Decodes a batch of objects. Not generic, because the code of a search is large.
type Decode = fn(&[IndexedObject]) -> Result<Vec<Box<dyn Searchable>>, catalog::Error>;

fn decode<T: Entity + Searchable + 'static>(
    batch: &[IndexedObject],
) -> Result<Vec<Box<dyn Searchable>>, catalog::Error> {
    let objects: Vec<T> = repository::deserialize_all(batch)?;
    Ok(objects.into_iter().map(|object| Box::new(object) as Box<dyn Searchable>).collect())
}

pub(super) fn customers(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let resource = Resource {
        fields: &fields::CUSTOMER_FIELDS,
        indexes: |query| vec![customer::search_index(query.required_value("email"))],
        decode: decode::<Customer>,
    };
    search(context, &resource)
}

pub(super) fn products(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let resource = Resource {
        fields: &fields::PRODUCT_FIELDS,
        indexes: |_| vec![product::index(None).to_owned()],
        decode: decode::<Product>,
    };
    search(context, &resource)
}

pub(super) fn prices(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let resource = Resource {
        fields: &fields::PRICE_FIELDS,
        indexes: |_| vec![price::index(PriceFilter::default())],
        decode: decode::<Price>,
    };
    search(context, &resource)
}

pub(super) fn subscriptions(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let resource = Resource {
        fields: &fields::SUBSCRIPTION_FIELDS,
        indexes: |query| {
            let required = query.required_value("status");
            let is_possible =
                |status: &Status| required.is_none_or(|required| required == status.as_str());
            Status::ALL
                .iter()
                .map(|(_, status)| *status)
                .filter(is_possible)
                .map(subscription::status_index)
                .collect()
        },
        decode: decode::<Subscription>,
    };
    search(context, &resource)
}

fn search(context: &mut RequestContext<'_>, resource: &Resource) -> Result<Value, Error> {
    let query = context.params.required_non_empty("query", MAX_STRING_LEN)?;
    let limit = context.params.take_integer("limit", 1..=page::MAX_LIMIT)?;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(page::DEFAULT_LIMIT);
    let token = context.params.non_empty("page", MAX_STRING_LEN)?;
    context.reject_unknown()?;
    let query = SearchQuery::parse(&query, resource.fields)?;
    let after = token.as_deref().map(parse_page_token).transpose()?;
    let mut found: Vec<(IndexPosition, Box<dyn Searchable>)> = Vec::new();
    context.tx.scan_from(&(resource.indexes)(&query), after, &mut |batch| {
        let objects = batch.iter().map(|object| object.position).zip((resource.decode)(batch)?);
        found.extend(objects.filter(|(_, object)| query.matches(object.as_ref())));
        Ok(found.len() <= limit)
    })?;
    let has_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| has_more).map(|(position, _)| *position);
    let data = found.iter().map(|(_, object)| object.render(&context.tx));
    Ok(json!({
        "object": "search_result",
        "data": data.collect::<Result<Vec<Value>, _>>()?,
        "has_more": has_more,
        "next_page": next.map(|position| format!("{}_{}", position.at, position.seq)),
        "url": context.path,
    }))
}

/// Parses a `next_page` of an earlier response: the position of the last object of that page.
fn parse_page_token(token: &str) -> Result<IndexPosition, Error> {
    let position = token.split_once('_').and_then(|(at, seq)| {
        Some(IndexPosition { at: Timestamp(at.parse().ok()?), seq: seq.parse().ok()? })
    });
    position.ok_or_else(|| {
        Error::parameter(
            "page",
            "parameter_invalid",
            "Invalid page. Send the `next_page` of the previous response, or leave `page` out.",
        )
    })
}
