//! The names of the indexes that have subscriptions.

use super::status::Status;

/// Which of a customer's subscriptions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Liveness {
    Any,
    /// Those with a status that is not final.
    Live,
}

/// The index of a customer's subscriptions.
pub(crate) fn customer_index(customer: &str, group: Liveness) -> String {
    let live = if group == Liveness::Live { " live" } else { "" };
    format!("subscriptions customer={customer}{live}")
}

/// The index of the subscriptions with a price, on a test clock or without one.
pub(crate) fn price_index(price: &str, clock: Option<&str>) -> String {
    format!("subscriptions price={price} clock={}", clock.unwrap_or_default())
}

/// The index of the subscriptions with a payment method.
pub(crate) fn payment_method_index(method: &str) -> String {
    format!("subscriptions payment_method={method}")
}

/// The index of the live subscriptions with a product.
pub(crate) fn product_index(product: &str) -> String {
    format!("subscriptions product={product}")
}

/// The index with the subscription of an item.
pub(super) fn item_index(item: &str) -> String {
    format!("subscriptions item={item}")
}

/// The index of the subscriptions on a test clock, or without one; of one status, or of all.
pub(crate) fn clock_index(clock: Option<&str>, status: Option<Status>) -> String {
    let (clock, status) = (clock.unwrap_or_default(), status.map_or("", Status::as_str));
    format!("subscriptions clock={clock} status={status}")
}

/// The index of the subscriptions of a status, on every clock.
pub(crate) fn status_index(status: Status) -> String {
    format!("subscriptions status={}", status.as_str())
}

/// The index of the next transitions by due time, on a test clock or without one.
pub(crate) fn due_index(clock: Option<&str>) -> String {
    format!("due clock={}", clock.unwrap_or_default())
}
