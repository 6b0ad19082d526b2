//! The walk over the trace.

use serigraph_stencil::{
    Assembler, CodeAddress, CodeError, CodeMemory, ExitLabel, Fp, Gp, Label, Register, SPILL_SLOTS,
    StencilTable, TraceCode,
};
use serigraph_trace::ir::{End, SnapshotId, Trace, ValueId, vec_bytes};
use serigraph_trace::regalloc::liveness::{is_constant, is_emitted};
use serigraph_trace::regalloc::{Allocation, Edit, Location, LoopEntry, Place, Reg};
use serigraph_uops::{Exit, Kind, Uop};

/// What surrounds the trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct EmitContext {
    /// The number of the trace's first exit; the others follow. An exit leaves its number in `Activation::exit`.
    pub first_exit: u32,
    /// For a trace that ends in a link: the loop entry of its target, or the entry if it ends with entering that.
    pub link: Option<CodeAddress>,
    /// Remember which code belongs to which uop, for [`crate::dump`].
    pub remember_uops: bool,
}

/// An exit of compiled code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExitPoint {
    /// The instruction that leaves; the number of instructions for `end exit`.
    pub inst: ValueId,
    /// What it restores.
    pub snapshot: SnapshotId,
    /// It leaves with an exception set.
    pub error: bool,
    first: u32,
    count: u32,
    label: ExitLabel,
}

/// A compiled trace. Dropping it does not free its code: see [`CodeMemory::free`].
#[derive(Debug)]
pub struct Compiled {
    /// The code.
    pub code: TraceCode,
    /// The number of the first exit; exit `i` has number `first_exit + i`.
    pub first_exit: u32,
    /// The exits, in the order of the trace.
    pub exits: Vec<ExitPoint>,
    /// Where another trace may jump to, and what it must supply there.
    pub loop_entry: Option<(CodeAddress, LoopEntry)>,
    exit_values: Vec<(ValueId, Location)>,
    uops: Vec<(u32, ValueId)>,
}

impl Compiled {
    /// Where the trace is entered: a root trace with nothing in registers, a side trace as its parent's exit left them.
    pub fn entry(&self) -> CodeAddress {
        self.code.entry()
    }
    /// The values that exit `index` keeps, and where they are. A side trace of this exit has them as its params, in this order.
    pub fn exit_values(&self, index: usize) -> &[(ValueId, Location)] {
        let exit = &self.exits[index];
        &self.exit_values[exit.first as usize..(exit.first + exit.count) as usize]
    }
    /// Makes exit `index` go on at `target` (a side trace's entry) instead of leaving. Only for the thread that holds the
    /// host's lock, while no other thread executes code of this memory.
    pub fn link_exit(
        &self,
        memory: &mut CodeMemory,
        index: usize,
        target: CodeAddress,
    ) -> Result<(), CodeError> {
        self.code.link(memory, self.exits[index].label, target)
    }
    /// Makes a linked exit leave again, under the same conditions.
    pub fn unlink_exit(&self, memory: &mut CodeMemory, index: usize) -> Result<(), CodeError> {
        self.code.unlink(memory, self.exits[index].label)
    }
    /// Bytes of code memory in use.
    pub fn size(&self) -> usize {
        self.code.block().size()
    }
    /// Bytes of its lists, as far as they have room: all that it takes beside the code memory and itself.
    pub fn heap_bytes(&self) -> usize {
        let entry = self.loop_entry.as_ref().map_or(0, |(_, entry)| {
            vec_bytes(&entry.params) + vec_bytes(&entry.constants)
        });
        self.code.heap_bytes()
            + vec_bytes(&self.exits)
            + vec_bytes(&self.exit_values)
            + vec_bytes(&self.uops)
            + entry
    }
    /// The offset of the first byte of each uop's hot code, if they were to be remembered.
    pub fn uops(&self) -> &[(u32, ValueId)] {
        &self.uops
    }
}

/// Makes machine code of one trace after the other; keeps its buffers.
#[derive(Debug)]
pub struct Emitter {
    assembler: Assembler,
    labels: Vec<ExitLabel>,
}

/// The scratch slot of moves.
const SCRATCH_SLOT: u32 = SPILL_SLOTS as u32 - 1;

impl Emitter {
    /// An emitter that copies from this table.
    pub fn new(table: &'static StencilTable) -> Emitter {
        Emitter {
            assembler: Assembler::new(table),
            labels: Vec::new(),
        }
    }

    /// The table it copies from.
    pub fn table(&self) -> &'static StencilTable {
        self.assembler.table()
    }

    /// Emits and publishes a trace. Only for the thread that holds the host's lock, while no other thread executes code of
    /// this memory.
    pub fn emit(
        &mut self,
        trace: &Trace,
        allocation: &Allocation,
        context: &EmitContext,
        memory: &mut CodeMemory,
    ) -> Result<Compiled, CodeError> {
        self.assembler.clear();
        self.labels.clear();
        let end = context.first_exit + allocation.exits.len() as u32;
        self.labels
            .extend(self.assembler.exits(context.first_exit..end));
        let mut uops = Vec::new();
        let head = self.body(
            trace,
            allocation,
            context.remember_uops.then_some(&mut uops),
        );
        for edit in &allocation.end_edits {
            self.edit(*edit);
        }
        match (&trace.end, head, context.link) {
            (End::Loop(_), Some(head), _) => self.assembler.jump_back(head),
            (End::Link { .. } | End::Enter { .. }, _, Some(target)) => {
                self.assembler.jump_to(target)
            }
            (End::Exit(_), ..) if !self.labels.is_empty() => {
                self.assembler.jump_exit(self.labels[self.labels.len() - 1]);
            }
            _ => {
                self.assembler.clear();
                return Err(CodeError::UnboundLabel);
            }
        }
        let code = self.assembler.finish(memory)?;
        let loop_entry = head
            .and_then(|h| code.label(h))
            .zip(allocation.loop_entry.clone());
        Ok(Compiled {
            exits: self.exit_points(trace, allocation),
            exit_values: allocation.exit_values.clone(),
            first_exit: context.first_exit,
            code,
            loop_entry,
            uops,
        })
    }

    /// All instructions with the moves before them; gives the label of the loop's start.
    fn body(
        &mut self,
        trace: &Trace,
        allocation: &Allocation,
        mut remember: Option<&mut Vec<(u32, ValueId)>>,
    ) -> Option<Label> {
        let mut head = None;
        let mut next_exit = 0;
        let mut edits = allocation.edits.as_slice();
        for (i, inst) in trace.insts.iter().enumerate() {
            if let Some(remember) = &mut remember {
                remember.push((self.assembler.position(), ValueId(i as u32)));
            }
            while let Some(((before, edit), rest)) = edits.split_first()
                && *before as usize <= i
            {
                self.edit(*edit);
                edits = rest;
            }
            if inst.uop == Uop::LoopStart {
                self.assembler.align_loop();
                let label = self.assembler.label();
                self.assembler.bind(label);
                head = Some(label);
            }
            let regs = &allocation.regs[i];
            if !is_emitted(inst) || (is_constant(inst) && regs.result.is_none()) {
                continue;
            }
            let info = inst.uop.info();
            let mut inputs = [Register::NONE; 3];
            for (register, reg) in inputs.iter_mut().zip(regs.inputs) {
                *register = register_of(reg);
            }
            let mut exit = None;
            if info.exit != Exit::Never {
                exit = self.labels.get(next_exit).copied();
                next_exit += 1;
            }
            self.assembler
                .uop(inst.uop, &inputs, register_of(regs.result), inst.imm, exit);
        }
        if let Some(remember) = &mut remember {
            remember.push((self.assembler.position(), ValueId(trace.insts.len() as u32)));
        }
        for (_, edit) in edits {
            self.edit(*edit);
        }
        head
    }

    fn edit(&mut self, edit: Edit) {
        let asm = &mut self.assembler;
        match edit {
            Edit::Constant {
                kind: Kind::Float,
                bits,
                to,
            } => asm.constant_fp(fp(to), bits),
            Edit::Constant { bits, to, .. } => asm.constant_gp(gp(to), bits),
            Edit::Move { from, to } => match (from, to) {
                (Place::Reg(from), Place::Reg(to)) if from.is_float() => {
                    asm.move_fp(fp(to), fp(from))
                }
                (Place::Reg(from), Place::Reg(to)) => asm.move_gp(gp(to), gp(from)),
                (Place::Reg(from), Place::ScratchFloat) => asm.save_fp(fp(from)),
                (Place::Reg(from), Place::ScratchGeneral) => asm.save_gp(gp(from)),
                (Place::ScratchFloat, Place::Reg(to)) => asm.restore_fp(fp(to)),
                (Place::ScratchGeneral, Place::Reg(to)) => asm.restore_gp(gp(to)),
                (Place::Reg(from), to) if from.is_float() => asm.spill_fp(slot(to), fp(from)),
                (Place::Reg(from), to) => asm.spill_gp(slot(to), gp(from)),
                (from, Place::Reg(to)) if to.is_float() => asm.reload_fp(fp(to), slot(from)),
                (from, Place::Reg(to)) => asm.reload_gp(gp(to), slot(from)),
                (from, Place::ScratchGeneral) => asm.reload_saved(slot(from)),
                (_, to) => asm.spill_saved(slot(to)),
            },
        }
    }

    fn exit_points(&self, trace: &Trace, allocation: &Allocation) -> Vec<ExitPoint> {
        let point = |(exit, label): (&serigraph_trace::regalloc::ExitSite, &ExitLabel)| ExitPoint {
            inst: exit.inst,
            snapshot: exit.snapshot,
            error: trace
                .insts
                .get(exit.inst.index())
                .is_some_and(|i| i.uop.info().exit == Exit::Error),
            first: exit.first,
            count: exit.count,
            label: *label,
        };
        allocation
            .exits
            .iter()
            .zip(&self.labels)
            .map(point)
            .collect()
    }
}

/// The registers are numbered alike.
#[inline]
fn register_of(reg: Reg) -> Register {
    Register::numbered(reg.0)
}

#[inline]
fn gp(reg: Reg) -> Gp {
    Gp::new(reg.index() as u8)
}

#[inline]
fn fp(reg: Reg) -> Fp {
    Fp::new(reg.index() as u8)
}

/// A slot, or a number that the assembler refuses.
#[inline]
fn slot(place: Place) -> u32 {
    match place {
        Place::Slot(slot) => u32::from(slot),
        Place::ScratchSlot => SCRATCH_SLOT,
        _ => u32::MAX,
    }
}
