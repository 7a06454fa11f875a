//! A product: what prices are of, and what features are attached to.
//!
//! <https://docs.stripe.com/api/products>

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    catalog::{
        Error, Tx,
        objects::{
            event::{self, EventType},
            metadata::{self, Metadata},
            price,
        },
        repository::Entity,
        storage::IndexEntry,
    },
    id::{Livemode, Timestamp},
    json::impl_from_json,
};

/// A product.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Product {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) active: bool,
    pub(crate) name: String,
    pub(crate) default_price: Option<String>,
    pub(crate) metadata: Metadata,
    /// What is only kept to be shown again.
    pub(crate) passthrough: Map<String, Value>,
}

impl_from_json! {
    struct Product {
        id, created, updated, active, name, default_price, metadata, passthrough,
    }
}

impl Entity for Product {
    const TYPE: &'static str = "product";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        [index(None), index(Some(self.active))]
            .map(|list| IndexEntry::new(list, self.created))
            .into()
    }
}

/// The list of all products, or of those that are active or not.
pub(crate) fn index(active: Option<bool>) -> &'static str {
    match active {
        None => "products",
        Some(true) => "products active",
        Some(false) => "products inactive",
    }
}

/// A product to be.
#[derive(Debug, Default)]
pub(crate) struct NewProduct {
    pub(crate) id: Option<String>,
    pub(crate) active: Option<bool>,
    pub(crate) name: String,
    pub(crate) metadata: metadata::MetadataPatch,
    pub(crate) passthrough: Map<String, Value>,
}

/// What a request changes.
#[derive(Debug, Default)]
pub(crate) struct ProductUpdate {
    pub(crate) active: Option<bool>,
    pub(crate) name: Option<String>,
    pub(crate) default_price: Option<String>,
    pub(crate) metadata: metadata::MetadataPatch,
    pub(crate) passthrough: Map<String, Value>,
}

impl Product {
    /// As Stripe shows it.
    pub(crate) fn to_json(&self, livemode: Livemode) -> Value {
        let mut shown = json!({
            "id": self.id,
            "object": "product",
            "active": self.active,
            "created": self.created,
            "default_price": self.default_price,
            "description": null,
            "images": [],
            "livemode": bool::from(livemode),
            "marketing_features": [],
            "metadata": self.metadata,
            "name": self.name,
            "package_dimensions": null,
            "shippable": null,
            "statement_descriptor": null,
            "tax_code": null,
            "tax_details": null,
            "type": "service",
            "unit_label": null,
            "updated": self.updated,
            "url": null,
        });
        event::merge_into(&mut shown, &self.passthrough);
        shown
    }
}

pub(crate) fn create(catalog: &Tx<'_>, new: NewProduct) -> Result<Product, Error> {
    let id = new.id.unwrap_or_else(|| catalog.new_id("prod_", 14));
    if catalog.find::<Product>(&id)?.is_some() {
        return Err(Error::AlreadyExists {
            param: "id",
            message: "Product already exists.".to_owned(),
        });
    }
    let product = Product {
        id,
        created: catalog.now,
        updated: catalog.now,
        active: new.active.unwrap_or(true),
        name: new.name,
        default_price: None,
        metadata: Metadata::default().apply(new.metadata)?,
        passthrough: new.passthrough,
    };
    catalog.insert(&product)?;
    catalog.emit(EventType::ProductCreated, product.to_json(catalog.livemode), None)?;
    Ok(product)
}

pub(crate) fn update(catalog: &Tx<'_>, id: &str, update: ProductUpdate) -> Result<Product, Error> {
    let before: Product = catalog.load(id, "id")?;
    let mut product = before.clone();
    product.active = update.active.unwrap_or(before.active);
    if let Some(name) = update.name {
        product.name = name;
    }
    if let Some(price) = update.default_price {
        if price.is_empty() {
            product.default_price = None;
        } else {
            let price: price::Price = catalog.load(&price, "default_price")?;
            if price.product != product.id {
                return Err(Error::invalid_parameter(
                    "default_price",
                    format!("The price '{}' is of another product, '{}'.", price.id, price.product),
                ));
            }
            product.default_price = Some(price.id);
        }
    }
    product.metadata = before.metadata.apply(update.metadata)?;
    product.passthrough.extend(update.passthrough);
    product.updated = catalog.now;
    let (old, new) = (before.to_json(catalog.livemode), product.to_json(catalog.livemode));
    catalog.update(&before, &product)?;
    catalog.emit_update(EventType::ProductUpdated, &old, new)?;
    Ok(product)
}

/// Deletes a product that nothing hangs on.
pub(crate) fn delete(catalog: &Tx<'_>, id: &str) -> Result<(), Error> {
    let product: Product = catalog.load(id, "id")?;
    if catalog.has_any(&price::index(price::PriceFilter {
        product: Some(id),
        ..price::PriceFilter::default()
    }))? {
        return Err(Error::InvalidState(
            "This product cannot be deleted because it has one or more user-created prices."
                .to_owned(),
        ));
    }
    crate::catalog::objects::product_feature::detach_all(catalog, id)?;
    catalog.remove(&product)?;
    catalog.emit(EventType::ProductDeleted, product.to_json(catalog.livemode), None)
}
