//! The `serigraph` program.
fn main() {}
