//! Copy and patch: stencils, code memory, linking. Knows nothing of Python.
//!
//! The build compiles each uop body once and proves where the register numbers stand in the machine code
//! (`serigraph-stencil-build`). At run time an [`Assembler`] copies the stencils of a trace one after the other, patches their
//! holes, and publishes the code in a [`CodeMemory`]; [`enter`] runs it.
//!
//! ```text
//! let mut memory = CodeMemory::new(limit, &runtime_symbols, &helper_addresses)?;
//! let mut assembler = Assembler::new(StencilTable::select());
//! let exit = assembler.exit(7);
//! assembler.uop(Uop::IntAdd, &[r13, r14], r15, 0, Some(exit));
//! assembler.jump_exit(exit);
//! let code = assembler.finish(&mut memory)?;
//! let exit_number = unsafe { enter(code.entry(), frame, &context, |activation| activation.exit) };
//! ```

mod activation;
mod assembler;
#[cfg(feature = "disassembly")]
mod disassembly;
mod error;
mod immediate;
mod int_pool;
mod memory;
mod moves;
pub mod patch;
mod register;
mod runtime;
mod shim;
mod stencil;
mod tables;
mod trace_code;

pub use activation::{ARGS, Activation, Context, PollWord, SPILL_SLOTS};
pub use assembler::{Assembler, ExitLabel, Label};
#[cfg(feature = "disassembly")]
pub use disassembly::disassemble;
pub use error::CodeError;
pub use memory::{Block, CodeAddress, CodeMemory};
pub use register::{Class, Fp, Gp, Register};
pub use runtime::{BigInt, RuntimeSymbols};
pub use shim::enter;
pub use stencil::{
    CallTarget, Code, Constraints, DataSymbol, Hole, HoleValue, OUTPUT, RegisterHole, Stencil,
    StencilTable, Width,
};
pub use tables::LISTING;
pub use trace_code::TraceCode;
