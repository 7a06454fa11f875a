//! The contract of a ledger, from `tests/vectors/ledger_contract.json`, on storage in memory.
//! `tests/worker/ledger-contract.test.mjs` runs the same scenarios against the Durable Object.

use std::rc::Rc;

use entgate::{
    json,
    ledger::{LedgerProcess, LedgerRequest, LedgerResponse, LedgerStorage as _, SourceAccess},
};
use serde_json::Value;

use crate::model::world::{World, WorldPorts};

const VECTORS: &str = include_str!("../vectors/ledger_contract.json");

#[test]
fn a_ledger_in_memory_keeps_the_contract() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let scenarios = vectors["scenarios"].as_array().unwrap();
    assert_eq!(scenarios.len(), 7);
    for scenario in scenarios {
        let world = World::new(SourceAccess::None);
        world.writes_succeed.set(true);
        let process = LedgerProcess::new(WorldPorts(Rc::clone(&world)));
        for step in scenario["steps"].as_array().unwrap() {
            if let Some(seconds) = step["advance_seconds"].as_u64() {
                world.time.set(world.time.now().saturating_add(seconds * 1_000));
                continue;
            }
            let request: LedgerRequest =
                json::from_slice(step["request"].to_string().as_bytes()).unwrap();
            let response = world.time.run_until(process.handle(&request)).unwrap().unwrap();
            let (status, body) = match response {
                LedgerResponse::Receipt(receipt) => (200, serde_json::to_value(receipt).unwrap()),
                LedgerResponse::Set(_) => match world.tables.read_record().unwrap() {
                    Some(record) => (200, serde_json::from_slice(&record).unwrap()),
                    None => (404, Value::Null),
                },
                LedgerResponse::Overrides(reply) => (200, serde_json::to_value(reply).unwrap()),
                LedgerResponse::History(page) => (200, serde_json::to_value(page).unwrap()),
                LedgerResponse::Explained(reply) => (200, serde_json::to_value(reply).unwrap()),
                LedgerResponse::Rearmed => (200, Value::Null),
                LedgerResponse::SourceFailed(_) => (502, Value::Null),
                response => panic!("{response:?}"),
            };
            assert_eq!(status, step["status"], "{}: {step}", scenario["name"]);
            assert_eq!(body, step["response"], "{}: {step}", scenario["name"]);
        }
    }
}
