//! One thing that is measured.

use std::{fmt, hint::black_box};

/// One thing that is measured: it can be done any number of times, and costs the same each time.
pub struct Work {
    /// What it is.
    pub name: String,
    once: Box<dyn FnMut()>,
}

impl Work {
    /// A work of this name. What it comes to is made, and dropped.
    pub fn new<T>(name: impl Into<String>, mut once: impl FnMut() -> T + 'static) -> Self {
        let once = move || {
            black_box(once());
        };
        Self { name: name.into(), once: Box::new(once) }
    }

    /// Does it.
    pub fn once(&mut self) {
        (self.once)();
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
