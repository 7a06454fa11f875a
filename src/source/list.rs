//! All that one customer holds, page by page.
//!
//! A list of several pages may change while it is read, and what is put together then is a set that
//! never existed. So it is read until two readings in a row agree. A grant that is given anew gets a
//! new id and stands at the head of Stripe's lists: so the set was this one between the two.
//!
//! <https://docs.stripe.com/api/entitlements/active-entitlement/list>

use std::collections::HashSet;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Error, Stripe, Transport};
use crate::{
    entitlement::{ActiveEntitlement, Entitlements, Page, Paused},
    id::{CustomerId, EntitlementId, Millis},
    json::readable,
    ledger::Told,
    listing::List,
};

/// Entitlements on a page: the most that Stripe gives.
const PAGE: usize = 100;

/// The most pages of a list: as many as the largest set fills.
const PAGES: usize = Entitlements::LIMIT / PAGE;

/// The most readings until two in a row agree.
const READINGS: u32 = 4;

/// How long a list may take to read, in milliseconds: below the fifteen minutes of an alarm, and
/// enough for two readings of a thousand pages at 50 ms each.
const TIME: u64 = 120_000;

/// One reading of a list.
enum Reading {
    /// It fit one page: one answer, one moment.
    AtOnce(Vec<ActiveEntitlement>),
    /// It took several.
    InPages(Vec<ActiveEntitlement>),
    /// The last thing read was gone when the next page was asked for.
    Torn,
}

impl<T: Transport> Stripe<T> {
    /// Reads all that a customer holds.
    ///
    /// # Errors
    ///
    /// When Stripe does not tell, or nothing that can be believed.
    pub async fn told(&self, customer: &CustomerId) -> Result<Told, Error> {
        let deadline = self.transport.now().plus(TIME);
        match self.whole(customer, deadline).await {
            Ok(list) if self.paused == Paused::Keep => Ok(Told::All(list)),
            Ok(list) => self.without_paused(customer, list, deadline).await.map(Told::All),
            Err(Error::Missing { param, .. }) if param == "customer" => {
                self.absent(customer, deadline).await
            }
            Err(error) => Err(error),
        }
    }

    async fn whole(
        &self,
        customer: &CustomerId,
        deadline: Millis,
    ) -> Result<Vec<ActiveEntitlement>, Error> {
        let mut before = None;
        for _ in 0..READINGS {
            match self.reading(customer, deadline).await? {
                Reading::AtOnce(list) => return Ok(list),
                Reading::InPages(list) if before.as_ref() == Some(&list) => return Ok(list),
                Reading::InPages(list) => before = Some(list),
                Reading::Torn => before = None,
            }
        }
        Err(Error::Unsteady(READINGS))
    }

    async fn reading(&self, customer: &CustomerId, deadline: Millis) -> Result<Reading, Error> {
        let first = format!(
            "/v1/entitlements/active_entitlements?customer={}&limit={PAGE}",
            encoded(customer.as_str())
        );
        let mut list: Vec<ActiveEntitlement> = Vec::new();
        let mut ids: HashSet<EntitlementId> = HashSet::new();
        for _ in 0..PAGES {
            let after = list.last().map_or(String::new(), |last| {
                format!("&starting_after={}", encoded(last.id.as_str()))
            });
            let page = match self.get(&format!("{first}{after}"), deadline).await {
                Err(Error::Missing { param, .. }) if param == "starting_after" => {
                    return Ok(Reading::Torn);
                }
                page => read(&page?)?,
            };
            let (more, page) = match page {
                Page::Whole(page) => (false, page),
                Page::First(page) => (true, page),
            };
            if more && page.is_empty() {
                return Err(Error::Malformed("an empty page with more behind it".to_owned()));
            }
            let several = more || !list.is_empty();
            for granted in page {
                // A list that changed may show a grant again, and one that never ends will.
                if !ids.insert(granted.id.clone()) {
                    return Ok(Reading::Torn);
                }
                list.push(granted);
            }
            match (more, several) {
                (true, _) => {}
                (false, true) => return Ok(Reading::InPages(list)),
                (false, false) => return Ok(Reading::AtOnce(list)),
            }
        }
        Err(Error::Endless { pages: PAGES })
    }

    /// A deleted customer is still there to be looked at; one of another account never was.
    async fn absent(&self, customer: &CustomerId, deadline: Millis) -> Result<Told, Error> {
        struct Customer {
            deleted: Option<bool>,
        }
        readable! { struct Customer { deleted } }
        let Some(segment) = segment(customer.as_str()) else { return Ok(Told::Unknown) };
        let target = format!("/v1/customers/{segment}");
        match self.read::<Customer>(&target, deadline).await {
            Ok(Customer { deleted: Some(true) }) => Ok(Told::Deleted),
            // A restricted key need not be allowed to read customers.
            Ok(_) | Err(Error::Missing { .. } | Error::KeyRefused { .. }) => Ok(Told::Unknown),
            Err(error) => Err(error),
        }
    }
}

fn read(page: &[u8]) -> Result<Page, Error> {
    let list: List =
        serde_json::from_slice(page).map_err(|error| Error::Malformed(error.to_string()))?;
    list.page().map_err(|error| Error::Malformed(error.to_string()))
}

/// A name as a segment of a path. Two names cannot be one, however they are written: a dot is the
/// folder itself, and two are the one above (<https://url.spec.whatwg.org/#single-dot-path-segment>).
pub(super) fn segment(name: &str) -> Option<impl std::fmt::Display> {
    (!matches!(name, "." | "..")).then(|| encoded(name))
}

/// A name within a query.
pub(super) fn encoded(name: &str) -> impl std::fmt::Display {
    utf8_percent_encode(name, NON_ALPHANUMERIC)
}
