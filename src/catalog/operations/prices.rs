//! Operations on prices: create and update.

use serde_json::{Map, Value};

use crate::catalog::{
    engine::emit::{emit, emit_update},
    error::Error,
    objects::{
        event::EventType,
        metadata::{self, Metadata},
        price::{self, Price, PriceFilter, Recurring},
        product::Product,
    },
    storage::IndexRange,
    tx::Tx,
};

/// A price to be.
#[derive(Debug)]
pub(crate) struct NewPrice {
    pub(crate) active: Option<bool>,
    pub(crate) product: String,
    pub(crate) currency: String,
    pub(crate) unit_amount: Option<i64>,
    pub(crate) recurring: Option<Recurring>,
    pub(crate) lookup_key: LookupKeyPatch,
    pub(crate) metadata: metadata::MetadataPatch,
    pub(crate) passthrough: Map<String, Value>,
}

/// What a request does about the lookup key.
#[derive(Debug, Default)]
pub(crate) enum LookupKeyPatch {
    #[default]
    Keep,
    Clear,
    /// Takes a key that no other active price has.
    Set(String),
    /// Takes it from whoever has it.
    Transfer(String),
}

/// What a request changes.
#[derive(Debug, Default)]
pub(crate) struct PriceUpdate {
    pub(crate) active: Option<bool>,
    pub(crate) lookup_key: LookupKeyPatch,
    pub(crate) metadata: metadata::MetadataPatch,
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
    // A key that was free while the price was not active may be another's by now.
    let key = match (update.lookup_key, &before.lookup_key) {
        (LookupKeyPatch::Keep, Some(key)) if price.active && !before.active => {
            LookupKeyPatch::Set(key.clone())
        }
        (key, _) => key,
    };
    price.lookup_key = resolve_lookup_key(tx, Some(id), key, before.lookup_key.clone())?;
    price.metadata = before.metadata.apply(update.metadata)?;
    price.passthrough.extend(update.passthrough);
    let (old, new) = (before.to_json(tx.livemode), price.to_json(tx.livemode));
    tx.update(&before, &price)?;
    emit_update(tx, EventType::PriceUpdated, &old, new)?;
    Ok(price)
}

/// The key that a price has after a request.
fn resolve_lookup_key(
    tx: &Tx<'_>,
    id: Option<&str>,
    key: LookupKeyPatch,
    before: Option<String>,
) -> Result<Option<String>, Error> {
    let (key, transfers) = match key {
        LookupKeyPatch::Keep => return Ok(before),
        LookupKeyPatch::Clear => return Ok(None),
        LookupKeyPatch::Set(key) => (key, false),
        LookupKeyPatch::Transfer(key) => (key, true),
    };
    let held = PriceFilter { lookup_key: Some(&key), active: Some(true), ..PriceFilter::default() };
    let holders: Vec<Price> = tx.list(&price::index(held), IndexRange::newest_first(2))?;
    if let Some(holder) = holders.iter().find(|holder| Some(holder.id.as_str()) != id) {
        if !transfers {
            return Err(Error::invalid_parameter(
                "lookup_key",
                format!(
                    "A price ({}) already uses that lookup key. You can transfer it with \
                     transfer_lookup_key=true.",
                    holder.id
                ),
            ));
        }
        let robbed = Price { lookup_key: None, ..holder.clone() };
        let (old, new) = (holder.to_json(tx.livemode), robbed.to_json(tx.livemode));
        tx.update(holder, &robbed)?;
        emit_update(tx, EventType::PriceUpdated, &old, new)?;
    }
    Ok(Some(key))
}
