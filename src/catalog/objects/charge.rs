//! The result of a charge, as the payment method determines it.
//!
//! No money moves. Stripe's failing test methods are declined, and every other method succeeds.
//!
//! Specification: <https://docs.stripe.com/testing#declined-payments>.

/// The payment methods whose charges are declined.
/// <https://docs.stripe.com/testing#declined-payments>
const DECLINING_METHODS: [&str; 5] = [
    "pm_card_chargeCustomerFail",
    "pm_card_chargeDeclined",
    "pm_card_visa_chargeDeclined",
    "tok_chargeCustomerFail",
    "tok_chargeDeclined",
];

/// The result of a charge.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ChargeResult {
    /// The charge succeeds.
    Succeeded,
    /// The charge is declined.
    Declined,
    /// No charge is made. Another system collects the payment and reports the result.
    External,
}

/// The result of charging a payment method.
pub(crate) fn charge_payment_method(method: Option<&str>) -> ChargeResult {
    match method {
        None => ChargeResult::External,
        Some(method) if DECLINING_METHODS.iter().any(|declining| method.starts_with(declining)) => {
            ChargeResult::Declined
        }
        Some(_) => ChargeResult::Succeeded,
    }
}
