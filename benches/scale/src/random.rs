//! A seeded generator: `SplitMix64`, <https://prng.di.unimi.it/splitmix64.c>.

use entgate::ledger::Jitter;

use crate::usage::to_f64;

/// The generator.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The generator with this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// Returns a number from 0 to 1.
    pub fn unit(&mut self) -> f64 {
        to_f64(self.next() >> 11) / to_f64(1 << 53)
    }

    /// Returns the jitter of one back-off.
    pub fn jitter(&mut self) -> Jitter {
        Jitter(self.unit())
    }

    /// Returns the time until the next of events that are independent, in milliseconds.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
    pub fn exponential(&mut self, mean: u64) -> u64 {
        (-(1.0 - self.unit()).ln() * to_f64(mean)) as u64
    }
}
