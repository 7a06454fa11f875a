//! Parameters of a product, for the routes of products and for requests that create a product
//! inline.
//!
//! Specification: <https://docs.stripe.com/api/products/create>.

use super::{
    super::{error::Error, form::Params},
    params::{MAX_STRING_LEN, Passthrough},
};
use crate::catalog::{
    Tx,
    operations::products::{self, NewProduct},
};

pub(super) const PASSTHROUGH: [Passthrough; 8] = [
    Passthrough::String("description"),
    Passthrough::List("images"),
    Passthrough::List("marketing_features"),
    Passthrough::Bool("shippable"),
    Passthrough::String("statement_descriptor"),
    Passthrough::String("tax_code"),
    Passthrough::String("unit_label"),
    Passthrough::String("url"),
];

/// Parameters that only affect payments or shipping: accepted and ignored.
pub(super) const IGNORED_PARAMS: [&str; 3] = ["package_dimensions", "tax_details", "type"];

/// Creates a product for another request, and returns its id.
pub(super) fn create_inline(tx: &Tx<'_>, mut params: Params) -> Result<String, Error> {
    let new = parse(&mut params)?;
    params.reject_unknown()?;
    Ok(products::create(tx, new)?.id)
}

pub(super) fn parse(params: &mut Params) -> Result<NewProduct, Error> {
    params.ignore(&IGNORED_PARAMS);
    Ok(NewProduct {
        id: params.client_id()?,
        active: params.optional_bool("active")?,
        name: params.required_non_empty("name", MAX_STRING_LEN)?,
        metadata: params.metadata()?,
        passthrough: params.passthrough(&PASSTHROUGH)?,
    })
}
