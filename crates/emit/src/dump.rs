//! The machine code of a trace as text, with the uops it comes from: `SERIGRAPH_DUMP=asm`.
//!
//! ```text
//!                            ; v8: int = int_add_imm v6, 1 @s1
//!    40  4983c501            add r13, 1
//!    44  0f80b6000000        jo +100
//! ```

use crate::emit::Compiled;
use serigraph_stencil::CodeMemory;
use serigraph_trace::ir::{Trace, ValueId};
use serigraph_trace::print::InstText;
use serigraph_uops::Uop;
use std::fmt::Write;

/// The code as text. Uops are shown if [`crate::EmitContext::remember_uops`] was set.
pub fn dump(trace: &Trace, compiled: &Compiled, memory: &CodeMemory) -> String {
    let code = disassemble(memory, compiled);
    let mut out = format!(
        "; {} bytes, {} of them hot\n",
        compiled.code.code_size(),
        compiled.code.hot_size()
    );
    let mut uops = compiled.uops().iter().peekable();
    let mut cold = false;
    for line in code.lines() {
        let offset = line
            .split_whitespace()
            .next()
            .and_then(|o| u32::from_str_radix(o, 16).ok())
            .unwrap_or(0);
        while let Some((_, value)) = uops.next_if(|u| u.0 <= offset) {
            write_uop(&mut out, trace, *value);
        }
        if !cold && offset as usize >= compiled.code.hot_size() {
            cold = true;
            out.push_str("; cold\n");
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}

fn write_uop(out: &mut String, trace: &Trace, value: ValueId) {
    match trace.insts.get(value.index()) {
        Some(inst) if inst.sunk || matches!(inst.uop, Uop::Nop) => {}
        Some(_) => {
            let _ = writeln!(out, "; {}", InstText { trace, value });
        }
        None => out.push_str("; end\n"),
    }
}

#[cfg(feature = "disassembly")]
fn disassemble(memory: &CodeMemory, compiled: &Compiled) -> String {
    serigraph_stencil::disassemble(memory, &compiled.code)
}

#[cfg(not(feature = "disassembly"))]
fn disassemble(memory: &CodeMemory, compiled: &Compiled) -> String {
    let _ = memory;
    format!(
        "(built without disassembly; the code is at {:#x})",
        compiled.entry().get()
    )
}
