//! Routes that Stripe has and the catalog has not: what to do instead.
//!
//! The catalog has what decides about entitlements. It moves no money, so that it has no invoices,
//! payments or discounts, and none of Stripe's pages.

/// The first segments of paths after `/v1/`, separated by spaces, and what to do instead.
const ABSENT: [(&str, &str); 9] = [
    (
        "checkout payment_links quotes",
        "The catalog has no checkout. Create the subscription itself with POST /v1/subscriptions.",
    ),
    (
        "billing_portal customer_sessions",
        "The catalog has no customer portal. Change a subscription with POST /v1/subscriptions/{id}, \
         and cancel it with DELETE.",
    ),
    (
        "invoices invoiceitems invoice_payments invoice_rendering_templates credit_notes",
        "The catalog has no invoices. Report whether a subscription is paid by `status` in POST \
         /v1/subscriptions/{id}.",
    ),
    (
        "payment_intents setup_intents setup_attempts charges refunds disputes balance \
         balance_transactions payouts transfers topups mandates",
        "The catalog moves no money. A subscription's charges succeed, or fail with one of Stripe's \
         failing test methods as its `default_payment_method`.",
    ),
    (
        "payment_methods sources confirmation_tokens payment_method_configurations",
        "The catalog stores no cards. Use one of Stripe's test methods, such as pm_card_visa, as \
         `default_payment_method`.",
    ),
    (
        "coupons promotion_codes",
        "The catalog has no discounts. Leave them out: `discounts` is accepted and ignored.",
    ),
    (
        "subscription_schedules",
        "The catalog has no subscription schedules. Use `trial_end`, `cancel_at` and updates of the \
         subscription.",
    ),
    (
        "tax tax_rates tax_codes tax_ids shipping_rates",
        "The catalog has no taxes. Leave them out: `automatic_tax` is accepted and ignored.",
    ),
    ("billing", "The catalog has no meters, credits or alerts. Leave them out."),
];

/// What to say of a path of Stripe's API that is not in [`ABSENT`].
pub(super) const OTHER: &str =
    "The catalog has only Stripe's routes that concern entitlements: GET /openapi.json lists them.";

/// What to do instead of a request to a route that only Stripe has. `None` for every other path.
pub(super) fn advice(path: &str) -> Option<&'static str> {
    let first = path.strip_prefix("/v1/")?.split('/').next().unwrap_or_default();
    let found = ABSENT.iter().find(|(names, _)| names.split(' ').any(|name| name == first));
    found.map(|(_, advice)| *advice)
}
