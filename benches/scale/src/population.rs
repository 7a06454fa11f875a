//! The customers of the sample, and how they behave.
//!
//! | customers | share | entitlements                        | change                                |
//! |-----------|-------|-------------------------------------|---------------------------------------|
//! | dormant   | 60 %  | none, for more than 90 days         | never                                 |
//! | stable    | 36 %  | 3, 6, 10 or 12                      | once a year                           |
//! | active    |  4 %  | 3, 6, 10 or 12                      | once in 15 days                       |
//!
//! A set of 12 is truncated in an event. Each change replaces the set by that of another plan.

use entgate::id::UnixMillis;
use entgate::{
    entitlement::{ActiveEntitlement, Summary, SummaryPage},
    id::{
        CustomerId, CustomerKey, EntitlementId, EventId, FeatureId, Livemode, LookupKey, Timestamp,
    },
    ledger::{LedgerState, SourceState},
};

use crate::random::Random;

/// A day, in milliseconds.
pub const DAY: u64 = 24 * 60 * 60 * 1_000;

/// The number of customers in the sample.
pub const SAMPLE: u32 = 25_000;

/// The sizes of the plans. The first one is that of customers without entitlements.
const PLAN_SIZES: [usize; 5] = [0, 3, 6, 10, 12];

/// The most entitlements in an event: <https://docs.stripe.com/billing/entitlements>.
const EVENT_PAGE: usize = 10;

/// How a customer behaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Behavior {
    /// The customer has left.
    Dormant,
    /// The customer rarely changes the plan.
    Stable,
    /// The customer often changes the plan.
    Active,
}

impl Behavior {
    /// The mean time between two changes, in milliseconds.
    #[must_use]
    pub fn change_interval(self) -> Option<u64> {
        match self {
            Self::Dormant => None,
            Self::Stable => Some(365 * DAY),
            Self::Active => Some(15 * DAY),
        }
    }
}

/// A customer of the sample.
#[derive(Clone, Debug)]
pub struct Customer {
    /// The id and the mode.
    pub key: CustomerKey,
    /// How the customer behaves.
    pub behavior: Behavior,
    /// The state of the ledger.
    pub state: LedgerState,
    /// The plan at Stripe.
    pub plan: usize,
    /// When the alarm of the ledger goes off.
    pub alarm: Option<UnixMillis>,
    /// When the last write of the replica began.
    pub written_at: Option<UnixMillis>,
    /// The number of events so far.
    pub events: u64,
}

impl Customer {
    /// Creates the customer with this number.
    ///
    /// # Panics
    ///
    /// Never: the id is valid.
    #[must_use]
    pub fn new(number: u32, random: &mut Random) -> Self {
        let behavior = match number % 100 {
            0..60 => Behavior::Dormant,
            60..96 => Behavior::Stable,
            _ => Behavior::Active,
        };
        let id = CustomerId::try_from(customer_id(random)).unwrap();
        let key = CustomerKey { livemode: Livemode::Live, id };
        Self {
            key,
            behavior,
            state: LedgerState::default(),
            plan: 0,
            alarm: None,
            written_at: None,
            events: 0,
        }
    }

    /// Chooses another plan.
    pub fn change_plan(&mut self, random: &mut Random) {
        let other = 1 + usize::try_from(random.below(3)).unwrap_or(0);
        self.plan = if self.plan == 0 { other } else { (self.plan - 1 + other) % 4 + 1 };
    }

    /// Returns the event that tells the plan.
    ///
    /// # Panics
    ///
    /// Never: the id is valid.
    #[must_use]
    pub fn event(&mut self, created: Timestamp, plans: &Plans) -> Summary {
        self.events += 1;
        let event = format!("evt_1{}{:06}", &self.key.id.as_str()[4..], self.events);
        let list = plans.list(self.plan);
        let page = if list.len() > EVENT_PAGE {
            SummaryPage::Truncated(list[..EVENT_PAGE].to_vec())
        } else {
            SummaryPage::Complete(list.to_vec())
        };
        let event = EventId::try_from(event).unwrap();
        Summary { event, customer: self.key.clone(), created, page: Some(page) }
    }
}

/// Returns an id as Stripe's.
pub fn customer_id(random: &mut Random) -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let letter = |_| char::from(LETTERS[usize::try_from(random.below(62)).unwrap_or(0)]);
    let letters: String = (0..14).map(letter).collect();
    format!("cus_{letters}")
}

/// The entitlements of each plan.
#[derive(Debug)]
pub struct Plans {
    lists: Vec<Vec<ActiveEntitlement>>,
    at_stripe: Vec<SourceState>,
}

impl Plans {
    /// Returns the entitlements of a plan.
    #[must_use]
    pub fn list(&self, plan: usize) -> &[ActiveEntitlement] {
        &self.lists[plan]
    }

    /// Returns what Stripe responds about a customer with a plan.
    #[must_use]
    pub fn at_stripe(&self, plan: usize) -> &SourceState {
        &self.at_stripe[plan]
    }
}

impl Default for Plans {
    /// The plans. Their entitlements have ids as long as Stripe's.
    fn default() -> Self {
        let entitlement = |plan: usize, feature: usize| {
            let id = format!("ent_61QGU1MWyFMSP9YBZ41ClCIKljWv{plan}{feature:03}");
            ActiveEntitlement {
                id: EntitlementId::try_from(id).unwrap(),
                feature: FeatureId::try_from(format!(
                    "feat_61QGTuxAZuDgJsvqm41ClCIKlj{feature:03}"
                ))
                .unwrap(),
                lookup_key: LookupKey::try_from(format!("feature-of-plan-{feature:03}")).unwrap(),
            }
        };
        let list = |(plan, size)| (0..size).map(|feature| entitlement(plan, feature)).collect();
        let lists: Vec<Vec<_>> = PLAN_SIZES.into_iter().enumerate().map(list).collect();
        let at_stripe = lists.iter().cloned().map(SourceState::List).collect();
        Self { lists, at_stripe }
    }
}
