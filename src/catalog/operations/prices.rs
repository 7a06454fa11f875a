//! Operations on prices: create and update.
//!
//! Specification: <https://docs.stripe.com/api/prices>.

use serde_json::{Map, Value};

use crate::{
    catalog::{
        engine::emit::{emit, emit_update},
        error::Error,
        objects::{
            event::EventType,
            price::{self, Price, PriceFilter, Recurring},
            product::Product,
        },
        storage::IndexRange,
        tx::Tx,
    },
    metadata::{Metadata, MetadataPatch},
};

/// A new price.
#[derive(Debug)]
pub(crate) struct NewPrice {
    pub(crate) active: Option<bool>,
    pub(crate) product: String,
    pub(crate) currency: String,
    pub(crate) unit_amount: Option<i64>,
    pub(crate) recurring: Option<Recurring>,
    pub(crate) lookup_key: LookupKeyPatch,
    pub(crate) metadata: MetadataPatch,
    pub(crate) passthrough: Map<String, Value>,
}

/// A change of a price's lookup key.
#[derive(Debug, Default)]
pub(crate) enum LookupKeyPatch {
    #[default]
    Keep,
    Clear,
    /// Sets a key that no other active price has.
    Set(String),
    /// Sets a key, and removes it from the price that has it.
    Transfer(String),
}

/// A change of a price.
#[derive(Debug, Default)]
pub(crate) struct PriceUpdate {
    pub(crate) active: Option<bool>,
    pub(crate) lookup_key: LookupKeyPatch,
    pub(crate) metadata: MetadataPatch,
    pub(crate) passthrough: Map<String, Value>,
}

pub(crate) fn create(tx: &Tx<'_>, new: NewPrice) -> Result<Price, Error> {
    let product: Product = tx.load(&new.product, "product")?;
    let lookup_key = resolve_lookup_key(tx, None, new.lookup_key, None)?;
    let price = Price {
        id: tx.new_id("price_1", 23),
        created: tx.now,
        active: new.active.unwrap_or(true),
        product: product.id,
        currency: new.currency,
        unit_amount: new.unit_amount,
        recurring: new.recurring,
        lookup_key,
        metadata: Metadata::default().apply(new.metadata)?,
        passthrough: new.passthrough,
    };
    tx.insert(&price)?;
    emit(tx, EventType::PriceCreated, price.to_json(tx.livemode), None)?;
    Ok(price)
}

pub(crate) fn update(tx: &Tx<'_>, id: &str, update: PriceUpdate) -> Result<Price, Error> {
    let before: Price = tx.load(id, "id")?;
    let mut price = before.clone();
    price.active = update.active.unwrap_or(before.active);
    if !price.active {
        reject_default_price(tx, &price)?;
    }
    // Another price may have taken the key while this price was inactive.
    let patch = match (update.lookup_key, &before.lookup_key) {
        (LookupKeyPatch::Keep, Some(key)) if price.active && !before.active => {
            LookupKeyPatch::Set(key.clone())
        }
        (patch, _) => patch,
    };
    price.lookup_key = resolve_lookup_key(tx, Some(id), patch, before.lookup_key.clone())?;
    price.metadata = before.metadata.apply(update.metadata)?;
    price.passthrough.extend(update.passthrough);
    let (previous, current) = (before.to_json(tx.livemode), price.to_json(tx.livemode));
    tx.update(&before, &price)?;
    emit_update(tx, EventType::PriceUpdated, &previous, current)?;
    Ok(price)
}

/// Fails if a price that is being archived is the default price of its product.
fn reject_default_price(tx: &Tx<'_>, price: &Price) -> Result<(), Error> {
    let product: Product = tx.load(&price.product, "product")?;
    if product.default_price.as_ref() != Some(&price.id) {
        return Ok(());
    }
    Err(Error::invalid_parameter(
        "active",
        format!(
            "This price cannot be archived because it is the default price of its product. Set another \
             `default_price` of the product '{}' first.",
            product.id
        ),
    ))
}

/// The lookup key of a price after a change. Removes a transferred key from its previous owner.
fn resolve_lookup_key(
    tx: &Tx<'_>,
    id: Option<&str>,
    patch: LookupKeyPatch,
    before: Option<String>,
) -> Result<Option<String>, Error> {
    let (key, transfers) = match patch {
        LookupKeyPatch::Keep => return Ok(before),
        LookupKeyPatch::Clear => return Ok(None),
        LookupKeyPatch::Set(key) => (key, false),
        LookupKeyPatch::Transfer(key) => (key, true),
    };
    let filter =
        PriceFilter { lookup_key: Some(&key), active: Some(true), ..PriceFilter::default() };
    let owners: Vec<Price> = tx.list(&price::index(filter), IndexRange::newest_first(2))?;
    if let Some(owner) = owners.iter().find(|owner| Some(owner.id.as_str()) != id) {
        if !transfers {
            return Err(Error::invalid_parameter(
                "lookup_key",
                format!(
                    "A price ({}) already uses that lookup key. You can transfer it with \
                     transfer_lookup_key=true.",
                    owner.id
                ),
            ));
        }
        let updated = Price { lookup_key: None, ..owner.clone() };
        let (previous, current) = (owner.to_json(tx.livemode), updated.to_json(tx.livemode));
        tx.update(owner, &updated)?;
        emit_update(tx, EventType::PriceUpdated, &previous, current)?;
    }
    Ok(Some(key))
}
