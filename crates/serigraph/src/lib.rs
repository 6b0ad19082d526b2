//! The engine: finds hot loops, records, compiles, runs them; and the extension module.

mod attach;
mod compile;
mod crash;
mod dependencies;
mod dump;
mod engine;
mod enter;
mod executor;
mod exit;
mod gil;
mod header;
mod host;
mod host_types;
mod limits;
mod log;
mod metadata;
mod module;
mod native;
mod options;
mod pace;
mod payoff;
mod raise;
mod record;
mod record_root;
mod recording;
mod reserve;
mod side;
mod sleepers;
mod state;
mod stats;
mod trace_table;
mod traces;

pub use module::PyInit__native;
