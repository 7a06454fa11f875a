//! Handlers of `/v1/subscriptions`.
//!
//! The parameter `status` of an update is an extension: it reports the payment state from another
//! billing system.
//!
//! Specification: <https://docs.stripe.com/api/subscriptions>.

use serde_json::{Map, Value};

use super::{
    super::{
        error::Error,
        form::{ParamValue, Params, TimestampRange},
    },
    context::RequestContext,
    params::{MAX_STRING_LEN, Passthrough},
    subscription_items,
};
use crate::{
    catalog::{
        engine::payments::ReportedPayment,
        objects::{
            customer,
            pause::PauseCollection,
            status::Status,
            subscription::{
                self, CancellationDetails, Liveness, MissingPaymentMethod, Subscription,
            },
            subscription_json, test_clock,
        },
        operations::subscriptions::{
            cancel,
            create::{self, CancelAt, MAX_TRIAL_DAYS, NewSubscription, PaymentBehavior, Trial},
            update::{self, Patch, SubscriptionUpdate, When},
        },
        page::ListConditions,
    },
    id::Timestamp,
};

const PASSTHROUGH: [Passthrough; 1] = [Passthrough::String("description")];

/// Parameters that only affect payments: accepted and ignored.
const IGNORED_PARAMS: [&str; 19] = [
    "add_invoice_items",
    "application_fee_percent",
    "automatic_tax",
    "billing_mode",
    "billing_thresholds",
    "currency",
    "default_tax_rates",
    "discounts",
    "invoice_settings",
    "off_session",
    "on_behalf_of",
    "payment_settings",
    "pending_invoice_item_interval",
    "proration_behavior",
    "proration_date",
    "transfer_data",
    "bill_for",
    "invoicing_behavior",
    "billing_schedules",
];

/// The longest payment term of an invoice, in days. Stripe documents no limit.
const MAX_DAYS_UNTIL_DUE: u64 = 3_650;

/// The statuses in the filter of a list.
#[derive(Clone, Copy)]
enum StatusFilter {
    /// The default: all but canceled subscriptions.
    NotCanceled,
    All,
    Ended,
    Exactly(Status),
}

impl StatusFilter {
    fn matches(self, status: Status) -> bool {
        match self {
            Self::NotCanceled => status != Status::Canceled,
            Self::All => true,
            Self::Ended => status.is_final(),
            Self::Exactly(filter) => status == filter,
        }
    }
}

pub(super) fn list(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let customer = context.params.non_empty("customer", MAX_STRING_LEN)?;
    list_of(context, customer.as_deref())
}

pub(super) fn list_for_customer(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let customer = customer::load_existing(&context.tx, context.id(), "id")?;
    list_of(context, Some(&customer.id))
}

fn list_of(context: &mut RequestContext<'_>, customer: Option<&str>) -> Result<Value, Error> {
    let params = &mut context.params;
    params.ignore(&["automatic_tax"]);
    let price = params.non_empty("price", MAX_STRING_LEN)?;
    let clock = params.non_empty("test_clock", MAX_STRING_LEN)?;
    let collection_method = params.non_empty("collection_method", MAX_STRING_LEN)?;
    let mut literals = vec![("all", StatusFilter::All), ("ended", StatusFilter::Ended)];
    literals
        .extend(Status::ALL.iter().map(|&(name, status)| (name, StatusFilter::Exactly(status))));
    let filter = params.one_of("status", &literals)?.unwrap_or(StatusFilter::NotCanceled);
    let start_range = params.timestamp_range("current_period_start")?;
    let end_range = params.timestamp_range("current_period_end")?;
    let page = params.list_query_with_created()?;
    context.reject_unknown()?;
    let tx = &context.tx;
    if let Some(clock) = &clock {
        test_clock::load(tx, clock, "test_clock")?;
    }
    if let Some(customer) = customer {
        customer::load_existing(tx, customer, "customer")?;
    }
    let indexes = match (customer, &price) {
        (Some(customer), _) => vec![subscription::customer_index(customer, Liveness::Any)],
        (None, Some(price)) => vec![subscription::price_index(price, clock.as_deref())],
        (None, None) => {
            let statuses = Status::ALL
                .iter()
                .map(|(_, status)| *status)
                .filter(|status| filter.matches(*status));
            statuses
                .map(|status| subscription::clock_index(clock.as_deref(), Some(status)))
                .collect()
        }
    };
    let belongs = |it: &Subscription| match customer {
        Some(customer) => it.customer == *customer && (clock.is_none() || it.test_clock == clock),
        None => it.test_clock == clock,
    };
    let is_listed = |it: &Subscription| {
        filter.matches(it.status)
            && price.as_ref().is_none_or(|price| it.items.iter().any(|item| item.price == *price))
            && is_within(start_range, it.period.start)
            && is_within(end_range, it.period.end)
            && collection_method.as_deref().is_none_or(|expected| {
                let method = it.passthrough.get("collection_method").and_then(Value::as_str);
                method.unwrap_or("charge_automatically") == expected
            })
    };
    let conditions = ListConditions { belongs: &belongs, is_listed: &is_listed };
    context.page_response(&indexes, &page, &conditions, &|it| subscription_json::to_json(tx, it))
}

fn is_within(bounds: TimestampRange, time: Timestamp) -> bool {
    bounds.first.is_none_or(|first| time >= first) && bounds.last.is_none_or(|last| time <= last)
}

pub(super) fn create(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let params = &mut context.params;
    params.ignore(&IGNORED_PARAMS);
    params.ignore(context.version.removed_params());
    let customer = params.required_non_empty("customer", MAX_STRING_LEN)?;
    let trial = parse_trial(params)?;
    let payment_behavior = params.one_of(
        "payment_behavior",
        &[
            ("allow_incomplete", PaymentBehavior::AllowIncomplete),
            ("default_incomplete", PaymentBehavior::DefaultIncomplete),
            ("error_if_incomplete", PaymentBehavior::ErrorIfIncomplete),
            ("pending_if_incomplete", PaymentBehavior::AllowIncomplete),
        ],
    )?;
    let mut new = NewSubscription {
        customer,
        items: Vec::new(),
        trial,
        billing_cycle_anchor: params.timestamp("billing_cycle_anchor")?,
        cancel_at: parse_cancel_at(params)?,
        cancel_at_period_end: params.take_flag("cancel_at_period_end")?,
        payment_method: parse_payment_method(params)?,
        payment_behavior: payment_behavior.unwrap_or_default(),
        missing_payment_method: parse_missing_payment_method(params)?.unwrap_or_default(),
        metadata: params.metadata()?,
        passthrough: parse_passthrough(params)?,
    };
    let items = params.take_objects("items")?.ok_or_else(|| params.missing("items"))?;
    context.reject_unknown()?;
    for item in items {
        new.items.push(subscription_items::parse_new(&context.tx, item)?);
    }
    let subscription = create::create(&context.tx, new)?;
    Ok(subscription_json::to_json(&context.tx, &subscription)?)
}

pub(super) fn retrieve(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    context.reject_unknown()?;
    let subscription: Subscription = context.tx.load(context.id(), "id")?;
    Ok(subscription_json::to_json(&context.tx, &subscription)?)
}

pub(super) fn update(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let params = &mut context.params;
    params.ignore(&IGNORED_PARAMS);
    params.ignore(context.version.removed_params());
    params.ignore(&["payment_behavior", "trial_from_plan"]);
    let payment_states = [
        ("active", ReportedPayment::Paid),
        ("past_due", ReportedPayment::PastDue),
        ("unpaid", ReportedPayment::Unpaid),
    ];
    let mut update = SubscriptionUpdate {
        items: Vec::new(),
        trial_end: parse_when(params, "trial_end")?,
        reset_cycle: parse_reset_cycle(params)?.unwrap_or(false),
        cancel_at: parse_cancel_at_patch(params)?,
        cancel_at_period_end: params.optional_bool("cancel_at_period_end")?,
        payment_method: parse_payment_method(params)?,
        missing_payment_method: parse_missing_payment_method(params)?,
        pause_collection: parse_pause_collection(params)?,
        reported_payment: params.one_of("status", &payment_states)?,
        metadata: params.metadata()?,
        cancellation_details: parse_cancellation_details(params)?,
        passthrough: parse_passthrough(params)?,
    };
    let items = params.take_objects("items")?.unwrap_or_default();
    context.reject_unknown()?;
    for item in items {
        update.items.push(subscription_items::parse_update(&context.tx, item)?);
    }
    let subscription = update::update(&context.tx, context.id(), update)?;
    Ok(subscription_json::to_json(&context.tx, &subscription)?)
}

pub(super) fn cancel(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let params = &mut context.params;
    params.ignore(&["invoice_now", "prorate"]);
    let cancellation = parse_cancellation_details(params)?;
    context.reject_unknown()?;
    let subscription = cancel::cancel(&context.tx, context.id(), cancellation)?;
    Ok(subscription_json::to_json(&context.tx, &subscription)?)
}

fn parse_trial(params: &mut Params) -> Result<Trial, Error> {
    let end = parse_when(params, "trial_end")?;
    let days = params.take_integer("trial_period_days", 0..=MAX_TRIAL_DAYS)?;
    let from_plan = params.take_flag("trial_from_plan")?;
    match (end, days) {
        (Some(_), Some(_)) => Err(Error::parameter(
            "trial_period_days",
            "parameters_exclusive",
            "You may only specify one of these parameters: trial_end, trial_period_days.",
        )),
        (Some(When::At(end)), None) => Ok(Trial::Until(end)),
        (None, Some(days)) => Ok(Trial::Days(u32::try_from(days).unwrap_or(u32::MAX))),
        (None, None) if from_plan => Ok(Trial::FromPrice),
        (Some(When::Now) | None, None) => Ok(Trial::None),
    }
}

/// Takes `billing_cycle_anchor`: `now` or `unchanged`, or a map with one of them as its `type`, as
/// the SDKs send it since API version 2026-09-30.endive.
pub(super) fn parse_reset_cycle(params: &mut Params) -> Result<Option<bool>, Error> {
    let anchors = [("now", true), ("unchanged", false)];
    let name = "billing_cycle_anchor";
    let is_map = |(param, value): &(String, ParamValue)| {
        param == name && matches!(value, ParamValue::Nested(_))
    };
    if !params.remaining.iter().any(is_map) {
        return params.one_of(name, &anchors);
    }
    let mut anchor = params.object(name)?.unwrap_or_default();
    let reset_cycle = anchor.one_of("type", &anchors)?;
    let reset_cycle = reset_cycle.ok_or_else(|| Error::missing_param(&anchor.qualified("type")))?;
    anchor.reject_unknown()?;
    Ok(Some(reset_cycle))
}

/// Takes a timestamp, or `now`.
fn parse_when(params: &mut Params, name: &str) -> Result<Option<When>, Error> {
    if params.has_value(name, "now") {
        params.take_value(name);
        return Ok(Some(When::Now));
    }
    Ok(params.timestamp(name)?.map(When::At))
}

/// Takes `cancel_at`: a timestamp, or the end of the first or of the last period.
fn parse_cancel_at(params: &mut Params) -> Result<Option<CancelAt>, Error> {
    for (literal, at) in [
        ("min_period_end", CancelAt::MinPeriodEnd),
        ("max_period_end", CancelAt::MaxPeriodEnd),
        // Every item is billed until its period ends.
        ("max_billed_until", CancelAt::MaxPeriodEnd),
    ] {
        if params.has_value("cancel_at", literal) {
            params.take_value("cancel_at");
            return Ok(Some(at));
        }
    }
    Ok(params.timestamp("cancel_at")?.map(CancelAt::Time))
}

/// Takes `cancel_at`. An empty value removes the cancellation.
fn parse_cancel_at_patch(params: &mut Params) -> Result<Option<Patch<CancelAt>>, Error> {
    if params.has_value("cancel_at", "") {
        params.take_value("cancel_at");
        return Ok(Some(Patch::Clear));
    }
    Ok(parse_cancel_at(params)?.map(Patch::Set))
}

fn parse_payment_method(params: &mut Params) -> Result<Option<String>, Error> {
    let source = params.bounded_string("default_source", MAX_STRING_LEN)?;
    Ok(params.bounded_string("default_payment_method", MAX_STRING_LEN)?.or(source))
}

fn parse_missing_payment_method(
    params: &mut Params,
) -> Result<Option<MissingPaymentMethod>, Error> {
    let Some(mut settings) = params.object("trial_settings")? else { return Ok(None) };
    let mut end = settings.object("end_behavior")?.unwrap_or_default();
    settings.reject_unknown()?;
    end.ignore(&["billing_cycle_anchor"]);
    let behavior = end.one_of(
        "missing_payment_method",
        &[
            ("cancel", MissingPaymentMethod::Cancel),
            ("create_invoice", MissingPaymentMethod::CreateInvoice),
            ("pause", MissingPaymentMethod::Pause),
        ],
    )?;
    end.reject_unknown()?;
    Ok(behavior)
}

fn parse_pause_collection(params: &mut Params) -> Result<Option<Patch<PauseCollection>>, Error> {
    if params.has_value("pause_collection", "") {
        params.take_value("pause_collection");
        return Ok(Some(Patch::Clear));
    }
    let Some(mut pause) = params.object("pause_collection")? else { return Ok(None) };
    let behaviors =
        ["keep_as_draft", "mark_uncollectible", "void"].map(|literal| (literal, literal));
    let behavior = pause.one_of("behavior", &behaviors)?;
    let behavior =
        behavior.ok_or_else(|| Error::missing_param(&pause.qualified("behavior")))?.to_owned();
    let resumes_at = pause.timestamp("resumes_at")?;
    pause.reject_unknown()?;
    Ok(Some(Patch::Set(PauseCollection { behavior, resumes_at })))
}

fn parse_passthrough(params: &mut Params) -> Result<Map<String, Value>, Error> {
    let mut passthrough = params.passthrough(&PASSTHROUGH)?;
    let methods = ["charge_automatically", "send_invoice"].map(|literal| (literal, literal));
    if let Some(method) = params.one_of("collection_method", &methods)? {
        passthrough.insert("collection_method".to_owned(), method.into());
    }
    if let Some(days) = params.take_integer("days_until_due", 0..=MAX_DAYS_UNTIL_DUE)? {
        passthrough.insert("days_until_due".to_owned(), days.into());
    }
    Ok(passthrough)
}

fn parse_cancellation_details(params: &mut Params) -> Result<Option<CancellationDetails>, Error> {
    let Some(mut details) = params.object("cancellation_details")? else { return Ok(None) };
    let mut optional = |name| -> Result<_, Error> {
        Ok(details.bounded_string(name, MAX_STRING_LEN)?.filter(|value| !value.is_empty()))
    };
    let (comment, feedback, option) =
        (optional("comment")?, optional("feedback")?, optional("feedback_option")?);
    details.reject_unknown()?;
    Ok(Some(CancellationDetails { comment, feedback, feedback_option: option, reason: None }))
}
