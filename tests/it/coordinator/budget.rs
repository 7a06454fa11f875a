//! The budget of reads: half of the rate for each lane, and less after a 429.

use entgate::{
    coordinator::{CoordinatorRequest, CoordinatorResponse, ReadBudget},
    id::UnixMillis,
    ledger::ReadPriority,
};

use super::Coordinator;

const NOW: UnixMillis = UnixMillis(1_000_000);

fn slots(budget: &mut ReadBudget, priority: ReadPriority, rate: u32, now: UnixMillis) -> Vec<u64> {
    (0..4).map(|_| budget.reserve(priority, rate, now).0 - NOW.0).collect()
}

#[test]
fn each_priority_has_half_of_the_rate() {
    for (rate, expected) in [
        (10, [0, 200, 400, 600]),
        (5, [0, 400, 800, 1_200]),
        (1, [0, 2_000, 4_000, 6_000]),
        // Rounded up, so that the rate is not exceeded.
        (3, [0, 667, 1_334, 2_001]),
    ] {
        let mut budget = ReadBudget::default();
        for priority in [ReadPriority::Background, ReadPriority::Interactive] {
            assert_eq!(slots(&mut budget, priority, rate, NOW), expected, "{rate} {priority:?}");
        }
    }
}

#[test]
fn a_slot_that_was_not_used_is_lost() {
    let mut budget = ReadBudget::default();
    assert_eq!(slots(&mut budget, ReadPriority::Interactive, 10, NOW), [0, 200, 400, 600]);
    let later = NOW.saturating_add(10_000);
    assert_eq!(
        slots(&mut budget, ReadPriority::Interactive, 10, later),
        [10_000, 10_200, 10_400, 10_600]
    );
}

#[test]
fn a_429_halves_the_rate_for_a_minute() {
    let mut budget = ReadBudget::default();
    budget.rate_limited(NOW);
    for (after, expected) in [(0, 400), (59_999, 400), (60_000, 200)] {
        let mut budget = budget;
        let at = NOW.saturating_add(after);
        let first = budget.reserve(ReadPriority::Background, 10, at);
        let second = budget.reserve(ReadPriority::Background, 10, at);
        assert_eq!(second.millis_since(first), expected, "after {after} ms");
    }
}

#[test]
fn the_coordinator_grants_slots_and_hears_of_a_429() {
    let coordinator = Coordinator::new();
    let now = coordinator.world.time.now();
    let reserve = |priority| match coordinator.request(CoordinatorRequest::ReserveRead(priority)) {
        CoordinatorResponse::Slot(slot) => slot.millis_since(now),
        response => panic!("{response:?}"),
    };
    assert_eq!([reserve(ReadPriority::Background), reserve(ReadPriority::Background)], [0, 400]);
    assert_eq!(reserve(ReadPriority::Interactive), 0);
    coordinator.request(CoordinatorRequest::RateLimited);
    // The slot was granted before the 429; the next one is twice as far.
    assert_eq!(
        [reserve(ReadPriority::Background), reserve(ReadPriority::Background)],
        [800, 1_600]
    );
}
