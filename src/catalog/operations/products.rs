//! Operations on products: create, update and delete.
//!
//! Specification: <https://docs.stripe.com/api/products>.

use serde_json::{Map, Value};

use crate::{
    catalog::{
        engine::emit::{emit, emit_update},
        error::Error,
        objects::{
            event::EventType,
            price::{self, Price, PriceFilter},
            product::Product,
        },
        operations::product_features,
        tx::Tx,
    },
    metadata::{Metadata, MetadataPatch},
};

/// A new product.
#[derive(Debug, Default)]
pub(crate) struct NewProduct {
    pub(crate) id: Option<String>,
    pub(crate) active: Option<bool>,
    pub(crate) name: String,
    pub(crate) metadata: MetadataPatch,
    pub(crate) passthrough: Map<String, Value>,
}

/// A change of a product.
#[derive(Debug, Default)]
pub(crate) struct ProductUpdate {
    pub(crate) active: Option<bool>,
    pub(crate) name: Option<String>,
    pub(crate) default_price: Option<String>,
    pub(crate) metadata: MetadataPatch,
    pub(crate) passthrough: Map<String, Value>,
}

pub(crate) fn create(tx: &Tx<'_>, new: NewProduct) -> Result<Product, Error> {
    let id = new.id.unwrap_or_else(|| tx.new_id("prod_", 14));
    if tx.find::<Product>(&id)?.is_some() {
        return Err(Error::AlreadyExists {
            param: "id",
            message: "Product already exists.".to_owned(),
        });
    }
    let product = Product {
        id,
        created: tx.now,
        updated: tx.now,
        active: new.active.unwrap_or(true),
        name: new.name,
        default_price: None,
        metadata: Metadata::default().apply(new.metadata)?,
        passthrough: new.passthrough,
    };
    tx.insert(&product)?;
    emit(tx, EventType::ProductCreated, product.to_json(tx.livemode), None)?;
    Ok(product)
}

pub(crate) fn update(tx: &Tx<'_>, id: &str, update: ProductUpdate) -> Result<Product, Error> {
    let before: Product = tx.load(id, "id")?;
    let mut product = before.clone();
    product.active = update.active.unwrap_or(before.active);
    if let Some(name) = update.name {
        product.name = name;
    }
    if let Some(price) = update.default_price {
        if price.is_empty() {
            product.default_price = None;
        } else {
            let price: Price = tx.load(&price, "default_price")?;
            if price.product != product.id {
                return Err(Error::invalid_parameter(
                    "default_price",
                    format!(
                        "The price '{}' belongs to another product, '{}'.",
                        price.id, price.product
                    ),
                ));
            }
            if !price.active {
                return Err(Error::invalid_parameter(
                    "default_price",
                    "The price specified is inactive. This field only accepts active prices.",
                ));
            }
            product.default_price = Some(price.id);
        }
    }
    product.metadata = before.metadata.apply(update.metadata)?;
    product.passthrough.extend(update.passthrough);
    product.updated = tx.now;
    let (previous, current) = (before.to_json(tx.livemode), product.to_json(tx.livemode));
    tx.update(&before, &product)?;
    emit_update(tx, EventType::ProductUpdated, &previous, current)?;
    Ok(product)
}

/// Deletes a product that has no prices, and detaches its features.
pub(crate) fn delete(tx: &Tx<'_>, id: &str) -> Result<(), Error> {
    let product: Product = tx.load(id, "id")?;
    if tx.has_any(&price::index(PriceFilter {
        product: Some(id),
        ..price::PriceFilter::default()
    }))? {
        return Err(Error::InvalidState(
            "This product cannot be deleted because it has one or more user-created prices."
                .to_owned(),
        ));
    }
    product_features::detach_all(tx, id)?;
    tx.remove(&product)?;
    emit(tx, EventType::ProductDeleted, product.to_json(tx.livemode), None)
}
