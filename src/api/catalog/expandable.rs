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

/// The properties that become each target: the type of an object, and the path of a property in it.
/// Strings are smaller than a table of their parts.
const EXPANDABLE: [(Target, &str); 12] = [
    (
        Target::Customer,
        "payment_method:customer \
         subscription:customer",
    ),
    (Target::Feature, "entitlements.active_entitlement:feature"),
    (
        Target::PaymentMethod,
        "customer:invoice_settings.default_payment_method \
         subscription:default_payment_method",
    ),
    (Target::Price, "product:default_price"),
    (
        Target::Product,
        "plan:product \
         price:product \
         product_feature_application:product",
    ),
    (
        Target::TestClock,
        "customer:test_clock \
         subscription:test_clock",
    ),
    (
        Target::Elsewhere,
        "customer:cash_balance \
         customer:default_source \
         customer:discount \
         payment_method:card.generated_from.setup_attempt \
         plan:tiers \
         price:tiers \
         product:tax_code \
         subscription:application \
         subscription:automatic_tax.liability.account \
         subscription:billing_schedules.applies_to.price \
         subscription:cancellation_details.feedback_option \
         subscription:default_source \
         subscription:discounts \
         subscription:invoice_settings.account_tax_ids \
         subscription:invoice_settings.issuer.account \
         subscription:latest_invoice \
         subscription:on_behalf_of \
         subscription:pending_setup_intent \
         subscription:pending_update.discounts \
         subscription:schedule \
         subscription:transfer_data.destination \
         subscription_item:discounts",
    ),
    (Target::Subscriptions, "customer:subscriptions"),
    (
        Target::EmptyList,
        "customer:sources \
         customer:tax_ids",
    ),
    (Target::EmptyMap, "customer:invoice_credit_balance"),
    (Target::Tax, "customer:tax"),
    (Target::CurrencyOptions, "price:currency_options"),
];

/// The property of an object that a path begins with: its number of members, and its target.
pub(super) fn find(object_type: &str, members: &[&str]) -> Option<(usize, Target)> {
    EXPANDABLE.iter().find_map(|(target, properties)| {
        properties.split(' ').find_map(|property| {
            let path = property.strip_prefix(object_type)?.strip_prefix(':')?;
            let count = path.split('.').count();
            let begins =
                members.len() >= count && path.split('.').eq(members.iter().take(count).copied());
            begins.then_some((count, *target))
        })
    })
}
