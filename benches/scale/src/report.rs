//! The tables of `docs/scale.md`.

use std::fmt::Write as _;

use entgate::{
    customer_index::{ACTIVITY_RETENTION, SHARD_COUNT, Shard},
    ledger::ReadPriority,
    store::{
        ledger_rows::{RecordWrite, StepWrites},
        record,
    },
};

use crate::{
    limits::{self, free, price},
    poll::{self, PollResult},
    population::{DAY, customer_id},
    random::Random,
    simulation::{CHECKS_A_DAY, Scenario, Simulation},
    usage::{Counter, HOUR, TEN_MINUTES, Usage, to_f64},
};

/// The scales: how many customers one of the sample stands for.
pub const WEIGHTS: [u64; 3] = [40, 400, 4_000];

/// The share of customers with entitlements.
const CHECKED_SHARE: f64 = 0.4;

/// The surveys of a day without problems, of 32 shards each, and the alarms and cron triggers of a minute.
const MINUTES_A_DAY: f64 = 24.0 * 60.0;

/// The special days.
const SCENARIOS: [(Scenario, &str); 6] = [
    (Scenario::Normal, "a normal day"),
    (Scenario::ObjectsDown, "no Durable Object runs for six hours"),
    (Scenario::KvDown, "KV rejects writes for six hours"),
    (Scenario::StripeDown, "Stripe rejects reads for six hours"),
    (Scenario::ProductChange, "the sets of 10 % of all customers change within six hours"),
    (Scenario::PolicyChange, "a deployment with another status policy"),
];

/// A simulated scale.
#[derive(Debug)]
pub struct Scale {
    /// The number of customers.
    pub customers: f64,
    /// What a month of normal days uses.
    pub month: Usage,
    /// The state after that month.
    pub after: Simulation,
    /// The special days, in the order of [`SCENARIOS`].
    pub days: Vec<Day>,
}

/// A simulated day.
#[derive(Debug)]
pub struct Day {
    usage: Usage,
    least_write_pause: u64,
    pending_reads: u64,
    background_queue: u64,
}

impl Scale {
    /// Simulates a scale, with this rate of reads.
    #[must_use]
    pub fn simulate(weight: u64, rate: u32, scenarios: Scenarios) -> Self {
        let mut simulation = Simulation::with_history(weight, rate);
        let customers = to_f64(simulation.customers.len() as u64 * weight);
        eprintln!("scale: {} customers, {rate} reads a second", short(customers));
        simulation.run(limits::MONTH, Scenario::Normal);
        let days = match scenarios {
            Scenarios::None => Vec::new(),
            Scenarios::All => {
                let day = |(scenario, _)| {
                    let mut day = simulation.clone();
                    day.run(1, scenario);
                    Day {
                        pending_reads: day.pending_reads(),
                        background_queue: day.queue_length(ReadPriority::Background),
                        least_write_pause: day.least_write_pause,
                        usage: day.usage,
                    }
                };
                SCENARIOS.into_iter().map(day).collect()
            }
        };
        Self { customers, month: simulation.usage.clone(), after: simulation, days }
    }

    fn per_day(&self, counter: Counter) -> f64 {
        self.month.total(counter) / to_f64(limits::MONTH)
    }

    /// The highest value on any simulated day.
    fn peak(&self, counters: &[Counter]) -> f64 {
        let days = self.days.iter().map(|day| day.usage.peak_per_second(counters, TEN_MINUTES));
        days.fold(self.month.peak_per_second(counters, HOUR), f64::max)
    }

    fn least_write_pause(&self) -> u64 {
        self.days.iter().map(|day| day.least_write_pause).min().unwrap_or(u64::MAX)
    }
}

/// Which special days are simulated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scenarios {
    /// None.
    None,
    /// All.
    All,
}

/// What the sample stores.
struct Stored {
    /// The longest row of a ledger, in bytes.
    largest_row: f64,
    /// The longest record, in bytes.
    largest_record: f64,
    /// The records of the replica, in bytes for each customer.
    record: f64,
}

fn stored(simulation: &Simulation) -> Stored {
    let mut stored = Stored { largest_row: 0.0, largest_record: 0.0, record: 0.0 };
    for customer in &simulation.customers {
        let writes = StepWrites::between(None, &mut customer.state.clone(), None)
            .expect("it can be encoded");
        let record = match &writes.record {
            RecordWrite::Row(record) | RecordWrite::Chunks(record) => record.len(),
            RecordWrite::Keep => 0,
        };
        let row = to_f64((writes.state.len() + record) as u64);
        stored.largest_row = stored.largest_row.max(row);
        let replica = customer.written_at.and(customer.state.record.entitlements.as_ref());
        let replica = replica.map_or(0, |set| record::encode(set).map_or(0, |it| it.len()));
        stored.largest_record = stored.largest_record.max(to_f64(replica as u64));
        stored.record += to_f64(replica as u64);
    }
    stored.record /= to_f64(simulation.customers.len() as u64);
    stored
}

/// The share of the customers in the fullest shard.
fn largest_share() -> f64 {
    const IDS: u32 = 1_000_000;
    let mut random = Random::new(32);
    let mut counts = [0_u32; SHARD_COUNT as usize];
    for _ in 0..IDS {
        let shard = Shard::of(&customer_id(&mut random));
        counts[usize::from(shard.number())] += 1;
    }
    f64::from(counts.into_iter().max().unwrap_or(0)) / f64::from(IDS)
}

/// The tables, by name.
#[must_use]
pub fn tables(scales: &[Scale], default_rate: &[Scale]) -> Vec<(&'static str, String)> {
    let polls: Vec<_> = scales.iter().map(poll_of).collect();
    let capacity = poll::capacity(20_000, limits::STRIPE_ENDPOINT);
    vec![
        ("normal day", normal_day(scales, &polls)),
        ("limits", limits_table(scales, &polls)),
        ("special days", special_days(scales)),
        ("stripe", stripe(scales, default_rate)),
        ("poll", poll_table(scales, &polls, capacity)),
        ("free plan", free_plan(scales)),
        ("cost", cost(scales, &polls)),
    ]
}

/// Two hours of the poll at the peak of a month.
fn poll_of(scale: &Scale) -> PollResult {
    let peak = scale.month.peak_per_second(&[Counter::Webhooks], HOUR);
    poll::poll(POLL_SECONDS, 1_000.0 / peak, limits::STRIPE_ENDPOINT)
}

const POLL_SECONDS: u64 = 2 * 60 * 60;

const INDEX: [Counter; 2] = [Counter::IndexMessages, Counter::IndexReservations];

fn normal_day(scales: &[Scale], polls: &[PollResult]) -> String {
    let rows: [(&str, Counter); 11] = [
        ("events", Counter::Webhooks),
        ("alarms of ledgers", Counter::LedgerAlarms),
        ("messages to the customer index", Counter::IndexMessages),
        ("routine reads that shards reserve", Counter::IndexReservations),
        ("requests to the coordinator", Counter::CoordinatorRequests),
        ("reads of Stripe", Counter::StripeReads),
        ("writes of KV", Counter::KvWrites),
        ("bytes of them", Counter::KvBytes),
        ("statements in ledgers", Counter::LedgerStatements),
        ("rows written in ledgers, with alarms that are set", Counter::LedgerRows),
        ("rows written in the customer index", Counter::IndexRows),
    ];
    let mut table = head("a day, mean of 30", scales);
    for (name, counter) in rows {
        row(&mut table, name, scales.iter().map(|scale| short(scale.per_day(counter))));
    }
    let surveys = polls.iter().map(|poll| {
        let a_day = to_f64(poll.surveys) * to_f64(DAY / 1_000) / to_f64(POLL_SECONDS);
        short(a_day * f64::from(SHARD_COUNT))
    });
    row(&mut table, "questions of the coordinator to shards", surveys);
    table
}

/// A limit, and what is used of it at each scale.
struct Limit {
    engine: &'static str,
    what: &'static str,
    limit: f64,
    used: Vec<f64>,
    /// Whether the use grows with the number of customers.
    is_linear: bool,
}

fn limits_of(scales: &[Scale], polls: &[PollResult]) -> Vec<Limit> {
    let share = largest_share();
    let of = |used: &dyn Fn(usize, &Scale) -> f64| -> Vec<f64> {
        scales.iter().enumerate().map(|(index, scale)| used(index, scale)).collect()
    };
    let stored: Vec<_> = scales.iter().map(|scale| stored(&scale.after)).collect();
    let limit =
        |engine, what, limit, used, is_linear| Limit { engine, what, limit, used, is_linear };
    vec![
        limit(
            "ledger",
            "bytes of a row",
            limits::ROW_BYTES,
            of(&|index, _| stored[index].largest_row),
            false,
        ),
        limit(
            "customer index",
            "requests a second of one shard",
            limits::OBJECT_REQUESTS,
            of(&|_, scale| scale.peak(&INDEX) * share),
            true,
        ),
        limit(
            "customer index",
            "bytes of one shard",
            limits::OBJECT_BYTES,
            of(&|_, scale| {
                scale.customers * share * limits::INDEX_ROW
                    + to_f64(ACTIVITY_RETENTION) * limits::ACTIVITY_ROW
            }),
            true,
        ),
        limit(
            "customer index",
            "subrequests of a list",
            limits::SERVICE_REQUESTS,
            // As the first request of a deployment: two reads and a write of its record in KV, two alarms.
            of(&|_, _| f64::from(SHARD_COUNT) + 5.0),
            false,
        ),
        // Each shard reports a problem at most once a minute, and a cron trigger sets the alarm.
        limit(
            "coordinator",
            "requests a second",
            limits::OBJECT_REQUESTS,
            of(&|_, scale| {
                scale.peak(&[Counter::CoordinatorRequests]) + (f64::from(SHARD_COUNT) + 1.0) / 60.0
            }),
            true,
        ),
        limit(
            "coordinator",
            "bytes of known events",
            limits::OBJECT_BYTES,
            of(&|_, scale| {
                let days = scale.days.iter().map(|day| day.usage.total(Counter::Webhooks));
                days.fold(0.0, f64::max) * 25.0 / 24.0 * limits::EVENT_ROW
            }),
            true,
        ),
        limit(
            "coordinator",
            "share of the time in which an alarm works",
            1.0,
            of(&|index, _| to_f64(polls[index].busy_millis) / to_f64(POLL_SECONDS * 1_000)),
            false,
        ),
        limit(
            "KV",
            "writes a second of one key",
            limits::KEY_WRITES,
            of(&|_, scale| 1_000.0 / to_f64(scale.least_write_pause())),
            false,
        ),
        limit(
            "KV",
            "bytes of a value",
            limits::VALUE_BYTES,
            of(&|index, _| stored[index].largest_record),
            false,
        ),
    ]
}

fn limits_table(scales: &[Scale], polls: &[PollResult]) -> String {
    let mut table = String::from("| engine | limit | |");
    for scale in scales {
        write_to(&mut table, format_args!(" {} |", short(scale.customers)));
    }
    table.push_str(" reached with |\n|---|---|---|");
    table.push_str(&"---|".repeat(scales.len() + 1));
    table.push('\n');
    for Limit { engine, what, limit, used, is_linear } in limits_of(scales, polls) {
        write_to(&mut table, format_args!("| {engine} | {what} | {} |", short(limit)));
        for used in &used {
            write_to(&mut table, format_args!(" {} ({}) |", short(*used), percent(used / limit)));
        }
        let reached = match (is_linear, scales.last(), used.last()) {
            (true, Some(scale), Some(used)) => {
                format!("{} customers", short(scale.customers * limit / used))
            }
            _ => "does not grow with customers".to_owned(),
        };
        let reached = if what.starts_with("share") { "see below".to_owned() } else { reached };
        write_to(&mut table, format_args!(" {reached} |\n"));
    }
    table
}

fn special_days(scales: &[Scale]) -> String {
    let share = largest_share();
    let mut table = String::from(
        "| day | events | checks that ledgers answer | alarms of ledgers | one shard of the index | coordinator | reads of Stripe | writes of KV | reads that wait at its end |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    let Some(scale) = scales.last() else { return table };
    for (day, (_, name)) in scale.days.iter().zip(SCENARIOS) {
        let peak = |counters: &[Counter]| short(day.usage.peak_per_second(counters, TEN_MINUTES));
        let shard = short(day.usage.peak_per_second(&INDEX, TEN_MINUTES) * share);
        let waiting = match day.background_queue {
            queue if queue < 60_000 => short(to_f64(day.pending_reads)),
            queue => {
                format!("{}, for {}", short(to_f64(day.pending_reads)), duration(queue))
            }
        };
        write_to(
            &mut table,
            format_args!(
                "| {name} | {} | {} | {} | {shard} | {} | {} | {} | {waiting} |\n",
                peak(&[Counter::Webhooks]),
                peak(&[Counter::LedgerChecks]),
                peak(&[Counter::LedgerAlarms]),
                peak(&[Counter::CoordinatorRequests]),
                peak(&[Counter::StripeReads]),
                peak(&[Counter::KvWrites]),
            ),
        );
    }
    table
}

fn stripe(scales: &[Scale], default_rate: &[Scale]) -> String {
    let mut table = String::from(
        "| `ENTGATE_STRIPE_RATE` | customers | reads a second, mean | highest in an hour | last read, median | last read, 99 % | queue of routine reads | queue of reads after events |\n|---|---|---|---|---|---|---|---|\n",
    );
    for (rate, scales) in [(limits::DEFAULT_RATE, default_rate), (limits::STRIPE_ENDPOINT, scales)]
    {
        for scale in scales {
            let ages = scale.after.read_ages();
            let age = |share: usize| duration(ages[(ages.len() - 1) * share / 100]);
            let queue = |priority| match scale.after.queue_length(priority) {
                queue if queue < 60_000 => "none".to_owned(),
                queue => duration(queue),
            };
            write_to(
                &mut table,
                format_args!(
                    "| {rate} | {} | {} | {} | {} | {} | {} | {} |\n",
                    short(scale.customers),
                    short(scale.per_day(Counter::StripeReads) / 86_400.0),
                    short(scale.month.peak_per_second(&[Counter::StripeReads], HOUR)),
                    age(50),
                    age(99),
                    queue(ReadPriority::Routine),
                    queue(ReadPriority::Background),
                ),
            );
        }
    }
    table
}

fn poll_table(scales: &[Scale], polls: &[PollResult], capacity: f64) -> String {
    let mut table = head("in two hours, with the most events of a month", scales);
    let column = |cell: fn(&PollResult) -> f64| polls.iter().map(move |poll| short(cell(poll)));
    row(&mut table, "requests to Stripe's list of events", column(|poll| to_f64(poll.listings)));
    row(&mut table, "events sent to ledgers, which know them", column(|poll| to_f64(poll.sent)));
    row(&mut table, "alarms", column(|poll| to_f64(poll.alarms)));
    row(
        &mut table,
        "last complete pass, before the end",
        polls.iter().map(|poll| {
            let before =
                poll.completed_at.map(|at| POLL_SECONDS * 1_000 - at.min(POLL_SECONDS * 1_000));
            before.map_or("none".to_owned(), duration)
        }),
    );
    let events = scales.iter().map(|scale| {
        let peak = scale.month.peak_per_second(&[Counter::Webhooks], HOUR);
        format!("{} ({})", short(peak), percent(peak / capacity))
    });
    row(
        &mut table,
        &format!("events a second; the poll applies up to {}", short(capacity)),
        events,
    );
    table
}

/// The fixed requests of a day to Durable Objects: surveys, alarms of the coordinator, cron triggers.
fn fixed_object_requests() -> f64 {
    let surveys = MINUTES_A_DAY / 10.0 * f64::from(SHARD_COUNT);
    surveys + 2.0 * MINUTES_A_DAY
}

fn object_requests(usage: &Usage) -> f64 {
    let counters = [
        Counter::Webhooks,
        Counter::LedgerChecks,
        Counter::LedgerAlarms,
        Counter::IndexMessages,
        Counter::IndexReservations,
        Counter::CoordinatorRequests,
    ];
    // The poll sends each event once more.
    counters.into_iter().map(|counter| usage.total(counter)).sum::<f64>()
        + usage.total(Counter::Webhooks)
}

/// Rows that are written. The coordinator writes two for each event, and some for each alarm.
fn rows_written(usage: &Usage) -> f64 {
    usage.total(Counter::LedgerRows)
        + usage.total(Counter::IndexRows)
        + 2.0 * usage.total(Counter::Webhooks)
}

fn free_plan(scales: &[Scale]) -> String {
    let Some(scale) = scales.first() else { return String::new() };
    let days = to_f64(limits::MONTH);
    let per_customer = |total: f64| total / days / scale.customers;
    let checks = CHECKED_SHARE * to_f64(CHECKS_A_DAY);
    let mut table =
        String::from("| limit of a day | fixed | a customer | reached with |\n|---|---|---|---|\n");
    for (name, limit, fixed, each) in [
        (
            "100,000 requests to Durable Objects",
            free::REQUESTS,
            fixed_object_requests(),
            per_customer(object_requests(&scale.month)),
        ),
        (
            "100,000 rows written",
            free::REQUESTS,
            10.0 * MINUTES_A_DAY,
            per_customer(rows_written(&scale.month)),
        ),
        (
            "1,000 writes of KV",
            free::KV_WRITES,
            0.0,
            per_customer(scale.month.total(Counter::KvWrites)),
        ),
        ("100,000 reads of KV", free::REQUESTS, 0.0, checks),
        (
            "100,000 requests to the Worker",
            free::REQUESTS,
            MINUTES_A_DAY,
            checks + per_customer(scale.month.total(Counter::Webhooks)),
        ),
    ] {
        write_to(
            &mut table,
            format_args!(
                "| {name} | {} | {each:.4} | {} customers |\n",
                short(fixed),
                short((limit - fixed) / each),
            ),
        );
    }
    table
}

fn cost(scales: &[Scale], polls: &[PollResult]) -> String {
    let days = to_f64(limits::MONTH);
    let millions = |count: f64, price: f64| count / 1e6 * price;
    let mut table = head("dollars a month", scales);
    let rows: Vec<(&str, Vec<f64>)> = vec![
        (
            "Worker: requests, with the checks",
            scales
                .iter()
                .map(|scale| {
                    millions(
                        checks(scale) * days + scale.month.total(Counter::Webhooks),
                        price::WORKER_REQUESTS,
                    )
                })
                .collect(),
        ),
        (
            "Worker: CPU time",
            scales
                .iter()
                .map(|scale| {
                    let millis = checks(scale) * days * limits::CHECK_CPU
                        + scale.month.total(Counter::Webhooks) * limits::EVENT_CPU;
                    millions(millis, price::CPU_MILLIS)
                })
                .collect(),
        ),
        (
            "KV: reads",
            scales.iter().map(|scale| millions(checks(scale) * days, price::KV_READS)).collect(),
        ),
        (
            "KV: writes",
            scales
                .iter()
                .map(|scale| millions(scale.month.total(Counter::KvWrites), price::KV_WRITES))
                .collect(),
        ),
        (
            "KV: storage",
            scales
                .iter()
                .map(|scale| {
                    scale.customers * stored(&scale.after).record / 1e9 * price::KV_STORAGE
                })
                .collect(),
        ),
        (
            "Durable Objects: requests",
            scales
                .iter()
                .map(|scale| {
                    millions(
                        object_requests(&scale.month) + fixed_object_requests() * days,
                        price::OBJECT_REQUESTS,
                    )
                })
                .collect(),
        ),
        (
            "Durable Objects: duration",
            scales
                .iter()
                .zip(polls)
                .map(|(scale, poll)| {
                    let usage = &scale.month;
                    let (events, reads) =
                        (usage.total(Counter::Webhooks), usage.total(Counter::StripeReads));
                    let other = object_requests(usage) - events;
                    let busy = to_f64(poll.busy_millis) / 1_000.0 * 12.0 * days;
                    let seconds = events * limits::EVENT_SECONDS
                        + reads * limits::READ_SECONDS
                        + other * limits::OTHER_SECONDS
                        + busy;
                    millions(seconds * limits::OBJECT_MEMORY, price::OBJECT_DURATION)
                })
                .collect(),
        ),
        (
            "Durable Objects: rows written",
            scales
                .iter()
                .map(|scale| {
                    millions(
                        rows_written(&scale.month) + 10.0 * MINUTES_A_DAY * days,
                        price::ROWS_WRITTEN,
                    )
                })
                .collect(),
        ),
        (
            "Durable Objects: rows read",
            scales
                .iter()
                .map(|scale| {
                    millions(
                        scale.month.total(Counter::LedgerStatements)
                            + object_requests(&scale.month),
                        price::ROWS_READ,
                    )
                })
                .collect(),
        ),
        (
            "Durable Objects: storage",
            scales
                .iter()
                .map(|scale| {
                    scale.customers * (limits::LEDGER_BYTES + limits::INDEX_ROW) / 1e9
                        * price::OBJECT_STORAGE
                })
                .collect(),
        ),
    ];
    for (name, cells) in &rows {
        row(&mut table, name, cells.iter().map(|cell| money(*cell)));
    }
    let sums =
        (0..scales.len()).map(|index| rows.iter().map(|(_, cells)| cells[index]).sum::<f64>());
    let sums: Vec<f64> = sums.collect();
    row(&mut table, "**sum**", sums.iter().map(|sum| format!("**{}**", money(*sum))));
    let each = sums.iter().zip(scales).map(|(sum, scale)| money(sum / scale.customers * 1e6));
    row(&mut table, "for a million customers", each);
    table
}

/// The checks of a day.
fn checks(scale: &Scale) -> f64 {
    scale.customers * CHECKED_SHARE * to_f64(CHECKS_A_DAY)
}

fn head(first: &str, scales: &[Scale]) -> String {
    let mut table = format!("| {first} |");
    for scale in scales {
        write_to(&mut table, format_args!(" {} customers |", short(scale.customers)));
    }
    write_to(&mut table, format_args!("\n|---|{}\n", "---|".repeat(scales.len())));
    table
}

fn row(table: &mut String, name: &str, cells: impl Iterator<Item = String>) {
    write_to(table, format_args!("| {name} |"));
    for cell in cells {
        write_to(table, format_args!(" {cell} |"));
    }
    table.push('\n');
}

fn write_to(table: &mut String, line: std::fmt::Arguments<'_>) {
    table.write_fmt(line).expect("a string can be written");
}

/// Three digits, with a unit.
fn short(number: f64) -> String {
    let (value, unit) = match number.abs() {
        absolute if absolute >= 999_500_000.0 => (number / 1e9, " billion"),
        absolute if absolute >= 999_500.0 => (number / 1e6, " million"),
        _ => (number, ""),
    };
    match value.abs() {
        absolute if absolute >= 999.5 => {
            let rounded = format!("{value:.0}");
            let (front, back) = rounded.split_at(rounded.len() - 3);
            format!("{front},{back}{unit}")
        }
        absolute if absolute >= 99.95 || value.fract() == 0.0 => format!("{value:.0}{unit}"),
        absolute if absolute >= 9.995 => format!("{value:.1}{unit}"),
        absolute if absolute >= 0.01 => format!("{value:.2}{unit}"),
        _ => format!("{value:.1e}{unit}"),
    }
}

fn percent(share: f64) -> String {
    match share * 100.0 {
        percent if percent >= 10.0 => format!("{percent:.0} %"),
        percent if percent >= 0.1 => format!("{percent:.1} %"),
        _ => "< 0.1 %".to_owned(),
    }
}

fn money(dollars: f64) -> String {
    if dollars >= 100.0 { format!("${}", short(dollars.round())) } else { format!("${dollars:.2}") }
}

fn duration(millis: u64) -> String {
    let seconds = to_f64(millis) / 1_000.0;
    match seconds {
        seconds if seconds < 120.0 => format!("{seconds:.0} s"),
        seconds if seconds < 7_200.0 => format!("{:.0} min", seconds / 60.0),
        seconds if seconds < 172_800.0 => format!("{:.0} h", seconds / 3_600.0),
        // No read since the begin of 1970.
        seconds if seconds > 3_650.0 * 86_400.0 => "not yet".to_owned(),
        seconds => format!("{:.0} days", seconds / 86_400.0),
    }
}
