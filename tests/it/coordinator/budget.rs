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

/// The times of the next `count` slots.
fn reserve(budget: &mut ReadBudget, priority: ReadPriority, count: u32) -> Vec<u64> {
    (0..count).map(|_| budget.reserve(priority, 10, NOW).0 - NOW.0).collect()
}

#[test]
fn routine_reads_have_a_quarter_of_the_rate_and_reads_after_events_keep_the_other_one() {
    let mut budget = ReadBudget::default();
    assert_eq!(reserve(&mut budget, ReadPriority::Routine, 3), [0, 400, 800]);
    // While routine reads wait, every other slot is theirs.
    assert_eq!(reserve(&mut budget, ReadPriority::Background, 5), [0, 400, 800, 1_200, 1_400]);
    // The slots from 1,200 ms on are taken.
    assert_eq!(reserve(&mut budget, ReadPriority::Routine, 2), [1_600, 2_000]);
    assert_eq!(reserve(&mut budget, ReadPriority::Interactive, 2), [0, 200], "the other half");
}

#[test]
fn no_order_of_background_reads_exceeds_half_of_the_rate() {
    // Each bit decides the kind of a read.
    for kinds in 0..1_u32 << 12 {
        let mut budget = ReadBudget::default();
        let mut slots: Vec<_> = (0..12)
            .map(|bit| match kinds >> bit & 1 {
                0 => budget.reserve(ReadPriority::Background, 10, NOW).0,
                _ => budget.reserve(ReadPriority::Routine, 10, NOW).0,
            })
            .collect();
        slots.sort_unstable();
        // Two reads may start together, but no more in any time than half of the rate and one read.
        for first in 0..slots.len() {
            for last in first + 1..slots.len() {
                let (count, millis) = ((last - first - 1) as u64, slots[last] - slots[first]);
                assert!(count * 200 <= millis, "{kinds:b}: {slots:?}");
            }
        }
    }
}

#[test]
fn a_block_of_routine_reads_is_as_many_single_ones() {
    let (block, single) = (Coordinator::new(), Coordinator::new());
    let slots = |coordinator: &Coordinator, count| match coordinator
        .request(CoordinatorRequest::ReserveRoutineReads(count))
    {
        CoordinatorResponse::Slots(slots) => slots,
        response => panic!("{response:?}"),
    };
    let singles: Vec<_> = (0..100).flat_map(|_| slots(&single, 1)).collect();
    assert_eq!(slots(&block, 100), singles);
    assert_eq!(slots(&block, u32::MAX).len(), 1_000);
}

#[test]
fn a_slot_that_is_too_late_for_a_caller_is_not_granted() {
    let mut budget = ReadBudget::default();
    let granted = reserve(&mut budget, ReadPriority::Interactive, 41);
    assert_eq!(granted.last(), Some(&8_000));
    assert_eq!(reserve(&mut budget, ReadPriority::Interactive, 3), [8_200; 3]);
    assert_eq!(reserve(&mut budget, ReadPriority::Background, 42).last(), Some(&8_200));
}

#[test]
fn a_restarted_coordinator_continues_a_long_queue() {
    // At five reads a second, half of it is one in 400 ms.
    for (reads, is_stored) in [(150, false), (151, true)] {
        let mut coordinator = Coordinator::new();
        let reserve = |coordinator: &Coordinator| {
            let priority = ReadPriority::Background;
            match coordinator.request(CoordinatorRequest::ReserveRead(priority)) {
                CoordinatorResponse::Slot(slot) => slot.0,
                response => panic!("{response:?}"),
            }
        };
        let slots: Vec<_> = (0..reads).map(|_| reserve(&coordinator)).collect();
        coordinator.restart();
        let next = reserve(&coordinator);
        assert_eq!(next > *slots.last().unwrap(), is_stored, "{reads}");
    }
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
