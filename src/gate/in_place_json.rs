//! JSON, read once from front to back, in the bytes that it stands in.
//!
//! What is kept of it is written over what has been read, so that no memory is needed beside the
//! text's own: a part that is kept is never longer than what stood for it. The grammar is that of
//! <https://www.rfc-editor.org/rfc/rfc8259>, to the letter. What the members mean is not here.

/// How deep values that count for nothing may stand in values. What the edge says has five levels.
pub(super) const MAX_DEPTH: u8 = 64;

/// The most digits of a number that counts: JavaScript is exact up to 2⁵³ - 1, which has sixteen.
pub(super) const MAX_DIGITS: usize = 15;

/// A text while it is read.
pub(super) struct InPlaceParser<'a> {
    bytes: &'a mut [u8],
    /// How much has been read.
    pos: usize,
    /// How much of the front is kept; never more than `at`.
    out_len: usize,
}

/// A string that was read.
#[derive(Clone, Copy, Eq, PartialEq)]
enum StringKind {
    Valid,
    /// Half a character is in it, as only `\u` can write it.
    LoneSurrogate,
}

impl<'a> InPlaceParser<'a> {
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, pos: 0, out_len: 0 }
    }

    /// Where the next byte will be kept.
    pub(super) fn checkpoint(&self) -> usize {
        self.out_len
    }

    /// Keeps nothing that came after the mark.
    pub(super) fn rollback(&mut self, mark: usize) {
        self.out_len = mark;
    }

    /// What was kept before a mark.
    pub(super) fn prefix(&self, mark: usize) -> &[u8] {
        self.bytes.get(..mark).unwrap_or_default()
    }

    /// What is kept since a mark.
    pub(super) fn since(&self, mark: usize) -> &[u8] {
        self.bytes.get(mark..self.out_len).unwrap_or_default()
    }

    /// Keeps one byte more, if what has been read has room for it.
    pub(super) fn push(&mut self, byte: u8) -> Option<()> {
        if self.out_len >= self.pos {
            return None;
        }
        *self.bytes.get_mut(self.out_len)? = byte;
        self.out_len += 1;
        Some(())
    }

    /// How many bytes of the front were kept, if nothing follows.
    pub(super) fn finish(mut self) -> Option<usize> {
        self.peek();
        (self.pos == self.bytes.len()).then_some(self.out_len)
    }

    /// The byte that comes next, white space left out; at the end 0, which no value begins with.
    pub(super) fn peek(&mut self) -> u8 {
        while matches!(self.current_byte(), b' ' | b'\t' | b'\n' | b'\r') {
            self.pos += 1;
        }
        self.current_byte()
    }

    /// Whether this byte comes next. It is read then.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        self.peek();
        self.eat_exact(byte)
    }

    /// Reads this byte.
    pub(super) fn expect(&mut self, byte: u8) -> Option<()> {
        self.eat(byte).then_some(())
    }

    /// Whether there is another item before the `end`; its comma is read, but none before the first.
    pub(super) fn next_item(&mut self, first: &mut bool, end: u8) -> Option<bool> {
        if self.eat(end) {
            return Some(false);
        }
        if !std::mem::take(first) {
            self.expect(b',')?;
        }
        Some(true)
    }

    /// Reads a string, and keeps its characters.
    pub(super) fn parse_string(&mut self) -> Option<()> {
        (self.parse_characters()? == StringKind::Valid).then_some(())
    }

    /// Reads `true` or `false`.
    pub(super) fn parse_bool(&mut self) -> Option<bool> {
        let flag = self.peek() == b't';
        self.expect_literal(if flag { b"true" } else { b"false" })?;
        Some(flag)
    }

    /// Whether `null` comes next. It is read then.
    pub(super) fn eat_null(&mut self) -> Option<bool> {
        if self.peek() != b'n' {
            return Some(false);
        }
        self.expect_literal(b"null").map(|()| true)
    }

    /// Reads a whole number that is not negative, and keeps its digits.
    pub(super) fn parse_integer(&mut self) -> Option<()> {
        let first = self.peek();
        let mark = self.out_len;
        while let digit @ b'0'..=b'9' = self.current_byte() {
            self.pos += 1;
            self.push(digit)?;
        }
        let count = self.out_len - mark;
        let limit = if first == b'0' { 1 } else { MAX_DIGITS };
        (1..=limit).contains(&count).then_some(())
    }

    /// Reads a value of any kind, and keeps nothing.
    pub(super) fn skip_value(&mut self, depth: u8) -> Option<()> {
        let mark = self.out_len;
        match self.peek() {
            b'"' => drop(self.parse_characters()?),
            b't' => self.expect_literal(b"true")?,
            b'f' => self.expect_literal(b"false")?,
            b'n' => self.expect_literal(b"null")?,
            open @ (b'{' | b'[') => {
                let depth = depth.checked_sub(1)?;
                self.pos += 1;
                let mut first = true;
                // In ASCII a bracket closes two after it opens.
                while self.next_item(&mut first, open + 2)? {
                    if open == b'{' {
                        self.peek();
                        self.parse_characters()?;
                        self.rollback(mark);
                        self.expect(b':')?;
                    }
                    self.skip_value(depth)?;
                }
            }
            _ => self.skip_number()?,
        }
        self.rollback(mark);
        Some(())
    }

    /// Reads a number of any kind, and keeps nothing.
    pub(super) fn skip_number(&mut self) -> Option<()> {
        self.eat_exact(b'-');
        if !self.eat_exact(b'0') {
            self.skip_digits()?;
        }
        if self.eat_exact(b'.') {
            self.skip_digits()?;
        }
        if self.eat_exact(b'e') || self.eat_exact(b'E') {
            let _ = self.eat_exact(b'+') || self.eat_exact(b'-');
            self.skip_digits()?;
        }
        Some(())
    }

    /// The byte that comes next, whatever it is.
    fn current_byte(&self) -> u8 {
        self.bytes.get(self.pos).copied().unwrap_or(0)
    }

    fn eat_exact(&mut self, byte: u8) -> bool {
        let next = self.current_byte() == byte;
        self.pos += usize::from(next);
        next
    }

    fn expect_literal(&mut self, word: &[u8]) -> Option<()> {
        word.iter().all(|byte| self.eat_exact(*byte)).then_some(())
    }

    fn skip_digits(&mut self) -> Option<()> {
        let start = self.pos;
        while self.current_byte().is_ascii_digit() {
            self.pos += 1;
        }
        (self.pos > start).then_some(())
    }

    fn parse_characters(&mut self) -> Option<StringKind> {
        self.expect(b'"')?;
        let mut characters = StringKind::Valid;
        loop {
            // A control character, or the end of the text, is in no string.
            let byte = Some(self.current_byte()).filter(|byte| *byte >= b' ')?;
            self.pos += 1;
            match byte {
                b'"' => return Some(characters),
                b'\\' => {
                    if self.parse_escape()? == StringKind::LoneSurrogate {
                        characters = StringKind::LoneSurrogate;
                    }
                }
                _ => self.push(byte)?,
            }
        }
    }

    fn parse_escape(&mut self) -> Option<StringKind> {
        let escape = self.current_byte();
        self.pos += 1;
        let character = match escape {
            b'"' | b'\\' | b'/' => u32::from(escape),
            b'b' => 8,
            b't' => 9,
            b'n' => 10,
            b'f' => 12,
            b'r' => 13,
            b'u' => return self.parse_unicode_escape(),
            _ => return None,
        };
        self.push_utf8(character)?;
        Some(StringKind::Valid)
    }

    /// What `\u` writes: a character, or one half of one and then the other.
    fn parse_unicode_escape(&mut self) -> Option<StringKind> {
        let mut code = self.parse_hex4()?;
        if code & 0xfc00 == 0xd800 {
            let behind = self.pos;
            let low = if self.expect_literal(b"\\u").is_some() { self.parse_hex4()? } else { 0 };
            if low & 0xfc00 != 0xdc00 {
                self.pos = behind;
                return Some(StringKind::LoneSurrogate);
            }
            code = 0x1_0000 + ((code & 0x3ff) << 10 | low & 0x3ff);
        } else if code & 0xfc00 == 0xdc00 {
            return Some(StringKind::LoneSurrogate);
        }
        self.push_utf8(code)?;
        Some(StringKind::Valid)
    }

    fn parse_hex4(&mut self) -> Option<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = match self.current_byte() {
                digit @ b'0'..=b'9' => digit - b'0',
                letter @ (b'a'..=b'f' | b'A'..=b'F') => (letter & 7) + 9,
                _ => return None,
            };
            unit = unit << 4 | u32::from(digit);
            self.pos += 1;
        }
        Some(unit)
    }

    /// Keeps a character in UTF-8.
    fn push_utf8(&mut self, code: u32) -> Option<()> {
        // The first byte says how many come after it, which have six bits each.
        let more = match code {
            0..0x80 => 0,
            0x80..0x800 => 1,
            0x800..0x1_0000 => 2,
            _ => 3,
        };
        let head = if more == 0 { 0 } else { 0xf0 << (3 - more) };
        let byte = |bits: u32| bits.to_le_bytes()[0];
        self.push(byte(head | code >> (6 * more)))?;
        for left in (0..more).rev() {
            self.push(byte(0x80 | code >> (6 * left) & 0x3f))?;
        }
        Some(())
    }
}
