//! Checking a code object before anything relies on it.
//!
//! A code object made with `code.replace()` can hold anything. What the compiler never makes (odd bytes, jumps into a
//! cache or out of the code, a stack that underflows or outgrows `co_stacksize`, indices outside their tables) is
//! refused here once, so that nobody else has to check again.

use std::fmt;

use super::{Instruction, Opcode, Operand, decode, stack_effect};
use crate::exception_table::Handlers;
use crate::version::Minor;

/// The parts of a code object that validation looks at.
#[derive(Clone, Copy, Debug)]
pub struct CodeParts<'a> {
    /// The version whose bytecode it is.
    pub minor: Minor,
    /// `co_code`: de-specialised, de-instrumented bytes.
    pub code: &'a [u8],
    /// `co_exceptiontable`.
    pub exception_table: &'a [u8],
    /// `co_stacksize`.
    pub stack_size: u32,
    /// Length of `co_consts`.
    pub consts: u32,
    /// Length of `co_names`.
    pub names: u32,
    /// `co_localspluskinds`; its length is the number of `localsplus` slots.
    pub kinds: &'a [u8],
}

/// Kind bits of `co_localspluskinds` (`Include/internal/pycore_code.h`): a cell, or a free variable's cell.
pub(crate) const KIND_CELL_OR_FREE: u8 = 0x40 | 0x80;

/// Why a code object is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadCode {
    /// No instructions, an odd number of bytes, or more than a code object may have.
    Length,
    /// An instruction, its prefixes or its caches run over the end.
    Truncated {
        /// Where.
        unit: u32,
    },
    /// A number that is no opcode of this version.
    UnknownOpcode {
        /// Where.
        unit: u32,
        /// The number.
        number: u8,
    },
    /// An argument that is out of range for the instruction.
    Oparg {
        /// Where.
        unit: u32,
        /// The instruction.
        opcode: Opcode,
    },
    /// A jump or handler target that is not the start of an instruction.
    Target {
        /// The jump, or the first instruction the handler covers.
        unit: u32,
    },
    /// Control can run over the last instruction.
    FallsOff,
    /// The stack would hold less than nothing, or more than `co_stacksize`.
    Depth {
        /// Where.
        unit: u32,
    },
    /// An instruction can be reached with different stack depths.
    DepthMismatch {
        /// Where.
        unit: u32,
    },
    /// The exception table is malformed.
    ExceptionTable,
    /// The events of a tool hide which instruction this is; it may be seen later.
    Hidden {
        /// Where.
        unit: u32,
    },
}

impl fmt::Display for BadCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            BadCode::Length => write!(f, "the bytecode has an impossible length"),
            BadCode::Truncated { unit } => {
                write!(f, "the instruction at unit {unit} runs over the end")
            }
            BadCode::UnknownOpcode { unit, number } => {
                write!(f, "unknown opcode {number} at unit {unit}")
            }
            BadCode::Oparg { unit, opcode } => write!(
                f,
                "{} at unit {unit} has an argument out of range",
                opcode.name()
            ),
            BadCode::Target { unit } => write!(
                f,
                "the jump or handler at unit {unit} does not lead to an instruction"
            ),
            BadCode::FallsOff => write!(f, "control can run over the end"),
            BadCode::Depth { unit } => write!(f, "the stack depth at unit {unit} is out of range"),
            BadCode::DepthMismatch { unit } => {
                write!(f, "unit {unit} can be reached with different stack depths")
            }
            BadCode::ExceptionTable => write!(f, "the exception table is malformed"),
            BadCode::Hidden { unit } => {
                write!(f, "a tool's events hide the instruction at unit {unit}")
            }
        }
    }
}

impl std::error::Error for BadCode {}

/// Marks a unit that is not the start of an instruction, and an instruction that nothing reaches.
const NONE: u16 = u16::MAX;

/// The instructions of a code object that has passed validation.
#[derive(Clone, Debug)]
pub struct ValidatedCode {
    minor: Minor,
    instructions: Vec<Instruction>,
    /// For each unit, the index of the instruction that starts or has its opcode there, plus one; 0 for caches.
    index_of: Vec<u32>,
    depths: Vec<u16>,
    headers: Vec<u32>,
    /// For each instruction, whether a back edge may come from it on.
    loops: Vec<bool>,
}

impl ValidatedCode {
    /// Bytes of its lists, as far as they have room.
    pub fn heap_bytes(&self) -> usize {
        self.instructions.capacity() * size_of::<Instruction>()
            + (self.index_of.capacity() + self.headers.capacity()) * size_of::<u32>()
            + self.depths.capacity() * size_of::<u16>()
    }

    /// Decodes and checks everything that can be reached.
    pub fn new(parts: &CodeParts<'_>) -> Result<ValidatedCode, BadCode> {
        let mut validator = Validator::decode(parts)?;
        validator.check_operands(parts)?;
        validator.find_depths(parts)?;
        Ok(validator.finish(parts.minor))
    }

    /// The version whose bytecode this is.
    pub fn minor(&self) -> Minor {
        self.minor
    }

    /// All instructions in order, also those that nothing reaches.
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    /// The index (in [`Self::instructions`]) of the instruction that starts at this unit, or whose opcode stands there.
    #[inline]
    pub fn index_at(&self, unit: u32) -> Option<usize> {
        match self.index_of.get(unit as usize) {
            Some(&index) if index != 0 => Some(index as usize - 1),
            _ => None,
        }
    }

    /// The instruction at this unit (its first prefix or its opcode).
    #[inline]
    pub fn at(&self, unit: u32) -> Option<&Instruction> {
        self.index_at(unit).map(|index| &self.instructions[index])
    }

    /// The stack depth before the instruction with this index; `None` if nothing reaches it.
    #[inline]
    pub fn depth(&self, index: usize) -> Option<u32> {
        match self.depths.get(index) {
            Some(&depth) if depth != NONE => Some(u32::from(depth)),
            _ => None,
        }
    }

    /// The stack depth before the instruction at this unit; `None` if there is none or nothing reaches it.
    #[inline]
    pub fn depth_at(&self, unit: u32) -> Option<u32> {
        self.index_at(unit).and_then(|index| self.depth(index))
    }

    /// The starts of the instructions that a reachable back edge (`JUMP_BACKWARD`) leads to, in order, each once.
    pub fn headers(&self) -> &[u32] {
        &self.headers
    }

    /// Whether a back edge may be taken in this call once the instruction at this unit is reached, exceptions apart.
    pub fn comes_to_back_edge(&self, unit: u32) -> bool {
        self.index_at(unit).is_some_and(|index| self.loops[index])
    }

    /// Whether one of the ways on from the instruction at this unit comes to no back edge any more.
    pub fn leads_out_of_loops(&self, unit: u32) -> bool {
        let Some(index) = self.index_at(unit) else {
            return false;
        };
        let instruction = &self.instructions[index];
        let jumped = instruction.jump_target();
        let next = (!instruction.opcode.ends_flow()).then_some(instruction.next);
        [jumped, next]
            .into_iter()
            .flatten()
            .any(|unit| !self.comes_to_back_edge(unit))
    }
}

struct Validator {
    instructions: Vec<Instruction>,
    index_of: Vec<u32>,
    depths: Vec<u16>,
}

impl Validator {
    fn decode(parts: &CodeParts<'_>) -> Result<Self, BadCode> {
        let units = parts.code.len() / 2;
        if parts.code.is_empty() || !parts.code.len().is_multiple_of(2) || units > 1 << 30 {
            return Err(BadCode::Length);
        }
        let mut index_of = vec![0; units];
        let mut instructions = Vec::with_capacity(units / 2 + 1);
        let mut at = 0;
        while (at as usize) < units {
            let instruction = decode(parts.minor, parts.code, at)?;
            if instruction.opcode == Opcode::Cache {
                return Err(BadCode::UnknownOpcode {
                    unit: at,
                    number: 0,
                });
            }
            let index = instructions.len() as u32 + 1;
            index_of[at as usize] = index;
            index_of[instruction.op_at as usize] = index;
            instructions.push(instruction);
            at = instruction.next;
        }
        let depths = vec![NONE; instructions.len()];
        Ok(Validator {
            instructions,
            index_of,
            depths,
        })
    }

    fn check_operands(&self, parts: &CodeParts<'_>) -> Result<(), BadCode> {
        for instruction in &self.instructions {
            let oparg = instruction.oparg;
            let kind = |slot: u32| parts.kinds.get(slot as usize).copied();
            let fits = match instruction.opcode.operand(parts.minor) {
                Operand::Const => oparg < parts.consts,
                Operand::Local => kind(oparg).is_some(),
                Operand::TwoLocals => kind(oparg >> 4).is_some() && kind(oparg & 15).is_some(),
                Operand::Cell => kind(oparg).is_some_and(|kind| kind & KIND_CELL_OR_FREE != 0),
                Operand::Name { shift } => oparg >> shift < parts.names,
                Operand::Compare { shift } => oparg >> shift < 6,
                Operand::Binary => oparg < 26,
                Operand::Other => true,
            };
            if !fits {
                return Err(BadCode::Oparg {
                    unit: instruction.op_at,
                    opcode: instruction.opcode,
                });
            }
        }
        Ok(())
    }

    /// The index of the instruction that starts exactly at `unit`.
    fn start_at(&self, unit: Option<u32>, from: u32) -> Result<usize, BadCode> {
        let index = unit
            .and_then(|unit| self.index_of.get(unit as usize).copied())
            .unwrap_or(0);
        if index == 0 || Some(self.instructions[index as usize - 1].start) != unit {
            return Err(BadCode::Target { unit: from });
        }
        Ok(index as usize - 1)
    }

    fn find_depths(&mut self, parts: &CodeParts<'_>) -> Result<(), BadCode> {
        let mut work = Vec::with_capacity(16);
        self.reach(0, 0, parts, &mut work)?;
        self.follow(parts, &mut work)?;
        for handler in Handlers::new(parts.exception_table) {
            let handler = handler.map_err(|_| BadCode::ExceptionTable)?;
            let target = self.start_at(Some(handler.target), handler.start)?;
            self.reach(target, handler.entry_depth(), parts, &mut work)?;
            self.follow(parts, &mut work)?;
        }
        Ok(())
    }

    fn follow(&mut self, parts: &CodeParts<'_>, work: &mut Vec<usize>) -> Result<(), BadCode> {
        while let Some(index) = work.pop() {
            let instruction = self.instructions[index];
            let unit = instruction.op_at;
            let depth = u32::from(self.depths[index]);
            let bad = BadCode::Oparg {
                unit,
                opcode: instruction.opcode,
            };
            let effect =
                stack_effect(parts.minor, instruction.opcode, instruction.oparg).ok_or(bad)?;
            let after = depth
                .checked_sub(effect.popped)
                .ok_or(BadCode::Depth { unit })?
                + effect.pushed;
            if after > parts.stack_size {
                return Err(BadCode::Depth { unit });
            }
            if instruction.opcode.jump() != super::Jump::None {
                let target = self.start_at(instruction.jump_target(), unit)?;
                self.reach(target, after, parts, work)?;
            }
            if !instruction.opcode.ends_flow() {
                if index + 1 == self.instructions.len() {
                    return Err(BadCode::FallsOff);
                }
                self.reach(index + 1, after, parts, work)?;
            }
        }
        Ok(())
    }

    fn reach(
        &mut self,
        index: usize,
        depth: u32,
        parts: &CodeParts<'_>,
        work: &mut Vec<usize>,
    ) -> Result<(), BadCode> {
        let unit = self.instructions[index].op_at;
        if depth > parts.stack_size || depth >= u32::from(NONE) {
            return Err(BadCode::Depth { unit });
        }
        let known = &mut self.depths[index];
        if *known == NONE {
            *known = depth as u16;
            work.push(index);
        } else if u32::from(*known) != depth {
            return Err(BadCode::DepthMismatch { unit });
        }
        Ok(())
    }

    fn finish(self, minor: Minor) -> ValidatedCode {
        let mut headers: Vec<u32> = self
            .instructions
            .iter()
            .zip(&self.depths)
            .filter(|(instruction, depth)| instruction.is_back_edge() && **depth != NONE)
            .filter_map(|(instruction, _)| instruction.jump_target())
            .collect();
        headers.sort_unstable();
        headers.dedup();
        // All other jumps lead forward, so what follows is known when an instruction is looked at.
        let mut loops = vec![false; self.instructions.len()];
        for (index, instruction) in self.instructions.iter().enumerate().rev() {
            let jumped = instruction
                .jump_target()
                .and_then(|unit| self.index_of.get(unit as usize).copied())
                .is_some_and(|at| at != 0 && loops[at as usize - 1]);
            let falls = !instruction.opcode.ends_flow() && loops.get(index + 1) == Some(&true);
            loops[index] = instruction.opcode.jump() == super::Jump::Backward || jumped || falls;
        }
        ValidatedCode {
            minor,
            instructions: self.instructions,
            index_of: self.index_of,
            depths: self.depths,
            headers,
            loops,
        }
    }
}

#[cfg(test)]
mod tests;
