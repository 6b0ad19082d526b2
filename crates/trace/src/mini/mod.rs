//! A miniature of the whole machine, for differential tests: programs in a small bytecode ([`program`]), an interpreter for
//! them on the test host ([`interpret`]), and a recorder ([`record`]) that makes the naive traces that the real one makes
//! of the same code. [`tree`] runs traces with their side traces and links.
//!
//! A program is run twice, by the interpreter alone and with its hot loop as an optimised trace; every object, reference
//! count, identity and side effect must be the same at the end.

pub mod engine;
pub mod interpret;
pub mod program;
pub mod record;
pub mod tree;
