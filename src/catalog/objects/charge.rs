//! The result of charging a payment method.

/// The payment methods that decline when they are charged.
/// <https://docs.stripe.com/testing#declined-payments>
const DECLINING_METHODS: [&str; 5] = [
    "pm_card_chargeCustomerFail",
    "pm_card_chargeDeclined",
    "pm_card_visa_chargeDeclined",
    "tok_chargeCustomerFail",
    "tok_chargeDeclined",
];

/// How a charge goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ChargeResult {
    /// It succeeds.
    Succeeded,
    /// It fails.
    Declined,
    /// There is nothing to charge: others see to the money, and say what comes of it.
    External,
}

/// How a charge of a payment method goes.
pub(crate) fn charge_payment_method(method: Option<&str>) -> ChargeResult {
    match method {
        None => ChargeResult::External,
        Some(method) if DECLINING_METHODS.iter().any(|declining| method.starts_with(declining)) => {
            ChargeResult::Declined
        }
        Some(_) => ChargeResult::Succeeded,
    }
}
