//! Set-up, tests, conformance and benchmarks of hallpass.
fn main() {}
