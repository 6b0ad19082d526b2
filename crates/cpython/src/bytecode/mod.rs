//! Bytecode of both versions as one instruction set: decoding, stack effects, validation, and the hints of the running code.

mod effect;
mod opcode;
mod specialized;
mod validate;

pub use effect::{StackEffect, stack_effect};
pub use opcode::{Jump, Opcode, Operand};
pub(crate) use specialized::check_units;
pub use specialized::{
    Adaptive, Specialized, has_back_edge, instrumented_number, instrumented_numbers,
    is_specialised, next_back_edge,
};
pub use validate::{BadCode, CodeParts, ValidatedCode};

use crate::version::Minor;

/// One decoded instruction. All positions are indices of 2-byte code units.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Instruction {
    /// The generic opcode.
    pub opcode: Opcode,
    /// The argument with all `EXTENDED_ARG` prefixes applied.
    pub oparg: u32,
    /// The first `EXTENDED_ARG` prefix, or the instruction itself: where a frame resumes and where jumps go.
    pub start: u32,
    /// The instruction itself; its caches follow.
    pub op_at: u32,
    /// The first unit after its caches.
    pub next: u32,
}

impl Instruction {
    /// Where this instruction jumps to, if it can jump; `None` also when the target would be before the first unit.
    pub fn jump_target(&self) -> Option<u32> {
        match self.opcode.jump() {
            Jump::None => None,
            Jump::Forward => self.next.checked_add(self.oparg),
            Jump::Backward => self.next.checked_sub(self.oparg),
        }
    }

    /// Whether this is a loop's back edge that polls and fires `JUMP` events.
    pub fn is_back_edge(&self) -> bool {
        self.opcode == Opcode::JumpBackward
    }
}

/// Decodes the instruction at a code unit of de-specialised, de-instrumented bytes (`co_code`).
pub fn decode(minor: Minor, code: &[u8], start: u32) -> Result<Instruction, BadCode> {
    let mut at = start;
    let mut oparg: u32 = 0;
    loop {
        let byte = at as usize * 2;
        let (Some(&number), Some(&argument)) = (code.get(byte), code.get(byte + 1)) else {
            return Err(BadCode::Truncated { unit: at });
        };
        let opcode = Opcode::from_number(minor, number)
            .ok_or(BadCode::UnknownOpcode { unit: at, number })?;
        if oparg >> 23 != 0 {
            return Err(BadCode::Oparg { unit: at, opcode });
        }
        oparg = oparg << 8 | u32::from(argument);
        if opcode == Opcode::ExtendedArg {
            at += 1;
            continue;
        }
        let next = at + 1 + opcode.caches(minor);
        if next as usize * 2 > code.len() {
            return Err(BadCode::Truncated { unit: at });
        }
        return Ok(Instruction {
            opcode,
            oparg,
            start,
            op_at: at,
            next,
        });
    }
}
