//! The parts of an input: lines of text, and the rest.

/// Splits an input after its first line, which must be UTF-8. Without a line feed the rest is empty.
pub(super) fn split_line(input: &[u8]) -> Option<(&str, &[u8])> {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let line = std::str::from_utf8(input.get(..end)?).ok()?;
    Some((line, input.get(end + 1..).unwrap_or_default()))
}
