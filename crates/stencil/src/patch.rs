//! Patch functions: named by width and kind, nothing but byte maths.

use crate::stencil::RegisterHole;

/// Why a value was not written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfRange;

/// Writes the register numbers of the operands into their fields; `code` starts with the stencil.
///
/// # Safety
///
/// The bytes at the holes' offsets must be initialised and writable.
#[inline(always)]
pub unsafe fn patch_registers(code: *mut u8, holes: &[RegisterHole], numbers: &[u8; 4]) {
    for hole in holes {
        // In 32 bits, as the processor shifts.
        let number = u32::from(numbers[(hole.operand & 3) as usize]);
        let field = ((number >> hole.from) & u32::from(hole.mask)) << hole.shift;
        // SAFETY: the caller vouches for the offsets.
        unsafe { *code.add(hole.offset as usize) ^= field as u8 };
    }
}

/// Writes a 64-bit value.
#[inline]
pub fn patch_64(code: &mut [u8], at: usize, value: u64) {
    code[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

/// Writes 32 bits that the processor will sign-extend to `value`.
#[inline]
pub fn patch_32s(code: &mut [u8], at: usize, value: u64) -> Result<(), OutOfRange> {
    let narrow = i32::try_from(value as i64).map_err(|_| OutOfRange)?;
    code[at..at + 4].copy_from_slice(&narrow.to_le_bytes());
    Ok(())
}

/// Writes 32 bits that the processor will zero-extend to `value`.
#[inline]
pub fn patch_32u(code: &mut [u8], at: usize, value: u64) -> Result<(), OutOfRange> {
    let narrow = u32::try_from(value).map_err(|_| OutOfRange)?;
    code[at..at + 4].copy_from_slice(&narrow.to_le_bytes());
    Ok(())
}

/// Writes an 8-bit value.
#[inline]
pub fn patch_8u(code: &mut [u8], at: usize, value: u64) -> Result<(), OutOfRange> {
    code[at] = u8::try_from(value).map_err(|_| OutOfRange)?;
    Ok(())
}

/// Writes the 32-bit distance from the hole, whose address is `address`, to `target`. The addend makes up for the bytes from
/// the hole to the end of the instruction, from where the processor counts.
#[inline]
pub fn patch_relative_32(
    code: &mut [u8],
    at: usize,
    address: usize,
    target: usize,
    addend: i32,
) -> Result<(), OutOfRange> {
    let distance = (target as i64)
        .wrapping_sub(address as i64)
        .wrapping_add(addend as i64);
    patch_32s(code, at, distance as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_go_into_their_fields() {
        // mov rax, rax with REX.W, as if operand 0 were in ModRM.rm and REX.B, operand 3 in ModRM.reg and REX.R.
        let holes = [
            RegisterHole {
                offset: 0,
                operand: 0,
                from: 3,
                mask: 1,
                shift: 0,
            },
            RegisterHole {
                offset: 2,
                operand: 0,
                from: 0,
                mask: 7,
                shift: 0,
            },
            RegisterHole {
                offset: 0,
                operand: 3,
                from: 3,
                mask: 1,
                shift: 2,
            },
            RegisterHole {
                offset: 2,
                operand: 3,
                from: 0,
                mask: 7,
                shift: 3,
            },
        ];
        let mut code = [0x48, 0x89, 0xc0];
        // SAFETY: the holes are inside the code.
        unsafe { patch_registers(code.as_mut_ptr(), &holes, &[13, 0, 0, 3]) };
        assert_eq!(code, [0x49, 0x89, 0xdd]);
    }

    #[test]
    fn inverted_fields_flip() {
        // The vvvv field of a VEX prefix holds register 0 as 1111.
        let holes = [RegisterHole {
            offset: 0,
            operand: 1,
            from: 0,
            mask: 15,
            shift: 3,
        }];
        let mut code = [0b1111_1011];
        // SAFETY: the hole is inside the code.
        unsafe { patch_registers(code.as_mut_ptr(), &holes, &[0, 5, 0, 0]) };
        assert_eq!(code, [0b1101_0011]);
    }

    #[test]
    fn values_that_do_not_fit_are_refused() {
        let mut code = [0u8; 8];
        assert_eq!(patch_32s(&mut code, 0, 0x8000_0000), Err(OutOfRange));
        assert_eq!(patch_32s(&mut code, 0, i32::MIN as i64 as u64), Ok(()));
        assert_eq!(code[..4], [0, 0, 0, 0x80]);
        assert_eq!(patch_32u(&mut code, 0, 0x1_0000_0000), Err(OutOfRange));
        assert_eq!(patch_32u(&mut code, 0, 0xffff_ffff), Ok(()));
        assert_eq!(patch_8u(&mut code, 0, 256), Err(OutOfRange));
        assert_eq!(
            patch_relative_32(&mut code, 0, 0x1000, 0x1_0000_0000, -4),
            Err(OutOfRange)
        );
    }

    #[test]
    fn distances_count_from_the_end_of_the_instruction() {
        let mut code = [0xe9, 0, 0, 0, 0];
        patch_relative_32(&mut code, 1, 0x1001, 0x1000, -4).unwrap();
        assert_eq!(code, [0xe9, 0xfb, 0xff, 0xff, 0xff]);
    }
}
