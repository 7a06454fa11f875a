//! A JSON parser that works in the input's own bytes, in one pass.
//!
//! The caller stores output over the bytes that are already parsed, so no other memory is needed: a
//! stored string is never longer than its JSON. The grammar is exactly that of
//! <https://www.rfc-editor.org/rfc/rfc8259>. The meaning of the members is not here.

/// The maximum depth of ignored values. Messages of the edge have five levels.
pub(super) const MAX_DEPTH: u8 = 64;

/// The maximum digits of an integer. JavaScript is exact up to 2⁵³ - 1, which has sixteen digits.
pub(super) const MAX_DIGITS: usize = 15;

/// The input, its parsed prefix, and the output at the start of that prefix.
pub(super) struct InPlaceParser<'a> {
    bytes: &'a mut [u8],
    /// The number of parsed bytes.
    pos: usize,
    /// The number of output bytes; never more than `pos`.
    out_len: usize,
}

/// Whether a parsed string is valid UTF-8.
#[derive(Clone, Copy, Eq, PartialEq)]
enum StringKind {
    Valid,
    /// The string has half of a surrogate pair, which only `\u` can encode.
    LoneSurrogate,
}

impl<'a> InPlaceParser<'a> {
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, pos: 0, out_len: 0 }
    }

    /// The current length of the output, for [`Self::rollback()`].
    pub(super) fn checkpoint(&self) -> usize {
        self.out_len
    }

    /// Removes the output after a checkpoint.
    pub(super) fn rollback(&mut self, checkpoint: usize) {
        self.out_len = checkpoint;
    }

    /// The output before a checkpoint.
    pub(super) fn prefix(&self, checkpoint: usize) -> &[u8] {
        self.bytes.get(..checkpoint).unwrap_or_default()
    }

    /// The output after a checkpoint.
    pub(super) fn since(&self, checkpoint: usize) -> &[u8] {
        self.bytes.get(checkpoint..self.out_len).unwrap_or_default()
    }

    /// Appends a byte to the output. Fails if the output would overwrite unparsed input.
    pub(super) fn push(&mut self, byte: u8) -> Option<()> {
        if self.out_len >= self.pos {
            return None;
        }
        *self.bytes.get_mut(self.out_len)? = byte;
        self.out_len += 1;
        Some(())
    }

    /// Returns the length of the output if only white space remains.
    pub(super) fn finish(mut self) -> Option<usize> {
        self.peek();
        (self.pos == self.bytes.len()).then_some(self.out_len)
    }

    /// Skips white space and returns the next byte; at the end 0, which begins no value.
    pub(super) fn peek(&mut self) -> u8 {
        while matches!(self.current_byte(), b' ' | b'\t' | b'\n' | b'\r') {
            self.pos += 1;
        }
        self.current_byte()
    }

    /// Skips white space, and the byte if it is next. Returns whether it was.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        self.peek();
        self.eat_exact(byte)
    }

    /// Like [`Self::eat()`], but fails if the byte is not next.
    pub(super) fn expect(&mut self, byte: u8) -> Option<()> {
        self.eat(byte).then_some(())
    }

    /// Returns whether there is another item before `end`. Skips `end`, or the comma before an item.
    pub(super) fn next_item(&mut self, first: &mut bool, end: u8) -> Option<bool> {
        if self.eat(end) {
            return Some(false);
        }
        if !std::mem::take(first) {
            self.expect(b',')?;
        }
        Some(true)
    }

    /// Parses a string and appends its characters to the output.
    pub(super) fn parse_string(&mut self) -> Option<()> {
        (self.parse_characters()? == StringKind::Valid).then_some(())
    }

    /// Parses `true` or `false`.
    pub(super) fn parse_bool(&mut self) -> Option<bool> {
        let value = self.peek() == b't';
        self.expect_literal(if value { b"true" } else { b"false" })?;
        Some(value)
    }

    /// Skips `null` if it is next. Returns whether it was.
    pub(super) fn eat_null(&mut self) -> Option<bool> {
        if self.peek() != b'n' {
            return Some(false);
        }
        self.expect_literal(b"null").map(|()| true)
    }

    /// Parses a non-negative integer and appends its digits to the output.
    pub(super) fn parse_integer(&mut self) -> Option<()> {
        let first = self.peek();
        let start = self.out_len;
        while let digit @ b'0'..=b'9' = self.current_byte() {
            self.pos += 1;
            self.push(digit)?;
        }
        let count = self.out_len - start;
        let limit = if first == b'0' { 1 } else { MAX_DIGITS };
        (1..=limit).contains(&count).then_some(())
    }

    /// Parses any value without output.
    pub(super) fn skip_value(&mut self, depth: u8) -> Option<()> {
        let start = self.out_len;
        match self.peek() {
            b'"' => drop(self.parse_characters()?),
            b't' => self.expect_literal(b"true")?,
            b'f' => self.expect_literal(b"false")?,
            b'n' => self.expect_literal(b"null")?,
            open @ (b'{' | b'[') => {
                let depth = depth.checked_sub(1)?;
                self.pos += 1;
                let mut first = true;
                // In ASCII a closing bracket or brace is its opening one + 2.
                while self.next_item(&mut first, open + 2)? {
                    if open == b'{' {
                        self.peek();
                        self.parse_characters()?;
                        self.rollback(start);
                        self.expect(b':')?;
                    }
                    self.skip_value(depth)?;
                }
            }
            _ => self.skip_number()?,
        }
        self.rollback(start);
        Some(())
    }

    /// Parses any number without output.
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

    /// The next byte, white space included; 0 at the end.
    fn current_byte(&self) -> u8 {
        self.bytes.get(self.pos).copied().unwrap_or(0)
    }

    fn eat_exact(&mut self, byte: u8) -> bool {
        let is_next = self.current_byte() == byte;
        self.pos += usize::from(is_next);
        is_next
    }

    fn expect_literal(&mut self, literal: &[u8]) -> Option<()> {
        literal.iter().all(|byte| self.eat_exact(*byte)).then_some(())
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
        let mut kind = StringKind::Valid;
        loop {
            // A string has no control characters; at the end of the input the byte is 0.
            let byte = Some(self.current_byte()).filter(|byte| *byte >= b' ')?;
            self.pos += 1;
            match byte {
                b'"' => return Some(kind),
                b'\\' => {
                    if self.parse_escape()? == StringKind::LoneSurrogate {
                        kind = StringKind::LoneSurrogate;
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

    /// Parses the digits of `\u`: a character, or the first half of a surrogate pair and a second `\u`.
    fn parse_unicode_escape(&mut self) -> Option<StringKind> {
        let mut code = self.parse_hex4()?;
        if code & 0xfc00 == 0xd800 {
            let end = self.pos;
            let low = if self.expect_literal(b"\\u").is_some() { self.parse_hex4()? } else { 0 };
            if low & 0xfc00 != 0xdc00 {
                self.pos = end;
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

    /// Appends a character to the output in UTF-8.
    fn push_utf8(&mut self, code: u32) -> Option<()> {
        // The first byte encodes the number of continuation bytes, which have six bits each.
        let continuation = match code {
            0..0x80 => 0,
            0x80..0x800 => 1,
            0x800..0x1_0000 => 2,
            _ => 3,
        };
        let head = if continuation == 0 { 0 } else { 0xf0 << (3 - continuation) };
        let byte = |bits: u32| bits.to_le_bytes()[0];
        self.push(byte(head | code >> (6 * continuation)))?;
        for remaining in (0..continuation).rev() {
            self.push(byte(0x80 | code >> (6 * remaining) & 0x3f))?;
        }
        Some(())
    }
}
