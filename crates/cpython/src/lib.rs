//! All contact with the CPython interpreter: which one it is, where its fields are, its frames, code, bytecode, monitoring
//! and watchers.
//!
//! Nothing here knows of traces or machine code. One build serves every supported version: functions of the stable ABI are
//! linked, everything else is resolved at start ([`dynamic`]), and what differs in memory is data ([`mod@layout`]), chosen by
//! the running version and proved on live objects before anything is attached.
//!
//! [`start`] comes first; everything that reads the interpreter's memory needs it, and the GIL.

pub mod attributes;
mod back_edges;
pub mod barrier;
pub mod bytecode;
pub mod callable;
pub mod code;
pub mod datastack;
pub mod dynamic;
pub mod exception_table;
pub mod ffi;
pub mod frame;
pub mod heap;
pub mod layout;
mod memory;
mod method_table;
pub mod monitoring;
pub mod poll;
pub mod raiser;
pub mod recursion_limit;
pub mod refs;
mod runtime;
mod superinstructions;
pub mod threads;
pub mod tool_events;
pub mod tracemalloc;
pub mod version;
pub mod watch;

pub use refs::{Borrowed, Owned};
pub use runtime::{Runtime, StartError, api, is_started, layout, minor, runtime, start};
pub use version::{Minor, Version};
