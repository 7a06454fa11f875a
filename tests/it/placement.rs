//! Where the objects and the records of a deployment are, and what the record of the deployment says.

use entgate::{
    api::{
        deployment::{
            DEPLOYMENT_KEY, DeploymentCheck, JurisdictionChanged, check_deployment,
            deployment_record,
        },
        fast_path::wire::encode_placement,
        jurisdiction_changed, jurisdiction_unsupported,
        settings::{Error, Placement, Settings},
    },
    id::CustomerKey,
};

fn parse(jurisdiction: &str, hint: &str) -> Result<Placement, Error> {
    let settings = Settings::parse(|name| match name {
        "ENTGATE_JURISDICTION" => Some(jurisdiction.to_owned()),
        "ENTGATE_LOCATION_HINT" => Some(hint.to_owned()),
        _ => None,
    });
    settings.map(|settings| settings.placement)
}

#[test]
fn a_jurisdiction_is_one_that_cloudflare_has() {
    let name = "ENTGATE_JURISDICTION";
    let problem = "is none of `eu`, `us` and `fedramp`";
    for (value, expected) in [
        ("", Ok((None, ""))),
        ("eu", Ok((Some("eu"), "eu:"))),
        ("us", Ok((Some("us"), "us:"))),
        ("fedramp", Ok((Some("fedramp"), "fedramp:"))),
        ("EU", Err(Error { name, problem })),
        ("eu ", Err(Error { name, problem })),
        ("fedramp-high", Err(Error { name, problem })),
        ("de", Err(Error { name, problem })),
    ] {
        let placement = parse(value, "");
        assert_eq!(placement.map(|it| (it.jurisdiction(), it.key_prefix())), expected, "{value:?}");
    }
}

#[test]
fn a_location_hint_is_one_that_cloudflare_has() {
    let name = "ENTGATE_LOCATION_HINT";
    let problem = "is none of `wnam`, `enam`, `sam`, `weur`, `eeur`, `apac`, `apac-ne`, `apac-se`, `oc`, `afr` and `me`";
    let hints =
        ["wnam", "enam", "sam", "weur", "eeur", "apac", "apac-ne", "apac-se", "oc", "afr", "me"];
    for hint in hints {
        assert_eq!(parse("", hint).map(|it| it.location_hint()), Ok(Some(hint)));
    }
    assert_eq!(parse("eu", "").map(|it| it.location_hint()), Ok(None));
    for hint in ["eu", "WEUR", "weur,eeur", "apac-"] {
        assert_eq!(parse("", hint), Err(Error { name, problem }), "{hint}");
    }
}

#[test]
fn the_jurisdiction_begins_the_key_of_a_record() {
    for (jurisdiction, key, expected) in [
        ("", "live:cus_ada", "live:cus_ada"),
        ("eu", "live:cus_ada", "eu:live:cus_ada"),
        ("fedramp", "test:eu:live:cus_ada", "fedramp:test:eu:live:cus_ada"),
    ] {
        let customer = CustomerKey::from_key(key).unwrap();
        assert_eq!(parse(jurisdiction, "").unwrap().replica_key(&customer), expected);
    }
    let longest = CustomerKey::from_key(&format!("live:{}", "c".repeat(255))).unwrap();
    let key = parse("fedramp", "").unwrap().replica_key(&longest);
    assert!(key.len() <= 512, "a key in KV has at most 512 bytes, this one has {}", key.len());
}

#[test]
fn the_key_of_the_deployment_is_the_key_of_no_customer() {
    assert_eq!(DEPLOYMENT_KEY, "entgate:deployment");
    assert_eq!(CustomerKey::from_key(DEPLOYMENT_KEY), None);
}

#[test]
fn the_record_of_a_deployment_confirms_its_own_jurisdiction_only() {
    let changed = |stored: &str, configured| {
        let stored = Some(stored.to_owned()).filter(|stored| !stored.is_empty());
        DeploymentCheck::Changed(JurisdictionChanged { stored, configured })
    };
    for (why, jurisdiction, stored, expected) in [
        ("a new deployment", "eu", None, DeploymentCheck::Unrecorded),
        ("a new one in no jurisdiction", "", None, DeploymentCheck::Unrecorded),
        ("the same", "eu", Some(r#"{"jurisdiction":"eu"}"#), DeploymentCheck::Confirmed),
        ("none, as before", "", Some(r#"{"jurisdiction":null}"#), DeploymentCheck::Confirmed),
        (
            "a member of a later release",
            "us",
            Some(r#"{"jurisdiction":"us","created":1}"#),
            DeploymentCheck::Confirmed,
        ),
        ("another", "us", Some(r#"{"jurisdiction":"eu"}"#), changed("eu", Some("us"))),
        ("one more", "us", Some(r#"{"jurisdiction":null}"#), changed("", Some("us"))),
        ("one less", "", Some(r#"{"jurisdiction":"eu"}"#), changed("eu", None)),
        ("not JSON", "eu", Some("eu"), changed("an unreadable record", Some("eu"))),
        ("empty", "", Some(""), changed("an unreadable record", None)),
        (
            "a number",
            "eu",
            Some(r#"{"jurisdiction":1}"#),
            changed("an unreadable record", Some("eu")),
        ),
    ] {
        let placement = parse(jurisdiction, "").unwrap();
        assert_eq!(check_deployment(stored.map(str::as_bytes), &placement), expected, "{why}");
    }
    for jurisdiction in ["", "eu", "us", "fedramp"] {
        let placement = parse(jurisdiction, "").unwrap();
        let record = deployment_record(&placement);
        let check = check_deployment(Some(record.as_bytes()), &placement);
        assert_eq!(check, DeploymentCheck::Confirmed, "{record}");
    }
}

#[test]
fn a_changed_jurisdiction_is_a_500_that_says_what_to_do() {
    let changed = JurisdictionChanged { stored: Some("eu".to_owned()), configured: Some("us") };
    let response = jurisdiction_changed(&changed);
    assert_eq!(response.status(), 500);
    assert_eq!(
        String::from_utf8(response.into_body()).unwrap(),
        r#"{"error":{"type":"api_error","code":"jurisdiction_changed","message":"The deployment is misconfigured: ENTGATE_JURISDICTION is `us`, and the objects of this deployment are in `eu`. Set ENTGATE_JURISDICTION back, or deploy under another name with another KV namespace."}}"#
    );
    let none = JurisdictionChanged { stored: None, configured: Some("eu") };
    assert_eq!(
        none.to_string(),
        "ENTGATE_JURISDICTION is `eu`, and the objects of this deployment are in no jurisdiction"
    );
    let unset = JurisdictionChanged { stored: Some("eu".to_owned()), configured: None };
    assert_eq!(
        unset.to_string(),
        "ENTGATE_JURISDICTION is not set, and the objects of this deployment are in `eu`"
    );
}

#[test]
fn a_runtime_without_jurisdictions_is_a_500_that_names_the_setting() {
    let response = jurisdiction_unsupported();
    assert_eq!(response.status(), 500);
    assert_eq!(
        String::from_utf8(response.into_body()).unwrap(),
        r#"{"error":{"type":"api_error","message":"The deployment is misconfigured: ENTGATE_JURISDICTION is set, and this runtime has no jurisdictions: unset it here, and set it on Cloudflare only."}}"#
    );
}

#[test]
fn the_placement_for_javascript_has_an_empty_line_for_what_is_not_set() {
    for (jurisdiction, hint, expected) in [
        ("", "", "\n\n\n{\"jurisdiction\":null}"),
        ("eu", "", "eu\n\neu:\n{\"jurisdiction\":\"eu\"}"),
        ("", "weur", "\nweur\n\n{\"jurisdiction\":null}"),
        ("us", "enam", "us\nenam\nus:\n{\"jurisdiction\":\"us\"}"),
    ] {
        assert_eq!(encode_placement(&parse(jurisdiction, hint).unwrap()), expected);
    }
}
