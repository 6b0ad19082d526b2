//! What a stencil must and must not do, and what follows for the register allocator.
//!
//! The analysis runs over the control flow: for every instruction it knows what may and what must have happened before it on the
//! way from the entry.

use std::collections::BTreeSet;

use iced_x86::{
    Instruction, InstructionInfoFactory, InstructionInfoOptions, OpAccess, OpKind, Register,
};
use serigraph_uops::Immediate;

use crate::code::{Graph, Inst, Target, is_thunk};
use crate::error::BuildError;
use crate::holes::{Value, Width};
use crate::place::Placed;
use crate::registers::reg_of;
use crate::signature::{FRAME, Form, GP_SCRATCH, OUTPUT, Reg, Signature};

/// What the register allocator must know; see `Constraints` of `serigraph-stencil`.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Bit i: no way reads input i after the result is first written.
    pub output_may_alias: u8,
    /// The exit may be taken after the result is first written.
    pub output_before_exit: bool,
}

/// What has happened before a point.
#[derive(Clone, PartialEq, Eq)]
struct Before {
    /// The result may have been written.
    output_maybe: bool,
    /// C may have been called.
    called: bool,
    /// Registers that have been written on every way.
    written: BTreeSet<Reg>,
}

/// The registers an instruction reads and writes.
struct Accesses {
    reads: Vec<Reg>,
    writes: Vec<Reg>,
}

/// Bodies that use rax or xmm15 as they find it.
const TAKES_SCRATCH: [&str; 3] = ["restore_gp", "restore_fp", "spill_saved"];

/// Checks a stencil before it is laid out.
pub fn check(graph: &Graph, signature: &Signature) -> Result<Facts, BuildError> {
    let mut checker = Checker {
        signature,
        canonical: signature.canonical(),
        info: InstructionInfoFactory::new(),
        facts: Facts {
            output_may_alias: 0,
            output_before_exit: false,
        },
        exits: false,
        calls: false,
    };
    for input in 0..signature.inputs.len() {
        let same_class = matches!(
            (checker.canonical[input], checker.canonical[OUTPUT]),
            (Some(Reg::Gp(_)), Some(Reg::Gp(_))) | (Some(Reg::Fp(_)), Some(Reg::Fp(_)))
        );
        checker.facts.output_may_alias |= (same_class as u8) << input;
    }
    let states = checker.states_at_blocks(graph);
    let reachable = graph.reachable();
    for (index, block) in graph.blocks.iter().enumerate() {
        let Some(state) = states[index].clone().filter(|_| reachable[index]) else {
            continue;
        };
        let mut state = state;
        for inst in &block.insts {
            checker.check_inst(inst, &state, block.cold)?;
            checker.step(inst, &mut state);
        }
        for target in block.end.targets() {
            checker.check_target(target, &state)?;
        }
    }
    if checker.exits != signature.has_exit {
        return Err(BuildError::new(
            "whether it can leave the trace is not what the table says",
        ));
    }
    if checker.facts.output_before_exit && !signature.result_before_exit {
        return Err(BuildError::new(
            "the result's register is not as it was when the exit is taken",
        ));
    }
    if checker.calls != signature.calls {
        return Err(BuildError::new(
            "whether it calls C is not what the table says",
        ));
    }
    Ok(checker.facts)
}

struct Checker<'a> {
    signature: &'a Signature,
    canonical: [Option<Reg>; 4],
    info: InstructionInfoFactory,
    facts: Facts,
    exits: bool,
    calls: bool,
}

impl Checker<'_> {
    fn accesses(&mut self, decoded: &Instruction) -> Accesses {
        let info = self
            .info
            .info_options(decoded, InstructionInfoOptions::NO_MEMORY_USAGE);
        let mut accesses = Accesses {
            reads: Vec::new(),
            writes: Vec::new(),
        };
        for used in info.used_registers() {
            let Some(register) = reg_of(used.register()) else {
                continue;
            };
            let access = used.access();
            if !matches!(
                access,
                OpAccess::Write | OpAccess::NoMemAccess | OpAccess::None
            ) {
                accesses.reads.push(register);
            }
            if !matches!(
                access,
                OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess | OpAccess::None
            ) {
                accesses.writes.push(register);
            }
        }
        accesses
    }

    /// The state at the start of each block: may-facts joined by or, must-facts by and, until nothing changes.
    fn states_at_blocks(&mut self, graph: &Graph) -> Vec<Option<Before>> {
        let entry = Before {
            output_maybe: false,
            called: false,
            written: self.canonical[..OUTPUT].iter().flatten().copied().collect(),
        };
        let mut states: Vec<Option<Before>> = vec![None; graph.blocks.len()];
        let mut work = vec![(0, entry)];
        while let Some((index, incoming)) = work.pop() {
            let joined = match &states[index] {
                None => incoming,
                Some(old) => Before {
                    output_maybe: old.output_maybe | incoming.output_maybe,
                    called: old.called | incoming.called,
                    written: old
                        .written
                        .intersection(&incoming.written)
                        .copied()
                        .collect(),
                },
            };
            if states[index].as_ref() == Some(&joined) {
                continue;
            }
            states[index] = Some(joined.clone());
            let mut state = joined;
            let block = &graph.blocks[index];
            for inst in &block.insts {
                self.step(inst, &mut state);
            }
            for target in block.end.targets() {
                if let Target::Block(next) = target {
                    work.push((next, state.clone()));
                }
            }
        }
        states
    }

    /// What an instruction does to the state.
    fn step(&mut self, inst: &Inst, state: &mut Before) {
        if let Some(callee) = inst.callee() {
            state.called |= !is_thunk(callee);
            // Results; asm! declared the rest as lost, so nothing relies on it.
            state.written.extend([Reg::Gp(0), Reg::Gp(2), Reg::Fp(0)]);
            return;
        }
        for register in self.accesses(&inst.decoded).writes {
            state.output_maybe |= Some(register) == self.canonical[OUTPUT];
            state.written.insert(register);
        }
    }

    fn check_inst(&mut self, inst: &Inst, state: &Before, cold: bool) -> Result<(), BuildError> {
        let decoded = inst.decoded;
        let wrong = |text: &str| Err(BuildError::new(format!("`{decoded}` {text}")));
        if let Some(callee) = inst.callee() {
            if is_thunk(callee) {
                return if cold {
                    Ok(())
                } else {
                    wrong("calls a thunk on the hot path")
                };
            }
            self.calls = true;
            return if self.signature.calls {
                Ok(())
            } else {
                wrong("calls C, but the table does not say so")
            };
        }
        let is_tied = |operand| operand == 0 && self.signature.form == Form::Tied;
        let explicit: Vec<Reg> = explicit_registers(&decoded);
        let Accesses { reads, writes } = self.accesses(&decoded);
        for &register in reads.iter().chain(&writes) {
            let operand = self.canonical.iter().position(|&r| r == Some(register));
            let is_scratch = match register {
                Reg::Gp(number) => GP_SCRATCH.contains(&number),
                Reg::Fp(number) => number >= 8,
            };
            // After a C call the result may come from xmm0; before it, arguments go to xmm0 and xmm1.
            let is_argument = self.signature.calls && matches!(register, Reg::Fp(0 | 1));
            match (operand, register) {
                (Some(_), _) if !explicit.contains(&register) => {
                    return wrong("uses an operand implicitly");
                }
                (Some(operand), _)
                    if operand != OUTPUT && !is_tied(operand) && writes.contains(&register) =>
                {
                    return wrong("changes an input");
                }
                (Some(_), _) => {}
                (None, Reg::Gp(4)) if writes.contains(&register) => {
                    return wrong("moves the stack pointer");
                }
                (None, Reg::Gp(4)) => {}
                (None, Reg::Gp(FRAME)) if writes.contains(&register) => {
                    return wrong("changes the frame register");
                }
                (None, Reg::Gp(FRAME)) if !self.signature.frame => {
                    return wrong("uses the frame, but the table does not say so");
                }
                (None, Reg::Gp(FRAME)) => {}
                (None, _) if !is_scratch && !is_argument => {
                    return wrong("uses a register that belongs to others");
                }
                (None, _) => {}
            }
        }
        for register in reads {
            let operand = self.canonical.iter().position(|&r| r == Some(register));
            if let Some(input) = operand.filter(|&operand| operand != OUTPUT) {
                if state.called {
                    return wrong("reads an input after a call");
                }
                if state.output_maybe {
                    self.facts.output_may_alias &= !(1 << input);
                }
            }
            let must_be_written =
                matches!(register, Reg::Gp(number) if number != 4 && number != FRAME);
            if must_be_written
                && !state.written.contains(&register)
                && !TAKES_SCRATCH.contains(&self.signature.name.as_str())
            {
                return wrong("reads a register that nothing has written");
            }
        }
        Ok(())
    }

    fn check_target(&mut self, target: Target, state: &Before) -> Result<(), BuildError> {
        match target {
            Target::Block(_) => Ok(()),
            Target::Exit => {
                self.exits = true;
                self.facts.output_before_exit |= state.output_maybe;
                Ok(())
            }
            Target::Next => match self.canonical[OUTPUT] {
                Some(output) if !state.written.contains(&output) => Err(BuildError::new(
                    "it goes on without having written its result",
                )),
                _ => Ok(()),
            },
        }
    }
}

/// The registers that stand in the instruction's operands.
fn explicit_registers(decoded: &Instruction) -> Vec<Reg> {
    let mut registers: Vec<Register> = (0..decoded.op_count())
        .filter(|&index| decoded.op_kind(index) == OpKind::Register)
        .map(|index| decoded.op_register(index))
        .collect();
    registers.extend([decoded.memory_base(), decoded.memory_index()]);
    registers.into_iter().filter_map(reg_of).collect()
}

/// Checks that the immediate operand is used as the table declares it.
pub fn check_holes(placed: &Placed, signature: &Signature) -> Result<(), BuildError> {
    let holes = || placed.hot.holes.iter().chain(&placed.cold.holes);
    let allowed = |value: &Value, width: Width| match (value, signature.immediate) {
        (Value::Helper, Immediate::Helper) | (Value::Pool, Immediate::Float64) => true,
        (Value::Immediate, Immediate::Int32) => width != Width::Absolute64,
        (
            Value::Immediate,
            Immediate::Slot | Immediate::Offset | Immediate::ArgIndex | Immediate::FrameWord,
        ) => width == Width::Signed32,
        (Value::Immediate, Immediate::Pointer) if signature.form == Form::Small => {
            width == Width::Signed32
        }
        (Value::Immediate, Immediate::Word64 | Immediate::Pointer | Immediate::ArgCount) => {
            width == Width::Absolute64
        }
        (Value::DivisorMagic | Value::DivisorShift, Immediate::Int32) => true,
        (Value::DivisorMagic | Value::DivisorShift, _) => false,
        (Value::Immediate | Value::Helper | Value::Pool, _) => false,
        _ => true,
    };
    for hole in holes() {
        if !allowed(&hole.value, hole.width) {
            return Err(BuildError::new(format!(
                "a hole of {:?} holds {:?}, but the immediate operand is {:?}",
                hole.width, hole.value, signature.immediate
            )));
        }
    }
    let uses = holes().any(|hole| {
        matches!(
            hole.value,
            Value::Immediate | Value::DivisorMagic | Value::Helper | Value::Pool
        )
    });
    if uses != (signature.immediate != Immediate::None) {
        return Err(BuildError::new(
            "whether it uses an immediate operand is not what the table says",
        ));
    }
    Ok(())
}
