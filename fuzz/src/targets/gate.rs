//! The browser core. Lines: a lookup key, now, messages.

use std::collections::{BTreeMap, BTreeSet};

use entgate::{
    entitlement::{Decision, DenyReason, GrantReason},
    gate::{LineSet, replay},
    id::{CustomerId, LookupKey, Timestamp},
};
use serde_json::{Map, Value};

use super::{
    json::{self, Rejection},
    lines::split_line,
};

/// The largest integer of a message: fifteen digits.
const MAX_INTEGER: u64 = 999_999_999_999_999;

/// The depth up to which every message is accepted. Deeper ones may be rejected.
const ACCEPTED_DEPTH: usize = 60;

pub(crate) fn run(input: &[u8]) {
    let Some((feature, rest)) = split_line(input) else { return };
    let Some((now, messages)) = split_line(rest) else { return };
    let Ok(now) = now.parse() else { return };
    let mut bytes = messages.to_vec();
    let lines = replay(&mut bytes).map(|len| &bytes[..len]);
    // JavaScript passes strings, which are always UTF-8.
    if std::str::from_utf8(messages).is_err() {
        return;
    }
    let value = json::parse(messages);
    let set = value.clone().and_then(|value| interpret(&value).ok_or(Rejection::Certain));
    match (lines, set) {
        (Some(lines), Ok(set)) => set.assert_equals(lines, feature, Timestamp(now)),
        (Some(lines), Err(Rejection::Certain)) => {
            panic!("not valid, replayed to {:?}", String::from_utf8_lossy(lines))
        }
        (None, Ok(set)) => {
            let may_reject = value.is_ok_and(|value| {
                json::has_duplicate_members(messages, &value)
                    || json::depth(&value) > ACCEPTED_DEPTH
            });
            assert!(may_reject, "rejected: {set:?}");
        }
        (Some(_), Err(Rejection::Possible)) | (None, Err(_)) => {}
    }
}

/// A set in the form that a check needs.
#[derive(Debug, Default)]
struct Set {
    version: u64,
    expires: u64,
    customer: Option<String>,
    is_live: bool,
    is_unknown: bool,
    has_more: bool,
    features: BTreeSet<String>,
}

impl Set {
    fn assert_equals(&self, lines: &[u8], feature: &str, now: Timestamp) {
        let text = std::str::from_utf8(lines).unwrap_or_else(|error| panic!("{error}: {lines:?}"));
        let values = |kind: char| text.lines().filter_map(move |line| line.strip_prefix(kind));
        let first = |kind| values(kind).next().map(str::to_owned);
        assert_eq!(first('v'), Some(self.version.to_string()), "{text}");
        assert_eq!(first('e'), Some(self.expires.to_string()), "{text}");
        assert_eq!(first('c'), self.customer, "{text}");
        assert_eq!(first('l').is_some(), self.is_live, "{text}");
        let granted: BTreeSet<_> = values('+').map(str::to_owned).collect();
        assert_eq!(granted, self.features, "{text}");
        for key in self.features.iter().map(String::as_str).chain([feature]) {
            let expected = self.check(key, now);
            assert_eq!(LineSet(lines).check(key.as_bytes(), now), expected, "{key} in {text}");
        }
    }

    fn check(&self, feature: &str, now: Timestamp) -> Decision {
        if i128::from(now.0) >= i128::from(self.expires) {
            Decision::Indeterminate
        } else if self.features.contains(feature) {
            Decision::Grant(GrantReason::ActiveEntitlement)
        } else if self.has_more {
            Decision::Indeterminate
        } else if self.is_unknown {
            Decision::Deny(DenyReason::UnknownCustomer)
        } else {
            Decision::Deny(DenyReason::NotEntitled)
        }
    }
}

/// The set that messages describe. `None` if they are not valid.
fn interpret(messages: &Value) -> Option<Set> {
    let messages = messages.as_array()?.iter().map(Value::as_object);
    let messages: Vec<_> = messages.collect::<Option<_>>()?;
    let mut set = Set::default();
    for message in &messages {
        if let Some(sub) = message.get("sub") {
            let sub = bounded_string(sub, CustomerId::MAX_LEN)?;
            set.customer.get_or_insert(sub);
        }
        if let Some(livemode) = message.get("livemode") {
            set.is_live |= livemode.as_bool()?;
        }
        if message.get("as_of").is_some_and(|as_of| !as_of.is_null() && !as_of.is_number()) {
            return None;
        }
    }
    let is_change = |message: &&Map<_, _>| has_only(message, &["version", "added", "removed"]);
    let changes = messages.iter().take_while(|message| is_change(message)).count();
    let (changes, base) = messages.split_at_checked(changes)?;
    let (head, pages) = base.split_first()?;
    // The newest mention of a feature decides.
    let mut decided = BTreeMap::new();
    for change in changes {
        let mut mentioned = BTreeMap::new();
        mentioned.extend(lookup_keys(change.get("removed")?)?.into_iter().map(|key| (key, false)));
        mentioned.extend(lookup_keys(change.get("added")?)?.into_iter().map(|key| (key, true)));
        for (key, is_granted) in mentioned {
            decided.entry(key).or_insert(is_granted);
        }
    }
    let mut features = Vec::new();
    if has_only(head, &["version", "exp", "entitlements"]) && pages.is_empty() {
        features.extend(lookup_keys(head.get("entitlements")?)?);
    } else if has_only(head, &["version", "exp"]) && !pages.is_empty() {
        for page in pages {
            if !has_only(page, &["data", "has_more"]) {
                return None;
            }
            for item in page.get("data")?.as_array()? {
                let key = item.as_object()?.get("lookup_key")?;
                features.push(bounded_string(key, LookupKey::MAX_LEN)?);
            }
            set.has_more = page.get("has_more")?.as_bool()?;
        }
    } else {
        return None;
    }
    let versions: Option<Vec<_>> =
        changes.iter().chain([head]).map(|message| integer(message.get("version")?)).collect();
    let versions = versions?;
    if versions.windows(2).any(|pair| Some(pair[1]) != pair[0].checked_sub(1)) {
        return None;
    }
    set.version = *versions.first()?;
    set.expires = integer(head.get("exp")?)?;
    set.is_unknown = changes.is_empty() && head.get("as_of").is_some_and(Value::is_null);
    for key in features {
        decided.entry(key).or_insert(true);
    }
    set.features =
        decided.into_iter().filter(|(_, granted)| *granted).map(|(key, _)| key).collect();
    Some(set)
}

/// Whether exactly these of the members that tell messages apart are present.
fn has_only(message: &Map<String, Value>, names: &[&str]) -> bool {
    ["version", "exp", "entitlements", "data", "has_more", "added", "removed"]
        .iter()
        .all(|name| message.contains_key(*name) == names.contains(name))
}

fn integer(value: &Value) -> Option<u64> {
    value.as_u64().filter(|number| *number <= MAX_INTEGER)
}

fn lookup_keys(value: &Value) -> Option<Vec<String>> {
    let keys = value.as_array()?.iter();
    keys.map(|key| bounded_string(key, LookupKey::MAX_LEN)).collect()
}

fn bounded_string(value: &Value, max_len: usize) -> Option<String> {
    let string = value.as_str()?;
    let is_valid = (1..=max_len).contains(&string.len()) && !string.contains(char::is_control);
    is_valid.then(|| string.to_owned())
}
