//! Numbers, without the machinery of `fmt`.

/// A number in decimal.
pub(super) struct Digits {
    text: [u8; 20],
    begin: usize,
}

impl Digits {
    pub(super) fn of(mut number: u64) -> Self {
        let mut digits = Self { text: [b'0'; 20], begin: 20 };
        for place in digits.text.iter_mut().rev() {
            digits.begin -= 1;
            *place = b'0' + u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
            if number == 0 {
                break;
            }
        }
        digits
    }

    pub(super) fn text(&self) -> &str {
        self.text
            .get(self.begin..)
            .and_then(|text| std::str::from_utf8(text).ok())
            .unwrap_or_default()
    }
}
