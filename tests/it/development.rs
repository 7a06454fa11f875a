//! Development and deployments: secrets, hosts and origins.

use entgate::api::settings::{Environment, Error, Settings};

use crate::support::{NOW, SECRET, Service, configured, event, signed};

/// Settings of a deployment: the values of these names.
fn parse(settings: &[(&str, &str)]) -> Result<Settings, Error> {
    Settings::parse(|name| {
        let setting = settings.iter().find(|(other, _)| *other == name);
        setting.map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn development_is_a_word_or_a_list_of_host_names() {
    let development = |hosts: &[&str]| {
        Ok(Environment::Development(hosts.iter().map(|host| (*host).into()).collect()))
    };
    let name = "ENTGATE_DEVELOPMENT";
    let problem = "has an item that is not a host name without a port: devbox or 192.168.1.20";
    let failed = || Err(Error { name, problem });
    for (value, expected) in [
        ("", Ok(Environment::Deployed)),
        ("  ", Ok(Environment::Deployed)),
        ("false", Ok(Environment::Deployed)),
        ("0", Ok(Environment::Deployed)),
        ("true", development(&[])),
        ("1", development(&[])),
        ("localhost", development(&["localhost"])),
        ("Devbox, dev.example.com", development(&["devbox", "dev.example.com"])),
        ("192.168.1.20,[fd00::1]", development(&["192.168.1.20", "[fd00::1]"])),
        ("*", failed()),
        ("*.example.com", failed()),
        ("devbox:8787", failed()),
        ("http://devbox", failed()),
        ("user@devbox", failed()),
        ("devbox/path", failed()),
        ("fd00::1", failed()),
    ] {
        let environment = parse(&[(name, value)]).map(|settings| settings.environment);
        assert_eq!(environment, expected, "{value}");
    }
}

#[test]
fn in_a_deployment_keys_and_secrets_have_at_least_24_characters() {
    let (enough, short) = ("0123456789abcdef01234567", "0123456789abcdef0123456");
    let key = "has a key of fewer than 24 characters after its prefix: generate one with `openssl rand -hex 24`. Short keys require ENTGATE_DEVELOPMENT";
    let secret = "has a secret of fewer than 24 characters after whsec_: copy the whole secret of the endpoint. Short secrets require ENTGATE_DEVELOPMENT";
    for (name, prefix, problem) in [
        ("ENTGATE_API_KEYS", "sk_test_", key),
        ("ENTGATE_API_KEYS", "sk_live_", key),
        ("ENTGATE_API_KEYS", "rk_live_", key),
        ("STRIPE_API_KEY", "sk_test_", key),
        ("STRIPE_API_KEY", "rk_live_", key),
        ("STRIPE_WEBHOOK_SECRETS", "test:whsec_", secret),
        ("STRIPE_WEBHOOK_SECRETS", "live:whsec_", secret),
    ] {
        let with = |secret: &str, development: &str| {
            let value = format!("{prefix}{secret}");
            parse(&[(name, &value), ("ENTGATE_DEVELOPMENT", development)]).err()
        };
        let error = Some(Error { name, problem });
        assert_eq!(with(enough, ""), None, "{prefix}");
        assert_eq!(with(short, ""), error, "{prefix}");
        assert_eq!(with(short, "false"), error, "{prefix}");
        assert_eq!(with(short, "true"), None, "{prefix}");
        assert_eq!(with("a", "devbox"), None, "{prefix}");
    }
}

#[test]
fn no_secret_of_dev_vars_example_is_accepted_in_a_deployment() {
    let example = include_str!("../../.dev.vars.example");
    let lines = example.lines().filter(|line| !line.starts_with('#'));
    let settings: Vec<_> = lines
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name, value.trim_matches(['"', '\''])))
        .collect();
    assert_eq!(parse(&settings).err(), None);
    let mut secrets = 0;
    for (name, value) in settings {
        let values = match name {
            "ENTGATE_SIGNING_KEY" => vec![value.to_owned(), format!("{{\"keys\":[{value}]}}")],
            "ENTGATE_API_KEYS" | "ENTGATE_TOKEN_SECRETS" => {
                value.split(',').map(str::to_owned).collect()
            }
            "STRIPE_WEBHOOK_SECRETS" => {
                value.split(',').map(|secret| format!("test:{secret}")).collect()
            }
            _ => continue,
        };
        for value in values {
            secrets += 1;
            let error = parse(&[(name, &value)]).err().map(|error| error.name);
            assert_eq!(error, Some(name), "{name}={value}");
        }
    }
    assert_eq!(secrets, 6);
}

#[test]
fn the_published_signing_key_is_refused_in_every_position_and_form() {
    let published =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    // RFC 8032, section 7.1, test 2.
    let own = r#"{"kty":"OKP","crv":"Ed25519","kid":"own","d":"TM0Imyj_ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U-4pvs","x":"PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw"}"#;
    let named = published.replacen('{', r#"{"kid":"one","#, 1);
    let name = "ENTGATE_SIGNING_KEY";
    let problem = "has the published key of .dev.vars.example: generate another one";
    assert_eq!(parse(&[(name, own)]).err(), None);
    for value in
        [format!(r#"{{"keys":[{own},{published}]}}"#), format!(r#"{{"keys":[{own},{named}]}}"#)]
    {
        assert_eq!(parse(&[(name, &value)]).err(), Some(Error { name, problem }), "{value}");
    }
}

/// The status and code of a request for a host, and whether the fast path answers it.
fn get(service: &Service, authority: &str) -> (u16, String, bool) {
    let target = format!("http://{authority}/v1/check?customer=cus_ada&feature=sms");
    let headers = [("authorization", "Bearer sk_test_entgate")];
    let answer = service.request("GET", &target, &headers, b"");
    let request = http::Request::get(&target).header(headers[0].0, headers[0].1);
    let fast = service.fast_path(&request.body(Vec::new()).unwrap());
    (answer.status, answer.error("code").to_owned(), fast.is_some())
}

#[test]
fn development_answers_requests_for_this_machine_and_the_listed_hosts_only() {
    let service = configured(&[
        ("ENTGATE_API_KEYS", "sk_test_entgate"),
        ("STRIPE_WEBHOOK_SECRETS", SECRET),
        ("ENTGATE_DEVELOPMENT", "devbox,[fd00::1]"),
    ]);
    service.stripe_sends(&event("cus_ada", 1_700_000_000, &["sms"], false));
    for authority in [
        "localhost",
        "localhost:8787",
        "LOCALHOST:1",
        "127.0.0.1:8787",
        "[::1]",
        "[::1]:8787",
        "app.localhost:8787",
        "a.b.localhost",
        "devbox",
        "DevBox:8787",
        "[fd00::1]:8787",
    ] {
        assert_eq!(get(&service, authority), (200, String::new(), true), "{authority}");
    }
    for authority in [
        "evil.example",
        "evil.example:8787",
        "localhost.evil.example",
        "notlocalhost",
        "127.0.0.1.evil.example",
        "127.0.0.2",
        "10.0.0.1",
        "[fd00::2]",
        "sub.devbox",
        "devbox2",
        "localhost@evil.example",
        "localhost:80@evil.example",
    ] {
        let refused = (403, "host_not_allowed".to_owned(), false);
        assert_eq!(get(&service, authority), refused, "{authority}");
    }
}

#[test]
fn a_refused_host_is_named_with_the_setting_on_every_route() {
    let service =
        configured(&[("ENTGATE_API_KEYS", "sk_test_entgate"), ("STRIPE_WEBHOOK_SECRETS", SECRET)]);
    let body = event("cus_ada", 1_700_000_000, &["sms"], false).to_string();
    let signature = signed(&body, SECRET, NOW);
    let headers = [("authorization", "Bearer sk_test_entgate"), ("stripe-signature", &signature)];
    for (method, path) in [
        ("GET", "/healthz"),
        ("GET", "/v1/products"),
        ("GET", "/nowhere"),
        ("OPTIONS", "/v1/check"),
        ("POST", "/webhooks/stripe"),
    ] {
        let target = format!("http://evil.example:8787{path}");
        let answer = service.request(method, &target, &headers, body.as_bytes());
        let message = "This deployment is for development and does not answer requests for `evil.example:8787`. To allow this host, add its name to ENTGATE_DEVELOPMENT, without a port.";
        assert_eq!((answer.status, answer.error("message")), (403, message), "{method} {path}");
    }
}

#[test]
fn a_deployment_answers_requests_for_every_host() {
    let key = "sk_test_0123456789abcdef01234567";
    let service = configured(&[("ENTGATE_API_KEYS", key), ("ENTGATE_DEVELOPMENT", "")]);
    for authority in ["edge.example.com", "localhost:8787", "entgate.example.workers.dev"] {
        let target = format!("https://{authority}/healthz");
        assert_eq!(service.request("GET", &target, &[], b"").status, 200, "{authority}");
    }
}

#[test]
fn every_origin_of_this_machine_is_allowed_in_development_only() {
    let key = "sk_test_0123456789abcdef01234567";
    for (development, origin, is_allowed) in [
        ("true", "http://localhost:3001", true),
        ("true", "https://localhost:5173", true),
        ("true", "http://127.0.0.1:8080", true),
        ("true", "http://[::1]:1", true),
        ("true", "http://app.localhost", true),
        ("devbox", "http://localhost:3001", true),
        ("devbox", "http://devbox:3001", false),
        ("true", "http://localhost.evil.example", false),
        ("true", "http://evil.example", false),
        ("true", "null", false),
        ("true", "", false),
        ("true", "localhost:3001", false),
        ("", "http://localhost:3001", false),
        ("false", "http://127.0.0.1:8080", false),
        ("", "https://app.example", true),
        ("true", "https://app.example", true),
    ] {
        let service = configured(&[
            ("ENTGATE_API_KEYS", key),
            ("ENTGATE_ALLOWED_ORIGINS", "https://app.example"),
            ("ENTGATE_DEVELOPMENT", development),
        ]);
        let answer = service.request("GET", "/healthz", &[("origin", origin)], b"");
        let allowed = answer.header("access-control-allow-origin");
        assert_eq!(allowed, is_allowed.then_some(origin), "{development}: {origin}");
    }
}
