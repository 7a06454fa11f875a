//! Published limits and prices, and what is assumed. The page names the sources and when they were read.

/// Requests a second of one Durable Object: a soft limit.
pub const OBJECT_REQUESTS: f64 = 1_000.0;

/// Bytes of one Durable Object.
pub const OBJECT_BYTES: f64 = 10e9;

/// Bytes of a row of a Durable Object.
pub const ROW_BYTES: f64 = 2e6;

/// Writes a second of one key of KV.
pub const KEY_WRITES: f64 = 1.0;

/// Bytes of a value of KV: 25 MiB.
pub const VALUE_BYTES: f64 = 26_214_400.0;

/// Requests to Cloudflare's services of one invocation, on the free plan.
pub const SERVICE_REQUESTS: f64 = 1_000.0;

/// Requests a second to one endpoint of Stripe.
pub const STRIPE_ENDPOINT: u32 = 25;

/// Requests a second of `ENTGATE_STRIPE_RATE`, by default.
pub const DEFAULT_RATE: u32 = 10;

/// The bytes of a customer in a shard of the customer index: a row, and a row of the index by the last read.
pub const INDEX_ROW: f64 = 200.0;

/// The bytes of a decision in a shard.
pub const ACTIVITY_ROW: f64 = 600.0;

/// The bytes of an event in the coordinator: a row, and a row of the index by time.
pub const EVENT_ROW: f64 = 90.0;

/// The bytes of a ledger: an empty database, and five tables of a page each.
pub const LEDGER_BYTES: f64 = 12_000.0 + 5.0 * 4_096.0;

/// Prices in dollars, of the paid plan.
pub mod price {
    /// A million requests to the Worker.
    pub const WORKER_REQUESTS: f64 = 0.30;
    /// A million milliseconds of CPU time of the Worker.
    pub const CPU_MILLIS: f64 = 0.02;
    /// A million requests to Durable Objects.
    pub const OBJECT_REQUESTS: f64 = 0.15;
    /// A million gigabyte-seconds of Durable Objects.
    pub const OBJECT_DURATION: f64 = 12.50;
    /// A million rows that are written.
    pub const ROWS_WRITTEN: f64 = 1.00;
    /// A million rows that are read.
    pub const ROWS_READ: f64 = 0.001;
    /// A gigabyte of Durable Objects for a month.
    pub const OBJECT_STORAGE: f64 = 0.20;
    /// A million writes of KV.
    pub const KV_WRITES: f64 = 5.00;
    /// A million reads of KV.
    pub const KV_READS: f64 = 0.50;
    /// A gigabyte of KV for a month.
    pub const KV_STORAGE: f64 = 0.50;
}

/// The daily limits of the free plan.
pub mod free {
    /// Requests to the Worker, to Durable Objects, reads of KV, and rows that are written: each.
    pub const REQUESTS: f64 = 100_000.0;
    /// Writes of KV.
    pub const KV_WRITES: f64 = 1_000.0;
}

/// CPU time of a check and of an event, in milliseconds, as `make bench` measures them.
pub const CHECK_CPU: f64 = 0.12;
/// See [`CHECK_CPU`].
pub const EVENT_CPU: f64 = 2.0;

/// How long an object is active for each request, in seconds: it waits for KV or Stripe.
pub const EVENT_SECONDS: f64 = 0.15;
/// For a read of Stripe. See [`EVENT_SECONDS`].
pub const READ_SECONDS: f64 = 0.35;
/// For any other request. See [`EVENT_SECONDS`].
pub const OTHER_SECONDS: f64 = 0.01;
/// The memory for which an object is charged, in gigabytes.
pub const OBJECT_MEMORY: f64 = 0.128;

/// The days of a month.
pub const MONTH: u64 = 30;
