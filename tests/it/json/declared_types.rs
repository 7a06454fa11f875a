//! Every public type of `json_type!` is decoded from samples of its declaration, and encoded again.
//!
//! The samples are built from the sources: each field, each variant, and each optional field with and without a value.
//! Types that only the crate sees are tested where they are used.

use std::collections::{BTreeMap, BTreeSet};

use entgate::{
    coordinator::{
        Backlog, CoordinatorRequest, CoordinatorState, CoordinatorStatus, FoundEvents, IndexQuery,
        IndexReport, PollFailure, PollGap, PollPass, PollState, PollStatus, ReadBudget, RetryTask,
    },
    customer_index::{
        ActivityFilter, ActivityPosition, ActivityQuery, Candidate, CustomerPosition,
        CustomerQuery, CustomerSelection, CustomerSyncStatus, KeyProblem, Lease, LeaseKind,
        ProblemFilter, ShardActivity, ShardReport, StoredActivity,
    },
    entitlement::{ActiveEntitlement, Completeness, Summary, SummaryPage, Version},
    id::{CustomerKey, LookupKey, Timestamp, UnixMillis},
    json::{FromJson, from_slice},
    ledger::{
        Activity, ActivityKind, ActivityOutcome, ApplyOutcome, ApplyReceipt, CauseType,
        ChangeCause, ChangeNotification, EventOrigin, ExplainQuery, ExplainReply, Explanation,
        FeatureChange, HistoryEntry, HistoryPage, HistoryQuery, IndexMessage, KeyChange,
        LedgerRequest, NewOverride, ObservedFeatures, Outbox, Override, OverrideCommand,
        OverrideDeletion, OverrideEnd, OverrideIdempotency, OverrideRefusal, OverrideReply,
        OverrideRequest, OverrideUpdate, PendingTask, ReadPriority, ReconcileTimer, ReplicaWrites,
        SetChange, SourceEvidence, StatusReport, SyncProblem, SyncStatus, UnreadableEvent, WaitFor,
    },
    override_period::{OverrideEffect, OverridePeriod, OverrideStatus},
    pagination::{Cursor, PageOf, PageRequest},
    policy::{GrantRule, StatusPolicy},
    store::ServedBy,
};
use serde::Serialize;
use syn::{
    Attribute, Fields, GenericArgument, Ident, Item, ItemEnum, ItemStruct, PathArguments, Type,
    Visibility, ext::IdentExt, visit::Visit,
};

use crate::layers::sources::{Source, items_in_macro, read_sources};

#[test]
fn every_public_type_is_decoded_from_what_it_is_encoded_as() {
    let declarations = Declarations::new(&read_sources());
    let mut tested = BTreeSet::new();
    let mut check = |code: &str, round_trip: fn(&str) -> String| {
        assert_round_trips(&declarations, code, round_trip);
        tested.insert(code.split([' ', '<']).next().unwrap().to_owned());
    };
    macro_rules! check_types {
        ($($type:ty),* $(,)?) => { $(check(stringify!($type), round_trip::<$type>);)* };
    }
    check_types![
        ActiveEntitlement,
        Activity,
        ActivityFilter,
        ActivityKind,
        ActivityOutcome,
        ActivityPosition,
        ActivityQuery,
        ApplyOutcome,
        ApplyReceipt,
        Backlog,
        Candidate,
        CauseType,
        ChangeCause,
        ChangeNotification,
        Completeness,
        CoordinatorRequest,
        CoordinatorState,
        CoordinatorStatus,
        Cursor<LookupKey>,
        CustomerKey,
        CustomerPosition,
        CustomerQuery,
        CustomerSelection,
        CustomerSyncStatus,
        EventOrigin,
        ExplainQuery,
        ExplainReply,
        Explanation,
        FeatureChange,
        FoundEvents,
        GrantRule,
        HistoryEntry,
        HistoryPage,
        HistoryQuery,
        IndexMessage,
        IndexQuery,
        IndexReport,
        KeyChange,
        KeyProblem,
        Lease,
        LeaseKind,
        LedgerRequest,
        NewOverride,
        ObservedFeatures,
        Outbox,
        Override,
        OverrideCommand,
        OverrideDeletion,
        OverrideEffect,
        OverrideEnd,
        OverrideIdempotency,
        OverridePeriod,
        OverrideRefusal,
        OverrideReply,
        OverrideRequest,
        OverrideStatus,
        OverrideUpdate,
        PageOf<Version>,
        PageRequest<ActivityPosition>,
        PendingTask,
        PollFailure,
        PollGap,
        PollPass,
        PollState,
        PollStatus,
        ProblemFilter,
        ReadBudget,
        ReadPriority,
        ReconcileTimer,
        ReplicaWrites,
        RetryTask,
        ServedBy,
        SetChange,
        ShardActivity,
        ShardReport,
        SourceEvidence,
        StatusPolicy,
        StatusReport,
        StoredActivity,
        Summary,
        SummaryPage,
        SyncProblem,
        SyncStatus,
        Timestamp,
        UnixMillis,
        UnreadableEvent,
        Version,
        WaitFor,
    ];
    assert_eq!(tested, declarations.public_names());
}

/// Each sample of a type is decoded from what it is encoded as.
fn assert_round_trips(declarations: &Declarations, code: &str, round_trip: fn(&str) -> String) {
    for json in declarations.samples(&syn::parse_str(code).unwrap(), &BTreeMap::new()) {
        assert_eq!(round_trip(&json), json, "{code}");
    }
}

#[track_caller]
fn round_trip<T: FromJson + Serialize>(json: &str) -> String {
    let value: T = from_slice(json.as_bytes()).unwrap_or_else(|error| panic!("{json}: {error}"));
    serde_json::to_string(&value).unwrap()
}

/// The items in all calls of `json_type!` and `string_enum!`, by their names.
struct Declarations(BTreeMap<String, Item>);

impl Declarations {
    fn new(sources: &[Source]) -> Self {
        let mut declarations = BTreeMap::new();
        for item in sources.iter().flat_map(|source| &source.syntax.items) {
            let Item::Macro(call) = item else { continue };
            if ["json_type", "string_enum"].iter().any(|name| call.mac.path.is_ident(name)) {
                for item in items_in_macro(&call.mac).unwrap() {
                    let (Item::Struct(ItemStruct { ident, .. })
                    | Item::Enum(ItemEnum { ident, .. })) = &item
                    else {
                        panic!("an item that is no type")
                    };
                    declarations.insert(ident.to_string(), item);
                }
            }
        }
        Self(declarations)
    }

    fn public_names(&self) -> BTreeSet<String> {
        let is_public = |item: &Item| match item {
            Item::Struct(item) => matches!(item.vis, Visibility::Public(_)),
            Item::Enum(item) => matches!(item.vis, Visibility::Public(_)),
            _ => false,
        };
        let public = self.0.iter().filter(|(_, item)| is_public(item));
        public.map(|(name, _)| name.clone()).collect()
    }

    /// Values of a type in JSON. `params` has those of the type parameters.
    fn samples(&self, of: &Type, params: &BTreeMap<String, Vec<String>>) -> Vec<String> {
        let Type::Path(path) = of else { panic!("a type without a name") };
        let segment = path.path.segments.last().unwrap();
        let name = segment.ident.to_string();
        let arguments: Vec<_> = match &segment.arguments {
            PathArguments::AngleBracketed(arguments) => {
                let types = arguments.args.iter().filter_map(|argument| match argument {
                    GenericArgument::Type(argument) => Some(self.samples(argument, params)),
                    _ => None,
                });
                types.collect()
            }
            _ => Vec::new(),
        };
        let fixed = |samples: &[&str]| samples.iter().map(|json| (*json).to_owned()).collect();
        match (name.as_str(), &arguments[..]) {
            ("bool" | "Livemode", []) => fixed(&["true", "false"]),
            ("u32", []) => fixed(&["0", "4294967295"]),
            ("u64" | "usize", []) => fixed(&["0", "18446744073709551615"]),
            ("i64", []) => fixed(&["-9223372036854775808", "9223372036854775807"]),
            (
                "CustomerId" | "LookupKey" | "FeatureId" | "EntitlementId" | "EventId"
                | "OverrideId" | "String",
                [],
            ) => fixed(&["\"a\"", "\"\\\"é\""]),
            ("Box", [inner]) => inner.clone(),
            ("Option", [inner]) => [&["null".to_owned()], &inner[..]].concat(),
            ("Vec" | "BTreeSet", [inner]) => vec!["[]".to_owned(), format!("[{}]", inner[0])],
            ("BTreeMap", [_, value]) => vec!["{}".to_owned(), format!("{{\"a\":{}}}", value[0])],
            (param, []) if params.contains_key(param) => params[param].clone(),
            (_, arguments) => self.declared_samples(&name, arguments),
        }
    }

    fn declared_samples(&self, name: &str, arguments: &[Vec<String>]) -> Vec<String> {
        let item = self.0.get(name).unwrap_or_else(|| panic!("no samples of `{name}`"));
        let (Item::Struct(ItemStruct { generics, .. }) | Item::Enum(ItemEnum { generics, .. })) =
            item
        else {
            panic!("`{name}` is no type")
        };
        let names = generics.type_params().map(|param| param.ident.to_string());
        let params = names.zip(arguments.iter().cloned()).collect();
        match item {
            Item::Struct(item) => self.content_samples(&item.fields, &params),
            Item::Enum(item) => {
                let variants = item.variants.iter().flat_map(|variant| {
                    let Some((_, syn::Expr::Lit(name))) = &variant.discriminant else {
                        panic!("`{name}` has a variant without a name")
                    };
                    let syn::Lit::Str(name) = &name.lit else { panic!("a name is no string") };
                    let name = format!("\"{}\"", name.value());
                    match &variant.fields {
                        Fields::Unit => vec![name],
                        fields => {
                            let contents = self.content_samples(fields, &params).into_iter();
                            contents.map(|content| format!("{{{name}:{content}}}")).collect()
                        }
                    }
                });
                variants.collect()
            }
            _ => Vec::new(),
        }
    }

    /// Each sample of each field is in one sample of the content.
    fn content_samples(
        &self,
        fields: &Fields,
        params: &BTreeMap<String, Vec<String>>,
    ) -> Vec<String> {
        let samples: Vec<_> = fields.iter().map(|field| self.samples(&field.ty, params)).collect();
        if let Fields::Unnamed(_) = fields {
            return samples.concat();
        }
        let count = samples.iter().map(Vec::len).max().unwrap();
        let object = |index: usize| {
            let members = fields.iter().zip(&samples).map(|(field, samples)| {
                let name = field.ident.as_ref().unwrap().unraw();
                format!("\"{name}\":{}", samples[index % samples.len()])
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        };
        (0..count).map(object).collect()
    }
}

/// The types that are encoded and not declared by `json_type!`, apart from the responses of the API.
const DECLARED_BY_HAND: [&str; 3] = [
    // Encoded as a boolean.
    "id.rs: Livemode",
    // `store::record` reads its exact bytes.
    "store/record/mod.rs: EncodedHeader",
    // Only a test reads it.
    "worker/ledger/rpc.rs: ListenerCount",
];

#[test]
fn every_type_that_is_stored_or_sent_is_declared_by_the_macro() {
    let mut found = Vec::new();
    for source in read_sources() {
        let mut encoded = EncodedTypes::default();
        encoded.visit_file(&source.syntax);
        if !source.name.starts_with("api/") {
            found.extend(encoded.0.iter().map(|name| format!("{}: {name}", source.name)));
        }
    }
    assert_eq!(found, DECLARED_BY_HAND);
}

/// The types that derive `Serialize` outside of a macro.
#[derive(Default)]
struct EncodedTypes(Vec<String>);

impl EncodedTypes {
    fn add(&mut self, ident: &Ident, attributes: &[Attribute]) {
        let derives = attributes.iter().filter(|attribute| attribute.path().is_ident("derive"));
        let mut tokens =
            derives.flat_map(|derive| derive.meta.require_list().unwrap().tokens.clone());
        if tokens.any(|token| token.to_string() == "Serialize") {
            self.0.push(ident.to_string());
        }
    }
}

impl<'ast> Visit<'ast> for EncodedTypes {
    fn visit_item_struct(&mut self, item: &'ast ItemStruct) {
        self.add(&item.ident, &item.attrs);
    }

    fn visit_item_enum(&mut self, item: &'ast ItemEnum) {
        self.add(&item.ident, &item.attrs);
    }
}
