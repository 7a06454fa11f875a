//! Counts of what a simulated day uses, in units of the real number of customers.

use entgate::id::UnixMillis;

/// The time of one bucket, in milliseconds: ten minutes.
const BUCKET: u64 = 600_000;

/// The buckets of the highest use on a special day.
pub const TEN_MINUTES: usize = 1;

/// The buckets of the highest use in a month: with few customers of the sample in a bucket, chance decides.
pub const HOUR: usize = 6;

/// What is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Counter {
    /// Events that Stripe sends to the Worker.
    Webhooks,
    /// Checks that the ledger answers instead of the replica.
    LedgerChecks,
    /// Alarms of ledgers.
    LedgerAlarms,
    /// Messages of ledgers to the customer index.
    IndexMessages,
    /// Routine reads that are reserved, by shards of the customer index.
    IndexReservations,
    /// Requests to the coordinator: reads that are reserved, by ledgers and by shards.
    CoordinatorRequests,
    /// Reads of a customer's entitlements from Stripe.
    StripeReads,
    /// Writes of the replica.
    KvWrites,
    /// The bytes of these writes.
    KvBytes,
    /// Rows that SQLite writes in ledgers, and alarms that are set.
    LedgerRows,
    /// Statements in ledgers, without those that set an alarm.
    LedgerStatements,
    /// Rows that SQLite writes in the customer index.
    IndexRows,
}

const COUNTERS: usize = 12;

/// Counts by time.
#[derive(Clone, Debug)]
pub struct Usage {
    start: UnixMillis,
    buckets: Vec<[u64; COUNTERS]>,
}

impl Usage {
    /// No counts, from this time on.
    #[must_use]
    pub fn new(start: UnixMillis) -> Self {
        Self { start, buckets: Vec::new() }
    }

    /// Whether anything is counted at this time.
    #[must_use]
    pub fn is_counting(&self, now: UnixMillis) -> bool {
        now >= self.start
    }

    /// Adds a count. Nothing before the start is counted.
    pub fn add(&mut self, counter: Counter, count: u64, now: UnixMillis) {
        let Some(elapsed) = now.0.checked_sub(self.start.0) else { return };
        let bucket = usize::try_from(elapsed / BUCKET).unwrap_or(usize::MAX);
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, [0; COUNTERS]);
        }
        self.buckets[bucket][counter as usize] += count;
    }

    /// Returns the sum of all time.
    #[must_use]
    pub fn total(&self, counter: Counter) -> f64 {
        to_f64(self.buckets.iter().map(|bucket| bucket[counter as usize]).sum())
    }

    /// Returns the highest sum of these counters in so many buckets, a second.
    #[must_use]
    pub fn peak_per_second(&self, counters: &[Counter], buckets: usize) -> f64 {
        let sum =
            |bucket: &[u64; COUNTERS]| counters.iter().map(|it| bucket[*it as usize]).sum::<u64>();
        let sums = self.buckets.chunks(buckets).map(|chunk| chunk.iter().map(sum).sum());
        to_f64(sums.max().unwrap_or(0)) / (to_f64(BUCKET) / 1_000.0) / to_f64(buckets as u64)
    }
}

/// Converts a count, of which the first digits matter.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "the first digits matter")]
pub fn to_f64(count: u64) -> f64 {
    count as f64
}
