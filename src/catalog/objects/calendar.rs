//! The end of a billing period: days, weeks, months and years after an anchor, in UTC.
//!
//! If a month is too short for the anchor's day, the period ends on the month's last day. The next
//! period returns to the anchor's day: 31 January, 28 February, 31 March. Nothing here reads a
//! clock.
//!
//! Specification: <https://docs.stripe.com/billing/subscriptions/billing-cycle>.

use serde::Serialize;

use crate::{
    id::{self, Timestamp, civil_from_days},
    json::json_type,
};

/// Seconds of a day. Every Unix day has this many.
pub(crate) const SECONDS_PER_DAY: i64 = id::SECONDS_PER_DAY;

json_type! {
    /// The unit of a billing cycle.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub(crate) enum Interval {
        /// 24 hours.
        Day = "day",
        /// Seven days.
        Week = "week",
        /// A calendar month.
        Month = "month",
        /// Twelve months.
        Year = "year",
    }

    /// The length of a billing cycle.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub(crate) struct BillingCycle {
        /// The unit.
        pub(crate) interval: Interval,
        /// The number of units: at least one.
        pub(crate) count: u32,
    }
}

impl BillingCycle {
    /// Stripe's limit of `interval_count`: three years in each unit.
    /// <https://docs.stripe.com/api/prices/create#create_price-recurring-interval_count>
    pub(crate) fn max_count(interval: Interval) -> u32 {
        match interval {
            Interval::Day => 1_095,
            Interval::Week => 156,
            Interval::Month => 36,
            Interval::Year => 3,
        }
    }

    /// The first end of a period after `time`, with periods counted from `anchor`.
    pub(crate) fn next_after(self, anchor: Timestamp, time: Timestamp) -> Timestamp {
        self.bounds_around(anchor, time).1
    }

    /// The start and the end of the period that contains `time`, with periods counted from `anchor`.
    pub(crate) fn bounds_around(
        self,
        anchor: Timestamp,
        time: Timestamp,
    ) -> (Timestamp, Timestamp) {
        // An estimate, which the loops correct.
        let mut n = time.seconds_since(anchor).div_euclid(self.max_seconds()).saturating_sub(1);
        let mut start = self.nth_end(anchor, n);
        while start > time {
            n = n.saturating_sub(1);
            start = self.nth_end(anchor, n);
        }
        loop {
            n = n.saturating_add(1);
            let end = self.nth_end(anchor, n);
            if end > time {
                return (start, end);
            }
            start = end;
        }
    }

    /// The end of the `n`th period after `anchor`; before it, if `n` is negative.
    fn nth_end(self, anchor: Timestamp, n: i64) -> Timestamp {
        let units = n.saturating_mul(i64::from(self.count.max(1)));
        match self.interval {
            Interval::Day => anchor.saturating_add(units.saturating_mul(SECONDS_PER_DAY)),
            Interval::Week => anchor.saturating_add(units.saturating_mul(7 * SECONDS_PER_DAY)),
            Interval::Month => add_months(anchor, units),
            Interval::Year => add_months(anchor, units.saturating_mul(12)),
        }
    }

    /// The longest possible period, in seconds.
    fn max_seconds(self) -> i64 {
        let days = match self.interval {
            Interval::Day => 1,
            Interval::Week => 7,
            Interval::Month => 31,
            Interval::Year => 366,
        };
        days * SECONDS_PER_DAY * i64::from(self.count.max(1))
    }
}

fn add_months(anchor: Timestamp, months: i64) -> Timestamp {
    let (days, second) =
        (anchor.0.div_euclid(SECONDS_PER_DAY), anchor.0.rem_euclid(SECONDS_PER_DAY));
    let (year, month, day) = civil_from_days(days);
    let month = year.saturating_mul(12).saturating_add(month - 1).saturating_add(months);
    let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
    let days = days_from_civil(year, month, day.min(days_in_month(year, month)));
    Timestamp(days.saturating_mul(SECONDS_PER_DAY).saturating_add(second))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days from 1970-01-01 to a date.
/// <https://howardhinnant.github.io/date_algorithms.html#days_from_civil>
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected ends are from Node's `Date.UTC`, with days past a month's end moved back to it.
    #[test]
    fn periods_end_on_the_expected_dates() {
        let monthly = |count| BillingCycle { interval: Interval::Month, count };
        for (why, cycle, anchor, time, end) in [
            (
                "31 January, to the end of February 2023",
                monthly(1),
                1_675_123_200,
                1_675_123_200,
                1_677_542_400,
            ),
            ("and on to 31 March", monthly(1), 1_675_123_200, 1_677_542_400, 1_680_220_800),
            ("a leap year's February", monthly(1), 1_706_659_200, 1_706_659_200, 1_709_164_800),
            ("a quarter", monthly(3), 1_700_000_000, 1_700_000_000, 1_707_948_800),
            (
                "29 February and a year",
                BillingCycle { interval: Interval::Year, count: 1 },
                1_709_164_800,
                1_709_164_800,
                1_740_700_800,
            ),
            (
                "a week, one second before its end",
                BillingCycle { interval: Interval::Week, count: 1 },
                0,
                604_799,
                604_800,
            ),
            (
                "a week, at its end",
                BillingCycle { interval: Interval::Week, count: 1 },
                0,
                604_800,
                1_209_600,
            ),
            (
                "an anchor in the future",
                BillingCycle { interval: Interval::Day, count: 2 },
                1_000_000,
                0,
                136_000,
            ),
            ("a time forty years earlier", monthly(1), 1_675_123_200, 412_819_200, 415_238_400),
            ("a time forty years later", monthly(1), 1_675_123_200, 2_937_427_200, 2_939_846_400),
        ] {
            let (anchor, time) = (Timestamp(anchor), Timestamp(time));
            assert_eq!(cycle.next_after(anchor, time), Timestamp(end), "{why}");
            let (start, _) = cycle.bounds_around(anchor, time);
            assert!(start <= time, "{why}");
            let before = Timestamp(start.0 - 1);
            assert_eq!(cycle.bounds_around(anchor, start), (start, Timestamp(end)), "{why}");
            assert_eq!(cycle.next_after(anchor, before), start, "{why}");
        }
    }
}
