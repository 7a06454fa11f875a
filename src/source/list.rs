//! Reads the complete list of entitlements of one customer.
//!
//! A list with several pages may change between two requests. The pages together could then be a set
//! that never existed. So the list is read until two passes in a row are equal. A feature that is
//! granted again gets a new id and is at the head of Stripe's list. So the list had this content at some
//! time between the two passes.
//!
//! Specification: <https://docs.stripe.com/api/entitlements/active-entitlement/list>.

use std::collections::HashSet;

use super::{
    client::{Error, StripeClient, Transport},
    paused,
    request::{fetch, fetch_json, path_segment, percent_encode},
};
use crate::{
    entitlement::{ActiveEntitlement, SourceSet, SummaryPage},
    entitlement_list::EntitlementList,
    id::{CustomerId, EntitlementId, UnixMillis},
    json::{json_type, object::parse_object},
    ledger::SourceState,
    policy::GrantRule,
};

/// The entitlements per page: Stripe's maximum.
const PAGE_SIZE: usize = 100;

/// The maximum pages of a list: those of the largest set.
const MAX_PAGES: usize = SourceSet::MAX_LEN / PAGE_SIZE;

/// The maximum passes until two in a row must be equal.
const MAX_PASSES: u32 = 4;

/// The timeout for reading a list, in milliseconds. It is enough for two passes of a thousand pages at
/// 50 ms each, and below the fifteen minutes of an alarm handler.
const LIST_TIMEOUT: u64 = 120_000;

/// The result of one pass over a list.
enum ReadPass {
    /// The list has one page, so it is consistent.
    SinglePage(Vec<ActiveEntitlement>),
    /// The list has several pages.
    MultiPage(Vec<ActiveEntitlement>),
    /// The list changed during the pass: the cursor is gone, or an entitlement is repeated.
    Inconsistent,
}

impl<T: Transport> StripeClient<T> {
    /// Reads all entitlements of a customer.
    ///
    /// # Errors
    ///
    /// Fails if Stripe cannot be read, or if the list is malformed, too long or not stable.
    pub async fn list_entitlements(&self, customer: &CustomerId) -> Result<SourceState, Error> {
        let deadline = self.transport().now().saturating_add(LIST_TIMEOUT);
        match read_until_stable(self, customer, deadline).await {
            Ok(list) if self.paused_rule == GrantRule::Keep => Ok(SourceState::List(list)),
            Ok(list) => {
                paused::exclude(self, customer, list, deadline).await.map(SourceState::List)
            }
            Err(Error::NotFound { param, .. }) if param == "customer" => {
                resolve_missing(self, customer, deadline).await
            }
            Err(error) => Err(error),
        }
    }
}

async fn read_until_stable<T: Transport>(
    client: &StripeClient<T>,
    customer: &CustomerId,
    deadline: UnixMillis,
) -> Result<Vec<ActiveEntitlement>, Error> {
    let mut previous = None;
    for _ in 0..MAX_PASSES {
        match read_pass(client, customer, deadline).await? {
            ReadPass::SinglePage(list) => return Ok(list),
            ReadPass::MultiPage(list) if previous.as_ref() == Some(&list) => return Ok(list),
            ReadPass::MultiPage(list) => previous = Some(list),
            ReadPass::Inconsistent => previous = None,
        }
    }
    Err(Error::Unstable(MAX_PASSES))
}

async fn read_pass<T: Transport>(
    client: &StripeClient<T>,
    customer: &CustomerId,
    deadline: UnixMillis,
) -> Result<ReadPass, Error> {
    let first = format!(
        "/v1/entitlements/active_entitlements?customer={}&limit={PAGE_SIZE}",
        percent_encode(customer.as_str())
    );
    let mut list: Vec<ActiveEntitlement> = Vec::new();
    let mut ids: HashSet<EntitlementId> = HashSet::new();
    for _ in 0..MAX_PAGES {
        let after = list.last().map_or(String::new(), |last| {
            format!("&starting_after={}", percent_encode(last.id.as_str()))
        });
        let page = match fetch(client, &format!("{first}{after}"), deadline).await {
            Err(Error::NotFound { param, .. }) if param == "starting_after" => {
                return Ok(ReadPass::Inconsistent);
            }
            page => parse_page(&page?)?,
        };
        let (has_more, page) = match page {
            SummaryPage::Complete(page) => (false, page),
            SummaryPage::Truncated(page) => (true, page),
            // No list of Stripe is that of a deleted customer.
            SummaryPage::Deleted => (false, Vec::new()),
        };
        if has_more && page.is_empty() {
            return Err(Error::Malformed("an empty page with `has_more`".to_owned()));
        }
        let is_multi_page = has_more || !list.is_empty();
        for entitlement in page {
            // A list that changed may repeat an entitlement, and an endless list does.
            if !ids.insert(entitlement.id.clone()) {
                return Ok(ReadPass::Inconsistent);
            }
            list.push(entitlement);
        }
        match (has_more, is_multi_page) {
            (true, _) => {}
            (false, true) => return Ok(ReadPass::MultiPage(list)),
            (false, false) => return Ok(ReadPass::SinglePage(list)),
        }
    }
    Err(Error::TooManyPages { pages: MAX_PAGES })
}

/// Decides why a customer has no list. A deleted customer can still be retrieved; one of another
/// account cannot.
async fn resolve_missing<T: Transport>(
    client: &StripeClient<T>,
    customer: &CustomerId,
    deadline: UnixMillis,
) -> Result<SourceState, Error> {
    json_type! {
        struct RetrievedCustomer {
            deleted: Option<bool>,
        }
    }
    let Some(segment) = path_segment(customer.as_str()) else {
        return Ok(SourceState::NotFound);
    };
    let target = format!("/v1/customers/{segment}");
    match fetch_json::<T, RetrievedCustomer>(client, &target, deadline).await {
        Ok(RetrievedCustomer { deleted: Some(true) }) => Ok(SourceState::Deleted),
        // A restricted key may not have the permission to read customers.
        Ok(_) | Err(Error::NotFound { .. } | Error::KeyRejected { .. }) => {
            Ok(SourceState::NotFound)
        }
        Err(error) => Err(error),
    }
}

fn parse_page(page: &[u8]) -> Result<SummaryPage, Error> {
    let list: EntitlementList =
        parse_object(page).map_err(|error| Error::Malformed(error.to_string()))?;
    list.into_page().map_err(|error| Error::Malformed(error.to_string()))
}
