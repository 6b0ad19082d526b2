//! The developers' commands: `cargo xtask COMMAND`.

fn main() {}
