//! The record of a customer. Lines: a lookup key, the record.

use entgate::{
    effective_set::{AnswerContext, EffectiveSet, MissingSource},
    entitlement::{ActiveEntitlement, Completeness, Decision, Entitlements, SourceSet, Version},
    id::{EntitlementId, FeatureId, LookupKey, OverrideId, Timestamp},
    override_period::{OverrideEffect, OverridePeriod},
    policy::SourcePolicy,
    store::record::{
        Error, FeatureLookup, columns::parse_complete_set, decode, encode, lookup_feature,
        was_read_under,
    },
};
use serde_json::Value;

use super::{
    json::{self, Rejection},
    lines::split_line,
};

/// The time of a lookup.
const NOW: Timestamp = Timestamp(15);

pub(crate) fn run(input: &[u8]) {
    let Some((feature, record)) = split_line(input) else { return };
    let Ok(feature) = LookupKey::try_from(feature) else { return };
    let value = json::parse(record);
    let decoded = decode(record);
    match &value {
        Ok(value) => assert_eq!(decoded, interpret(value, &decoded)),
        Err(Rejection::Certain | Rejection::Possible) => assert!(decoded.is_err(), "{decoded:?}"),
    }
    check_columns(record, &decoded);
    // A lookup reads the first of two members, and `decode` the last. No record has two.
    let is_ambiguous = value.is_ok_and(|value| json::has_duplicate_members(record, &value));
    if let (Some(lookup), Ok(set), false) =
        (lookup_feature(record, &feature, &[], NOW), &decoded, is_ambiguous)
    {
        assert_eq!(Some(lookup), look_up(set, &feature));
    }
    if let Ok(set) = decoded {
        check_encoding(&set, &feature);
    }
}

/// Whatever the columns contain, `decode` returns.
fn check_columns(record: &[u8], decoded: &Result<Entitlements, Error>) {
    let Some(columns) = parse_complete_set(record) else { return };
    let Ok(record) = decoded else { panic!("{columns:?}, and decoded: {decoded:?}") };
    let Some(set) = &record.source else { panic!("{columns:?} without a source set") };
    assert_eq!(
        (columns.version, columns.as_of, Completeness::Complete),
        (record.version, set.as_of, set.completeness)
    );
    assert_eq!(record.overrides, []);
    let unescaped = |string: &str| match json::parse(format!("\"{string}\"").as_bytes()) {
        Ok(Value::String(string)) => string,
        other => panic!("{string}: {other:?}"),
    };
    let grants = columns
        .grants
        .iter()
        .map(|grant| (unescaped(grant.id), unescaped(grant.feature), unescaped(grant.lookup_key)));
    let expected = set.data.iter().map(|grant| {
        (grant.id.to_string(), grant.feature.to_string(), grant.lookup_key.to_string())
    });
    assert_eq!(grants.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

/// An encoded record decodes to itself, and the fast readers read it.
fn check_encoding(record: &Entitlements, feature: &LookupKey) {
    let Ok(encoded) = encode(record) else { panic!("not encoded: {record:?}") };
    assert_eq!(decode(&encoded).as_ref(), Ok(record));
    let source = record.source.as_ref();
    let policy = source.map_or(SourcePolicy::default(), |set| set.policy);
    assert!(was_read_under(&encoded, policy), "{record:?}");
    // The fast readers do not parse the first timestamp, which is 292 billion years ago.
    let times =
        record.overrides.iter().flat_map(|period| [Some(period.starts_at), period.expires_at]);
    let advanced_to = (!record.overrides.is_empty()).then_some(record.advanced_to);
    let mut times = times.flatten().chain(source.map(|set| set.as_of)).chain(advanced_to);
    if times.any(|time| time == Timestamp::MIN) {
        return;
    }
    let complete = source
        .filter(|set| set.completeness == Completeness::Complete && record.overrides.is_empty());
    // With its escapes a string may be longer than an id. `decode` then reads the record.
    let columns = parse_complete_set(&encoded).map(|columns| columns.grants.len());
    if columns.is_some() || !encoded.contains(&b'\\') {
        assert_eq!(columns, complete.map(|set| set.data.len()));
    }
    let keys = source.into_iter().flat_map(|set| &set.data).map(|grant| &grant.lookup_key);
    let overridden = record.overrides.iter().map(|period| &period.feature);
    for feature in keys.chain(overridden).chain([feature]) {
        let has_escape = feature.as_str().contains(['"', '\\']);
        let expected = look_up(record, feature).filter(|_| !has_escape);
        assert_eq!(lookup_feature(&encoded, feature, &[], NOW), expected, "{feature}");
    }
}

fn look_up(record: &Entitlements, feature: &LookupKey) -> Option<FeatureLookup> {
    let policy = record.source.as_ref().map_or(SourcePolicy::default(), |set| set.policy);
    let context = AnswerContext { policy, default_features: &[], now: NOW };
    let set = EffectiveSet::new(Some(record), MissingSource::Undetermined, context);
    let decision = set.check(feature);
    let (version, record_version) = (set.version(), record.version);
    let lookup = FeatureLookup { version, record_version, as_of: record.as_of(), decision };
    (decision != Decision::Indeterminate).then_some(lookup)
}

/// What a record means. For an invalid one, the error of `decode` if it is of the right kind.
fn interpret(record: &Value, decoded: &Result<Entitlements, Error>) -> Result<Entitlements, Error> {
    let format = record.get("v").and_then(Value::as_u64).and_then(|v| u32::try_from(v).ok());
    match (format, decoded) {
        (Some(format), _) if format != 1 => return Err(Error::UnsupportedVersion(format)),
        _ => {}
    }
    match (format.and_then(|_| interpret_record(record)), decoded) {
        (Some(set), _) => Ok(set),
        (None, Err(error @ Error::Invalid(_))) => Err(error.clone()),
        (None, _) => Err(Error::Invalid("by the reference".to_owned())),
    }
}

/// The members of a record that may be absent or `null`.
fn present<'a>(record: &'a Value, name: &str) -> Option<&'a Value> {
    record.get(name).filter(|value| !value.is_null())
}

/// The name of a variant without content.
fn variant(value: &Value) -> Option<&str> {
    match value {
        Value::String(name) => Some(name),
        // serde's other encoding of a variant.
        Value::Object(variant) if variant.len() == 1 => variant.keys().next().map(String::as_str),
        _ => None,
    }
}

fn interpret_record(record: &Value) -> Option<Entitlements> {
    let strings = |name: &str| -> Option<Vec<String>> {
        let items = record.get(name)?.as_array()?.iter();
        items.map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let (keys, features, ids) = (strings("keys")?, strings("features")?, strings("ids")?);
    if keys.len() != features.len() || keys.len() != ids.len() {
        return None;
    }
    let grants = ids.into_iter().zip(features).zip(keys).map(|((id, feature), lookup_key)| {
        Some(ActiveEntitlement {
            id: EntitlementId::try_from(id).ok()?,
            feature: FeatureId::try_from(feature).ok()?,
            lookup_key: LookupKey::try_from(lookup_key).ok()?,
        })
    });
    let data: Vec<_> = grants.collect::<Option<_>>()?;
    let members = ["source", "as_of", "completeness"].map(|name| present(record, name));
    let source = match members {
        [Some(source), Some(as_of), Some(completeness)] => Some(SourceSet {
            as_of: Timestamp(as_of.as_i64()?),
            completeness: match variant(completeness)? {
                "complete" => Completeness::Complete,
                "partial" => Completeness::Partial,
                _ => return None,
            },
            policy: SourcePolicy::parse(source.as_str()?)?,
            data,
        }),
        [None, None, None] if data.is_empty() => None,
        _ => return None,
    };
    let overrides: Vec<_> = match present(record, "overrides") {
        Some(list) => list.as_array()?.iter().map(interpret_period).collect::<Option<_>>()?,
        None => Vec::new(),
    };
    let advanced_to = match present(record, "advanced_to") {
        Some(time) if !overrides.is_empty() => Timestamp(time.as_i64()?),
        None if overrides.is_empty() => Timestamp::MIN,
        Some(_) | None => return None,
    };
    let version = Version(record.get("version")?.as_u64()?);
    Some(Entitlements { version, source, overrides, advanced_to })
}

fn interpret_period(value: &Value) -> Option<OverridePeriod> {
    let string = |name: &str| value.get(name)?.as_str();
    let expires_at = match present(value, "expires_at") {
        Some(time) => Some(Timestamp(time.as_i64()?)),
        None => None,
    };
    Some(OverridePeriod {
        id: OverrideId::try_from(string("id")?).ok()?,
        feature: LookupKey::try_from(string("feature")?).ok()?,
        effect: match variant(value.get("effect")?)? {
            "grant" => OverrideEffect::Grant,
            "deny" => OverrideEffect::Deny,
            _ => return None,
        },
        starts_at: Timestamp(value.get("starts_at")?.as_i64()?),
        expires_at,
    })
}
