//! Settings: formats, defaults and errors.

use entgate::{
    api::{
        misconfigured,
        settings::{Bindings, Error, NAMES, Settings, Source, UnknownCustomers},
    },
    id::Livemode,
    policy::{
        GrantRule::{Keep, Revoke},
        PauseOnPaymentFailure, StatusPolicy,
    },
};

use crate::token_fixtures::SIGNING_KEY;

/// The settings of development with this one.
fn parse(name: &str, value: &str) -> Result<Settings, Error> {
    Settings::parse(|lookup| match lookup {
        "ENTGATE_DEVELOPMENT" => Some("true".to_owned()),
        lookup => (lookup == name).then(|| value.to_owned()),
    })
}

/// The number of server keys and of webhook secrets.
fn count(name: &'static str, value: &str) -> Result<(usize, usize), Error> {
    let settings = parse(name, value)?;
    Ok((settings.api_keys.len(), settings.webhook_secrets.len()))
}

#[test]
fn the_memory_ttl_is_at_most_a_minute_and_five_seconds_by_default() {
    let name = "ENTGATE_MEMORY_TTL";
    let problem = "is not a number of seconds from 0 to 60";
    for (value, expected) in [
        ("", Ok(5_000)),
        ("0", Ok(0)),
        ("60", Ok(60_000)),
        ("61", Err(Error { name, problem })),
        ("-1", Err(Error { name, problem })),
        ("5s", Err(Error { name, problem })),
    ] {
        let settings = Settings::parse(|lookup| (lookup == name).then(|| value.to_owned()));
        assert_eq!(settings.map(|settings| settings.memory_ttl), expected, "{value}");
    }
}

#[test]
fn events_are_polled_every_five_seconds_to_an_hour_or_not_at_all() {
    let name = "ENTGATE_EVENT_POLL";
    let problem = "is not a number of seconds from 5 to 3600, or 0 to turn the poll off";
    for (value, expected) in [
        ("", Ok(60)),
        ("0", Ok(0)),
        ("5", Ok(5)),
        ("3600", Ok(3_600)),
        ("4", Err(Error { name, problem })),
        ("3601", Err(Error { name, problem })),
        ("-1", Err(Error { name, problem })),
        ("1m", Err(Error { name, problem })),
    ] {
        assert_eq!(parse(name, value).map(|settings| settings.event_poll), expected, "{value}");
    }
}

#[test]
fn a_mode_has_a_poll_if_stripe_is_its_source_and_has_a_key_of_it() {
    let has_poll = |settings: &[(&str, &str)]| {
        let lookup = |name: &str| match name {
            "ENTGATE_DEVELOPMENT" => Some("true".to_owned()),
            name => {
                let setting = settings.iter().find(|(other, _)| *other == name);
                setting.map(|(_, value)| (*value).to_owned())
            }
        };
        let settings = Settings::parse(lookup).unwrap();
        [Livemode::Test, Livemode::Live].map(|livemode| settings.has_event_poll(livemode))
    };
    let key = ("STRIPE_API_KEY", "sk_test_stripe");
    assert_eq!(has_poll(&[]), [false, false]);
    assert_eq!(has_poll(&[key]), [true, false]);
    assert_eq!(has_poll(&[("STRIPE_API_KEY", "rk_live_stripe")]), [false, true]);
    assert_eq!(has_poll(&[key, ("ENTGATE_EVENT_POLL", "0")]), [false, false]);
    #[cfg(feature = "catalog")]
    assert_eq!(has_poll(&[("ENTGATE_SOURCE", "catalog")]), [false, false]);
}

#[test]
fn the_rate_of_reads_is_ten_in_live_mode_and_five_in_test_mode_by_default() {
    let name = "ENTGATE_STRIPE_RATE";
    let problem = "is not a number of reads a second from 1 to 100";
    for (value, expected) in [
        ("", Ok([5, 10])),
        ("1", Ok([1, 1])),
        ("100", Ok([100, 100])),
        ("0", Err(Error { name, problem })),
        ("101", Err(Error { name, problem })),
        ("0.5", Err(Error { name, problem })),
    ] {
        let rates = parse(name, value).map(|settings| {
            [Livemode::Test, Livemode::Live].map(|livemode| settings.stripe_rate(livemode))
        });
        assert_eq!(rates, expected, "{value}");
    }
}

#[test]
fn strict_and_default_features_are_up_to_50_lookup_keys() {
    let keys = |count: usize| (0..count).map(|key| format!("f{key}")).collect::<Vec<_>>().join(",");
    let no_key = "has an item that is not a lookup key: separate lookup keys by one comma";
    for (value, expected) in [
        ("", Ok(0)),
        (" ", Ok(0)),
        ("sms", Ok(1)),
        (" sms , advanced reports ", Ok(2)),
        (&*keys(50), Ok(50)),
        (&*keys(51), Err("has more than 50 lookup keys")),
        ("sms,sms", Err("has one lookup key twice")),
        ("sms,,sso", Err(no_key)),
        ("sms,", Err(no_key)),
        ("s\nms", Err(no_key)),
    ] {
        let name = "ENTGATE_STRICT_FEATURES";
        let settings = parse(name, value).map(|settings| settings.strict_features.len());
        assert_eq!(settings, expected.map_err(|problem| Error { name, problem }), "{value}");
        let name = "ENTGATE_DEFAULT_FEATURES";
        let settings = parse(name, value).map(|settings| settings.default_features.len());
        assert_eq!(settings, expected.map_err(|problem| Error { name, problem }), "{value}");
    }
}

#[test]
fn data_points_have_customers_only_if_the_setting_is_true_or_false() {
    let name = "ENTGATE_METRICS_CUSTOMERS";
    for value in ["", "true", "false"] {
        assert_eq!(parse(name, value).err(), None, "{value}");
    }
    for value in ["True", "1", "yes", " true"] {
        let problem = "is neither `true` nor `false`";
        assert_eq!(parse(name, value).err(), Some(Error { name, problem }), "{value}");
    }
}

#[test]
fn keys_and_secrets_are_comma_separated_lists() {
    let (keys, secrets) = ("ENTGATE_API_KEYS", "STRIPE_WEBHOOK_SECRETS");
    let prefix = "has a key that does not begin with sk_test_, sk_live_, rk_test_ or rk_live_";
    let whsec = "has a secret that does not begin with whsec_, test:whsec_ or live:whsec_";
    let comma = "has an empty item: two commas in a row, or one at an end";
    let space = "has white space inside an item: separate items by commas";
    for (name, value, expected) in [
        (keys, "sk_test_a", Ok((1, 0))),
        (keys, " sk_test_a , sk_live_b ", Ok((2, 0))),
        (keys, "rk_test_a,rk_live_b", Ok((2, 0))),
        (keys, "sk_test_é", Err("has a key with a character that is not visible ASCII")),
        (keys, "", Ok((0, 0))),
        (keys, "  ", Ok((0, 0))),
        (keys, "pk_test_a", Err(prefix)),
        (keys, "sk_test_", Err(prefix)),
        (keys, "whsec_a", Err(prefix)),
        (keys, "sk_test_a,", Err(comma)),
        (keys, "sk_test_a,,sk_test_b", Err(comma)),
        (keys, "sk_test_a sk_test_b", Err(space)),
        (secrets, "test:whsec_a,live:whsec_b", Ok((0, 2))),
        (secrets, "test:whsec_", Err(whsec)),
        (secrets, "whsec_", Err(whsec)),
        (secrets, "sk_test_a", Err(whsec)),
        (secrets, "Test:whsec_a", Err(whsec)),
        (secrets, "sandbox:whsec_a", Err(whsec)),
        (secrets, "live:test:whsec_a", Err(whsec)),
        (secrets, "live:", Err(whsec)),
        (secrets, "live: whsec_a", Err(space)),
        (
            secrets,
            "test:whsec_a,live:whsec_a",
            Err(
                "has one secret in both modes: give the secret of the test endpoint and that of the live one",
            ),
        ),
    ] {
        let expected = expected.map_err(|problem| Error { name, problem });
        assert_eq!(count(name, value), expected, "{name}={value}");
    }
    let sixteen = vec!["test:whsec_a"; 16].join(",");
    assert_eq!(count(secrets, &sixteen), Ok((0, 16)));
    let problem = "has more than 16 items";
    let seventeen = format!("{sixteen},test:whsec_a");
    assert_eq!(count(secrets, &seventeen), Err(Error { name: secrets, problem }));
}

#[test]
fn an_invalid_setting_returns_500_with_its_name_and_without_its_value() {
    let error = count("ENTGATE_API_KEYS", "hunter2").unwrap_err();
    let response = misconfigured(&error);
    let body = String::from_utf8(response.into_body()).unwrap();
    assert_eq!(
        body,
        r#"{"error":{"type":"api_error","message":"The deployment is misconfigured: ENTGATE_API_KEYS has a key that does not begin with sk_test_, sk_live_, rk_test_ or rk_live_."}}"#
    );
}

#[test]
fn debug_output_of_settings_contains_no_secret() {
    let settings = Settings::parse(|name| {
        Some(
            match name {
                "ENTGATE_API_KEYS" | "STRIPE_API_KEY" => "sk_live_hunter2",
                "STRIPE_WEBHOOK_SECRETS" => "whsec_hunter2",
                "ENTGATE_TOKEN_SECRETS" => "hunter2hunter2hunter2hunter2hunt",
                "ENTGATE_SIGNING_KEY" => SIGNING_KEY,
                "ENTGATE_DEVELOPMENT" => "devbox",
                _ => "",
            }
            .to_owned(),
        )
    });
    assert_eq!(
        format!("{:?}", settings.unwrap()),
        "Settings { environment: Development([\"devbox\"]), api_keys: [ApiKey { livemode: Live, .. }], \
         webhook_secrets: [EndpointSecret { livemode: Live, secret: SigningSecret(…) }], \
         stripe_keys: [ApiKey { livemode: Live, .. }], stripe_base: \"https://api.stripe.com\", event_poll: 60, stripe_rate: None, source: Stripe, \
         unknown_customers: Indeterminate, paused: Keep, policy: StatusPolicy { past_due: Keep, unpaid: Revoke, paused: Keep }, \
         pause_on_payment_failure: Never, token_secrets: [TokenSecret { kid: \"50adab57ddde8974\", .. }], issuer: None, memory_ttl: 5000, strict_features: [], default_features: [], \
         signing_keys: [SigningKey { kid: \"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k\", .. }], \
         allowed_origins: None, placement: Placement { jurisdiction: None, key_prefix: \"\", location_hint: None }, unknown_settings: [] }"
    );
}

#[test]
fn there_is_at_most_one_stripe_key_per_mode() {
    let keys = |value: &str| {
        let settings = parse("STRIPE_API_KEY", value);
        settings.map(|settings| {
            let key = |livemode| settings.stripe_key(livemode).map(|key| key.expose().to_owned());
            (key(Livemode::Test), key(Livemode::Live))
        })
    };
    let invalid = |problem| Err(Error { name: "STRIPE_API_KEY", problem });
    let some = |key: &str| Some(key.to_owned());
    let prefix = "has a key that does not begin with sk_test_, sk_live_, rk_test_ or rk_live_";
    let duplicate = "has two keys of one mode: give one for test and one for live";
    for (value, expected) in [
        ("", Ok((None, None))),
        ("sk_test_a", Ok((some("sk_test_a"), None))),
        ("rk_live_b,sk_test_a", Ok((some("sk_test_a"), some("rk_live_b")))),
        ("sk_test_a,rk_test_b", invalid(duplicate)),
        ("rk_live_a,rk_live_b", invalid(duplicate)),
        ("pk_test_a", invalid(prefix)),
        ("sk_test_", invalid(prefix)),
        ("sk_prod_a", invalid(prefix)),
        ("sk_test_ä", invalid("has a key with a character that is not visible ASCII")),
    ] {
        assert_eq!(keys(value), expected, "{value}");
    }
}

#[test]
fn the_stripe_base_must_be_https_or_on_localhost() {
    let base = |value: &str| {
        let name = "STRIPE_API_BASE";
        let settings = Settings::parse(|lookup| (lookup == name).then(|| value.to_owned()));
        settings.map(|settings| settings.stripe_base.into_string())
    };
    let invalid = |problem| Err(Error { name: "STRIPE_API_BASE", problem });
    let scheme = "is neither https://… nor http:// on localhost";
    let path = "has a path: give the origin alone, https://host or https://host:port";
    let not_a_url = "is not a URL: it begins with https://host or https://host:port";
    for (value, expected) in [
        ("", Ok("https://api.stripe.com")),
        ("https://catalog.example", Ok("https://catalog.example")),
        ("https://catalog.example/", Ok("https://catalog.example")),
        ("http://localhost:8787", Ok("http://localhost:8787")),
        ("http://127.0.0.1:1", Ok("http://127.0.0.1:1")),
        ("http://[::1]:1", Ok("http://[::1]:1")),
        ("http://catalog.example", invalid(scheme)),
        ("ftp://localhost", invalid(scheme)),
        ("catalog.example", invalid(scheme)),
        ("https://catalog.example/v1", invalid(path)),
        ("https://catalog.example?a=1", invalid(path)),
        ("https://user@catalog.example", invalid(not_a_url)),
        ("https://", invalid(not_a_url)),
    ] {
        assert_eq!(base(value), expected.map(str::to_owned), "{value}");
    }
}

#[test]
fn revoking_paused_subscriptions_requires_a_stripe_key() {
    let paused = |policy: &str, key: &str| {
        let settings = Settings::parse(|lookup| match lookup {
            "ENTGATE_PAUSED_SUBSCRIPTIONS" => Some(policy.to_owned()),
            "ENTGATE_DEVELOPMENT" => Some("true".to_owned()),
            "STRIPE_API_KEY" => Some(key.to_owned()),
            _ => None,
        });
        settings.map(|settings| settings.paused)
    };
    let invalid = |problem| Err(Error { name: "ENTGATE_PAUSED_SUBSCRIPTIONS", problem });
    let without_key = "is `revoke`, which needs STRIPE_API_KEY to see subscriptions";
    for (policy, key, expected) in [
        ("", "", Ok(Keep)),
        ("keep", "", Ok(Keep)),
        ("revoke", "sk_test_a", Ok(Revoke)),
        ("revoke", "", invalid(without_key)),
        ("Revoke", "sk_test_a", invalid("is neither `keep` nor `revoke`")),
    ] {
        assert_eq!(paused(policy, key), expected, "{policy} with {key}");
    }
}

#[test]
fn the_source_is_stripe_with_a_key_or_the_catalog_without_one() {
    let source = |source: &str, key: &str| {
        let settings = Settings::parse(|lookup| match lookup {
            "ENTGATE_SOURCE" => Some(source.to_owned()),
            "ENTGATE_DEVELOPMENT" => Some("true".to_owned()),
            "STRIPE_API_KEY" => Some(key.to_owned()),
            _ => None,
        });
        settings.map(|settings| {
            let has_source = |livemode| settings.has_source(livemode);
            (settings.source, has_source(Livemode::Test), has_source(Livemode::Live))
        })
    };
    let invalid = |name, problem| Err(Error { name, problem });
    let neither = invalid("ENTGATE_SOURCE", "is neither `stripe` nor `catalog`");
    let both = "is set, and ENTGATE_SOURCE=catalog does not use it: unset one of the two";
    for (value, key, expected) in [
        ("", "", Ok((Source::Stripe, false, false))),
        ("stripe", "sk_test_a", Ok((Source::Stripe, true, false))),
        ("stripe", "rk_live_a", Ok((Source::Stripe, false, true))),
        ("catalog", "", Ok((Source::Catalog, true, true))),
        (" catalog ", "  ", Ok((Source::Catalog, true, true))),
        ("catalog", "sk_test_a", invalid("STRIPE_API_KEY", both)),
        ("Catalog", "", neither.clone()),
        ("stripe,catalog", "", neither),
    ] {
        assert_eq!(source(value, key), expected, "{value} with {key}");
    }
}

#[test]
fn unknown_customers_are_denied_if_the_operator_chose_so() {
    let parse = |value: &str| {
        let name = "ENTGATE_UNKNOWN_CUSTOMERS";
        let settings = Settings::parse(|lookup| (lookup == name).then(|| value.to_owned()));
        settings.map(|settings| settings.unknown_customers)
    };
    let problem = "is not `deny`: set it so, or unset it";
    let invalid = Err(Error { name: "ENTGATE_UNKNOWN_CUSTOMERS", problem });
    for (value, expected) in [
        ("", Ok(UnknownCustomers::Indeterminate)),
        (" ", Ok(UnknownCustomers::Indeterminate)),
        ("deny", Ok(UnknownCustomers::Deny)),
        (" deny ", Ok(UnknownCustomers::Deny)),
        ("Deny", invalid.clone()),
        ("true", invalid.clone()),
        ("grant", invalid),
    ] {
        assert_eq!(parse(value), expected, "{value}");
    }
}

#[test]
fn grant_rules_of_statuses_are_settings_of_the_catalog() {
    let (past_due, unpaid, paused) = (
        "ENTGATE_PAST_DUE_SUBSCRIPTIONS",
        "ENTGATE_UNPAID_SUBSCRIPTIONS",
        "ENTGATE_PAUSED_SUBSCRIPTIONS",
    );
    let policy = |source: &str, name: &str, value: &str| {
        let settings = Settings::parse(|lookup| match lookup {
            "ENTGATE_SOURCE" => Some(source.to_owned()),
            lookup => (lookup == name).then(|| value.to_owned()),
        });
        settings.map(|settings| (settings.policy, settings.paused))
    };
    let set = |past_due, unpaid, paused| Ok((StatusPolicy { past_due, unpaid, paused }, Keep));
    let invalid = |name, problem| Err(Error { name, problem });
    let catalog_only =
        "is set, which works with ENTGATE_SOURCE=catalog only: Stripe decides it itself";
    let format = "is neither `keep` nor `revoke`";
    for (source, name, value, expected) in [
        ("catalog", past_due, "", set(Keep, Revoke, Keep)),
        ("catalog", past_due, "keep", set(Keep, Revoke, Keep)),
        ("catalog", past_due, " revoke ", set(Revoke, Revoke, Keep)),
        ("catalog", unpaid, "keep", set(Keep, Keep, Keep)),
        ("catalog", unpaid, "revoke", set(Keep, Revoke, Keep)),
        ("catalog", paused, "keep", set(Keep, Revoke, Keep)),
        ("catalog", paused, "revoke", set(Keep, Revoke, Revoke)),
        ("catalog", past_due, "no", invalid(past_due, format)),
        ("catalog", unpaid, "Keep", invalid(unpaid, format)),
        ("catalog", paused, "keep,revoke", invalid(paused, format)),
        ("stripe", past_due, "", set(Keep, Revoke, Keep)),
        ("stripe", past_due, "keep", invalid(past_due, catalog_only)),
        ("stripe", unpaid, "revoke", invalid(unpaid, catalog_only)),
        ("", unpaid, "keep", invalid(unpaid, catalog_only)),
        ("stripe", past_due, "no", invalid(past_due, format)),
    ] {
        assert_eq!(policy(source, name, value), expected, "{source}: {name}={value}");
    }
}

#[test]
fn a_failed_payment_can_pause_subscriptions_of_the_catalog_only() {
    let name = "ENTGATE_PAUSE_ON_PAYMENT_FAILURE";
    let failure = |source: &str, value: &str| {
        let settings = Settings::parse(|lookup| match lookup {
            "ENTGATE_SOURCE" => Some(source.to_owned()),
            lookup => (lookup == name).then(|| value.to_owned()),
        });
        settings.map(|settings| settings.pause_on_payment_failure)
    };
    let invalid = |problem| Err(Error { name, problem });
    let format = "is neither `first` nor `final`";
    let catalog_only =
        "is set, which works with ENTGATE_SOURCE=catalog only: Stripe decides it itself";
    for (source, value, expected) in [
        ("catalog", "", Ok(PauseOnPaymentFailure::Never)),
        ("catalog", "first", Ok(PauseOnPaymentFailure::First)),
        ("catalog", " final ", Ok(PauseOnPaymentFailure::Final)),
        ("catalog", "First", invalid(format)),
        ("catalog", "first,final", invalid(format)),
        ("catalog", "never", invalid(format)),
        ("stripe", "", Ok(PauseOnPaymentFailure::Never)),
        ("stripe", "first", invalid(catalog_only)),
        ("", "final", invalid(catalog_only)),
        ("stripe", "no", invalid(format)),
    ] {
        assert_eq!(failure(source, value), expected, "{source}: {name}={value}");
    }
}

#[test]
fn a_binding_that_is_not_text_is_malformed_if_its_name_is_a_setting() {
    let bindings = |name: &str| Bindings::decode(&format!("ENTGATE_SOURCE\0=catalog\0{name}\0"));
    let problem = "is not text: set it as a variable or a secret of the Worker, not as another binding or one of the Secrets Store";
    for name in NAMES.into_iter().filter(|name| *name != "ENTGATE_SOURCE") {
        let error = Settings::from_bindings(&bindings(name)).err();
        assert_eq!(error, Some(Error { name, problem }));
    }
    let settings = Settings::from_bindings(&bindings("ENTGATE_PROXY")).unwrap();
    assert_eq!(settings.source, Source::Catalog);
}

#[test]
fn an_unknown_name_is_reported_with_the_setting_that_is_near_it() {
    for (name, expected) in [
        ("STRIPE_WEBHOOK_SECRET", "STRIPE_WEBHOOK_SECRET: did you mean STRIPE_WEBHOOK_SECRETS?"),
        ("ENTGATE_MEMORY_TLL", "ENTGATE_MEMORY_TLL: did you mean ENTGATE_MEMORY_TTL?"),
        ("ENTGATE_API_KEY", "ENTGATE_API_KEY: did you mean ENTGATE_API_KEYS?"),
        ("entgate_source", "entgate_source: did you mean ENTGATE_SOURCE?"),
        (
            "ENTGATE_ALLOWED-ORIGINS",
            "ENTGATE_ALLOWED-ORIGINS: did you mean ENTGATE_ALLOWED_ORIGINS?",
        ),
        ("STRIPE_PUBLISHABLE_KEY", "STRIPE_PUBLISHABLE_KEY"),
        ("ENTGATE_", "ENTGATE_"),
    ] {
        let bindings = Bindings::decode(&format!("{name}\0=hunter2"));
        assert_eq!(bindings.unknown_names(), [expected]);
    }
    let long = format!("ENTGATE_{}", "X".repeat(10_000));
    assert_eq!(Bindings::decode(&format!("{long}\0")).unknown_names(), [long]);
    let known = NAMES.map(|name| format!("{name}\0=")).join("\0");
    assert_eq!(Bindings::decode(&known).unknown_names(), Vec::<String>::new());
    assert_eq!(Bindings::decode("").unknown_names(), Vec::<String>::new());
}

#[test]
fn the_documentation_describes_every_setting_and_no_other() {
    let page = include_str!("../../docs/configuration.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let mut documented: Vec<_> = rows.collect();
    let mut names = NAMES.to_vec();
    documented.sort_unstable();
    names.sort_unstable();
    assert_eq!(documented, names);
}
