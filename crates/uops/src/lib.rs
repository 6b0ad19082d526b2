//! The table of micro-operations.
//!
//! One table (`table.rs`) declares every uop: operands and their kinds, immediate, what it reads and writes, how it owns
//! references, how it can leave the trace. The enum [`Uop`], the names, the parser's and printer's knowledge, the evaluator's
//! dispatch, the optimiser's effects and the list of stencils all derive from it. The stencil bodies live in `bodies/`;
//! they are never linked, the build turns them into machine code (see `serigraph-stencil-build`).
#![no_std]

mod info;
pub mod layout;
mod reason;
mod table;

pub use info::{Effects, Exit, Immediate, Kind, Ownership, UopInfo};
pub use reason::Reason;
pub use table::Uop;
