//! Writes the listing for people: each stencil's instructions beside its bytes and holes.

use std::fmt::Write as _;

use iced_x86::{Decoder, DecoderOptions, Formatter, Instruction, IntelFormatter};

use crate::Finished;
use crate::compile::Table;
use crate::place::Section;
use crate::signature::OUTPUT;

/// The text of `stencils.lst`, but for its first line.
pub fn tables(tables: &[(&&Table, Vec<Finished>)]) -> String {
    let mut text = String::from(
        "// Operands are in the registers they were compiled with: inputs in r13 r14 r15 or xmm3 xmm4, the result in r8 or xmm2.\n\
         // After each instruction: its register fields (byte.shift=operand) and its other holes.\n",
    );
    for (table, stencils) in tables {
        let hot: usize = stencils.iter().map(|s| s.placed.hot.bytes.len()).sum();
        let cold: usize = stencils.iter().map(|s| s.placed.cold.bytes.len()).sum();
        let fields: usize = stencils
            .iter()
            .map(|s| s.placed.hot.registers.len() + s.placed.cold.registers.len())
            .sum();
        let _ = writeln!(
            text,
            "\n==== {}: {} stencils, {hot} bytes hot, {cold} bytes cold, {fields} register fields ====",
            table.title,
            stencils.len()
        );
        for stencil in stencils {
            stencil_text(&mut text, stencil);
        }
    }
    text
}

fn stencil_text(text: &mut String, stencil: &Finished) {
    let Finished {
        signature,
        placed,
        facts,
    } = stencil;
    let mut notes = Vec::new();
    let aliases: Vec<&str> = (0..3)
        .filter(|i| facts.output_may_alias >> i & 1 == 1)
        .map(|i| ["a", "b", "c"][i])
        .collect();
    if !aliases.is_empty() {
        notes.push(format!(
            "result may be in the register of {}",
            aliases.join(", ")
        ));
    }
    if facts.output_before_exit {
        notes.push("result written before the exit".to_string());
    }
    if signature.calls {
        notes.push("calls C".to_string());
    }
    let _ = writeln!(
        text,
        "\n{}: {} + {} bytes{}{}",
        signature.name,
        placed.hot.bytes.len(),
        placed.cold.bytes.len(),
        if notes.is_empty() { "" } else { "; " },
        notes.join("; ")
    );
    section_text(text, &placed.hot);
    if !placed.cold.bytes.is_empty() {
        text.push_str("  cold:\n");
        section_text(text, &placed.cold);
    }
}

fn section_text(text: &mut String, section: &Section) {
    let mut formatter = IntelFormatter::new();
    formatter
        .options_mut()
        .set_space_after_operand_separator(true);
    formatter.options_mut().set_branch_leading_zeros(false);
    let mut instruction = Instruction::default();
    let mut decoder = Decoder::new(64, &section.bytes, DecoderOptions::NONE);
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        let start = instruction.ip() as usize;
        let range = start..start + instruction.len();
        let hex: String = section.bytes[range.clone()]
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let mut line = String::new();
        formatter.format(&instruction, &mut line);
        let mut notes = String::new();
        for field in section
            .registers
            .iter()
            .filter(|h| range.contains(&h.offset))
        {
            let operand = if field.operand == OUTPUT {
                "d"
            } else {
                ["a", "b", "c"][field.operand]
            };
            let high = if field.from == 3 { "'" } else { "" };
            let _ = write!(
                notes,
                " {}.{}={operand}{high}",
                field.offset - start,
                field.shift
            );
        }
        for hole in section.holes.iter().filter(|h| range.contains(&h.offset)) {
            let _ = write!(
                notes,
                " {:?}@{}={:?}",
                hole.width,
                hole.offset - start,
                hole.value
            );
        }
        let _ = writeln!(text, "  {start:3x}  {hex:22} {line:44}{notes}");
    }
}
