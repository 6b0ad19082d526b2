//! The engine: finds hot loops, records, compiles, runs them; and the extension module.

pub mod host;
pub mod record;
