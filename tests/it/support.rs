//! Test fixtures: a deployment with stores in memory, and events of Stripe.

use std::{
    cell::{Cell, RefCell},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    rc::Rc,
    task::Poll,
};

use entgate::{
    api::{
        self, App, DeniedFeature, FeatureCache, HealthCache, RefusedOrigins, Request, Response,
        body::RequestBody,
        fast_path::{self, ExistingFeatures, FastAnswer, FastQuery, WebhookResult, wire},
        settings::Settings,
        stream::StreamRequest,
    },
    entitlement::{ActiveEntitlement, Entitlements, SourceSet, Summary, SummaryPage, Version},
    id::{CustomerId, CustomerKey, Livemode, Timestamp},
    source::{self, StripeClient},
    store::{ServedBy, memory::MemoryStore, record},
    token::JwksCache,
    webhook::signature::{EndpointSecret, SigningSecret},
};
use futures_util::future::join_all;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

pub(crate) const LIVE_KEY: &str = "sk_live_entgate";
pub(crate) const SECRET: &str = "whsec_test_entgate";
pub(crate) const LIVE_SECRET: &str = "whsec_live_entgate";
pub(crate) const OLD_SECRET: &str = "whsec_test_before";

/// The time of the tests.
pub(crate) const NOW: Timestamp = Timestamp(1_700_000_100);

thread_local! {
    static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// The lines that the deployments of this test have logged since the last call.
pub(crate) fn take_log() -> Vec<String> {
    LOG.take()
}

/// A deployment with its stores in memory.
pub(crate) struct Service {
    pub(crate) store: MemoryStore,
    /// The time of the next request.
    pub(crate) now: Timestamp,
    pub(crate) settings: Settings,
    feature_cache: FeatureCache,
    jwks_cache: JwksCache,
    health_cache: HealthCache,
    refused_origins: RefusedOrigins,
    /// The features that the fast path may deny.
    pub(crate) existing_features: RefCell<ExistingFeatures>,
}

/// A response with its body as JSON.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    response: Response,
}

/// A record with this source set, and without overrides.
pub(crate) fn record_of(version: u64, set: SourceSet) -> Entitlements {
    Entitlements { version: Version(version), source: Some(set), ..Entitlements::default() }
}

/// A deployment with keys and webhook secrets of both modes, two of them of test mode.
pub(crate) fn service() -> Service {
    configured(&[
        ("ENTGATE_API_KEYS", "sk_test_entgate,sk_live_entgate"),
        (
            "STRIPE_WEBHOOK_SECRETS",
            "test:whsec_test_entgate,test:whsec_test_before,live:whsec_live_entgate",
        ),
    ])
}

/// A deployment for development, with these settings. The first value of a name counts. Unknown
/// customers are denied without a source too, unless a test sets that itself.
pub(crate) fn configured(settings: &[(&str, &str)]) -> Service {
    let lookup = |name| {
        let defaults = [("ENTGATE_DEVELOPMENT", "true"), ("ENTGATE_UNKNOWN_CUSTOMERS", "deny")];
        let setting = settings.iter().chain(&defaults).find(|(other, _)| *other == name);
        setting.map(|(_, value)| (*value).to_owned())
    };
    let settings = Settings::parse(lookup).unwrap();
    let store = MemoryStore::default();
    store.set_source_policy(settings.source_policy());
    store.set_default_features(settings.default_features.clone());
    store.set_missing_source(settings.missing_source());
    store.ledger.set_time(NOW);
    Service {
        store,
        now: NOW,
        settings,
        feature_cache: FeatureCache::default(),
        jwks_cache: JwksCache::default(),
        health_cache: HealthCache::default(),
        refused_origins: RefusedOrigins::default(),
        existing_features: RefCell::default(),
    }
}

/// A deployment that reads from a fake Stripe, whose clock is fixed at [`NOW`].
pub(crate) fn service_with_stripe() -> Service {
    service_with_stripe_and(&[])
}

/// The same with additional settings.
pub(crate) fn service_with_stripe_and(settings: &[(&str, &str)]) -> Service {
    let basic = [
        ("ENTGATE_API_KEYS", "sk_test_entgate"),
        ("STRIPE_WEBHOOK_SECRETS", SECRET),
        ("STRIPE_API_KEY", "sk_test_stripe"),
    ];
    let mut service = configured(&[&basic, settings].concat());
    let stripe = source::fake::FakeStripe::default();
    stripe.set_clock(NOW.into());
    let client = StripeClient::new(stripe).with_paused_rule(service.settings.paused);
    service.store.ledger.source = Some(Rc::new(client));
    service
}

impl Service {
    /// The fake Stripe of [`service_with_stripe()`].
    pub(crate) fn stripe(&self) -> &source::fake::FakeStripe {
        self.store.ledger.source.as_ref().unwrap().transport()
    }

    /// Receives an event, signed now with the first secret of its mode, and then updates the replica.
    #[track_caller]
    pub(crate) fn stripe_sends(&self, event: &Value) -> Answer {
        let body = event.to_string();
        let secret = if event["livemode"] == true { LIVE_SECRET } else { SECRET };
        self.receives(&body, &signed(&body, secret, NOW))
    }

    /// Receives a webhook, and then updates the replica.
    pub(crate) fn receives(&self, body: &str, signature: &str) -> Answer {
        let headers = [("stripe-signature", signature)];
        let answer = self.request("POST", "/webhooks/stripe", &headers, body.as_bytes());
        self.store.replicate();
        answer
    }

    /// Sends a `GET` with the server key of test mode.
    pub(crate) fn get(&self, target: &str) -> Answer {
        self.request("GET", target, &[("authorization", "Bearer sk_test_entgate")], b"")
    }

    /// Sends a `POST` with the server key of test mode.
    pub(crate) fn post_json(&self, target: &str, body: &Value) -> Answer {
        let headers =
            [("authorization", "Bearer sk_test_entgate"), ("content-type", "application/json")];
        self.request("POST", target, &headers, body.to_string().as_bytes())
    }

    /// Sends a request on the slow path, and asserts that the fast path agrees if it answers.
    pub(crate) fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut request = http::Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.to_vec()).unwrap();
        let fast = self.fast_path(&request);
        let response = pollster::block_on(self.handle(request.clone()));
        let is_denied = response.extensions().get::<DeniedFeature>().is_some();
        if let Some(fast) = fast.or_else(|| is_denied.then(|| self.fast_path(&request))?) {
            fast.assert_equals(&response, &request);
        }
        Answer::new(response)
    }

    /// Sends these requests at the same time, on the slow path.
    pub(crate) fn concurrently(&self, requests: &[Request]) -> Vec<Answer> {
        let app = self.app();
        let responses = requests.iter().map(|request| api::handle(&app, request.clone(), self.now));
        pollster::block_on(join_all(responses)).into_iter().map(Answer::new).collect()
    }

    /// The context of a request. A pause lets other requests run once.
    fn app(&self) -> App<'_, MemoryStore> {
        let Self {
            store, settings, feature_cache, jwks_cache, health_cache, refused_origins, ..
        } = self;
        App {
            store,
            settings,
            feature_cache,
            jwks_cache,
            health_cache,
            refused_origins,
            sleep: |_| Box::pin(yield_now()),
            random: draw_number,
            log: |line| LOG.with_borrow_mut(|log| log.push(line.to_owned())),
        }
    }

    /// Answers a request on the slow path.
    pub(crate) async fn handle<B: RequestBody>(&self, request: http::Request<B>) -> Response {
        let response = api::handle(&self.app(), request, self.now).await;
        if let Some(DeniedFeature { livemode, feature }) = response.extensions().get() {
            self.existing_features.borrow_mut().insert(*livemode, feature);
        }
        response
    }

    /// The answer of the fast path, if it answers the request.
    pub(crate) fn fast_path(&self, request: &Request) -> Option<FastPathAnswer> {
        let header =
            |name| request.headers().get(name).map_or(Some(""), |value| value.to_str().ok());
        if ["origin", "entgate-customer"].iter().any(|name| request.headers().contains_key(*name)) {
            return None;
        }
        let origin = if request.uri().scheme().is_some() { "" } else { "http://localhost:8787" };
        let url = format!("{origin}{}", request.uri());
        let query =
            fast_path::parse_query(&self.settings, &url, header("authorization")?, self.now);
        let Some(query) = query.filter(|_| request.method() == "GET") else {
            if request.method() != "POST" || request.uri().path() != "/webhooks/stripe" {
                return None;
            }
            let signature = header("stripe-signature")?;
            if !fast_path::accepts_webhook(&self.settings, signature, self.now) {
                return None;
            }
            let body = request.body();
            return match fast_path::verify_webhook(&self.settings, &url, signature, body, self.now)
            {
                WebhookResult::Respond(response) => Some(FastPathAnswer::Webhook(response)),
                WebhookResult::Apply(_) | WebhookResult::Poll { .. } => None,
            };
        };
        assert_eq!(wire::decode_query(&wire::encode_query(&query)).as_ref(), Some(&query));
        let record = record::encode(&self.store.replica.stored_set(&query.customer)?).unwrap();
        if !fast_path::accepts_record(&self.settings, &record) {
            return None;
        }
        let replica = (&record[..], ServedBy::Replica);
        let existing = &mut self.existing_features.borrow_mut();
        let answer =
            fast_path::answer_from_record(&self.settings, &query, replica, existing, self.now)?;
        Some(FastPathAnswer::Query(query, answer))
    }

    /// `entitled` and `reason` of one check.
    #[track_caller]
    pub(crate) fn check(&self, customer: &str, feature: &str) -> (bool, String) {
        let answer = self.get(&format!("/v1/check?customer={customer}&feature={feature}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        let reason = answer.body["reason"].as_str().unwrap();
        (answer.body["entitled"].as_bool().unwrap(), reason.to_owned())
    }
}

thread_local! {
    /// The next random number of this test, and by how much the one after it is greater.
    static RANDOM: Cell<(u128, u128)> = const { Cell::new((0xabc, 0)) };
}

fn draw_number() -> u128 {
    RANDOM.with(|random| {
        let (next, step) = random.get();
        random.set((next + step, step));
        next
    })
}

/// Makes all further random numbers of this test distinct.
pub(crate) fn draw_distinct_numbers() {
    RANDOM.with(|random| random.set((random.get().0, 1)));
}

/// Lets other futures run once.
async fn yield_now() {
    let mut has_yielded = false;
    std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut has_yielded, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

impl Answer {
    fn new(response: Response) -> Self {
        let body: Value = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
        // Every message is a sentence, or begins with what it quotes.
        let first = body["error"]["message"].as_str().and_then(|message| message.chars().next());
        assert!(!first.is_some_and(char::is_lowercase), "begins in lower case: {body}");
        Self { status: response.status().as_u16(), body, response }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name).map(|value| value.to_str().unwrap())
    }

    /// Asserts a 400 of Stripe about one parameter with this message.
    #[track_caller]
    pub(crate) fn assert_refuses(&self, param: &str, code: &str, message: &str, why: &str) {
        let r#type = "invalid_request_error";
        let error = json!({ "type": r#type, "code": code, "message": message, "param": param });
        assert_eq!((self.status, &self.body["error"]), (400, &error), "{why}");
    }

    /// A member of Stripe's error envelope.
    pub(crate) fn error(&self, member: &str) -> &str {
        self.body["error"][member].as_str().unwrap_or_default()
    }

    /// The stream that the response opens.
    pub(crate) fn stream_request(&self) -> Option<&StreamRequest> {
        self.response.extensions().get()
    }

    /// The headers and the body as one string.
    pub(crate) fn text(&self) -> String {
        format!("{:?} {}", self.response.headers(), String::from_utf8_lossy(self.response.body()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.response.body().is_empty()
    }

    /// The lookup keys of a list.
    pub(crate) fn keys(&self) -> Vec<&str> {
        let data = self.body["data"].as_array().unwrap();
        data.iter().map(|item| item["lookup_key"].as_str().unwrap()).collect()
    }
}

/// An answer of the fast path.
#[derive(Debug)]
pub(crate) enum FastPathAnswer {
    Query(FastQuery, FastAnswer),
    Webhook(Response),
}

impl FastPathAnswer {
    /// Asserts that the slow path returned the same response.
    #[track_caller]
    fn assert_equals(&self, response: &Response, request: &Request) {
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap());
        let body = || std::str::from_utf8(response.body()).unwrap();
        match self {
            Self::Query(_, FastAnswer::Check(object)) => {
                assert_eq!(
                    (response.status().as_u16(), body()),
                    (200, object.as_str()),
                    "{request:?}"
                );
                assert_eq!(header("content-type"), Some("application/json"), "{request:?}");
            }
            Self::Query(query, FastAnswer::Granted(lookup, ServedBy::Replica)) => {
                assert_eq!((response.status().as_u16(), body()), (204, ""), "{request:?}");
                let version = lookup.version.to_string();
                let as_of = lookup.as_of.map(|as_of| as_of.to_string());
                for (name, value) in [
                    ("entgate-version", Some(version.as_str())),
                    ("entgate-as-of", as_of.as_deref()),
                    ("entgate-served-by", Some("replica")),
                    ("entgate-customer", Some(query.customer.id.as_str())),
                ] {
                    assert_eq!(header(name), value, "{name} {request:?}");
                }
            }
            Self::Query(_, FastAnswer::List(list)) => {
                assert_eq!(
                    (response.status().as_u16(), body()),
                    (200, list.body.as_str()),
                    "{request:?}"
                );
                let (version, as_of) = (list.version.to_string(), list.as_of.to_string());
                for (name, value) in [
                    ("content-type", "application/json"),
                    ("entgate-version", version.as_str()),
                    ("entgate-as-of", as_of.as_str()),
                    ("entgate-served-by", list.served_by.as_str()),
                ] {
                    assert_eq!(header(name), Some(value), "{name} {request:?}");
                }
            }
            Self::Query(..) => panic!("not answered by the replica: {self:?}"),
            Self::Webhook(expected) => {
                assert_eq!(expected.status(), response.status(), "{request:?}");
                // The shells add this header to every response of the fast path.
                let mut headers = response.headers().clone();
                assert!(headers.remove("x-content-type-options").is_some(), "{request:?}");
                assert_eq!(expected.headers(), &headers, "{request:?}");
                assert_eq!(expected.body(), response.body(), "{request:?}");
                return;
            }
        }
        assert_eq!(header("cache-control"), Some("no-store"), "{request:?}");
        assert_eq!(header("vary"), Some("Origin"), "{request:?}");
    }
}

/// A signature header, as Stripe creates it.
pub(crate) fn signed(body: &str, secret: &str, at: Timestamp) -> String {
    format!("t={at},v1={}", v1(body, secret, at))
}

/// The `v1` signature of a body.
pub(crate) fn v1(body: &str, secret: &str, at: Timestamp) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{at}.{body}").as_bytes());
    hex::encode::<[u8; 32]>(mac.finalize().into_bytes().into())
}

/// A summary event in Stripe's format. The id is a hash of the content, so equal events have one id.
pub(crate) fn event(customer: &str, created: i64, keys: &[&str], has_more: bool) -> Value {
    let mut hasher = DefaultHasher::new();
    (customer, created, keys, has_more).hash(&mut hasher);
    let data: Vec<_> = keys.iter().map(|key| item(key)).collect();
    json!({
        "id": format!("evt_{:x}", hasher.finish()),
        "object": "event",
        "created": created,
        "data": { "object": {
            "object": "entitlements.active_entitlement_summary",
            "customer": customer,
            "entitlements": {
                "object": "list",
                "data": data,
                "has_more": has_more,
                "url": format!("/v1/customer/{customer}/entitlements"),
            },
            "livemode": false,
        }},
        "livemode": false,
        "type": "entitlements.active_entitlement_summary.updated",
    })
}

/// An active entitlement in Stripe's format.
pub(crate) fn item(key: &str) -> Value {
    json!({
        "id": format!("ent_test_{key}"),
        "object": "entitlements.active_entitlement",
        "feature": format!("feat_test_{key}"),
        "livemode": false,
        "lookup_key": key,
    })
}

/// The secret of the test endpoint.
pub(crate) fn test_endpoint(secret: &str) -> EndpointSecret {
    EndpointSecret { livemode: Livemode::Test, secret: SigningSecret::new(secret).unwrap() }
}

/// A customer of test mode.
pub(crate) fn customer(id: &str) -> CustomerKey {
    CustomerKey { livemode: Livemode::Test, id: CustomerId::try_from(id).unwrap() }
}

/// Entitlements of the features with these lookup keys.
pub(crate) fn grants(keys: &[&str]) -> Vec<ActiveEntitlement> {
    let grant = |key: &&str| ActiveEntitlement {
        id: format!("ent_test_{key}").try_into().unwrap(),
        feature: format!("feat_test_{key}").try_into().unwrap(),
        lookup_key: (*key).try_into().unwrap(),
    };
    keys.iter().map(grant).collect()
}

/// A parsed summary about Ada.
pub(crate) fn summary(event: &str, created: i64, page: SummaryPage) -> Summary {
    Summary {
        event: event.try_into().unwrap(),
        customer: customer("cus_ada"),
        created: Timestamp(created),
        page: Some(page),
    }
}
