//! The shard of a customer: FNV-1a of the id, modulo 32.
//!
//! The number of shards never changes, because it decides which object has a customer.
//!
//! Specification of the hash: <http://www.isthe.com/chongo/tech/comp/fnv/>.

use crate::id::Livemode;

/// The number of shards of each mode. One object handles up to 1,000 requests a second
/// (<https://developers.cloudflare.com/durable-objects/platform/limits/>).
pub const SHARD_COUNT: u8 = 32;

/// One shard of a mode's customers.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Shard(u8);

impl Shard {
    /// The shard of the customer with this id. The empty id is of the problems of a mode's API key.
    #[must_use]
    pub fn of(id: &str) -> Self {
        let number = fnv1a_32(id.as_bytes()) % u32::from(SHARD_COUNT);
        Self(u8::try_from(number).unwrap_or_default())
    }

    /// The shard with this number, or `None` if there is none.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        (number < SHARD_COUNT).then_some(Self(number))
    }

    /// The number, from 0.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    /// All shards of a mode, by number.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SHARD_COUNT).map(Self)
    }

    /// The name of the shard's object: `live:17`.
    #[must_use]
    pub fn object_name(self, livemode: Livemode) -> String {
        format!("{}{}", livemode.key_prefix(), self.0)
    }
}

/// The 32-bit FNV-1a hash.
#[must_use]
pub fn fnv1a_32(bytes: &[u8]) -> u32 {
    const OFFSET_BASIS: u32 = 0x811c_9dc5;
    const PRIME: u32 = 0x0100_0193;
    bytes.iter().fold(OFFSET_BASIS, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(PRIME))
}
