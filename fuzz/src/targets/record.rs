//! The record of a set. Lines: a lookup key, the record.

use entgate::{
    entitlement::{ActiveEntitlement, Completeness, Entitlements, Version},
    id::{EntitlementId, FeatureId, LookupKey, Timestamp},
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
        (lookup_feature(record, &feature), &decoded, is_ambiguous)
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
    let Ok(set) = decoded else { panic!("{columns:?}, and decoded: {decoded:?}") };
    assert_eq!(
        (columns.version, columns.as_of, Completeness::Complete),
        (set.version, set.as_of, set.completeness)
    );
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

/// An encoded set decodes to itself, and the fast readers read it.
fn check_encoding(set: &Entitlements, feature: &LookupKey) {
    let Ok(encoded) = encode(set) else { panic!("not encoded: {set:?}") };
    assert_eq!(decode(&encoded).as_ref(), Ok(set));
    assert!(was_read_under(&encoded, set.policy), "{set:?}");
    // The fast readers do not parse the first timestamp, which is 292 billion years ago.
    if set.as_of == Timestamp(i64::MIN) {
        return;
    }
    let is_complete = set.completeness == Completeness::Complete;
    // With its escapes a string may be longer than an id. `decode` then reads the record.
    let columns = parse_complete_set(&encoded).map(|columns| columns.grants.len());
    if columns.is_some() || !encoded.contains(&b'\\') {
        assert_eq!(columns, is_complete.then_some(set.data.len()));
    }
    let keys = set.data.iter().map(|grant| &grant.lookup_key);
    for feature in keys.chain([feature]) {
        let has_escape = feature.as_str().contains(['"', '\\']);
        let expected = look_up(set, feature).filter(|_| !has_escape);
        assert_eq!(lookup_feature(&encoded, feature), expected, "{feature}");
    }
}

fn look_up(set: &Entitlements, feature: &LookupKey) -> Option<FeatureLookup> {
    let entitled = set.data.iter().any(|grant| grant.lookup_key == *feature);
    let lookup = FeatureLookup { version: set.version, as_of: set.as_of, entitled };
    (set.completeness == Completeness::Complete).then_some(lookup)
}

/// What a record means. For an invalid one, the error of `decode` if it is of the right kind.
fn interpret(record: &Value, decoded: &Result<Entitlements, Error>) -> Result<Entitlements, Error> {
    let format = record.get("v").and_then(Value::as_u64).and_then(|v| u32::try_from(v).ok());
    match (format, decoded) {
        (Some(format), _) if format != 1 => return Err(Error::UnsupportedVersion(format)),
        _ => {}
    }
    match (format.and_then(|_| interpret_set(record)), decoded) {
        (Some(set), _) => Ok(set),
        (None, Err(error @ Error::Invalid(_))) => Err(error.clone()),
        (None, _) => Err(Error::Invalid("by the reference".to_owned())),
    }
}

fn interpret_set(record: &Value) -> Option<Entitlements> {
    let strings = |name: &str| -> Option<Vec<String>> {
        let items = record.get(name)?.as_array()?.iter();
        items.map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let completeness = match record.get("completeness")? {
        Value::String(name) => name,
        // serde's other encoding of a variant.
        Value::Object(variant) if variant.len() == 1 => variant.keys().next()?,
        _ => return None,
    };
    let completeness = match completeness.as_str() {
        "complete" => Completeness::Complete,
        "partial" => Completeness::Partial,
        _ => return None,
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
    Some(Entitlements {
        version: Version(record.get("version")?.as_u64()?),
        as_of: Timestamp(record.get("as_of")?.as_i64()?),
        completeness,
        policy: SourcePolicy::parse(record.get("source")?.as_str()?)?,
        data: grants.collect::<Option<_>>()?,
    })
}
