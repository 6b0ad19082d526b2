//! The forward pass: one walk over a trace that decides, instruction by instruction, whether it is kept, replaced, equal to
//! a value there is, superfluous, or bound to fail.
//!
//! ```text
//! guard_type v0, INT @s0                guard_type v0, INT @s0
//! v2 = unbox_int v0 @s0                 v2 = unbox_int v0 @s0
//! v3 = int_add v2, 1 @s0          =>    v3 = int_add v2, 1 @s0
//! v4 = box_int v3 @s0                   v4 = box_int v3 @s0
//! guard_type v4, INT @s1                                              # known: it was just boxed
//! v6 = unbox_int v4 @s1                                               # is v3
//! ```
//!
//! Laws of the pass:
//! 1. Facts only narrow, and hold from the instruction that establishes them on.
//! 2. While the preamble of a loop is made, what is known of an invariant value comes from invariant instructions only; so
//!    whoever runs the loop's slice may rely on the same facts.
//! 3. Two objects are never merged because they are equal, only because they are the same.

use super::cse::Cse;
use super::facts::{self, Fact};
use super::memory::{self, Class, Memory, Place};
use super::survey::Survey;
use super::types::HostTypes;
use super::{Pass, Passes, Work};
use crate::ir::{End, EntrySlot, FrameId, Inherited, Inst, SlotValue, SnapshotId, Trace, ValueId};
use serigraph_uops::{Effects, Exit, Kind, Uop, layout};

/// A guard that is known to fail: the trace would never go on past it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Contradiction;

/// What to do with an instruction.
pub(super) enum Outcome {
    /// Leave it as it is.
    Keep,
    /// Look at this one instead.
    Replace(Inst),
    /// Its value is this one.
    Same(ValueId),
    /// It does nothing here.
    Drop,
    /// It always leaves the trace.
    Never,
}

/// How one copy of the recorded instructions names things.
pub(super) struct Naming {
    /// Recorded value to value here.
    pub values: Vec<ValueId>,
    pub snapshots: Vec<SnapshotId>,
    pub frames: Vec<FrameId>,
    /// Slots of f0 that snapshots list even where the recording does not.
    pub header: Vec<SlotValue>,
}

impl Naming {
    pub fn new(source: &Trace) -> Naming {
        Naming {
            values: vec![ValueId::NONE; source.insts.len()],
            snapshots: vec![SnapshotId::NONE; source.snapshots.len()],
            frames: vec![FrameId::NONE; source.inlined.len()],
            header: Vec::new(),
        }
    }
}

/// The state of the pass.
pub(super) struct Forward<'a> {
    pub out: Trace,
    pub facts: Vec<Fact>,
    /// For each value made before the loop: the loop does not change it, and it can be computed from f0's slots alone.
    pub invariant: Vec<bool>,
    pub memory: Memory,
    pub types: &'a HostTypes,
    pub names: Naming,
    source: &'a Trace,
    passes: Passes,
    cse: Cse,
    /// For each effect class, the position of the last instruction that wrote it.
    last_write: [u32; 16],
    /// Values whose type another piece of code could change.
    mutable: Vec<ValueId>,
    survey: Option<&'a Survey>,
    /// The first instruction of the loop, once it has begun.
    body: u32,
    /// The trace whose loop a side trace belongs to, until its params are there.
    pub tree: Option<&'a Trace>,
    /// The truth value that the guard at hand is about, and what it must be.
    pub tested: Option<(ValueId, bool)>,
    /// What inherited values are the result of.
    pub inherited: Vec<(Inst, ValueId)>,
}

/// The numbers of the classes in a set.
fn classes(set: Effects) -> impl Iterator<Item = usize> {
    let mut left = set.0;
    std::iter::from_fn(move || {
        let class = left.trailing_zeros();
        left &= left.wrapping_sub(1);
        (class < 16).then_some(class as usize)
    })
}

/// The classes an instruction overwrites. Frames that somebody has looked at are left at a guard, and nobody writes into a
/// float box but the trace itself.
pub(super) fn overwrites(uop: Uop) -> Effects {
    let writes = uop.info().writes;
    if writes.contains(Effects::ESCAPE) {
        Effects(writes.0 & !(Effects::FRAME.0 | Effects::FLOAT_BOX.0 | Effects::ARGS.0))
    } else {
        writes
    }
}

impl<'a> Forward<'a> {
    /// A pass over `source`; with a survey, its result will be the preamble of a loop.
    pub fn new(
        source: &'a Trace,
        types: &'a HostTypes,
        passes: Passes,
        survey: Option<&'a Survey>,
    ) -> Forward<'a> {
        let mut out = Trace::new(source.locals, source.entry_top);
        let copies = 1 + usize::from(survey.is_some());
        let expected = source.insts.len() * copies + 16;
        out.reserve_like(source, copies);
        Forward {
            out,
            facts: Vec::with_capacity(expected),
            invariant: Vec::with_capacity(expected),
            memory: Memory::default(),
            types,
            names: Naming::new(source),
            source,
            passes,
            cse: Cse::new(expected),
            last_write: [0; 16],
            mutable: Vec::new(),
            survey,
            body: u32::MAX,
            tree: None,
            tested: None,
            inherited: Vec::new(),
        }
    }

    /// The recording.
    pub fn source(&self) -> &'a Trace {
        self.source
    }

    /// Copies all of the recorded instructions, under the current naming.
    pub fn copy_all(&mut self) -> Result<(), Contradiction> {
        for (i, inst) in self.source.insts.iter().enumerate() {
            if inst.uop == Uop::Nop {
                continue;
            }
            if inst.uop != Uop::Param
                && let Some(tree) = self.tree.take()
            {
                self.inherit(tree);
            }
            let mut inst = *inst;
            for arg in &mut inst.args {
                if arg.is_some() {
                    *arg = self.names.values[arg.index()];
                }
            }
            self.names.values[i] = self.emit(inst)?;
        }
        Ok(())
    }

    /// Begins the loop: from here on only what is invariant is still known, and the slots hold what `header` says.
    pub fn begin_loop(&mut self, naming: Naming) {
        self.names = naming;
        self.cse_body_start();
        if !self.passes.has(Pass::Peel) {
            self.facts.fill(Fact::ANYTHING);
            self.memory = Memory::default();
            return;
        }
        let out = &self.out;
        let invariant = &self.invariant;
        let kept = |value: ValueId| invariant.get(value.index()) == Some(&true);
        self.memory
            .retain(|place, value| kept(value) && memory::loaded(out.inst(value)) == Some(*place));
        self.memory.retain_slots(kept);
        if self.survey.is_some_and(|s| s.escapes) {
            self.forget_mutable_types();
        }
    }

    fn cse_body_start(&mut self) {
        self.body = self.out.insts.len() as u32;
        self.cse.clear();
        if self.passes.has(Pass::Peel) {
            for i in 0..self.body {
                if self.invariant[i as usize] && self.out.insts[i as usize].uop != Uop::LoadSlot {
                    self.cse.insert(&self.out, ValueId(i));
                }
            }
        }
    }

    /// Goes back to the state at the start of the loop.
    pub fn restart_loop(&mut self, length: usize, facts: &[Fact], snapshots: usize) {
        self.out.insts.truncate(length);
        self.out.snapshots.truncate(snapshots);
        if let Some(last) = self.out.snapshots.last() {
            self.out
                .frame_states
                .truncate((last.first + last.count) as usize);
            let values = self
                .out
                .frame_states
                .last()
                .map_or(0, |f| (f.first + f.count) as usize);
            self.out.slot_values.truncate(values);
        }
        self.facts.clear();
        self.facts.extend_from_slice(facts);
        self.invariant.truncate(length);
        self.mutable.retain(|v| v.index() < length);
    }

    /// Whether a pass is switched on.
    pub fn has(&self, pass: Pass) -> bool {
        self.passes.has(pass)
    }

    /// Takes in one instruction whose inputs are values here, and whose snapshot is a recorded one.
    pub fn emit(&mut self, mut inst: Inst) -> Result<ValueId, Contradiction> {
        self.normalise(&mut inst);
        self.tested = None;
        for _ in 0..8 {
            match self.fold(&inst) {
                Outcome::Keep => break,
                Outcome::Replace(other) => inst = other,
                Outcome::Same(value) => return Ok(value),
                Outcome::Drop => return Ok(ValueId::NONE),
                Outcome::Never => return Err(Contradiction),
            }
        }
        self.keep(inst)
    }

    /// A constant, made once.
    pub fn constant(&mut self, uop: Uop, imm: u64) -> ValueId {
        let inst = Inst::new(uop, &[], imm, SnapshotId::NONE);
        match self.cse.find(&self.out, &inst) {
            Some(value) => value,
            None => {
                let value = self.push(inst);
                self.cse.insert(&self.out, value);
                value
            }
        }
    }

    /// A raw integer constant.
    pub fn int(&mut self, value: i64) -> ValueId {
        self.constant(Uop::ConstInt, value as u64)
    }

    /// Immediate forms become two-operand forms with a constant, so that each rule is written once.
    pub fn normalise(&mut self, inst: &mut Inst) {
        let (uop, swap) = match inst.uop {
            Uop::IntAddImm => (Uop::IntAdd, false),
            Uop::IntMulImm => (Uop::IntMul, false),
            Uop::IntAddWrapImm => (Uop::IntAddWrap, false),
            Uop::IntAndImm => (Uop::IntAnd, false),
            Uop::IntShlImm => (Uop::IntShl, false),
            Uop::GuardIntLtImm => (Uop::GuardIntLt, false),
            Uop::GuardIntLeImm => (Uop::GuardIntLe, false),
            Uop::GuardIntGtImm => (Uop::GuardIntLt, true),
            Uop::GuardIntGeImm => (Uop::GuardIntLe, true),
            Uop::GuardIntEqImm => (Uop::GuardIntEq, false),
            Uop::GuardIntNeImm => (Uop::GuardIntNe, false),
            _ => return self.order(inst),
        };
        let imm = self.int(inst.imm as i64);
        inst.args[1] = imm;
        if swap {
            inst.args.swap(0, 1);
        }
        (inst.uop, inst.imm) = (uop, 0);
        self.order(inst);
    }

    /// Operands of commutative integer uops in a fixed order, a constant last.
    fn order(&self, inst: &mut Inst) {
        use Uop::{
            GuardIntEq, GuardIntNe, IntAdd, IntAddWrap, IntAnd, IntEq, IntMul, IntNe, IntOr, IntXor,
        };
        if let IntAdd | IntAddWrap | IntMul | IntAnd | IntOr | IntXor | IntEq | IntNe | GuardIntEq
        | GuardIntNe = inst.uop
        {
            let key = |v: ValueId| (self.facts[v.index()].constant().is_some(), v);
            if key(inst.args[0]) > key(inst.args[1]) {
                inst.args.swap(0, 1);
            }
        }
    }

    /// An equal instruction may stand for it.
    fn mergeable(inst: &Inst) -> bool {
        let info = inst.uop.info();
        info.writes.is_empty()
            && !inst.sunk
            && info.exit != Exit::Error
            && !info.ownership.output_owned
            && info.ownership.consumes == 0
            && !matches!(
                inst.uop,
                Uop::Param
                    | Uop::Phi
                    | Uop::LoopStart
                    | Uop::Nop
                    | Uop::PollWord32
                    | Uop::PollWord64
                    | Uop::LoadSlot
                    | Uop::GuardUnshared
            )
            && memory::loaded(inst).is_none()
    }

    fn valid(&self, value: ValueId, reads: Effects) -> bool {
        if self.body != u32::MAX && value.0 < self.body {
            return self.invariant[value.index()];
        }
        self.unwritten_since(value, reads)
    }

    /// Whether nothing was written to these classes after an instruction.
    fn unwritten_since(&self, value: ValueId, reads: Effects) -> bool {
        classes(reads).all(|class| self.last_write[class] <= value.0)
    }

    /// The inherited value that an instruction would compute again.
    fn known_from_tree(&self, inst: &Inst) -> Option<ValueId> {
        let same = |other: &Inst| {
            other.uop == inst.uop && other.args == inst.args && other.imm == inst.imm
        };
        let (_, value) = self.inherited.iter().find(|(other, _)| same(other))?;
        self.unwritten_since(*value, inst.uop.info().reads)
            .then_some(*value)
    }

    /// What an instruction reads. An object that can get another type gets it from code that may run anything, not from a store.
    fn reads(&self, inst: &Inst) -> Effects {
        match inst.uop {
            Uop::GuardType if !self.types.is_fixed(inst.imm) => Effects::ESCAPE,
            uop => uop.info().reads,
        }
    }

    fn keep(&mut self, mut inst: Inst) -> Result<ValueId, Contradiction> {
        let info = inst.uop.info();
        let mergeable = Self::mergeable(&inst) && self.passes.has(Pass::Cse);
        if mergeable
            && let Some(found) = self.cse.find(&self.out, &inst)
            && self.valid(found, self.reads(&inst))
        {
            return Ok(if inst.has_value() {
                found
            } else {
                ValueId::NONE
            });
        }
        if !self.inherited.is_empty()
            && inst.has_value()
            && let Some(value) = self.known_from_tree(&inst)
        {
            return Ok(value);
        }
        if inst.snapshot.is_some() {
            inst.snapshot = self.snapshot(inst.snapshot);
            if let Some((value, truth)) = self.tested {
                inst.snapshot = self.snapshot_with(inst.snapshot, value, !truth);
            }
        }
        let mut displaced = None;
        if !info.writes.is_empty()
            && let Some((place, _)) = memory::stored(&inst)
        {
            displaced = self.memory.get(&place);
        }
        let value = self.push(inst);
        if mergeable {
            self.cse.insert(&self.out, value);
        }
        self.pass_guard(value)?;
        self.effects(value, displaced);
        Ok(if inst.has_value() {
            value
        } else {
            ValueId::NONE
        })
    }

    /// Appends an instruction as it is, with what its definition says.
    pub fn push(&mut self, inst: Inst) -> ValueId {
        let fact = facts::definition(self.types, &self.facts, &inst);
        let invariant = self.is_invariant(&inst);
        self.facts.push(fact);
        self.invariant.push(invariant);
        self.out.push(inst)
    }

    /// What a passed guard says.
    fn pass_guard(&mut self, value: ValueId) -> Result<(), Contradiction> {
        let inst = *self.out.inst(value);
        if inst.uop.info().exit != Exit::Guard {
            return Ok(());
        }
        let before_loop = self.survey.is_some() && self.body == u32::MAX;
        let saved = if before_loop && !self.invariant[value.index()] {
            inst.args.map(|a| {
                if a.is_some() && self.invariant[a.index()] {
                    Some(self.facts[a.index()])
                } else {
                    None
                }
            })
        } else {
            [None; 3]
        };
        facts::passed(self.types, &mut self.facts, &inst).ok_or(Contradiction)?;
        match inst.uop {
            Uop::GuardType if !self.types.is_fixed(inst.imm) => self.mutable.push(inst.args[0]),
            Uop::GuardIs => {
                let alias = self.constant(Uop::ConstObject, inst.imm);
                self.facts[inst.args[0].index()].alias = alias;
            }
            _ => {}
        }
        for (arg, fact) in inst.args.into_iter().zip(saved) {
            if let Some(fact) = fact {
                self.facts[arg.index()] = fact;
            }
        }
        Ok(())
    }

    /// What an instruction does to memory, and what is known after it.
    fn effects(&mut self, value: ValueId, displaced: Option<ValueId>) {
        let inst = *self.out.inst(value);
        let info = inst.uop.info();
        if info.writes.is_empty() && info.output.is_none() && !info.calls {
            return;
        }
        let [a, b, _] = inst.args;
        let writes = overwrites(inst.uop);
        if !writes.is_empty() {
            for class in classes(writes) {
                self.last_write[class] = value.0 + 1;
            }
            if writes.contains(Effects::ESCAPE) {
                self.forget_mutable_types();
            }
        }
        if let Some((place, new)) = memory::stored(&inst) {
            self.memory.store(place, new, &self.facts);
        } else if !writes.is_empty() {
            self.memory.clobber(writes, &self.facts);
        }
        if let Some(place) = memory::loaded(&inst) {
            self.memory.learn(place, value);
        }
        match inst.uop {
            Uop::LoadSlot => self.memory.set_slot(inst.imm, value),
            Uop::StoreSlot | Uop::SyncSlot => self.memory.set_slot(inst.imm, a),
            Uop::TakeSlot => {
                let known = self.memory.slot(inst.imm);
                if known.is_some() {
                    self.facts[value.index()] = self.facts[known.index()];
                }
                self.memory.set_slot(inst.imm, ValueId::NONE);
            }
            Uop::MakeRangeIterator => self.learn_range_iterator(value, inst.args),
            Uop::UnboxInt | Uop::UnboxFloat | Uop::UnboxBool => self.facts[a.index()].raw = value,
            Uop::ListExchange => {
                if let Some(old) = displaced {
                    self.facts[value.index()] = Fact {
                        unshared: false,
                        ..self.facts[old.index()]
                    };
                }
            }
            _ => {}
        }
        self.share(&inst, a, b);
    }

    /// What the fields of a new range iterator hold.
    fn learn_range_iterator(&mut self, object: ValueId, fields: [ValueId; 3]) {
        let offsets = [
            layout::RANGE_ITER_START,
            layout::RANGE_ITER_STEP,
            layout::RANGE_ITER_LENGTH,
        ];
        for (offset, field) in offsets.into_iter().zip(fields) {
            let place = Place {
                class: Class::Iterator,
                object,
                key: offset as u64,
                width: Uop::IterLoad,
            };
            self.memory.learn(place, field);
        }
    }

    /// An iterator that is handed to somebody is no longer the operand stack's alone.
    fn share(&mut self, inst: &Inst, a: ValueId, b: ValueId) {
        let shared = match inst.uop {
            Uop::IncRef | Uop::PushArg | Uop::GiveArg => a,
            Uop::StoreSlot | Uop::SyncSlot if inst.imm < u64::from(self.out.locals) => a,
            Uop::StoreObject | Uop::StoreVia => b,
            Uop::ListExchange => inst.args[2],
            _ if inst.uop.info().calls => {
                for (arg, kind) in inst.inputs().iter().zip(inst.uop.info().inputs) {
                    if *kind == Kind::Object {
                        self.facts[arg.index()].unshared = false;
                    }
                }
                return;
            }
            _ => return,
        };
        self.facts[shared.index()].unshared = false;
    }

    fn forget_mutable_types(&mut self) {
        for value in self.mutable.drain(..) {
            self.facts[value.index()].type_address = 0;
        }
    }

    /// Whether an instruction before the loop computes or checks something that the loop does not change.
    fn is_invariant(&self, inst: &Inst) -> bool {
        let Some(survey) = self.survey else {
            return false;
        };
        let info = inst.uop.info();
        if self.body != u32::MAX
            || !info.writes.is_empty()
            || info.exit == Exit::Error
            || info.ownership.output_owned
            || !inst.inputs().iter().all(|a| self.invariant[a.index()])
        {
            return false;
        }
        match inst.uop {
            Uop::Param
            | Uop::Phi
            | Uop::LoopStart
            | Uop::Nop
            | Uop::PollWord32
            | Uop::PollWord64 => false,
            Uop::LoadSlot => !survey.changes(inst.imm),
            Uop::GuardUnshared => true,
            _ => match memory::loaded(inst) {
                Some(place) => !survey.overwrites(&place, &self.facts),
                None => !survey.writes.intersects(self.reads(inst)),
            },
        }
    }

    /// A trace without a loop: one copy, and what belongs to the start and the end.
    pub fn linear(mut self) -> Result<Work, Contradiction> {
        self.copy_all()?;
        let source = self.source;
        let end = match &source.end {
            End::Exit(snapshot) => End::Exit(self.snapshot(*snapshot)),
            End::Enter { target } => End::Enter { target: *target },
            End::Link { target, args } => End::Link {
                target: *target,
                args: args.iter().map(|a| self.names.values[a.index()]).collect(),
            },
            End::Loop(_) => return Err(Contradiction),
        };
        let name = |v: ValueId| self.names.values[v.index()];
        let mut trace = self.out;
        trace.end = end;
        trace.entry_slots = source
            .entry_slots
            .iter()
            .map(|e| EntrySlot {
                value: name(e.value),
                ..*e
            })
            .collect();
        trace.entry_owned = source
            .entry_owned
            .iter()
            .map(|&(v, n)| (name(v), n))
            .collect();
        trace.tree = source.tree;
        trace.inherited = source
            .inherited
            .iter()
            .map(|i| Inherited {
                value: name(i.value),
                ..*i
            })
            .collect();
        Ok(Work {
            trace,
            carried: Vec::new(),
            derived: Vec::new(),
            facts: self.facts,
            invariant: Vec::new(),
        })
    }
}
