//! hallpass
fn main() {}
