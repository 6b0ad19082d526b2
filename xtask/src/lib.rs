//! What the developers' commands share with the tests.

pub mod conformance;
pub mod interpreters;
pub mod process;
pub mod scratch;
