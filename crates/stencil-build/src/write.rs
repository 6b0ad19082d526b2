//! Writes the generated Rust file: the stencils as static data.

use std::fmt::Write as _;

use serigraph_uops::Uop;

use crate::Finished;
use crate::compile::Table;
use crate::error::BuildError;
use crate::holes::Value;
use crate::place::Section;
use crate::registers;
use crate::signature::{COMMUTATIVE, Class, Form, OUTPUT, class};

/// The text of `stencils.rs`, but for its first line.
pub fn tables(tables: &[(&&Table, Vec<Finished>)]) -> Result<String, BuildError> {
    let mut constants: Vec<[u8; 16]> = Vec::new();
    let mut text = String::new();
    for (table, stencils) in tables {
        let _ = writeln!(
            text,
            "pub(crate) static {}: StencilTable = StencilTable {{ features: {:?}, stencils: &[",
            table.name, table.title
        );
        let others: Vec<&Finished> = stencils
            .iter()
            .filter(|s| s.signature.uop.is_none() || s.signature.form != Form::General)
            .collect();
        for uop in Uop::ALL {
            let of_form = |s: &Finished, form: Form| {
                s.signature.uop == Some(*uop) && s.signature.form == form
            };
            let second = |form: Form| {
                let position = others.iter().position(|s| of_form(s, form))?;
                Some(position + Uop::ALL.len())
            };
            match stencils.iter().find(|s| of_form(s, Form::General)) {
                Some(stencil) => {
                    write_stencil(
                        &mut text,
                        stencil,
                        [second(Form::Small), second(Form::Tied)],
                        &mut constants,
                    );
                }
                None => {
                    let _ = writeln!(text, "Stencil {{ name: {:?}, ..NO_STENCIL }},", uop.name());
                }
            }
        }
        for stencil in others {
            write_stencil(&mut text, stencil, [None; 2], &mut constants);
        }
        text.push_str("] };\n");
    }
    if constants.len() > u8::MAX as usize {
        return Err(BuildError::new(
            "there are more constants than a hole can number",
        ));
    }
    let _ = writeln!(
        text,
        "pub(crate) static CONSTANTS: &[[u8; 16]] = &{constants:?};"
    );
    text.push_str("/// The indices of the machine stencils.\npub(crate) mod machine {\n");
    let machine = tables[0].1.iter().filter(|s| s.signature.uop.is_none());
    for (position, stencil) in machine.enumerate() {
        let name = stencil.signature.name.to_uppercase();
        let _ = writeln!(
            text,
            "pub const {name}: usize = {};",
            Uop::ALL.len() + position
        );
    }
    text.push_str("}\n");
    Ok(text)
}

fn write_stencil(
    text: &mut String,
    stencil: &Finished,
    [small, tied]: [Option<usize>; 2],
    constants: &mut Vec<[u8; 16]>,
) {
    let Finished {
        signature,
        placed,
        facts,
    } = stencil;
    let canonical = registers::numbers(&signature.canonical());
    let code = |section: &Section| {
        // The code is kept with register 0 in all fields, and padded for copying.
        let mut bytes = section.bytes.clone();
        registers::patch(&mut bytes, &section.registers, &canonical, &[0; 4]);
        let size = bytes.len();
        bytes.resize(size.next_multiple_of(16), 0);
        let mut fields = String::new();
        for h in &section.registers {
            let _ = write!(
                fields,
                "r({},{},{},{},{}),",
                h.offset, h.operand, h.from, h.mask, h.shift
            );
        }
        format!("Code {{ padded: &{bytes:?}, size: {size}, registers: &[{fields}] }}")
    };
    let mut holes = String::new();
    for (cold, section) in [(false, &placed.hot), (true, &placed.cold)] {
        for hole in &section.holes {
            let value = match &hole.value {
                Value::Immediate => "V::Immediate".to_string(),
                Value::DivisorMagic => "V::DivisorMagic".to_string(),
                Value::DivisorShift => "V::DivisorShift".to_string(),
                Value::Exit => "V::Exit".to_string(),
                Value::Hot(offset) => format!("V::Hot({offset})"),
                Value::Cold(offset) => format!("V::Cold({offset})"),
                Value::Helper => "V::Helper".to_string(),
                Value::Call(target) => format!("V::Call(C::{target})"),
                Value::Data(symbol) => format!("V::Data(D::{symbol})"),
                Value::Pool => "V::Pool".to_string(),
                Value::Constant(constant) => {
                    let index = constants
                        .iter()
                        .position(|c| c == constant)
                        .unwrap_or_else(|| {
                            constants.push(*constant);
                            constants.len() - 1
                        });
                    format!("V::Constant({index})")
                }
            };
            let _ = write!(
                holes,
                "h({cold},{},W::{:?},{value},{}),",
                hole.offset, hole.width, hole.addend
            );
        }
    }
    let class_name = |class: Class| format!("Some({class:?})");
    let mut operands = signature.canonical().map(|_| "None".to_string());
    for (operand, &kind) in operands.iter_mut().zip(&signature.inputs) {
        *operand = class_name(class(kind));
    }
    if let Some(kind) = signature.output {
        operands[OUTPUT] = class_name(class(kind));
    }
    let [a, b, c, output] = operands;
    let index =
        |second: Option<usize>| second.map_or("u16::MAX".to_string(), |index| index.to_string());
    // With the result in the register of the second input, the inputs of the tied stencil change places.
    let commutes = tied.is_some() && signature.uop.is_some_and(|uop| COMMUTATIVE.contains(&uop));
    let _ = writeln!(
        text,
        "Stencil {{ name: {:?}, hot: {}, cold: {}, holes: &[{holes}], small: {}, tied: {}, ends_with_exit: {}, \
         constraints: Constraints {{ inputs: [{a}, {b}, {c}], output: {output}, output_may_alias: {}, \
         output_before_exit: {}, restores: {}, clobbers_caller_saved: {}, has_exit: {}, hot_size: {} }} }},",
        signature.name,
        code(&placed.hot),
        code(&placed.cold),
        index(small),
        index(tied),
        placed.ends_with_exit,
        facts.output_may_alias | (commutes as u8) << 1,
        facts.output_before_exit,
        tied.is_some() as u8 | (commutes as u8) << 1,
        signature.calls,
        signature.has_exit,
        placed.hot.bytes.len(),
    );
}
