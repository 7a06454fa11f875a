//! Settings, and what a malformed one does.

use entgate::{
    api::{
        misconfigured,
        settings::{Error, Settings, Source},
    },
    id::Livemode,
    policy::{
        GrantRule::{Keep, Revoke},
        StatusPolicy,
    },
};

use crate::token_fixtures::SIGNING_KEY;

fn read(name: &'static str, text: &str) -> Result<(usize, usize), Error> {
    let settings = Settings::parse(|asked| (asked == name).then(|| text.to_owned()))?;
    Ok((settings.api_keys.len(), settings.webhook_secrets.len()))
}

#[test]
fn an_isolate_remembers_for_up_to_a_minute_and_five_seconds_if_nothing_is_said() {
    let name = "ENTGATE_MEMORY_TTL";
    let problem = "is not a number of seconds from 0 to 60";
    for (text, expected) in [
        ("", Ok(5_000)),
        ("0", Ok(0)),
        ("60", Ok(60_000)),
        ("61", Err(Error { name, problem })),
        ("-1", Err(Error { name, problem })),
        ("5s", Err(Error { name, problem })),
    ] {
        let read = Settings::parse(|asked| (asked == name).then(|| text.to_owned()));
        assert_eq!(read.map(|settings| settings.memory_ttl), expected, "{text}");
    }
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
    let settings = Settings::parse(|name| {
        Some(
            match name {
                "ENTGATE_API_KEYS" | "STRIPE_API_KEY" => "sk_live_hunter2",
                "STRIPE_WEBHOOK_SECRETS" => "whsec_hunter2",
                "ENTGATE_TOKEN_SECRETS" => "hunter2hunter2hunter2hunter2hunt",
                "ENTGATE_SIGNING_KEY" => SIGNING_KEY,
                _ => "",
            }
            .to_owned(),
        )
    });
    assert_eq!(
        format!("{:?}", settings.unwrap()),
        "Settings { api_keys: [ApiKey { livemode: Live, .. }], webhook_secrets: [Secret(…)], \
         stripe_keys: [ApiKey { livemode: Live, .. }], stripe_base: \"https://api.stripe.com\", source: Stripe, \
         paused: Keep, policy: StatusPolicy { past_due: Keep, unpaid: Revoke, paused: Keep }, \
         token_secrets: [Secret { kid: \"50adab57ddde8974\", .. }], issuer: None, memory_ttl: 5000, \
         signing_keys: [SigningKey { kid: \"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k\", .. }], \
         allowed_origins: None }"
    );
}

#[test]
fn there_is_at_most_one_key_of_stripes_a_mode() {
    let keys = |text: &str| {
        let name = "STRIPE_API_KEY";
        let settings = Settings::parse(|asked| (asked == name).then(|| text.to_owned()));
        settings.map(|settings| {
            let key = |livemode| settings.stripe_key(livemode).map(|key| key.expose().to_owned());
            (key(Livemode::Test), key(Livemode::Live))
        })
    };
    let failed = |problem| Err(Error { name: "STRIPE_API_KEY", problem });
    let some = |text: &str| Some(text.to_owned());
    let prefix = "has a key that does not begin with sk_test_, sk_live_, rk_test_ or rk_live_";
    let twice = "has two keys of one mode: give one for test and one for live";
    for (text, expected) in [
        ("", Ok((None, None))),
        ("sk_test_a", Ok((some("sk_test_a"), None))),
        ("rk_live_b,sk_test_a", Ok((some("sk_test_a"), some("rk_live_b")))),
        ("sk_test_a,rk_test_b", failed(twice)),
        ("rk_live_a,rk_live_b", failed(twice)),
        ("pk_test_a", failed(prefix)),
        ("sk_test_", failed(prefix)),
        ("sk_prod_a", failed(prefix)),
        ("sk_test_ä", failed(prefix)),
    ] {
        assert_eq!(keys(text), expected, "{text}");
    }
}

#[test]
fn the_key_is_never_sent_in_the_clear_but_to_this_machine() {
    let base = |text: &str| {
        let name = "STRIPE_API_BASE";
        let settings = Settings::parse(|asked| (asked == name).then(|| text.to_owned()));
        settings.map(|settings| settings.stripe_base.into_string())
    };
    let failed = |problem| Err(Error { name: "STRIPE_API_BASE", problem });
    let clear = "is neither https://… nor http:// of this machine";
    let path = "has a path: give the origin alone, https://host or https://host:port";
    let none = "is no URL: it begins with https://host or https://host:port";
    for (text, expected) in [
        ("", Ok("https://api.stripe.com")),
        ("https://catalog.example", Ok("https://catalog.example")),
        ("https://catalog.example/", Ok("https://catalog.example")),
        ("http://localhost:8787", Ok("http://localhost:8787")),
        ("http://127.0.0.1:1", Ok("http://127.0.0.1:1")),
        ("http://[::1]:1", Ok("http://[::1]:1")),
        ("http://catalog.example", failed(clear)),
        ("ftp://localhost", failed(clear)),
        ("catalog.example", failed(clear)),
        ("https://catalog.example/v1", failed(path)),
        ("https://catalog.example?a=1", failed(path)),
        ("https://user@catalog.example", failed(none)),
        ("https://", failed(none)),
    ] {
        assert_eq!(base(text), expected.map(str::to_owned), "{text}");
    }
}

#[test]
fn paused_subscriptions_can_only_be_looked_at_with_a_key() {
    let paused = |policy: &str, key: &str| {
        let settings = Settings::parse(|asked| match asked {
            "ENTGATE_PAUSED_SUBSCRIPTIONS" => Some(policy.to_owned()),
            "STRIPE_API_KEY" => Some(key.to_owned()),
            _ => None,
        });
        settings.map(|settings| settings.paused)
    };
    let failed = |problem| Err(Error { name: "ENTGATE_PAUSED_SUBSCRIPTIONS", problem });
    let keyless = "is `revoke`, which needs STRIPE_API_KEY to see subscriptions";
    for (policy, key, expected) in [
        ("", "", Ok(Keep)),
        ("keep", "", Ok(Keep)),
        ("revoke", "sk_test_a", Ok(Revoke)),
        ("revoke", "", failed(keyless)),
        ("Revoke", "sk_test_a", failed("is neither `keep` nor `revoke`")),
    ] {
        assert_eq!(paused(policy, key), expected, "{policy} with {key}");
    }
}

#[test]
fn the_source_is_stripe_with_a_key_or_the_catalog_without_one() {
    let source = |source: &str, key: &str| {
        let settings = Settings::parse(|asked| match asked {
            "ENTGATE_SOURCE" => Some(source.to_owned()),
            "STRIPE_API_KEY" => Some(key.to_owned()),
            _ => None,
        });
        settings.map(|settings| {
            let has = |livemode| settings.has_source(livemode);
            (settings.source, has(Livemode::Test), has(Livemode::Live))
        })
    };
    let failed = |name, problem| Err(Error { name, problem });
    let neither = failed("ENTGATE_SOURCE", "is neither `stripe` nor `catalog`");
    let both = "is set, and ENTGATE_SOURCE=catalog needs none: unset one of the two";
    for (text, key, expected) in [
        ("", "", Ok((Source::Stripe, false, false))),
        ("stripe", "sk_test_a", Ok((Source::Stripe, true, false))),
        ("stripe", "rk_live_a", Ok((Source::Stripe, false, true))),
        ("catalog", "", Ok((Source::Catalog, true, true))),
        (" catalog ", "  ", Ok((Source::Catalog, true, true))),
        ("catalog", "sk_test_a", failed("STRIPE_API_KEY", both)),
        ("Catalog", "", neither.clone()),
        ("stripe,catalog", "", neither),
    ] {
        assert_eq!(source(text, key), expected, "{text} with {key}");
    }
}

#[test]
fn what_a_status_grants_is_set_for_the_catalog() {
    let (past_due, unpaid, paused) = (
        "ENTGATE_PAST_DUE_SUBSCRIPTIONS",
        "ENTGATE_UNPAID_SUBSCRIPTIONS",
        "ENTGATE_PAUSED_SUBSCRIPTIONS",
    );
    let policy = |source: &str, name: &str, text: &str| {
        let settings = Settings::parse(|asked| match asked {
            "ENTGATE_SOURCE" => Some(source.to_owned()),
            asked => (asked == name).then(|| text.to_owned()),
        });
        settings.map(|settings| (settings.policy, settings.paused))
    };
    let set = |past_due, unpaid, paused| Ok((StatusPolicy { past_due, unpaid, paused }, Keep));
    let failed = |name, problem| Err(Error { name, problem });
    let stripes = "is set, which works with ENTGATE_SOURCE=catalog only: Stripe decides it itself";
    let form = "is neither `keep` nor `revoke`";
    for (source, name, text, expected) in [
        ("catalog", past_due, "", set(Keep, Revoke, Keep)),
        ("catalog", past_due, "keep", set(Keep, Revoke, Keep)),
        ("catalog", past_due, " revoke ", set(Revoke, Revoke, Keep)),
        ("catalog", unpaid, "keep", set(Keep, Keep, Keep)),
        ("catalog", unpaid, "revoke", set(Keep, Revoke, Keep)),
        ("catalog", paused, "keep", set(Keep, Revoke, Keep)),
        ("catalog", paused, "revoke", set(Keep, Revoke, Revoke)),
        ("catalog", past_due, "no", failed(past_due, form)),
        ("catalog", unpaid, "Keep", failed(unpaid, form)),
        ("catalog", paused, "keep,revoke", failed(paused, form)),
        ("stripe", past_due, "", set(Keep, Revoke, Keep)),
        ("stripe", past_due, "keep", failed(past_due, stripes)),
        ("stripe", unpaid, "revoke", failed(unpaid, stripes)),
        ("", unpaid, "keep", failed(unpaid, stripes)),
        ("stripe", past_due, "no", failed(past_due, form)),
    ] {
        assert_eq!(policy(source, name, text), expected, "{source}: {name}={text}");
    }
}
