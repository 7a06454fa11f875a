//! Numbers, without the machinery of `fmt`.

/// A number in decimal.
pub(super) struct DecimalBuffer {
    bytes: [u8; 20],
    start: usize,
}

impl DecimalBuffer {
    pub(super) fn new(mut number: u64) -> Self {
        let mut digits = Self { bytes: [b'0'; 20], start: 20 };
        for place in digits.bytes.iter_mut().rev() {
            digits.start -= 1;
            *place = b'0' + u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
            if number == 0 {
                break;
            }
        }
        digits
    }

    pub(super) fn as_str(&self) -> &str {
        self.bytes
            .get(self.start..)
            .and_then(|text| std::str::from_utf8(text).ok())
            .unwrap_or_default()
    }
}
