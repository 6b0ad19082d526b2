//! Disassembly for the dump option.

use std::fmt::Write as _;

use iced_x86::{Decoder, DecoderOptions, Formatter, Instruction, IntelFormatter, OpKind};

use crate::memory::CodeMemory;
use crate::trace_code::TraceCode;

/// The instructions of a trace as text, one a line: offset from the start of the trace, bytes, instruction. Relative targets inside
/// the trace are shown as offsets, too, and functions of the runtime by their names.
pub fn disassemble(memory: &CodeMemory, code: &TraceCode) -> String {
    let bytes = &memory.code(code.block())[..code.code_size()];
    let base = code.entry().get() as u64;
    let mut text = String::new();
    let mut formatter = IntelFormatter::new();
    formatter
        .options_mut()
        .set_space_after_operand_separator(true);
    formatter.options_mut().set_branch_leading_zeros(false);
    let mut instruction = Instruction::default();
    let mut decoder = Decoder::with_ip(64, bytes, base, DecoderOptions::NONE);
    let mut line = String::new();
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        let offset = (instruction.ip() - base) as usize;
        let end = offset + instruction.len();
        // Padding between the parts is int3.
        if bytes[offset] == 0xcc {
            continue;
        }
        line.clear();
        if instruction.op0_kind() == OpKind::NearBranch64 {
            let target = instruction.near_branch_target();
            let mnemonic = format!("{:?}", instruction.mnemonic()).to_lowercase();
            let within = target
                .checked_sub(base)
                .filter(|&o| (o as usize) < bytes.len());
            let _ = match (within, memory.name_of(target as usize)) {
                (Some(offset), _) => write!(line, "{mnemonic} +{offset:x}"),
                (None, Some(name)) => write!(line, "{mnemonic} {name}"),
                (None, None) => write!(line, "{mnemonic} {target:#x}"),
            };
        } else {
            formatter.format(&instruction, &mut line);
        }
        let hex: String = bytes[offset..end]
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let _ = writeln!(text, "{offset:5x}  {hex:24} {line}");
    }
    text
}
