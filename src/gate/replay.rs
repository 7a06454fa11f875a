//! Builds the set of one customer: replays changes over a snapshot or a list.
//!
//! The input is a JSON array of messages, newest first, in this order:
//!
//! | message                              | required members                                  | optional members          |
//! |--------------------------------------|---------------------------------------------------|---------------------------|
//! | any number of changes of the stream  | `version`, `added`, `removed`                     | `sub`, `livemode`, `as_of` |
//! | either the claims of a snapshot      | `version`, `exp`, `entitlements`                  | the same                  |
//! | or the headers of a list             | `version`, `exp`                                  | the same                  |
//! | and its pages                        | `data` (`lookup_key` of each item), `has_more`    | the same                  |
//!
//! Other members are ignored. The version of a change must be one higher than that of the next
//! message. Changes without a snapshot or a list give no set, because the features before them are
//! unknown.

use super::{
    in_place_json::{InPlaceParser, MAX_DEPTH},
    line_set::{self, LineSet, parse_digits},
};
use crate::id::{CustomerId, LookupKey};

/// Parses the messages and overwrites their first bytes with the lines of a [`LineSet`]. Returns the
/// length of the lines, or `None` if the messages are not as in the table.
#[must_use]
pub fn replay(messages: &mut [u8]) -> Option<usize> {
    let mut replay = Replay {
        parser: InPlaceParser::new(messages),
        stage: Stage::Changes,
        overridden_len: 0,
        expected_version: None,
        has_more: false,
        unknown_customer: false,
    };
    replay.parser.expect(b'[')?;
    let mut first = true;
    while replay.parser.next_item(&mut first, b']')? {
        replay.read_message()?;
    }
    if replay.stage < Stage::Pages {
        return None;
    }
    // A change shows that the customer is known.
    if replay.unknown_customer && replay.overridden_len == 0 {
        replay.push_flag_line(line_set::UNKNOWN_CUSTOMER)?;
    }
    if replay.has_more {
        replay.push_flag_line(line_set::HAS_MORE)?;
    }
    replay.parser.finish()
}

struct Replay<'a> {
    parser: InPlaceParser<'a>,
    stage: Stage,
    /// The length of the lines of newer changes. They override older values of the same features.
    overridden_len: usize,
    /// The version that the next message must have; `None` before the first version.
    expected_version: Option<i64>,
    /// `has_more` of the last page.
    has_more: bool,
    /// Whether the snapshot or list is of an unknown customer.
    unknown_customer: bool,
}

/// The row of the table that the last message matched.
#[derive(Clone, Copy, Eq, PartialEq, PartialOrd)]
enum Stage {
    Changes,
    Headers,
    Pages,
    Snapshot,
}

/// The members in the table, as bits.
mod field {
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
        let mut bits = names.filter(|(field, _)| *field == name).map(|(_, index)| 1 << index);
        bits.next().unwrap_or(0)
    }
}

impl Replay<'_> {
    /// Parses one message and checks that it may follow the previous one.
    fn read_message(&mut self) -> Option<()> {
        if self.stage == Stage::Changes {
            self.overridden_len = self.parser.checkpoint();
        }
        let required = self.read_object(u16::MAX - field::LOOKUP_KEY)?
            & !(field::SUB | field::LIVEMODE | field::AS_OF);
        self.stage = match (self.stage, required) {
            (Stage::Changes, field::CHANGE) => {
                self.expected_version = self.expected_version.map(|version| version - 1);
                self.unknown_customer = false;
                Stage::Changes
            }
            (Stage::Changes, field::HEADERS) => Stage::Headers,
            (Stage::Changes, field::SNAPSHOT) => Stage::Snapshot,
            (Stage::Headers | Stage::Pages, field::PAGE) => Stage::Pages,
            _ => return None,
        };
        Some(())
    }

    /// Parses an object, stores the values of the accepted fields, and returns the fields found.
    fn read_object(&mut self, accepted: u16) -> Option<u16> {
        self.parser.expect(b'{')?;
        let mut found = 0;
        let mut first = true;
        while self.parser.next_item(&mut first, b'}')? {
            let start = self.parser.checkpoint();
            self.parser.parse_string()?;
            let field = field::from_name(self.parser.since(start)) & accepted;
            self.parser.rollback(start);
            self.parser.expect(b':')?;
            // Parsers differ in which of two duplicates they use.
            if found & field != 0 {
                return None;
            }
            found |= field;
            self.read_value(field)?;
        }
        Some(found)
    }

    fn read_value(&mut self, field: u16) -> Option<()> {
        match field {
            field::VERSION => self.read_version(),
            field::EXP => {
                self.parser.push(line_set::EXPIRES)?;
                self.parser.parse_integer()?;
                self.parser.push(b'\n')
            }
            field::SUB => self.read_bounded_string(line_set::CUSTOMER, CustomerId::MAX_LEN),
            field::LIVEMODE => {
                if self.parser.parse_bool()? {
                    self.push_flag_line(line_set::LIVE)?;
                }
                Some(())
            }
            field::AS_OF => {
                let null = self.parser.eat_null()?;
                // Only the snapshot or the headers of a list describe the customer.
                if self.stage == Stage::Changes {
                    self.unknown_customer = null;
                }
                if null { Some(()) } else { self.parser.skip_number() }
            }
            field::HAS_MORE => {
                self.has_more = self.parser.parse_bool()?;
                Some(())
            }
            field::ENTITLEMENTS | field::ADDED => self.read_keys(line_set::GRANTED),
            field::REMOVED => self.read_keys(line_set::REVOKED),
            field::DATA => {
                self.parser.expect(b'[')?;
                let mut first = true;
                while self.parser.next_item(&mut first, b']')? {
                    if self.read_object(field::LOOKUP_KEY)? == 0 {
                        return None;
                    }
                }
                Some(())
            }
            field::LOOKUP_KEY => self.read_key(line_set::GRANTED),
            _ => self.parser.skip_value(MAX_DEPTH),
        }
    }

    fn read_version(&mut self) -> Option<()> {
        let start = self.parser.checkpoint();
        self.parser.push(line_set::VERSION)?;
        self.parser.parse_integer()?;
        let version = parse_digits(self.parser.since(start + 1));
        match self.expected_version {
            // The first message is the newest, so its version is that of the set.
            None => self.parser.push(b'\n')?,
            Some(expected) if expected == version => self.parser.rollback(start),
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
        let start = self.parser.checkpoint();
        self.read_bounded_string(kind, LookupKey::MAX_LEN)?;
        let line = self.parser.since(start);
        let key = line.get(1..line.len().saturating_sub(1)).unwrap_or_default();
        if LineSet(self.parser.prefix(self.overridden_len)).contains(key) {
            self.parser.rollback(start);
        }
        Some(())
    }

    /// Parses a string with the rules of [`crate::id`] and writes it as a line.
    fn read_bounded_string(&mut self, kind: u8, max_len: usize) -> Option<()> {
        self.parser.push(kind)?;
        let start = self.parser.checkpoint();
        self.parser.parse_string()?;
        let string = self.parser.since(start);
        let mut previous = 0;
        let has_control = string.iter().any(|byte| {
            // The control characters U+0080 to U+009F are two bytes, the first of them C2.
            let is_control = *byte < b' ' || *byte == 0x7f || (previous == 0xc2 && *byte < 0xa0);
            previous = *byte;
            is_control
        });
        if has_control || string.is_empty() || string.len() > max_len {
            return None;
        }
        self.parser.push(b'\n')
    }

    fn push_flag_line(&mut self, kind: u8) -> Option<()> {
        self.parser.push(kind)?;
        self.parser.push(b'\n')
    }
}
