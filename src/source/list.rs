//! All that one customer holds, page by page.
//!
//! A list of several pages may change while it is read, and what is put together then is a set that
//! never existed. So it is read until two readings in a row agree. A grant that is given anew gets a
//! new id and stands at the head of Stripe's lists: so the set was this one between the two.
//!
//! <https://docs.stripe.com/api/entitlements/active-entitlement/list>

use std::collections::HashSet;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Error, StripeClient, Transport};
use crate::{
    entitlement::{ActiveEntitlement, Entitlements, SummaryPage},
    entitlement_list::EntitlementList,
    id::{CustomerId, EntitlementId, UnixMillis},
    json::impl_from_json,
    ledger::SourceState,
    policy::GrantRule,
};

/// Entitlements on a page: the most that Stripe gives.
const PAGE_SIZE: usize = 100;

/// The most pages of a list: as many as the largest set fills.
const MAX_PAGES: usize = Entitlements::MAX_LEN / PAGE_SIZE;

/// The most readings until two in a row agree.
const MAX_PASSES: u32 = 4;

/// How long a list may take to read, in milliseconds: below the fifteen minutes of an alarm, and
/// enough for two readings of a thousand pages at 50 ms each.
const LIST_TIMEOUT: u64 = 120_000;

/// One reading of a list.
enum ReadPass {
    /// It fit one page: one answer, one moment.
    SinglePage(Vec<ActiveEntitlement>),
    /// It took several.
    MultiPage(Vec<ActiveEntitlement>),
    /// The last thing read was gone when the next page was asked for.
    Inconsistent,
}

impl<T: Transport> StripeClient<T> {
    /// Reads all that a customer holds.
    ///
    /// # Errors
    ///
    /// When Stripe does not tell, or nothing that can be believed.
    pub async fn list_entitlements(&self, customer: &CustomerId) -> Result<SourceState, Error> {
        let deadline = self.transport.now().saturating_add(LIST_TIMEOUT);
        match self.read_until_stable(customer, deadline).await {
            Ok(list) if self.paused_rule == GrantRule::Keep => Ok(SourceState::List(list)),
            Ok(list) => self.exclude_paused(customer, list, deadline).await.map(SourceState::List),
            Err(Error::NotFound { param, .. }) if param == "customer" => {
                self.resolve_missing(customer, deadline).await
            }
            Err(error) => Err(error),
        }
    }

    async fn read_until_stable(
        &self,
        customer: &CustomerId,
        deadline: UnixMillis,
    ) -> Result<Vec<ActiveEntitlement>, Error> {
        let mut before = None;
        for _ in 0..MAX_PASSES {
            match self.read_pass(customer, deadline).await? {
                ReadPass::SinglePage(list) => return Ok(list),
                ReadPass::MultiPage(list) if before.as_ref() == Some(&list) => return Ok(list),
                ReadPass::MultiPage(list) => before = Some(list),
                ReadPass::Inconsistent => before = None,
            }
        }
        Err(Error::Unstable(MAX_PASSES))
    }

    async fn read_pass(
        &self,
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
            let page = match self.fetch(&format!("{first}{after}"), deadline).await {
                Err(Error::NotFound { param, .. }) if param == "starting_after" => {
                    return Ok(ReadPass::Inconsistent);
                }
                page => parse_page(&page?)?,
            };
            let (more, page) = match page {
                SummaryPage::Complete(page) => (false, page),
                SummaryPage::Truncated(page) => (true, page),
            };
            if more && page.is_empty() {
                return Err(Error::Malformed("an empty page with more behind it".to_owned()));
            }
            let several = more || !list.is_empty();
            for granted in page {
                // A list that changed may show a grant again, and one that never ends will.
                if !ids.insert(granted.id.clone()) {
                    return Ok(ReadPass::Inconsistent);
                }
                list.push(granted);
            }
            match (more, several) {
                (true, _) => {}
                (false, true) => return Ok(ReadPass::MultiPage(list)),
                (false, false) => return Ok(ReadPass::SinglePage(list)),
            }
        }
        Err(Error::TooManyPages { pages: MAX_PAGES })
    }

    /// A deleted customer is still there to be looked at; one of another account never was.
    async fn resolve_missing(
        &self,
        customer: &CustomerId,
        deadline: UnixMillis,
    ) -> Result<SourceState, Error> {
        struct RetrievedCustomer {
            deleted: Option<bool>,
        }
        impl_from_json! { struct RetrievedCustomer { deleted } }
        let Some(segment) = path_segment(customer.as_str()) else {
            return Ok(SourceState::NotFound);
        };
        let target = format!("/v1/customers/{segment}");
        match self.fetch_json::<RetrievedCustomer>(&target, deadline).await {
            Ok(RetrievedCustomer { deleted: Some(true) }) => Ok(SourceState::Deleted),
            // A restricted key need not be allowed to read customers.
            Ok(_) | Err(Error::NotFound { .. } | Error::KeyRejected { .. }) => {
                Ok(SourceState::NotFound)
            }
            Err(error) => Err(error),
        }
    }
}

fn parse_page(page: &[u8]) -> Result<SummaryPage, Error> {
    let list: EntitlementList =
        serde_json::from_slice(page).map_err(|error| Error::Malformed(error.to_string()))?;
    list.into_page().map_err(|error| Error::Malformed(error.to_string()))
}

/// A name as a segment of a path. Two names cannot be one, however they are written: a dot is the
/// folder itself, and two are the one above (<https://url.spec.whatwg.org/#single-dot-path-segment>).
pub(super) fn path_segment(name: &str) -> Option<impl std::fmt::Display> {
    (!matches!(name, "." | "..")).then(|| percent_encode(name))
}

/// A name within a query.
pub(super) fn percent_encode(name: &str) -> impl std::fmt::Display {
    utf8_percent_encode(name, NON_ALPHANUMERIC)
}
