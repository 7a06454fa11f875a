//! Subscriptions: <https://docs.stripe.com/api/subscriptions>.
//!
//! `status` on an update is ours: what a system that Stripe is not knows of the payments.

use serde_json::{Map, Value};

use super::{
    super::{error::Error, form::Params},
    Visit,
    fields::{Detail, TEXT},
    items,
};
use crate::{
    catalog::{
        amendment::{self, Assign, Moment, Told, Update},
        interruption,
        page::Created,
        purchase::{self, FirstCharge, New, TRIAL, Trial},
        status::Status,
        subscription::{
            self, Cancellation, Group, MissingPaymentMethod, PauseCollection, Subscription,
        },
    },
    id::Timestamp,
};

const DETAILS: [Detail; 1] = [Detail::Text("description")];

/// What only moves money.
const MONEY: [&str; 19] = [
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

/// The longest that an invoice may be open, in days. Stripe tells no limit.
const DAYS_UNTIL_DUE: u64 = 3_650;

/// Which subscriptions a list has.
#[derive(Clone, Copy)]
enum Wanted {
    /// All but those that are canceled: if nothing is said.
    Remaining,
    All,
    Ended,
    Of(Status),
}

impl Wanted {
    fn has(self, status: Status) -> bool {
        match self {
            Self::Remaining => status != Status::Canceled,
            Self::All => true,
            Self::Ended => status.is_final(),
            Self::Of(wanted) => status == wanted,
        }
    }
}

pub(super) fn list(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let params = &mut visit.params;
    params.ignore(&["automatic_tax"]);
    let customer = params.filled("customer", TEXT)?;
    let price = params.filled("price", TEXT)?;
    let clock = params.filled("test_clock", TEXT)?;
    let collection = params.filled("collection_method", TEXT)?;
    let mut words = vec![("all", Wanted::All), ("ended", Wanted::Ended)];
    words.extend(Status::ALL.map(|status| (status.name(), Wanted::Of(status))));
    let wanted = params.one_of("status", &words)?.unwrap_or(Wanted::Remaining);
    let starts = params.range("current_period_start")?;
    let ends = params.range("current_period_end")?;
    let page = params.page_by_date()?;
    visit.finish()?;
    let catalog = &visit.catalog;
    if let Some(clock) = &clock {
        catalog.clock(clock, "test_clock")?;
    }
    if let Some(customer) = &customer {
        catalog.present(customer, "customer")?;
    }
    let lists = match (&customer, &price) {
        (Some(customer), _) => vec![subscription::of_customer(customer, Group::All)],
        (None, Some(price)) => vec![subscription::of_price(price, clock.as_deref())],
        (None, None) => {
            let statuses = Status::ALL.into_iter().filter(|status| wanted.has(*status));
            statuses.map(|status| subscription::list(clock.as_deref(), Some(status))).collect()
        }
    };
    let keep = |it: &Subscription| {
        wanted.has(it.status)
            && price.as_ref().is_none_or(|price| it.items.iter().any(|item| item.price == *price))
            && clock.as_ref().is_none_or(|clock| it.clock.as_ref() == Some(clock))
            && within(starts, it.period.start)
            && within(ends, it.period.end)
            && collection.as_deref().is_none_or(|wanted| {
                let method = it.details.get("collection_method").and_then(Value::as_str);
                method.unwrap_or("charge_automatically") == wanted
            })
    };
    visit.page(&lists, &page, keep, |it: &Subscription| Ok(catalog.shown(it)?))
}

fn within(bounds: Created, moment: Timestamp) -> bool {
    bounds.first.is_none_or(|first| moment >= first)
        && bounds.last.is_none_or(|last| moment <= last)
}

pub(super) fn create(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let params = &mut visit.params;
    params.ignore(&MONEY);
    let customer = params.needed("customer", TEXT)?;
    let trial = trial(params)?;
    let first_charge = params.one_of(
        "payment_behavior",
        &[
            ("allow_incomplete", FirstCharge::MayFail),
            ("default_incomplete", FirstCharge::Waits),
            ("error_if_incomplete", FirstCharge::MustSucceed),
            ("pending_if_incomplete", FirstCharge::MayFail),
        ],
    )?;
    let mut new = New {
        customer,
        items: Vec::new(),
        trial,
        anchor: params.moment("billing_cycle_anchor")?,
        cancel_at: params.moment("cancel_at")?,
        cancel_at_period_end: params.flag("cancel_at_period_end")?,
        payment_method: payment_method(params)?,
        first_charge: first_charge.unwrap_or_default(),
        at_trial_end: at_trial_end(params)?.unwrap_or_default(),
        metadata: params.metadata()?,
        details: details(params)?,
    };
    let items = params.maps("items")?.ok_or_else(|| Error::missing("items"))?;
    visit.finish()?;
    for item in items {
        new.items.push(items::parse_new(&visit.catalog, item)?);
    }
    let subscription = purchase::create(&visit.catalog, new)?;
    Ok(visit.catalog.shown(&subscription)?)
}

pub(super) fn retrieve(visit: &mut Visit<'_>) -> Result<Value, Error> {
    visit.finish()?;
    let subscription: Subscription = visit.catalog.load(visit.id(), "id")?;
    Ok(visit.catalog.shown(&subscription)?)
}

pub(super) fn update(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let params = &mut visit.params;
    params.ignore(&MONEY);
    params.ignore(&["payment_behavior", "trial_from_plan"]);
    let anchor = [("now", true), ("unchanged", false)];
    let told = [("active", Told::Paid), ("past_due", Told::PastDue), ("unpaid", Told::Unpaid)];
    let mut update = Update {
        items: Vec::new(),
        trial_end: moment(params, "trial_end")?,
        anchor_now: params.one_of("billing_cycle_anchor", &anchor)?.unwrap_or(false),
        cancel_at: clearable(params, "cancel_at")?,
        cancel_at_period_end: params.boolean("cancel_at_period_end")?,
        payment_method: payment_method(params)?,
        at_trial_end: at_trial_end(params)?,
        pause_collection: pause_collection(params)?,
        status: params.one_of("status", &told)?,
        metadata: params.metadata()?,
        cancellation: cancellation(params)?,
        details: details(params)?,
    };
    let items = params.maps("items")?.unwrap_or_default();
    visit.finish()?;
    for item in items {
        update.items.push(items::parse_change(&visit.catalog, item)?);
    }
    let subscription = amendment::update(&visit.catalog, visit.id(), update)?;
    Ok(visit.catalog.shown(&subscription)?)
}

pub(super) fn cancel(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let params = &mut visit.params;
    params.ignore(&["invoice_now", "prorate"]);
    let cancellation = cancellation(params)?;
    visit.finish()?;
    let subscription = interruption::cancel(&visit.catalog, visit.id(), cancellation)?;
    Ok(visit.catalog.shown(&subscription)?)
}

pub(super) fn pause(visit: &mut Visit<'_>) -> Result<Value, Error> {
    visit.params.ignore(&["bill_for", "invoicing_behavior"]);
    visit.params.one_of("type", &[("subscription", ())])?;
    visit.finish()?;
    let subscription = interruption::pause(&visit.catalog, visit.id())?;
    Ok(visit.catalog.shown(&subscription)?)
}

pub(super) fn resume(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let params = &mut visit.params;
    params.ignore(&["payment_behavior", "proration_behavior", "proration_date"]);
    let anchor = [("now", true), ("unchanged", false)];
    let anchor_now = params.one_of("billing_cycle_anchor", &anchor)?.unwrap_or(true);
    visit.finish()?;
    let subscription = interruption::resume(&visit.catalog, visit.id(), anchor_now)?;
    Ok(visit.catalog.shown(&subscription)?)
}

fn trial(params: &mut Params) -> Result<Trial, Error> {
    let end = moment(params, "trial_end")?;
    let days = params.integer("trial_period_days", 0..=TRIAL)?;
    let from_plan = params.flag("trial_from_plan")?;
    match (end, days) {
        (Some(_), Some(_)) => Err(Error::parameter(
            "trial_period_days",
            "parameters_exclusive",
            "You may only specify one of these parameters: trial_end, trial_period_days.",
        )),
        (Some(Moment::At(end)), None) => Ok(Trial::Until(end)),
        (None, Some(days)) => Ok(Trial::Days(u32::try_from(days).unwrap_or(u32::MAX))),
        (None, None) if from_plan => Ok(Trial::FromPrice),
        (Some(Moment::Now) | None, None) => Ok(Trial::None),
    }
}

/// A moment, or `now`.
fn moment(params: &mut Params, name: &str) -> Result<Option<Moment>, Error> {
    if params.is_text(name, "now") {
        params.take(name);
        return Ok(Some(Moment::Now));
    }
    Ok(params.moment(name)?.map(Moment::At))
}

/// A moment, or none where it is empty.
fn clearable(params: &mut Params, name: &str) -> Result<Option<Assign<Timestamp>>, Error> {
    if params.is_text(name, "") {
        params.take(name);
        return Ok(Some(Assign::Nothing));
    }
    Ok(params.moment(name)?.map(Assign::To))
}

fn payment_method(params: &mut Params) -> Result<Option<String>, Error> {
    let source = params.string("default_source", TEXT)?;
    Ok(params.string("default_payment_method", TEXT)?.or(source))
}

fn at_trial_end(params: &mut Params) -> Result<Option<MissingPaymentMethod>, Error> {
    let Some(mut settings) = params.map("trial_settings")? else { return Ok(None) };
    let mut end = settings.map("end_behavior")?.unwrap_or_default();
    settings.finish()?;
    end.ignore(&["billing_cycle_anchor"]);
    let behavior = end.one_of(
        "missing_payment_method",
        &[
            ("cancel", MissingPaymentMethod::Cancel),
            ("create_invoice", MissingPaymentMethod::CreateInvoice),
            ("pause", MissingPaymentMethod::Pause),
        ],
    )?;
    end.finish()?;
    Ok(behavior)
}

fn pause_collection(params: &mut Params) -> Result<Option<Assign<PauseCollection>>, Error> {
    if params.is_text("pause_collection", "") {
        params.take("pause_collection");
        return Ok(Some(Assign::Nothing));
    }
    let Some(mut pause) = params.map("pause_collection")? else { return Ok(None) };
    let behaviors = ["keep_as_draft", "mark_uncollectible", "void"].map(|word| (word, word));
    let behavior = pause.one_of("behavior", &behaviors)?;
    let behavior = behavior.ok_or_else(|| Error::missing(&pause.full("behavior")))?.to_owned();
    let resumes_at = pause.moment("resumes_at")?;
    pause.finish()?;
    Ok(Some(Assign::To(PauseCollection { behavior, resumes_at })))
}

fn details(params: &mut Params) -> Result<Map<String, Value>, Error> {
    let mut details = params.details(&DETAILS)?;
    let methods = ["charge_automatically", "send_invoice"].map(|word| (word, word));
    if let Some(method) = params.one_of("collection_method", &methods)? {
        details.insert("collection_method".to_owned(), method.into());
    }
    if let Some(days) = params.integer("days_until_due", 0..=DAYS_UNTIL_DUE)? {
        details.insert("days_until_due".to_owned(), days.into());
    }
    Ok(details)
}

fn cancellation(params: &mut Params) -> Result<Option<Cancellation>, Error> {
    let Some(mut given) = params.map("cancellation_details")? else { return Ok(None) };
    let mut text = |name| -> Result<_, Error> {
        Ok(given.string(name, TEXT)?.filter(|text| !text.is_empty()))
    };
    let (comment, feedback, option) =
        (text("comment")?, text("feedback")?, text("feedback_option")?);
    given.finish()?;
    Ok(Some(Cancellation { comment, feedback, feedback_option: option, reason: None }))
}
