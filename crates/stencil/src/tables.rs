//! The generated stencils.

use crate::register::Class::{Fp, Gp};
use crate::stencil::CallTarget as C;
use crate::stencil::DataSymbol as D;
use crate::stencil::HoleValue as V;
use crate::stencil::{Constraints, Hole, RegisterHole, Stencil, StencilTable, Width as W};

/// A register hole.
const fn r(offset: u8, operand: u8, from: u8, mask: u8, shift: u8) -> RegisterHole {
    RegisterHole {
        offset,
        operand,
        from,
        mask,
        shift,
    }
}

/// Any other hole.
const fn h(cold: bool, offset: u8, width: W, value: V, addend: i32) -> Hole {
    Hole {
        cold,
        offset,
        width,
        value,
        addend,
    }
}

include!(concat!(env!("OUT_DIR"), "/stencils.rs"));

/// The path of the listing that the build wrote: each stencil's instructions beside its bytes and holes.
pub const LISTING: &str = concat!(env!("OUT_DIR"), "/stencils.txt");
