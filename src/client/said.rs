//! All that the edge has said of one customer, newest first, made into one set.
//!
//! It is a JSON array of texts, in this order:
//!
//! | text                           | members that count, all of them needed        | and not needed                |
//! |--------------------------------|-----------------------------------------------|-------------------------------|
//! | changes, as the stream has them | `version`, `added`, `removed`                |                               |
//! | then the claims of a snapshot  | `version`, `exp`, `entitlements`              | `sub`, `livemode`, `as_of`    |
//! | or what stands beside a list   | `version`, `exp`                              | the same                      |
//! | and its pages                  | `data` (of each its `lookup_key`), `has_more` |                               |
//!
//! Other members are skipped. A change counts on the version before it and on no other, and out of
//! changes alone nobody knows what there was before.

use super::{
    held::{self, Held, number},
    json::{DEPTH, Text},
};
use crate::id::{CustomerId, LookupKey};

/// Reads what was said, and writes the lines of a [`Held`] over its front. Gives their length, or
/// `None` where it is not as in the table.
#[must_use]
pub fn read(said: &mut [u8]) -> Option<usize> {
    let text = Text::new(said);
    let mut reader = Reader {
        text,
        stage: Stage::Changes,
        settled: 0,
        version: None,
        more: false,
        unheard_of: false,
    };
    reader.text.expect(b'[')?;
    let mut first = true;
    while reader.text.another(&mut first, b']')? {
        reader.one()?;
    }
    if reader.stage < Stage::Pages {
        return None;
    }
    // With a change, something was heard.
    if reader.unheard_of && reader.settled == 0 {
        reader.line(held::UNHEARD_OF)?;
    }
    if reader.more {
        reader.line(held::MORE)?;
    }
    reader.text.end()
}

struct Reader<'a> {
    text: Text<'a>,
    stage: Stage,
    /// The lines before this mark are newer than what is read now: a feature in them is settled.
    settled: usize,
    /// The version that the next text has to have, once one is known.
    version: Option<i64>,
    /// Whether the last page said that there are more.
    more: bool,
    /// Whether the customer was never heard of before the changes.
    unheard_of: bool,
}

/// How far in the table the texts have come.
#[derive(Clone, Copy, Eq, PartialEq, PartialOrd)]
enum Stage {
    Changes,
    Beside,
    Pages,
    Snapshot,
}

/// The members that count, as bits.
mod member {
    pub(super) const VERSION: u16 = 1;
    pub(super) const EXP: u16 = 2;
    pub(super) const SUB: u16 = 4;
    pub(super) const LIVEMODE: u16 = 8;
    pub(super) const AS_OF: u16 = 16;
    pub(super) const ENTITLEMENTS: u16 = 32;
    pub(super) const DATA: u16 = 64;
    pub(super) const HAS_MORE: u16 = 128;
    pub(super) const ADDED: u16 = 256;
    pub(super) const REMOVED: u16 = 512;
    pub(super) const LOOKUP_KEY: u16 = 1024;
    pub(super) const SNAPSHOT: u16 = VERSION | EXP | ENTITLEMENTS;
    pub(super) const BESIDE: u16 = VERSION | EXP;
    pub(super) const PAGE: u16 = DATA | HAS_MORE;
    pub(super) const CHANGE: u16 = VERSION | ADDED | REMOVED;

    /// Their names, the lowest bit first.
    const NAMES: &[u8] =
        b"version exp sub livemode as_of entitlements data has_more added removed lookup_key";

    pub(super) fn named(name: &[u8]) -> u16 {
        let names = NAMES.split(|byte| *byte == b' ').zip(0..);
        let mut bits = names.filter(|(known, _)| *known == name).map(|(_, place)| 1 << place);
        bits.next().unwrap_or(0)
    }
}

impl Reader<'_> {
    /// Reads one text.
    fn one(&mut self) -> Option<()> {
        if self.stage == Stage::Changes {
            self.settled = self.text.mark();
        }
        let needed = self.members(u16::MAX - member::LOOKUP_KEY)?
            & !(member::SUB | member::LIVEMODE | member::AS_OF);
        self.stage = match (self.stage, needed) {
            (Stage::Changes, member::CHANGE) => {
                self.version = self.version.map(|version| version - 1);
                self.unheard_of = false;
                Stage::Changes
            }
            (Stage::Changes, member::BESIDE) => Stage::Beside,
            (Stage::Changes, member::SNAPSHOT) => Stage::Snapshot,
            (Stage::Beside | Stage::Pages, member::PAGE) => Stage::Pages,
            _ => return None,
        };
        Some(())
    }

    /// Reads an object, gathers those of its members that count here, and tells which those were.
    fn members(&mut self, counting: u16) -> Option<u16> {
        self.text.expect(b'{')?;
        let mut seen = 0;
        let mut first = true;
        while self.text.another(&mut first, b'}')? {
            let mark = self.text.mark();
            self.text.string()?;
            let name = member::named(self.text.since(mark)) & counting;
            self.text.forget(mark);
            self.text.expect(b':')?;
            // Readers differ in which one counts of what is said twice.
            if seen & name != 0 {
                return None;
            }
            seen |= name;
            self.value(name)?;
        }
        Some(seen)
    }

    fn value(&mut self, name: u16) -> Option<()> {
        match name {
            member::VERSION => self.version(),
            member::EXP => {
                self.text.keep(held::UNTIL)?;
                self.text.integer()?;
                self.text.keep(b'\n')
            }
            member::SUB => self.name(held::CUSTOMER, CustomerId::LIMIT),
            member::LIVEMODE => {
                if self.text.flag()? {
                    self.line(held::LIVE)?;
                }
                Some(())
            }
            member::AS_OF => {
                let null = self.text.null()?;
                // A page says nothing of the customer.
                if self.stage == Stage::Changes {
                    self.unheard_of = null;
                }
                if null { Some(()) } else { self.text.number() }
            }
            member::HAS_MORE => {
                self.more = self.text.flag()?;
                Some(())
            }
            member::ENTITLEMENTS | member::ADDED => self.keys(held::GRANTED),
            member::REMOVED => self.keys(held::REVOKED),
            member::DATA => {
                self.text.expect(b'[')?;
                let mut first = true;
                while self.text.another(&mut first, b']')? {
                    if self.members(member::LOOKUP_KEY)? == 0 {
                        return None;
                    }
                }
                Some(())
            }
            member::LOOKUP_KEY => self.key(held::GRANTED),
            _ => self.text.skip(DEPTH),
        }
    }

    fn version(&mut self) -> Option<()> {
        let mark = self.text.mark();
        self.text.keep(held::VERSION)?;
        self.text.integer()?;
        let version = number(self.text.since(mark + 1));
        match self.version {
            // The newest stands for the set.
            None => self.text.keep(b'\n')?,
            Some(expected) if expected == version => self.text.forget(mark),
            Some(_) => return None,
        }
        self.version = Some(version);
        Some(())
    }

    fn keys(&mut self, kind: u8) -> Option<()> {
        self.text.expect(b'[')?;
        let mut first = true;
        while self.text.another(&mut first, b']')? {
            self.key(kind)?;
        }
        Some(())
    }

    fn key(&mut self, kind: u8) -> Option<()> {
        let mark = self.text.mark();
        self.name(kind, LookupKey::LIMIT)?;
        let line = self.text.since(mark);
        let key = line.get(1..line.len().saturating_sub(1)).unwrap_or_default();
        if Held(self.text.before(self.settled)).mentions(key) {
            self.text.forget(mark);
        }
        Some(())
    }

    /// Reads a name, as [`crate::id`] has them.
    fn name(&mut self, kind: u8, limit: usize) -> Option<()> {
        self.text.keep(kind)?;
        let mark = self.text.mark();
        self.text.string()?;
        let name = self.text.since(mark);
        let mut before = 0;
        let control = name.iter().any(|byte| {
            // U+0080 to U+009F are two bytes of which the first is C2.
            let control = *byte < b' ' || *byte == 0x7f || (before == 0xc2 && *byte < 0xa0);
            before = *byte;
            control
        });
        if control || name.is_empty() || name.len() > limit {
            return None;
        }
        self.text.keep(b'\n')
    }

    fn line(&mut self, kind: u8) -> Option<()> {
        self.text.keep(kind)?;
        self.text.keep(b'\n')
    }
}
