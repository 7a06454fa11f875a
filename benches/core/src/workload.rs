//! A named function that can be measured.

use std::{fmt, hint::black_box};

/// A function that can be called any number of times, at the same cost each time.
pub struct Workload {
    /// The name in the report.
    pub name: String,
    function: Box<dyn FnMut()>,
}

impl Workload {
    /// Creates a workload. A call includes dropping the result of `function`.
    pub fn new<T>(name: impl Into<String>, mut function: impl FnMut() -> T + 'static) -> Self {
        let function = move || {
            black_box(function());
        };
        Self { name: name.into(), function: Box::new(function) }
    }

    /// Calls the function once.
    pub fn run(&mut self) {
        (self.function)();
    }
}

impl fmt::Debug for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
