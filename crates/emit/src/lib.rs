//! From an allocated trace to machine code: one walk that copies a stencil for each uop.
//!
//! ```text
//! ir::Trace + regalloc::Allocation --Emitter::emit--> Compiled (entry, loop entry, exits) --link_exit--> side traces
//! ```
//!
//! ```
//! use serigraph_emit::{EmitContext, Emitter, MAX_SLOTS, StencilTarget};
//! use serigraph_stencil::StencilTable;
//! use serigraph_trace::regalloc::{Request, allocate};
//!
//! let text = "trace root locals 1 top 1
//!   v0: object = load_slot 0
//!   v1: int = unbox_int v0 @s0
//! end exit s1
//! s0: [f0 ip=1 top=1 0=v0]
//! s1: [f0 ip=2 top=1 0=v0]";
//! let trace = serigraph_trace::parse::parse(text).unwrap();
//! let target = StencilTarget::new(StencilTable::select());
//! let request = Request { entry: &[], link: None, max_slots: MAX_SLOTS, random_seed: None };
//! let allocation = allocate(&trace, &request, &target).unwrap();
//! assert_eq!(allocation.exits.len(), 2);
//! # let _ = (Emitter::new(StencilTable::select()), EmitContext::default());
//! ```
//!
//! [`Emitter::emit`] then needs a `CodeMemory`, which the host makes once, with the addresses of its functions.

mod dump;
mod emit;
mod target;

pub use dump::dump;
pub use emit::{Compiled, EmitContext, Emitter, ExitPoint};
pub use serigraph_stencil::CodeError as EmitError;
pub use target::{MAX_SLOTS, StencilTarget};
