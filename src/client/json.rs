//! JSON, read once from front to back, in the bytes that it stands in.
//!
//! What is kept of it is written over what has been read, so that no memory is needed beside the
//! text's own: a part that is kept is never longer than what stood for it. The grammar is that of
//! <https://www.rfc-editor.org/rfc/rfc8259>, to the letter. What the members mean is not here.

/// How deep values that count for nothing may stand in values. What the edge says has five levels.
pub(super) const DEPTH: u8 = 64;

/// The most digits of a number that counts: JavaScript is exact up to 2⁵³ - 1, which has sixteen.
pub(super) const DIGITS: usize = 15;

/// A text while it is read.
pub(super) struct Text<'a> {
    bytes: &'a mut [u8],
    /// How much has been read.
    at: usize,
    /// How much of the front is kept; never more than `at`.
    kept: usize,
}

/// A string that was read.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Characters {
    Whole,
    /// Half a character is in it, as only `\u` can write it.
    Halved,
}

impl<'a> Text<'a> {
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, at: 0, kept: 0 }
    }

    /// Where the next byte will be kept.
    pub(super) fn mark(&self) -> usize {
        self.kept
    }

    /// Keeps nothing that came after the mark.
    pub(super) fn forget(&mut self, mark: usize) {
        self.kept = mark;
    }

    /// What was kept before a mark.
    pub(super) fn before(&self, mark: usize) -> &[u8] {
        self.bytes.get(..mark).unwrap_or_default()
    }

    /// What is kept since a mark.
    pub(super) fn since(&self, mark: usize) -> &[u8] {
        self.bytes.get(mark..self.kept).unwrap_or_default()
    }

    /// Keeps one byte more, if what has been read has room for it.
    pub(super) fn keep(&mut self, byte: u8) -> Option<()> {
        if self.kept >= self.at {
            return None;
        }
        *self.bytes.get_mut(self.kept)? = byte;
        self.kept += 1;
        Some(())
    }

    /// How many bytes of the front were kept, if nothing follows.
    pub(super) fn end(mut self) -> Option<usize> {
        self.peek();
        (self.at == self.bytes.len()).then_some(self.kept)
    }

    /// The byte that comes next, white space left out; at the end 0, which no value begins with.
    pub(super) fn peek(&mut self) -> u8 {
        while matches!(self.next(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.next()
    }

    /// Whether this byte comes next. It is read then.
    pub(super) fn takes(&mut self, byte: u8) -> bool {
        self.peek();
        self.continues(byte)
    }

    /// Reads this byte.
    pub(super) fn expect(&mut self, byte: u8) -> Option<()> {
        self.takes(byte).then_some(())
    }

    /// Whether there is another item before the `end`; its comma is read, but none before the first.
    pub(super) fn another(&mut self, first: &mut bool, end: u8) -> Option<bool> {
        if self.takes(end) {
            return Some(false);
        }
        if !std::mem::take(first) {
            self.expect(b',')?;
        }
        Some(true)
    }

    /// Reads a string, and keeps its characters.
    pub(super) fn string(&mut self) -> Option<()> {
        (self.characters()? == Characters::Whole).then_some(())
    }

    /// Reads `true` or `false`.
    pub(super) fn flag(&mut self) -> Option<bool> {
        let flag = self.peek() == b't';
        self.word(if flag { b"true" } else { b"false" })?;
        Some(flag)
    }

    /// Whether `null` comes next. It is read then.
    pub(super) fn null(&mut self) -> Option<bool> {
        if self.peek() != b'n' {
            return Some(false);
        }
        self.word(b"null").map(|()| true)
    }

    /// Reads a whole number that is not negative, and keeps its digits.
    pub(super) fn integer(&mut self) -> Option<()> {
        let first = self.peek();
        let mark = self.kept;
        while let digit @ b'0'..=b'9' = self.next() {
            self.at += 1;
            self.keep(digit)?;
        }
        let count = self.kept - mark;
        let limit = if first == b'0' { 1 } else { DIGITS };
        (1..=limit).contains(&count).then_some(())
    }

    /// Reads a value of any kind, and keeps nothing.
    pub(super) fn skip(&mut self, depth: u8) -> Option<()> {
        let mark = self.kept;
        match self.peek() {
            b'"' => drop(self.characters()?),
            b't' => self.word(b"true")?,
            b'f' => self.word(b"false")?,
            b'n' => self.word(b"null")?,
            open @ (b'{' | b'[') => {
                let depth = depth.checked_sub(1)?;
                self.at += 1;
                let mut first = true;
                // In ASCII a bracket closes two after it opens.
                while self.another(&mut first, open + 2)? {
                    if open == b'{' {
                        self.peek();
                        self.characters()?;
                        self.forget(mark);
                        self.expect(b':')?;
                    }
                    self.skip(depth)?;
                }
            }
            _ => self.number()?,
        }
        self.forget(mark);
        Some(())
    }

    /// Reads a number of any kind, and keeps nothing.
    pub(super) fn number(&mut self) -> Option<()> {
        self.continues(b'-');
        if !self.continues(b'0') {
            self.digits()?;
        }
        if self.continues(b'.') {
            self.digits()?;
        }
        if self.continues(b'e') || self.continues(b'E') {
            let _ = self.continues(b'+') || self.continues(b'-');
            self.digits()?;
        }
        Some(())
    }

    /// The byte that comes next, whatever it is.
    fn next(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn continues(&mut self, byte: u8) -> bool {
        let next = self.next() == byte;
        self.at += usize::from(next);
        next
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        word.iter().all(|byte| self.continues(*byte)).then_some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.next().is_ascii_digit() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn characters(&mut self) -> Option<Characters> {
        self.expect(b'"')?;
        let mut characters = Characters::Whole;
        loop {
            // A control character, or the end of the text, is in no string.
            let byte = Some(self.next()).filter(|byte| *byte >= b' ')?;
            self.at += 1;
            match byte {
                b'"' => return Some(characters),
                b'\\' => {
                    if self.escape()? == Characters::Halved {
                        characters = Characters::Halved;
                    }
                }
                _ => self.keep(byte)?,
            }
        }
    }

    fn escape(&mut self) -> Option<Characters> {
        let escape = self.next();
        self.at += 1;
        let character = match escape {
            b'"' | b'\\' | b'/' => u32::from(escape),
            b'b' => 8,
            b't' => 9,
            b'n' => 10,
            b'f' => 12,
            b'r' => 13,
            b'u' => return self.unicode(),
            _ => return None,
        };
        self.character(character)?;
        Some(Characters::Whole)
    }

    /// What `\u` writes: a character, or one half of one and then the other.
    fn unicode(&mut self) -> Option<Characters> {
        let mut code = self.unit()?;
        if code & 0xfc00 == 0xd800 {
            let behind = self.at;
            let low = if self.word(b"\\u").is_some() { self.unit()? } else { 0 };
            if low & 0xfc00 != 0xdc00 {
                self.at = behind;
                return Some(Characters::Halved);
            }
            code = 0x1_0000 + ((code & 0x3ff) << 10 | low & 0x3ff);
        } else if code & 0xfc00 == 0xdc00 {
            return Some(Characters::Halved);
        }
        self.character(code)?;
        Some(Characters::Whole)
    }

    fn unit(&mut self) -> Option<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = match self.next() {
                digit @ b'0'..=b'9' => digit - b'0',
                letter @ (b'a'..=b'f' | b'A'..=b'F') => (letter & 7) + 9,
                _ => return None,
            };
            unit = unit << 4 | u32::from(digit);
            self.at += 1;
        }
        Some(unit)
    }

    /// Keeps a character in UTF-8.
    fn character(&mut self, code: u32) -> Option<()> {
        // The first byte says how many come after it, which have six bits each.
        let more = match code {
            0..0x80 => 0,
            0x80..0x800 => 1,
            0x800..0x1_0000 => 2,
            _ => 3,
        };
        let head = if more == 0 { 0 } else { 0xf0 << (3 - more) };
        let byte = |bits: u32| bits.to_le_bytes()[0];
        self.keep(byte(head | code >> (6 * more)))?;
        for left in (0..more).rev() {
            self.keep(byte(0x80 | code >> (6 * left) & 0x3f))?;
        }
        Some(())
    }
}
