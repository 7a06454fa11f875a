//! Settings, and what a malformed one does.

use entgate::api::{
    misconfigured,
    settings::{Error, Settings},
};

fn read(name: &'static str, text: &str) -> Result<(usize, usize), Error> {
    let settings = Settings::read(|asked| (asked == name).then(|| text.to_owned()))?;
    Ok((settings.api_keys.len(), settings.webhook_secrets.len()))
}

#[test]
fn a_setting_is_a_comma_separated_list_of_one_kind() {
    let (keys, secrets) = ("ENTGATE_API_KEYS", "STRIPE_WEBHOOK_SECRETS");
    let prefix = "has a key that does not begin with sk_test_ or sk_live_";
    let comma = "has an empty item: two commas in a row, or one at an end";
    let space = "has white space inside an item: separate items by commas";
    for (name, text, expected) in [
        (keys, "sk_test_a", Ok((1, 0))),
        (keys, " sk_test_a , sk_live_b ", Ok((2, 0))),
        (keys, "", Ok((0, 0))),
        (keys, "  ", Ok((0, 0))),
        (keys, "pk_test_a", Err(prefix)),
        (keys, "sk_test_", Err(prefix)),
        (keys, "whsec_a", Err(prefix)),
        (keys, "sk_test_a,", Err(comma)),
        (keys, "sk_test_a,,sk_test_b", Err(comma)),
        (keys, "sk_test_a sk_test_b", Err(space)),
        (secrets, "whsec_a,whsec_b", Ok((0, 2))),
        (secrets, "whsec_", Err("has a secret that does not begin with whsec_")),
        (secrets, "sk_test_a", Err("has a secret that does not begin with whsec_")),
    ] {
        let expected = expected.map_err(|problem| Error { name, problem });
        assert_eq!(read(name, text), expected, "{name}={text}");
    }
    let sixteen = vec!["whsec_a"; 16].join(",");
    assert_eq!(read(secrets, &sixteen), Ok((0, 16)));
    let problem = "has more than 16 items";
    assert_eq!(read(secrets, &format!("{sixteen},whsec_a")), Err(Error { name: secrets, problem }));
}

#[test]
fn a_malformed_setting_is_a_500_that_names_it_and_not_its_value() {
    let error = read("ENTGATE_API_KEYS", "hunter2").unwrap_err();
    let response = misconfigured(&error);
    let body = String::from_utf8(response.into_body()).unwrap();
    assert_eq!(
        body,
        r#"{"error":{"type":"api_error","message":"The deployment is misconfigured: ENTGATE_API_KEYS has a key that does not begin with sk_test_ or sk_live_."}}"#
    );
}

#[test]
fn settings_can_be_printed_without_telling_a_secret() {
    let settings = Settings::read(|name| {
        Some(
            if name == "ENTGATE_API_KEYS" { "sk_live_hunter2" } else { "whsec_hunter2" }.to_owned(),
        )
    });
    assert_eq!(
        format!("{:?}", settings.unwrap()),
        "Settings { api_keys: [ApiKey { livemode: Live, .. }], webhook_secrets: [Secret(…)] }"
    );
}
