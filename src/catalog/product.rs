//! A product: what prices are of, and what features are attached to.
//!
//! <https://docs.stripe.com/api/products>

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    Catalog, Error, Object,
    event::{self, Kind},
    metadata::{self, Metadata},
    price,
    shelf::Entry,
};
use crate::{
    id::{Livemode, Timestamp},
    json::readable,
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
    pub(crate) details: Map<String, Value>,
}

readable! {
    struct Product {
        id, created, updated, active, name, default_price, metadata, details,
    }
}

impl Object for Product {
    const KIND: &'static str = "product";

    fn id(&self) -> &str {
        &self.id
    }

    fn entries(&self) -> Vec<Entry> {
        [list(None), list(Some(self.active))].map(|list| Entry::new(list, self.created)).into()
    }
}

/// The list of all products, or of those that are active or not.
pub(crate) fn list(active: Option<bool>) -> &'static str {
    match active {
        None => "products",
        Some(true) => "products active",
        Some(false) => "products inactive",
    }
}

/// A product to be.
#[derive(Debug, Default)]
pub(crate) struct New {
    pub(crate) id: Option<String>,
    pub(crate) active: Option<bool>,
    pub(crate) name: String,
    pub(crate) metadata: metadata::Change,
    pub(crate) details: Map<String, Value>,
}

/// What a request changes.
#[derive(Debug, Default)]
pub(crate) struct Update {
    pub(crate) active: Option<bool>,
    pub(crate) name: Option<String>,
    pub(crate) default_price: Option<String>,
    pub(crate) metadata: metadata::Change,
    pub(crate) details: Map<String, Value>,
}

impl Product {
    /// As Stripe shows it.
    pub(crate) fn shown(&self, livemode: Livemode) -> Value {
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
        event::overlay(&mut shown, &self.details);
        shown
    }
}

pub(crate) fn create(catalog: &Catalog<'_>, new: New) -> Result<Product, Error> {
    let id = new.id.unwrap_or_else(|| catalog.name("prod_", 14));
    if catalog.find::<Product>(&id)?.is_some() {
        return Err(Error::Exists { param: "id", message: "Product already exists.".to_owned() });
    }
    let product = Product {
        id,
        created: catalog.now,
        updated: catalog.now,
        active: new.active.unwrap_or(true),
        name: new.name,
        default_price: None,
        metadata: Metadata::default().changed(new.metadata)?,
        details: new.details,
    };
    catalog.add(&product)?;
    catalog.emit(Kind::ProductCreated, product.shown(catalog.livemode), None)?;
    Ok(product)
}

pub(crate) fn update(catalog: &Catalog<'_>, id: &str, update: Update) -> Result<Product, Error> {
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
                return Err(Error::parameter(
                    "default_price",
                    format!("The price '{}' is of another product, '{}'.", price.id, price.product),
                ));
            }
            product.default_price = Some(price.id);
        }
    }
    product.metadata = before.metadata.changed(update.metadata)?;
    product.details.extend(update.details);
    product.updated = catalog.now;
    let (old, new) = (before.shown(catalog.livemode), product.shown(catalog.livemode));
    catalog.replace(&before, &product)?;
    catalog.emit_change(Kind::ProductUpdated, &old, new)?;
    Ok(product)
}

/// Deletes a product that nothing hangs on.
pub(crate) fn delete(catalog: &Catalog<'_>, id: &str) -> Result<(), Error> {
    let product: Product = catalog.load(id, "id")?;
    if catalog.any(&price::list(price::Filter { product: Some(id), ..price::Filter::default() }))? {
        return Err(Error::State(
            "This product cannot be deleted because it has one or more user-created prices."
                .to_owned(),
        ));
    }
    super::product_feature::detach_all(catalog, id)?;
    catalog.remove(&product)?;
    catalog.emit(Kind::ProductDeleted, product.shown(catalog.livemode), None)
}
