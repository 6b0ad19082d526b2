//! Traces: the intermediate representation, its text form, verifier and evaluator, the optimiser, and the register allocator.
//!
//! Nothing here knows CPython: objects and types are addresses, and what is done with them goes through the small
//! [`eval::Host`] trait. So everything here is tested without a Python.
//!
//! ```text
//! recorder --> ir::Trace --> opt (forward, peel, sink, dead code, lower) --> regalloc --> (crate serigraph-emit)
//! ```
pub mod ir;
pub mod parse;
pub mod print;
pub mod eval;
pub mod exit;
pub mod ownership;
pub mod verify;
pub mod filetest;
pub mod random;
pub mod regalloc;
pub mod testhost;
pub mod generate;
pub mod opt;
pub mod mini;
pub mod link;
mod unroll;
pub mod side;
