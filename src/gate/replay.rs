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
    in_place_json::{InPlaceParser, MAX_DEPTH},
    line_set::{self, LineSet, parse_digits},
};
use crate::id::{CustomerId, LookupKey};

/// Reads what was said, and writes the lines of a [`Held`] over its front. Gives their length, or
/// `None` where it is not as in the table.
#[must_use]
pub fn replay(said: &mut [u8]) -> Option<usize> {
    let text = InPlaceParser::new(said);
    let mut reader = Replay {
        parser: text,
        stage: Stage::Changes,
        overridden_len: 0,
        expected_version: None,
        has_more: false,
        unknown_customer: false,
    };
    reader.parser.expect(b'[')?;
    let mut first = true;
    while reader.parser.next_item(&mut first, b']')? {
        reader.read_message()?;
    }
    if reader.stage < Stage::Pages {
        return None;
    }
    // With a change, something was heard.
    if reader.unknown_customer && reader.overridden_len == 0 {
        reader.push_flag_line(line_set::UNKNOWN_CUSTOMER)?;
    }
    if reader.has_more {
        reader.push_flag_line(line_set::HAS_MORE)?;
    }
    reader.parser.finish()
}

struct Replay<'a> {
    parser: InPlaceParser<'a>,
    stage: Stage,
    /// The lines before this mark are newer than what is read now: a feature in them is settled.
    overridden_len: usize,
    /// The version that the next text has to have, once one is known.
    expected_version: Option<i64>,
    /// Whether the last page said that there are more.
    has_more: bool,
    /// Whether the customer was never heard of before the changes.
    unknown_customer: bool,
}

/// How far in the table the texts have come.
#[derive(Clone, Copy, Eq, PartialEq, PartialOrd)]
enum Stage {
    Changes,
    Headers,
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
    pub(super) const HEADERS: u16 = VERSION | EXP;
    pub(super) const PAGE: u16 = DATA | HAS_MORE;
    pub(super) const CHANGE: u16 = VERSION | ADDED | REMOVED;

    /// Their names, the lowest bit first.
    const NAMES: &[u8] =
        b"version exp sub livemode as_of entitlements data has_more added removed lookup_key";

    pub(super) fn from_name(name: &[u8]) -> u16 {
        let names = NAMES.split(|byte| *byte == b' ').zip(0..);
        let mut bits = names.filter(|(known, _)| *known == name).map(|(_, place)| 1 << place);
        bits.next().unwrap_or(0)
    }
}

impl Replay<'_> {
    /// Reads one text.
    fn read_message(&mut self) -> Option<()> {
        if self.stage == Stage::Changes {
            self.overridden_len = self.parser.checkpoint();
        }
        let needed = self.read_object(u16::MAX - member::LOOKUP_KEY)?
            & !(member::SUB | member::LIVEMODE | member::AS_OF);
        self.stage = match (self.stage, needed) {
            (Stage::Changes, member::CHANGE) => {
                self.expected_version = self.expected_version.map(|version| version - 1);
                self.unknown_customer = false;
                Stage::Changes
            }
            (Stage::Changes, member::HEADERS) => Stage::Headers,
            (Stage::Changes, member::SNAPSHOT) => Stage::Snapshot,
            (Stage::Headers | Stage::Pages, member::PAGE) => Stage::Pages,
            _ => return None,
        };
        Some(())
    }

    /// Reads an object, gathers those of its members that count here, and tells which those were.
    fn read_object(&mut self, counting: u16) -> Option<u16> {
        self.parser.expect(b'{')?;
        let mut seen = 0;
        let mut first = true;
        while self.parser.next_item(&mut first, b'}')? {
            let mark = self.parser.checkpoint();
            self.parser.parse_string()?;
            let name = member::from_name(self.parser.since(mark)) & counting;
            self.parser.rollback(mark);
            self.parser.expect(b':')?;
            // Readers differ in which one counts of what is said twice.
            if seen & name != 0 {
                return None;
            }
            seen |= name;
            self.read_value(name)?;
        }
        Some(seen)
    }

    fn read_value(&mut self, name: u16) -> Option<()> {
        match name {
            member::VERSION => self.read_version(),
            member::EXP => {
                self.parser.push(line_set::EXPIRES)?;
                self.parser.parse_integer()?;
                self.parser.push(b'\n')
            }
            member::SUB => self.read_bounded_string(line_set::CUSTOMER, CustomerId::MAX_LEN),
            member::LIVEMODE => {
                if self.parser.parse_bool()? {
                    self.push_flag_line(line_set::LIVE)?;
                }
                Some(())
            }
            member::AS_OF => {
                let null = self.parser.eat_null()?;
                // A page says nothing of the customer.
                if self.stage == Stage::Changes {
                    self.unknown_customer = null;
                }
                if null { Some(()) } else { self.parser.skip_number() }
            }
            member::HAS_MORE => {
                self.has_more = self.parser.parse_bool()?;
                Some(())
            }
            member::ENTITLEMENTS | member::ADDED => self.read_keys(line_set::GRANTED),
            member::REMOVED => self.read_keys(line_set::REVOKED),
            member::DATA => {
                self.parser.expect(b'[')?;
                let mut first = true;
                while self.parser.next_item(&mut first, b']')? {
                    if self.read_object(member::LOOKUP_KEY)? == 0 {
                        return None;
                    }
                }
                Some(())
            }
            member::LOOKUP_KEY => self.read_key(line_set::GRANTED),
            _ => self.parser.skip_value(MAX_DEPTH),
        }
    }

    fn read_version(&mut self) -> Option<()> {
        let mark = self.parser.checkpoint();
        self.parser.push(line_set::VERSION)?;
        self.parser.parse_integer()?;
        let version = parse_digits(self.parser.since(mark + 1));
        match self.expected_version {
            // The newest stands for the set.
            None => self.parser.push(b'\n')?,
            Some(expected) if expected == version => self.parser.rollback(mark),
            Some(_) => return None,
        }
        self.expected_version = Some(version);
        Some(())
    }

    fn read_keys(&mut self, kind: u8) -> Option<()> {
        self.parser.expect(b'[')?;
        let mut first = true;
        while self.parser.next_item(&mut first, b']')? {
            self.read_key(kind)?;
        }
        Some(())
    }

    fn read_key(&mut self, kind: u8) -> Option<()> {
        let mark = self.parser.checkpoint();
        self.read_bounded_string(kind, LookupKey::MAX_LEN)?;
        let line = self.parser.since(mark);
        let key = line.get(1..line.len().saturating_sub(1)).unwrap_or_default();
        if LineSet(self.parser.prefix(self.overridden_len)).contains(key) {
            self.parser.rollback(mark);
        }
        Some(())
    }

    /// Reads a name, as [`crate::id`] has them.
    fn read_bounded_string(&mut self, kind: u8, limit: usize) -> Option<()> {
        self.parser.push(kind)?;
        let mark = self.parser.checkpoint();
        self.parser.parse_string()?;
        let name = self.parser.since(mark);
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
        self.parser.push(b'\n')
    }

    fn push_flag_line(&mut self, kind: u8) -> Option<()> {
        self.parser.push(kind)?;
        self.parser.push(b'\n')
    }
}
