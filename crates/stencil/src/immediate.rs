//! Immediate operands: what the IR's bits become in the machine code.

use serigraph_uops::{Immediate, Uop, layout};

use crate::patch::{self, OutOfRange};
use crate::stencil::{Hole, Width};

/// What stands in the code for the immediate operand of a uop: slots, arguments, words of frames and items become offsets.
#[inline]
pub(crate) fn value(uop: Uop, bits: u64) -> Result<u64, OutOfRange> {
    match uop.info().immediate {
        Immediate::Slot => Ok(indexed(layout::FRAME_LOCALS, bits)),
        Immediate::Int32 if uop == Uop::TupleItemImm => Ok(indexed(layout::TUPLE_ITEMS, bits)),
        Immediate::ArgIndex if bits < layout::ARGS as u64 => {
            Ok(indexed(layout::ACTIVATION_ARGS, bits))
        }
        Immediate::ArgCount if bits < layout::ARGS as u64 => {
            Ok(bits | layout::VECTORCALL_ARGUMENTS_OFFSET)
        }
        Immediate::FrameWord if bits < layout::FRAME_WORDS as u64 => {
            Ok(indexed(layout::ACTIVATION_FRAMES, bits))
        }
        Immediate::ArgIndex | Immediate::ArgCount | Immediate::FrameWord => Err(OutOfRange),
        _ => Ok(bits),
    }
}

/// The offset of an element of a table of words.
fn indexed(first: usize, index: u64) -> u64 {
    (first as u64).wrapping_add(index.wrapping_mul(8))
}

/// Writes a value that does not depend on any address.
#[inline]
pub(crate) fn patch(
    buffer: &mut [u8],
    at: usize,
    hole: &Hole,
    value: u64,
) -> Result<(), OutOfRange> {
    let value = value.wrapping_add(hole.addend as i64 as u64);
    match hole.width {
        Width::Signed32 => patch::patch_32s(buffer, at, value),
        Width::Unsigned32 => patch::patch_32u(buffer, at, value),
        Width::Absolute8 => patch::patch_8u(buffer, at, value),
        Width::Absolute64 | Width::Relative32 => {
            patch::patch_64(buffer, at, value);
            Ok(())
        }
    }
}

/// The multiplier and the shift that divide numbers below 2**63 by `divisor` (see the body of `int_floordiv_imm`).
pub(crate) fn divisor(divisor: u64) -> Result<(u64, u64), OutOfRange> {
    if !(2..1 << 31).contains(&divisor) {
        return Err(OutOfRange);
    }
    let bits = 64 - (divisor - 1).leading_zeros();
    let magic = (1u128 << (63 + bits)).div_ceil(divisor.into());
    u64::try_from(magic)
        .map(|magic| (magic, u64::from(bits) - 1))
        .map_err(|_| OutOfRange)
}
