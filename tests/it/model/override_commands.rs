//! The reference of the model for the commands of operators: what each of them must do.

use entgate::{
    id::{LookupKey, Timestamp},
    ledger::{NewOverride, Override, OverrideEnd, OverrideRefusal, OverrideReply, OverrideUpdate},
    override_period::OverrideEffect,
};

/// A request of an operator. Times are seconds from the ledger's time.
#[derive(Clone, Debug)]
pub(crate) enum OverrideStep {
    Create { feature: usize, effect: OverrideEffect, start: Option<i64>, end: OverrideEnd },
    Update { which: usize, start: Option<i64>, end: Option<OverrideEnd> },
    Delete(usize),
}

/// An override that was made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct MadeOverride {
    pub(crate) id: String,
    pub(crate) feature: LookupKey,
    pub(crate) effect: OverrideEffect,
    pub(crate) starts_at: Timestamp,
    pub(crate) ends_at: Option<Timestamp>,
    /// Whether an operator has started it, or ended it, at that moment.
    pub(crate) was_started: bool,
    pub(crate) was_ended: bool,
}

impl MadeOverride {
    pub(crate) fn has_ended(&self, at: Timestamp) -> bool {
        self.ends_at.is_some_and(|end| end <= at)
    }

    pub(crate) fn is_active(&self, at: Timestamp) -> bool {
        self.starts_at <= at && !self.has_ended(at)
    }
}

/// What a command must do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Expected {
    Changed(Made),
    Unchanged(Made),
    Refused(OverrideRefusal),
    NotFound,
}

/// The period of an override after a command.
pub(crate) type Made = (String, LookupKey, OverrideEffect, Timestamp, Option<Timestamp>);

pub(crate) fn period(made: &MadeOverride) -> Made {
    (made.id.clone(), made.feature.clone(), made.effect, made.starts_at, made.ends_at)
}

pub(crate) fn create(new: &NewOverride, at: Timestamp) -> Result<MadeOverride, OverrideRefusal> {
    let starts_at = new.starts_at.map_or(at, |start| start.max(at));
    let ends_at = end_at(new.end, starts_at, at);
    if ends_at.is_some_and(|end| end <= starts_at) {
        return Err(OverrideRefusal::EndNotAfterStart);
    }
    let (id, feature, effect) = (new.id.to_string(), new.feature.clone(), new.effect);
    let was_started = starts_at == at;
    Ok(MadeOverride { id, feature, effect, starts_at, ends_at, was_started, was_ended: false })
}

pub(crate) fn update(
    change: &OverrideUpdate,
    before: &MadeOverride,
    at: Timestamp,
) -> Result<MadeOverride, OverrideRefusal> {
    let mut after = before.clone();
    if change.starts_at.is_none() && change.end.is_none() {
        return Ok(after);
    }
    if before.has_ended(at) {
        return Err(OverrideRefusal::Ended);
    }
    if let Some(start) = change.starts_at.filter(|start| *start != before.starts_at) {
        if before.starts_at <= at {
            return Err(OverrideRefusal::Started);
        }
        after.starts_at = start.max(at);
        after.was_started = after.starts_at == at;
    }
    if let Some(end) = change.end {
        after.ends_at = end_at(end, after.starts_at, at);
        // An override that is active can be ended in its first second.
        let is_ended = end == OverrideEnd::Now && after.starts_at <= at;
        after.was_ended = is_ended;
        if is_ended {
            return Ok(after);
        }
    }
    let is_too_early = |end: Timestamp| end <= after.starts_at || end <= at;
    if after != *before && after.ends_at.is_some_and(is_too_early) {
        return Err(OverrideRefusal::EndNotAfterStart);
    }
    Ok(after)
}

fn end_at(end: OverrideEnd, starts_at: Timestamp, at: Timestamp) -> Option<Timestamp> {
    match end {
        OverrideEnd::Never => None,
        OverrideEnd::Now => Some(at),
        OverrideEnd::At(end) => Some(end),
        OverrideEnd::After(seconds) => Some(starts_at.saturating_add(seconds)),
    }
}

impl Expected {
    /// Asserts that the ledger replied so.
    pub(crate) fn assert_reply(&self, reply: &OverrideReply) {
        let actual = match reply {
            OverrideReply::One { value, .. } => {
                let made = period_of(value);
                match self {
                    Self::Changed(_) => Self::Changed(made),
                    Self::Unchanged(_) | Self::Refused(_) | Self::NotFound => Self::Unchanged(made),
                }
            }
            OverrideReply::Refused(refusal) => Self::Refused(*refusal),
            OverrideReply::NotFound => Self::NotFound,
            OverrideReply::List { .. } => panic!("{reply:?}"),
        };
        assert_eq!(actual, *self);
    }
}

fn period_of(value: &Override) -> Made {
    let period = &value.period;
    let (id, feature) = (period.id.to_string(), period.feature.clone());
    (id, feature, period.effect, period.starts_at, value.ends_at())
}
