//! Requests of operators: overrides, the history, and explanations.
//!
//! Each of them first carries out what is due, so that it shows the state of now. Not here: what a command
//! changes ([`LedgerState::change_overrides()`]), and what an explanation says ([`explain()`]).

use std::{rc::Rc, slice};

use super::{instance::Instance, refresh};
use crate::{
    effective_set::{AnswerContext, EffectiveSet, MissingSource},
    entitlement::Version,
    id::{CustomerKey, Timestamp, UnixMillis},
    ledger::{
        explanation::{Evidence, ExplainQuery, FeatureHistoryEntry, explain},
        history::{HistoryPage, HistoryQuery},
        overrides::{
            OVERRIDE_IDEMPOTENCY_RETENTION, Override, OverrideCommand, OverrideReply,
            OverrideRequest, OverrideSelection, OverrideUpdate, StoredOverride,
        },
        ports::{LedgerPorts, LedgerStorage as _, PortError, StepError},
        request::LedgerResponse,
        state::LedgerState,
    },
};

/// How many entries of the history are read at once for an explanation. An entry has up to 1 MB.
const HISTORY_PAGE: u32 = 20;

/// Carries out a command for overrides.
pub(super) async fn manage<P: LedgerPorts>(
    instance: &Rc<Instance<P>>,
    request: &OverrideRequest,
) -> Result<LedgerResponse, StepError> {
    let OverrideRequest { customer, command } = request;
    let storage = instance.ports.storage();
    let at = ledger_time(instance)?;
    let selection = match command {
        OverrideCommand::Create(new) => new.idempotency.as_ref().map(|idempotency| {
            let since = at.saturating_sub(OVERRIDE_IDEMPOTENCY_RETENTION);
            OverrideSelection::IdempotencyKey(idempotency.key.clone(), since)
        }),
        OverrideCommand::Retrieve(id)
        | OverrideCommand::Update(OverrideUpdate { id, .. })
        | OverrideCommand::Delete { id, .. } => Some(OverrideSelection::Id(id.clone())),
        OverrideCommand::List { includes_ended: true } => Some(OverrideSelection::All),
        OverrideCommand::List { includes_ended: false } => Some(OverrideSelection::NotEndedAt(at)),
    };
    let selected = selection.map(|selection| storage.read_overrides(&selection)).transpose()?;
    let selected = selected.unwrap_or_default();
    let reply = match command {
        OverrideCommand::Create(_)
        | OverrideCommand::Update(_)
        | OverrideCommand::Delete { .. } => {
            let existing = selected.first();
            let reply = instance.update(customer, |ledger, now| {
                Ok(ledger.change_overrides(command, existing, now))
            })?;
            // No await since the transaction: the platform commits the alarm together with it.
            instance.schedule_alarm().await?;
            reply.unwrap_or(OverrideReply::NotFound)
        }
        OverrideCommand::Retrieve(_) => match selected.into_iter().next() {
            Some(StoredOverride { value, .. }) => OverrideReply::One { value, at },
            None => OverrideReply::NotFound,
        },
        OverrideCommand::List { .. } => OverrideReply::List {
            data: selected.into_iter().map(|stored| stored.value).collect(),
            at,
        },
    };
    Ok(LedgerResponse::Overrides(reply))
}

/// Returns a page of the history, newest first.
pub(super) async fn list_history<P: LedgerPorts>(
    instance: &Rc<Instance<P>>,
    query: &HistoryQuery,
) -> Result<LedgerResponse, StepError> {
    refresh::catch_up(instance, &query.customer).await?;
    let (storage, now) = (instance.ports.storage(), ledger_time(instance)?);
    // One more, to know whether it exists.
    let limit = query.limit;
    let with_next = HistoryQuery { limit: limit.saturating_add(1), ..query.clone() };
    let mut entries = storage.read_history(&with_next, now)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = entries.len() > limit;
    entries.truncate(limit);
    if query.reads_forward() {
        entries.reverse();
    }
    let oldest = HistoryQuery { limit: 1, ..oldest_first(&query.customer) };
    let oldest = storage.read_history(&oldest, now)?;
    let complete_since = oldest.first().map(|entry| entry.version);
    Ok(LedgerResponse::History(HistoryPage { entries, has_more, complete_since }))
}

/// Explains an answer.
pub(super) async fn explain_answer<P: LedgerPorts>(
    instance: &Rc<Instance<P>>,
    query: &ExplainQuery,
) -> Result<LedgerResponse, StepError> {
    let ports = &instance.ports;
    let missing = if query.at.is_some() {
        refresh::catch_up(instance, &query.customer).await?;
        MissingSource::Undetermined
    } else {
        // The source may know more about now.
        let features = slice::from_ref(&query.feature);
        match refresh::load(instance, &query.customer, features).await? {
            LedgerResponse::Set(_) if ports.has_source(query.customer.livemode) => {
                MissingSource::UnknownCustomer
            }
            LedgerResponse::Set(_) => ports.missing_source(),
            LedgerResponse::NewerRelease => return Ok(LedgerResponse::NewerRelease),
            _ => MissingSource::Undetermined,
        }
    };
    let storage = ports.storage();
    let now = ledger_time(instance)?;
    let overrides: Vec<Override> = storage
        .read_overrides(&OverrideSelection::All)?
        .into_iter()
        .map(|stored| stored.value)
        .collect();
    let history = read_feature_history(instance, query, now)?;
    let default_features = ports.default_features();
    let reply = storage.read(|ledger| {
        let context = AnswerContext {
            policy: ports.source_policy(),
            default_features: &default_features,
            now,
        };
        let record = ledger.record.entitlements.as_ref();
        let evidence = Evidence {
            present: EffectiveSet::new(record, missing, context),
            default_features: &default_features,
            confirmed_at: ledger.confirmed_at.map(UnixMillis::to_timestamp),
            overrides: &overrides,
            history: &history,
        };
        explain(query, &evidence)
    })?;
    Ok(LedgerResponse::Explained(reply))
}

/// Reads what each entry of the history changed for the feature, oldest first.
fn read_feature_history<P: LedgerPorts>(
    instance: &Instance<P>,
    query: &ExplainQuery,
    now: Timestamp,
) -> Result<Vec<FeatureHistoryEntry>, PortError> {
    let mut page = HistoryQuery { limit: HISTORY_PAGE, ..oldest_first(&query.customer) };
    let mut history = Vec::new();
    loop {
        let entries = instance.ports.storage().read_history(&page, now)?;
        let Some(last) = entries.last() else { return Ok(history) };
        page.after = Some(last.version);
        history.extend(entries.iter().map(|entry| FeatureHistoryEntry::new(entry, &query.feature)));
    }
}

fn oldest_first(customer: &CustomerKey) -> HistoryQuery {
    HistoryQuery {
        customer: customer.clone(),
        after: Some(Version::default()),
        before: None,
        first: None,
        last: None,
        limit: 0,
    }
}

/// Returns the time of the ledger: now, or that of its last change if the clock was set back.
fn ledger_time<P: LedgerPorts>(instance: &Instance<P>) -> Result<Timestamp, PortError> {
    let now = instance.ports.now().to_timestamp();
    instance.ports.storage().read(|ledger: &LedgerState| ledger.record.time(now))
}
