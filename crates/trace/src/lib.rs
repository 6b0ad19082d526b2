//! Traces: the intermediate representation, its text form, verifier and evaluator, the optimiser, and the register allocator.
//!
//! Nothing here knows CPython: objects and types are addresses, and what is done with them goes through the small
//! [`eval::Host`] trait. So everything here is tested without a Python.
//!
//! ```text
//! recorder --> ir::Trace --> opt (forward, peel, sink, dead code, lower) --> regalloc --> (crate serigraph-emit)
//! ```
pub mod enter;
pub mod eval;
pub mod exit;
pub mod filetest;
pub mod generate;
pub mod ir;
pub mod link;
pub mod mini;
pub mod opt;
pub mod ownership;
pub mod parse;
pub mod print;
pub mod random;
pub mod regalloc;
pub mod side;
pub mod testhost;
mod unroll;
pub mod verify;
