//! Handlers of `/v1/account` and `/v1/accounts[/{id}]`: the account that a key belongs to.
//!
//! The catalog has one account, the same in every deployment. Clients that mirror an account store
//! their objects under its id. No account is connected to it, so that the list is empty.
//!
//! Specification: <https://docs.stripe.com/api/accounts/retrieve>.

use serde_json::Value;

use super::{
    super::{error::Error, page},
    context::{RequestContext, list_object},
};
use crate::json;

/// The id of the account.
const ACCOUNT_ID: &str = "acct_1entgateCatalog0";

/// The account, with the members that Stripe's SDKs require. No money moves, but charges succeed.
const ACCOUNT: &str = r#"{
    "id": "acct_1entgateCatalog0",
    "object": "account",
    "business_profile": { "mcc": null, "name": "entgate", "url": null },
    "business_type": null,
    "capabilities": {},
    "charges_enabled": true,
    "country": "US",
    "default_currency": "usd",
    "details_submitted": true,
    "email": null,
    "metadata": {},
    "payouts_enabled": true,
    "settings": {
        "branding": { "icon": null, "logo": null, "primary_color": null, "secondary_color": null },
        "dashboard": { "display_name": "entgate", "timezone": "Etc/UTC" }
    },
    "type": "standard"
}"#;

pub(super) fn retrieve_own(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    context.reject_unknown()?;
    Ok(json::from_slice(ACCOUNT.as_bytes()).unwrap_or_default())
}

/// Lists the connected accounts: none. At Stripe the own account is not in this list either.
pub(super) fn list(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let query = context.params.list_query_with_created()?;
    context.reject_unknown()?;
    page::slice::<()>(&query.page, &[], "account", |()| "")?;
    Ok(list_object(Vec::new(), false, context.path))
}

/// Stripe's answer for another account is a 403, too: it does not tell which accounts exist.
pub(super) fn retrieve(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    if context.id() == ACCOUNT_ID {
        return retrieve_own(context);
    }
    context.reject_unknown()?;
    Err(Error::forbidden(
        "account_invalid",
        format!(
            "The provided key does not have access to account '{}' (or that account does not exist). \
             The account of the catalog is '{ACCOUNT_ID}'.",
            context.id()
        ),
    ))
}
