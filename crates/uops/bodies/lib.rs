//! The uop bodies: what each uop of the table does, as an ordinary inline function.
//!
//! This crate is never linked. `serigraph-stencil-build` writes, for each uop, a wrapper that takes the machine state in
//! registers, calls the body, and goes on to the next stencil or to the exit (see [`abi`]); it compiles the crate once and turns
//! each wrapper into a stencil. A body has the name of its uop, the uop's inputs as its parameters (after the frame, if it
//! touches the frame's slots), and the uop's result as its own, in an `Option` if the uop can leave the trace:
//! `None` leaves.
//!
//! What to mind: the build rejects a body in whose code an input register is changed. Comparing for equality and leaving if
//! different lets LLVM take one value for the other, so equality guards are written with [`abi::leave_unless_equal`] and its kin.
#![no_std]
#![feature(
    explicit_tail_calls,
    rust_preserve_none_cc,
    core_intrinsics,
    asm_goto_with_outputs
)]
#![allow(
    internal_features,
    incomplete_features,
    reason = "the stencils need calling conventions and tail calls that are not stable yet"
)]
#![allow(
    clippy::missing_safety_doc,
    reason = "bodies are called by generated wrappers only; what they rely on is the uop's meaning"
)]

#[path = "../src/layout.rs"]
mod layout;

mod abi;
mod call;
mod constant;
mod float;
mod frame;
mod guard;
mod int;
mod machine;
mod object;
mod refcount;
mod sequence;
mod tied;

mod wrappers {
    use crate::abi::*;
    use crate::{
        call::*, constant::*, float::*, frame::*, guard::*, int::*, machine::*, object::*,
        refcount::*, sequence::*, tied::*,
    };
    include!(env!("SERIGRAPH_WRAPPERS"));
}
