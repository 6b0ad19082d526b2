//! The generated stencils.

use crate::register::Class::{Fp, Gp};
use crate::stencil::CallTarget as C;
use crate::stencil::DataSymbol as D;
use crate::stencil::HoleValue as V;
use crate::stencil::{Code, Constraints, Hole, RegisterHole, Stencil, StencilTable, Width as W};

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

/// What uops without a stencil have.
const NO_STENCIL: Stencil = Stencil {
    name: "",
    hot: Code {
        padded: &[],
        size: 0,
        registers: &[],
    },
    cold: Code {
        padded: &[],
        size: 0,
        registers: &[],
    },
    holes: &[],
    small: u16::MAX,
    tied: u16::MAX,
    ends_with_exit: false,
    constraints: Constraints {
        inputs: [None; 3],
        output: None,
        output_may_alias: 0,
        output_before_exit: false,
        restores: 0,
        clobbers_caller_saved: false,
        has_exit: false,
        hot_size: 0,
    },
};

include!(concat!(env!("OUT_DIR"), "/stencils.rs"));

/// The path of the listing that the build wrote: each stencil's instructions beside its bytes and holes.
pub const LISTING: &str = concat!(env!("OUT_DIR"), "/stencils.lst");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_inside_the_code() {
        for table in StencilTable::all() {
            for stencil in table.stencils {
                for code in [&stencil.hot, &stencil.cold] {
                    assert!(
                        code.size as usize <= code.padded.len()
                            && code.padded.len() <= Code::MAX_SIZE
                    );
                    assert!(
                        code.registers.iter().all(|hole| hole.offset < code.size),
                        "{}",
                        stencil.name
                    );
                }
                for hole in stencil.holes {
                    let size = if hole.cold {
                        stencil.cold.size
                    } else {
                        stencil.hot.size
                    };
                    let width = match hole.width {
                        W::Absolute8 => 1,
                        W::Absolute64 => 8,
                        W::Relative32 | W::Signed32 | W::Unsigned32 => 4,
                    };
                    assert!(
                        hole.offset as usize + width <= size as usize,
                        "{}",
                        stencil.name
                    );
                }
            }
        }
    }
}
