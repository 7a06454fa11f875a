//! The properties that `expand` accepts, of each object of the catalog.
//!
//! These are the expandable members of Stripe's SDK types (`string | …`), and the members that a
//! response has only if they are expanded. `tests/worker/expandable.test.mjs` compares this table
//! with the types of the npm package `stripe`.
//!
//! Specification: <https://docs.stripe.com/api/expanding_objects>.

/// What an expandable property becomes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Target {
    /// The object with the id.
    Customer,
    Feature,
    PaymentMethod,
    Price,
    Product,
    TestClock,
    /// What the catalog does not have: the property stays `null`, an id or an empty list, and every
    /// path below it is accepted.
    Elsewhere,
    /// Rendered only if it is expanded: the subscriptions of a customer.
    Subscriptions,
    /// Rendered only if it is expanded: an empty list.
    EmptyList,
    /// Rendered only if it is expanded: an empty map.
    EmptyMap,
    /// Rendered only if it is expanded: how a customer is taxed.
    Tax,
    /// Rendered only if it is expanded: the amount of a price in each of its currencies.
    CurrencyOptions,
}

impl Target {
    /// The type of the object that the id of a property refers to.
    pub(super) fn object_type(self) -> Option<&'static str> {
        match self {
            Self::Customer => Some("customer"),
            Self::Feature => Some("entitlements.feature"),
            Self::PaymentMethod => Some("payment_method"),
            Self::Price => Some("price"),
            Self::Product => Some("product"),
            Self::TestClock => Some("test_helpers.test_clock"),
            Self::Elsewhere
            | Self::Subscriptions
            | Self::EmptyList
            | Self::EmptyMap
            | Self::Tax
            | Self::CurrencyOptions => None,
        }
    }
}

/// The type of an object, the path of a property in it, and what the property becomes.
const EXPANDABLE: &[(&str, &str, Target)] = &[
    ("customer", "cash_balance", Target::Elsewhere),
    ("customer", "default_source", Target::Elsewhere),
    ("customer", "discount", Target::Elsewhere),
    ("customer", "invoice_credit_balance", Target::EmptyMap),
    ("customer", "invoice_settings.default_payment_method", Target::PaymentMethod),
    ("customer", "sources", Target::EmptyList),
    ("customer", "subscriptions", Target::Subscriptions),
    ("customer", "tax", Target::Tax),
    ("customer", "tax_ids", Target::EmptyList),
    ("customer", "test_clock", Target::TestClock),
    ("entitlements.active_entitlement", "feature", Target::Feature),
    ("payment_method", "card.generated_from.setup_attempt", Target::Elsewhere),
    ("payment_method", "customer", Target::Customer),
    ("plan", "product", Target::Product),
    ("plan", "tiers", Target::Elsewhere),
    ("price", "currency_options", Target::CurrencyOptions),
    ("price", "product", Target::Product),
    ("price", "tiers", Target::Elsewhere),
    ("product", "default_price", Target::Price),
    ("product", "tax_code", Target::Elsewhere),
    ("subscription", "application", Target::Elsewhere),
    ("subscription", "automatic_tax.liability.account", Target::Elsewhere),
    ("subscription", "billing_schedules.applies_to.price", Target::Elsewhere),
    ("subscription", "cancellation_details.feedback_option", Target::Elsewhere),
    ("subscription", "customer", Target::Customer),
    ("subscription", "default_payment_method", Target::PaymentMethod),
    ("subscription", "default_source", Target::Elsewhere),
    ("subscription", "discounts", Target::Elsewhere),
    ("subscription", "invoice_settings.account_tax_ids", Target::Elsewhere),
    ("subscription", "invoice_settings.issuer.account", Target::Elsewhere),
    ("subscription", "latest_invoice", Target::Elsewhere),
    ("subscription", "on_behalf_of", Target::Elsewhere),
    ("subscription", "pending_setup_intent", Target::Elsewhere),
    ("subscription", "pending_update.discounts", Target::Elsewhere),
    ("subscription", "schedule", Target::Elsewhere),
    ("subscription", "test_clock", Target::TestClock),
    ("subscription", "transfer_data.destination", Target::Elsewhere),
    ("subscription_item", "discounts", Target::Elsewhere),
];

/// The property of an object that a path begins with: its number of members, and its target.
pub(super) fn find(object_type: &str, members: &[&str]) -> Option<(usize, Target)> {
    EXPANDABLE.iter().filter(|(object, ..)| *object == object_type).find_map(|(_, path, target)| {
        let count = path.split('.').count();
        let begins =
            members.len() >= count && path.split('.').eq(members.iter().take(count).copied());
        begins.then_some((count, *target))
    })
}
