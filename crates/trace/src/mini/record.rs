//! The recorder of the small bytecode: makes the naive trace of one turn of a loop, evaluating each uop at once, the way
//! the real recorder does.

use super::interpret::Position;
use super::program::{Comparison, Op, Operator, Program};
use crate::eval::{Step, evaluate, step};
use crate::ir::{End, FrameId, FrameState, Inst, SlotValue, Snapshot, SnapshotId, Trace, ValueId};
use crate::side::SideEntry;
use crate::testhost::{TestHost, Type};
use serigraph_uops::{Exit, Reason, Uop, layout};

/// A finished or abandoned recording. Whatever it is, the host's frame is in the state that its trace knows: the caller has
/// to leave by the trace's end.
#[derive(Debug)]
pub struct Recording {
    /// The trace, ending with an exit.
    pub trace: Trace,
    /// The bits of its values.
    pub values: Vec<u64>,
    /// The loop came round.
    pub complete: bool,
    /// The instruction at the end raised.
    pub raised: bool,
}

/// Why a recording stops at the current instruction.
enum Stop {
    Abort,
    Raised,
}

#[derive(Clone, Copy)]
struct Slot {
    /// `NONE`: in memory, not looked at.
    value: ValueId,
    in_memory: bool,
}

#[derive(Clone, Copy, Default)]
struct Fact {
    exact: Option<Type>,
    raw: Option<ValueId>,
    immortal: bool,
    constant: bool,
    not_null: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Release {
    Nothing,
    Plain,
    Escaping,
}

struct Recorder<'a> {
    program: &'a Program,
    constants: &'a [u64],
    host: &'a mut TestHost,
    trace: Trace,
    values: Vec<u64>,
    facts: Vec<Fact>,
    slots: Vec<Slot>,
    at: Position,
    current: SnapshotId,
    escaped: bool,
}

/// Records from a loop header, until it comes round or something turns up that is not recorded.
pub fn record(
    program: &Program,
    constants: &[u64],
    host: &mut TestHost,
    at: Position,
) -> Recording {
    let mut recorder = Recorder::new(
        program,
        constants,
        host,
        Trace::new(program.locals.len() as u32, at.top),
        at,
    );
    recorder.slots[..at.top as usize].fill(Slot {
        value: ValueId::NONE,
        in_memory: true,
    });
    recorder.run()
}

/// Records a side trace from the beginning that its parent's exit gave, with the bits of its params, until the loop header.
pub fn record_side(
    program: &Program,
    constants: &[u64],
    host: &mut TestHost,
    entry: SideEntry,
    params: &[u64],
) -> Recording {
    let SideEntry { trace, ip, top, .. } = entry;
    let mut recorder = Recorder::new(program, constants, host, trace, Position { ip, top });
    recorder.slots[..top as usize].fill(Slot {
        value: ValueId::NONE,
        in_memory: true,
    });
    for entry in &recorder.trace.entry_slots {
        recorder.slots[entry.slot as usize] = Slot {
            value: entry.value,
            in_memory: entry.synced,
        };
    }
    recorder.begin_side(params);
    recorder.run()
}

impl<'a> Recorder<'a> {
    fn new(
        program: &'a Program,
        constants: &'a [u64],
        host: &'a mut TestHost,
        trace: Trace,
        at: Position,
    ) -> Recorder<'a> {
        let slots = vec![
            Slot {
                value: ValueId::NONE,
                in_memory: false
            };
            program.locals.len() + super::program::STACK as usize
        ];
        let (values, facts) = (
            vec![0; trace.insts.len()],
            vec![Fact::default(); trace.insts.len()],
        );
        Recorder {
            program,
            constants,
            host,
            trace,
            values,
            facts,
            slots,
            at,
            current: SnapshotId::NONE,
            escaped: false,
        }
    }

    /// Evaluates what a side trace begins with, and takes the references that its slots need.
    fn begin_side(&mut self, params: &[u64]) {
        let mut params = params.iter();
        for i in 0..self.trace.insts.len() {
            let inst = self.trace.insts[i];
            if inst.uop == Uop::Param {
                self.values[i] = *params.next().expect("a value for each param");
                continue;
            }
            if inst.sunk {
                continue;
            }
            assert!(
                matches!(step(self.host, &inst, i, &mut self.values), Step::Next(_)),
                "a box cannot be made"
            );
            let exact = match inst.uop {
                Uop::BoxInt => Type::Int,
                Uop::BoxFloat => Type::Float,
                Uop::BoxBool => Type::Bool,
                Uop::ConstObject if inst.imm != 0 => {
                    let exact = self
                        .type_of(ValueId(i as u32))
                        .filter(|exact| *exact != Type::Noisy);
                    let immortal = self.host.heap.count(inst.imm).is_none();
                    self.facts[i] = Fact {
                        exact,
                        raw: None,
                        immortal,
                        constant: true,
                        not_null: true,
                    };
                    continue;
                }
                _ => continue,
            };
            let immortal = exact == Type::Bool;
            self.facts[i] = Fact {
                exact: Some(exact),
                raw: Some(inst.args[0]),
                immortal,
                constant: false,
                not_null: true,
            };
        }
        let mut owned: Vec<i64> = (self.trace.insts.iter())
            .map(|inst| inst.uop.info().ownership.output_owned.into())
            .collect();
        for &(value, count) in &self.trace.entry_owned {
            owned[value.index()] += i64::from(count);
        }
        for slot in 0..self.at.top {
            let Slot { value, in_memory } = self.slots[slot as usize];
            if in_memory || self.bits(value) == 0 || self.fact(value).immortal {
                continue;
            }
            owned[value.index()] -= 1;
            if owned[value.index()] < 0 {
                assert!(
                    self.emit(Uop::IncRef, &[value], 0).is_ok(),
                    "counting cannot fail"
                );
            }
        }
    }

    fn run(mut self) -> Recording {
        let mut came_round = false;
        let stop = loop {
            self.current = SnapshotId::NONE;
            if came_round {
                break self.poll().err();
            }
            if let Err(stop) = self.instruction() {
                break Some(stop);
            }
            // The one loop's header is the first instruction.
            came_round = self.at.ip == 0;
        };
        let end = self.snapshot(Reason::TraceEnd);
        self.trace.end = End::Exit(end);
        let Recorder { trace, values, .. } = self;
        Recording {
            trace,
            values,
            complete: stop.is_none(),
            raised: matches!(stop, Some(Stop::Raised)),
        }
    }

    fn poll(&mut self) -> Result<(), Stop> {
        if self.escaped {
            self.emit(Uop::GuardValid, &[], self.host.zero_word())?;
        }
        self.current = SnapshotId::NONE;
        let snapshot = self.snapshot(Reason::PollExit);
        self.current = SnapshotId::NONE;
        self.push_inst(Inst::new(Uop::PollWord64, &[], 0, snapshot), 0);
        Ok(())
    }

    /// The state before the current instruction.
    fn snapshot(&mut self, reason: Reason) -> SnapshotId {
        if self.current.is_some() {
            return self.current;
        }
        let trace = &mut self.trace;
        let first = trace.slot_values.len() as u32;
        for (slot, content) in self.slots[..self.at.top as usize].iter().enumerate() {
            if content.value.is_some() {
                trace.slot_values.push(SlotValue {
                    slot: slot as u32,
                    value: content.value,
                });
            }
        }
        let count = trace.slot_values.len() as u32 - first;
        let frame = FrameState {
            frame: FrameId(0),
            ip: self.at.ip,
            top: self.at.top,
            first,
            count,
        };
        trace.frame_states.push(frame);
        let (first, first_store) = (
            trace.frame_states.len() as u32 - 1,
            trace.pending_stores.len() as u32,
        );
        trace.snapshots.push(Snapshot {
            first,
            count: 1,
            first_store,
            store_count: 0,
            reason,
        });
        self.current = SnapshotId(trace.snapshots.len() as u32 - 1);
        self.current
    }

    fn push_inst(&mut self, inst: Inst, bits: u64) -> ValueId {
        self.values.push(bits);
        self.facts.push(Fact::default());
        self.trace.push(inst)
    }

    /// Emits and evaluates. A uop that leaves is not part of the trace.
    fn emit(&mut self, uop: Uop, args: &[ValueId], imm: u64) -> Result<ValueId, Stop> {
        let snapshot = if uop.info().exit == Exit::Never {
            SnapshotId::NONE
        } else {
            self.snapshot(Reason::GuardFailed)
        };
        let mut operands = [0; 3];
        for (operand, arg) in operands.iter_mut().zip(args) {
            *operand = self.bits(*arg);
        }
        match evaluate(self.host, uop, imm, operands) {
            Step::Next(bits) => Ok(self.push_inst(Inst::new(uop, args, imm, snapshot), bits)),
            Step::GuardFailed => Err(Stop::Abort),
            Step::Raised => Err(Stop::Raised),
        }
    }

    fn bits(&self, value: ValueId) -> u64 {
        self.values[value.index()]
    }
    fn fact(&mut self, value: ValueId) -> &mut Fact {
        &mut self.facts[value.index()]
    }
    fn type_of(&self, value: ValueId) -> Option<Type> {
        self.host.heap.type_of(self.bits(value))
    }
    fn guard_type(&mut self, value: ValueId, exact: Type) -> Result<(), Stop> {
        if self.fact(value).exact != Some(exact) {
            let address = self.host.heap.type_address(exact);
            self.emit(Uop::GuardType, &[value], address)?;
            self.fact(value).exact = Some(exact);
            self.fact(value).not_null = true;
        }
        Ok(())
    }

    // --- Slots and references.

    fn read(&mut self, slot: u32) -> Result<ValueId, Stop> {
        let content = self.slots[slot as usize];
        if content.value.is_some() {
            return Ok(content.value);
        }
        let value = self.emit(Uop::LoadSlot, &[], slot.into())?;
        self.slots[slot as usize].value = value;
        Ok(value)
    }
    fn operands<const N: usize>(&mut self) -> Result<[ValueId; N], Stop> {
        let first = self.at.top - N as u32;
        let mut operands = [ValueId::NONE; N];
        for (i, operand) in operands.iter_mut().enumerate() {
            *operand = self.read(first + i as u32)?;
        }
        Ok(operands)
    }
    fn push(&mut self, value: ValueId) {
        self.slots[self.at.top as usize] = Slot {
            value,
            in_memory: false,
        };
        self.at.top += 1;
    }
    fn push_borrowed(&mut self, value: ValueId) -> Result<(), Stop> {
        if !self.fact(value).immortal {
            self.emit(Uop::IncRef, &[value], 0)?;
        }
        self.push(value);
        Ok(())
    }
    /// Takes the operand on top, with its reference.
    fn pop(&mut self) -> Result<ValueId, Stop> {
        let slot = self.at.top - 1;
        if self.slots[slot as usize].in_memory {
            let before = self.slots[slot as usize].value;
            let taken = self.emit(Uop::TakeSlot, &[], slot.into())?;
            if before.is_some() {
                *self.fact(taken) = *self.fact(before);
            }
            self.slots[slot as usize] = Slot {
                value: taken,
                in_memory: false,
            };
        }
        self.at.top = slot;
        Ok(self.slots[slot as usize].value)
    }
    /// A reference for memory, where none was counted.
    fn own(&mut self, value: ValueId) -> Result<(), Stop> {
        if self.fact(value).immortal {
            self.emit(Uop::IncRef, &[value], 0)?;
        }
        Ok(())
    }
    fn release_kind(&mut self, value: ValueId) -> Result<Release, Stop> {
        let fact = *self.fact(value);
        if self.bits(value) == 0 {
            if !fact.constant {
                self.emit(Uop::GuardIs, &[value], 0)?;
            }
            return Ok(Release::Nothing);
        }
        if fact.immortal {
            return Ok(Release::Nothing);
        }
        if fact.constant {
            return Ok(Release::Plain);
        }
        match self.type_of(value) {
            Some(
                exact @ (Type::Int | Type::Float | Type::Bool | Type::None | Type::RangeIterator),
            ) => {
                self.guard_type(value, exact)?;
                return Ok(Release::Plain);
            }
            Some(exact @ (Type::List | Type::ListIterator | Type::Tuple)) => {
                self.guard_type(value, exact)?
            }
            _ if !fact.not_null => {
                self.emit(Uop::GuardIsNot, &[value], 0)?;
                self.fact(value).not_null = true;
            }
            _ => {}
        }
        if self
            .host
            .heap
            .count(self.bits(value))
            .is_none_or(|count| count > 1)
        {
            self.emit(Uop::GuardShared, &[value], 0)?;
            return Ok(Release::Plain);
        }
        Ok(Release::Escaping)
    }
    /// How the references of some values can be given up, all guards first.
    fn releases<const N: usize>(&mut self, values: [ValueId; N]) -> Result<[Release; N], Stop> {
        let mut kinds = [Release::Nothing; N];
        for i in 0..N {
            kinds[i] = self.release_kind(values[i])?;
            let plain_type = !matches!(
                self.fact(values[i]).exact,
                None | Some(Type::List | Type::ListIterator)
            );
            // Found shared for each, but they may be the last two.
            if kinds[i] == Release::Plain
                && !plain_type
                && (0..i).any(|j| self.bits(values[j]) == self.bits(values[i]))
            {
                return Err(Stop::Abort);
            }
        }
        Ok(kinds)
    }
    /// The same after unknown code has run: without guards.
    fn releases_after_escape<const N: usize>(&mut self, values: [ValueId; N]) -> [Release; N] {
        values.map(|value| {
            let fact = *self.fact(value);
            match fact.exact {
                _ if fact.immortal => Release::Nothing,
                Some(Type::Int | Type::Float | Type::Bool | Type::None) => Release::Plain,
                _ => Release::Escaping,
            }
        })
    }
    fn release(&mut self, value: ValueId, kind: Release) -> Result<(), Stop> {
        match kind {
            Release::Nothing => {}
            Release::Plain => {
                self.emit(Uop::DecRefPlain, &[value], 0)?;
            }
            Release::Escaping => {
                self.before_escape()?;
                self.emit(Uop::DecRef, &[value], 0)?;
            }
        }
        Ok(())
    }
    /// Before code that may look at the frame: its slots are brought up to date.
    fn before_escape(&mut self) -> Result<(), Stop> {
        for slot in 0..self.program.locals.len() {
            let Slot { value, in_memory } = self.slots[slot];
            if !in_memory {
                self.own(value)?;
                self.emit(Uop::SyncSlot, &[value], slot as u64)?;
                self.slots[slot].in_memory = true;
            }
        }
        self.emit(Uop::SetIp, &[], self.at.ip.into())?;
        self.escaped = true;
        Ok(())
    }
    /// Pops the top operands and gives up their references, the deepest first.
    fn pop_release<const N: usize>(&mut self, kinds: [Release; N]) -> Result<(), Stop> {
        let mut values = [ValueId::NONE; N];
        for value in values.iter_mut().rev() {
            *value = self.pop()?;
        }
        for (value, kind) in values.into_iter().zip(kinds) {
            self.release(value, kind)?;
        }
        Ok(())
    }
    /// Replaces the top operands by a result.
    fn finish<const N: usize>(&mut self, kinds: [Release; N], result: ValueId) -> Result<(), Stop> {
        self.pop_release(kinds)?;
        self.push(result);
        self.at.ip += 1;
        Ok(())
    }

    // --- Numbers.

    fn raw_int(&mut self, value: ValueId) -> Result<ValueId, Stop> {
        let exact = self.type_of(value);
        if let (Some(raw), Some(Type::Int | Type::Bool)) = (self.fact(value).raw, exact) {
            return Ok(raw);
        }
        let raw = match exact {
            Some(Type::Bool) => {
                self.guard_type(value, Type::Bool)?;
                self.emit(Uop::UnboxBool, &[value], 0)?
            }
            Some(Type::Int) => {
                self.guard_type(value, Type::Int)?;
                self.emit(Uop::UnboxInt, &[value], 0)?
            }
            _ => return Err(Stop::Abort),
        };
        self.fact(value).raw = Some(raw);
        Ok(raw)
    }
    fn raw_float(&mut self, value: ValueId) -> Result<ValueId, Stop> {
        if self.type_of(value) != Some(Type::Float) {
            let raw = self.raw_int(value)?;
            return self.emit(Uop::IntToFloat, &[raw], 0);
        }
        if let Some(raw) = self.fact(value).raw {
            return Ok(raw);
        }
        self.guard_type(value, Type::Float)?;
        let raw = self.emit(Uop::UnboxFloat, &[value], 0)?;
        self.fact(value).raw = Some(raw);
        Ok(raw)
    }
    fn boxed(&mut self, uop: Uop, raw: ValueId) -> Result<ValueId, Stop> {
        let (exact, imm) = match uop {
            Uop::BoxInt => (Type::Int, 0),
            Uop::BoxFloat => (Type::Float, 0),
            _ => (Type::Bool, self.host.heap.bool_table()),
        };
        let value = self.emit(uop, &[raw], imm)?;
        let immortal = exact == Type::Bool;
        *self.fact(value) = Fact {
            exact: Some(exact),
            raw: Some(raw),
            immortal,
            constant: false,
            not_null: true,
        };
        Ok(value)
    }
    fn both(&self, a: ValueId, b: ValueId) -> Result<bool, Stop> {
        let mut floats = false;
        for value in [a, b] {
            match self.type_of(value) {
                Some(Type::Int | Type::Bool) => {}
                Some(Type::Float) => floats = true,
                _ => return Err(Stop::Abort),
            }
        }
        Ok(floats)
    }
    fn binary(&mut self, operator: Operator, a: ValueId, b: ValueId) -> Result<ValueId, Stop> {
        if self.both(a, b)? {
            let (x, y) = (self.raw_float(a)?, self.raw_float(b)?);
            let uop = match operator {
                Operator::Add => Uop::FloatAdd,
                Operator::Sub => Uop::FloatSub,
                Operator::Mul => Uop::FloatMul,
                Operator::TrueDiv => Uop::FloatDiv,
                _ => return Err(Stop::Abort),
            };
            let raw = self.emit(uop, &[x, y], 0)?;
            return self.boxed(Uop::BoxFloat, raw);
        }
        let (x, y) = (self.raw_int(a)?, self.raw_int(b)?);
        let uop = match operator {
            Operator::Add => Uop::IntAdd,
            Operator::Sub => Uop::IntSub,
            Operator::Mul => Uop::IntMul,
            Operator::FloorDiv => Uop::IntFloorDiv,
            Operator::Mod => Uop::IntMod,
            Operator::TrueDiv => Uop::IntTrueDiv,
            Operator::And => Uop::IntAnd,
            Operator::Or => Uop::IntOr,
            Operator::Xor => Uop::IntXor,
            Operator::Shl => Uop::IntShl,
            Operator::Shr => Uop::IntShr,
        };
        let raw = self.emit(uop, &[x, y], 0)?;
        self.boxed(
            if uop == Uop::IntTrueDiv {
                Uop::BoxFloat
            } else {
                Uop::BoxInt
            },
            raw,
        )
    }
    fn compare(&mut self, comparison: Comparison, a: ValueId, b: ValueId) -> Result<ValueId, Stop> {
        let floats = self.both(a, b)?;
        let (x, y) = if floats {
            (self.raw_float(a)?, self.raw_float(b)?)
        } else {
            (self.raw_int(a)?, self.raw_int(b)?)
        };
        let uop = match (comparison, floats) {
            (Comparison::Lt, false) => Uop::IntLt,
            (Comparison::Le, false) => Uop::IntLe,
            (Comparison::Eq, false) => Uop::IntEq,
            (Comparison::Ne, false) => Uop::IntNe,
            (Comparison::Lt, true) => Uop::FloatLt,
            (Comparison::Le, true) => Uop::FloatLe,
            (Comparison::Eq, true) => Uop::FloatEq,
            (Comparison::Ne, true) => Uop::FloatNe,
        };
        let raw = self.emit(uop, &[x, y], 0)?;
        self.boxed(Uop::BoxBool, raw)
    }

    // --- Instructions.

    fn instruction(&mut self) -> Result<(), Stop> {
        if std::mem::take(&mut self.escaped) {
            self.emit(Uop::GuardValid, &[], self.host.zero_word())?;
            self.emit(Uop::GuardNoFrameObject, &[], 0)?;
        }
        match self.program.code[self.at.ip as usize] {
            Op::LoadFast(slot) => {
                let value = self.read(slot)?;
                if self.bits(value) == 0 {
                    return Err(Stop::Abort);
                }
                if !self.fact(value).not_null {
                    self.emit(Uop::GuardIsNot, &[value], 0)?;
                    self.fact(value).not_null = true;
                }
                self.push_borrowed(value)?;
            }
            Op::LoadConst(constant) => {
                let address = self.constants[constant as usize];
                let value = self.emit(Uop::ConstObject, &[], address)?;
                let immortal = self.host.heap.count(address).is_none();
                let exact = self.type_of(value).filter(|exact| *exact != Type::Noisy);
                *self.fact(value) = Fact {
                    exact,
                    raw: None,
                    immortal,
                    constant: true,
                    not_null: true,
                };
                self.push_borrowed(value)?;
            }
            Op::StoreFast(slot) => {
                let mut old = self.read(slot)?;
                let mut kind = self.release_kind(old)?;
                if self.bits(old) == 0 {
                    // A reference to null is none that has to be given up.
                    old = self.emit(Uop::ConstObject, &[], 0)?;
                    self.fact(old).constant = true;
                }
                if kind == Release::Nothing && self.fact(old).immortal && self.bits(old) != 0 {
                    kind = Release::Plain;
                }
                let value = self.pop()?;
                self.own(value)?;
                if self.slots[slot as usize].in_memory {
                    self.emit(Uop::StoreSlot, &[value, old], slot.into())?;
                } else {
                    self.emit(Uop::SyncSlot, &[value], slot.into())?;
                    kind = if self.fact(old).immortal {
                        Release::Nothing
                    } else {
                        kind
                    };
                }
                self.slots[slot as usize] = Slot {
                    value,
                    in_memory: true,
                };
                self.release(old, kind)?;
            }
            Op::Binary(operator) => {
                let [a, b] = self.operands()?;
                let result = self.binary(operator, a, b)?;
                let kinds = self.releases([a, b])?;
                return self.finish(kinds, result);
            }
            Op::Compare(comparison) => {
                let [a, b] = self.operands()?;
                let result = self.compare(comparison, a, b)?;
                let kinds = self.releases([a, b])?;
                return self.finish(kinds, result);
            }
            Op::Is => {
                let [a, b] = self.operands()?;
                let raw = self.emit(Uop::ObjectIs, &[a, b], 0)?;
                let result = self.boxed(Uop::BoxBool, raw)?;
                let kinds = self.releases([a, b])?;
                return self.finish(kinds, result);
            }
            Op::JumpIfFalse(target) => return self.jump_if_false(target),
            Op::Jump(target) | Op::JumpBack(target) => {
                self.at.ip = target;
                return Ok(());
            }
            Op::ForIter(target) => return self.for_iter(target),
            Op::GetItem => return self.get_item(),
            Op::SetItem => return self.set_item(),
            Op::Call1(helper) => {
                let [a] = self.operands()?;
                self.before_escape()?;
                let result = self.emit(Uop::CallObject1, &[a], helper)?;
                self.fact(result).not_null = true;
                let kinds = self.releases_after_escape([a]);
                return self.finish(kinds, result);
            }
            Op::Call2(helper) => {
                let [a, b] = self.operands()?;
                self.before_escape()?;
                let result = self.emit(Uop::CallObject2, &[a, b], helper)?;
                self.fact(result).not_null = true;
                let kinds = self.releases_after_escape([a, b]);
                return self.finish(kinds, result);
            }
            Op::Pop => {
                let [a] = self.operands()?;
                let kinds = self.releases([a])?;
                self.pop_release(kinds)?;
            }
            Op::End => return Err(Stop::Abort),
        }
        self.at.ip += 1;
        Ok(())
    }

    fn jump_if_false(&mut self, target: u32) -> Result<(), Stop> {
        let [value] = self.operands()?;
        if self.type_of(value) != Some(Type::Bool) {
            return Err(Stop::Abort);
        }
        let truth = self.bits(value) == self.host.heap.bool(true);
        let fact = *self.fact(value);
        if let Some(raw) = fact.raw {
            self.emit(
                if truth {
                    Uop::GuardTrue
                } else {
                    Uop::GuardFalse
                },
                &[raw],
                0,
            )?;
        } else if !fact.constant {
            self.emit(Uop::GuardIs, &[value], self.bits(value))?;
            self.fact(value).exact = Some(Type::Bool);
        }
        let kinds = self.releases([value])?;
        self.pop_release(kinds)?;
        self.at.ip = if truth { self.at.ip + 1 } else { target };
        Ok(())
    }

    fn for_iter(&mut self, target: u32) -> Result<(), Stop> {
        let [iterator] = self.operands()?;
        match self.type_of(iterator) {
            Some(Type::RangeIterator) => self.range_next(iterator, target),
            Some(Type::ListIterator) => self.list_next(iterator),
            _ => Err(Stop::Abort),
        }
    }

    fn range_next(&mut self, iterator: ValueId, target: u32) -> Result<(), Stop> {
        let (start, step, length) = (
            layout::RANGE_ITER_START as u64,
            layout::RANGE_ITER_STEP as u64,
            layout::RANGE_ITER_LENGTH as u64,
        );
        self.guard_type(iterator, Type::RangeIterator)?;
        let left = self.emit(Uop::IterLoad, &[iterator], length)?;
        if self.bits(left) as i64 <= 0 {
            self.emit(Uop::GuardIntLeImm, &[left], 0)?;
            let kinds = self.releases([iterator])?;
            self.pop_release(kinds)?;
            self.at.ip = target;
            return Ok(());
        }
        self.emit(Uop::GuardIntGtImm, &[left], 0)?;
        let value = self.emit(Uop::IterLoad, &[iterator], start)?;
        let by = self.emit(Uop::IterLoad, &[iterator], step)?;
        let next = if self.bits(by) == 1 {
            // Nearly always.
            self.emit(Uop::GuardIntEqImm, &[by], 1)?;
            self.emit(Uop::IntAddWrapImm, &[value], 1)?
        } else {
            self.emit(Uop::IntAddWrap, &[value, by], 0)?
        };
        let item = self.boxed(Uop::BoxInt, value)?;
        let fewer = self.emit(Uop::IntAddWrapImm, &[left], u64::MAX)?;
        self.emit(Uop::IterStore, &[iterator, next], start)?;
        self.emit(Uop::IterStore, &[iterator, fewer], length)?;
        self.push(item);
        self.at.ip += 1;
        Ok(())
    }

    fn list_next(&mut self, iterator: ValueId) -> Result<(), Stop> {
        let index_offset = layout::SEQUENCE_ITER_INDEX as u64;
        self.guard_type(iterator, Type::ListIterator)?;
        let list = self.emit(
            Uop::IterSequence,
            &[iterator],
            layout::SEQUENCE_ITER_SEQUENCE as u64,
        )?;
        self.emit(Uop::GuardIsNot, &[list], 0)?;
        let index = self.emit(Uop::IterLoad, &[iterator], index_offset)?;
        let length = self.emit(Uop::ListLen, &[list], 0)?;
        self.emit(Uop::GuardIntBelow, &[index, length], 0)?;
        let items = self.emit(Uop::ListItems, &[list], 0)?;
        let item = self.emit(Uop::ItemAt, &[items, index], 0)?;
        self.fact(item).not_null = true;
        let next = self.emit(Uop::IntAddWrapImm, &[index], 1)?;
        self.emit(Uop::IncRef, &[item], 0)?;
        self.emit(Uop::IterStore, &[iterator, next], index_offset)?;
        self.push(item);
        self.at.ip += 1;
        Ok(())
    }

    /// The items' address and the position of an item that is there, guarded.
    fn position(&mut self, list: ValueId, index: ValueId) -> Result<(ValueId, ValueId), Stop> {
        if self.type_of(list) != Some(Type::List) {
            return Err(Stop::Abort);
        }
        self.guard_type(list, Type::List)?;
        let raw = self.raw_int(index)?;
        let length = self.emit(Uop::ListLen, &[list], 0)?;
        let position = if (self.bits(raw) as i64) < 0 {
            self.emit(Uop::GuardIntLtImm, &[raw], 0)?;
            self.emit(Uop::IntAddWrap, &[raw, length], 0)?
        } else {
            raw
        };
        self.emit(Uop::GuardIntBelow, &[position, length], 0)?;
        let items = self.emit(Uop::ListItems, &[list], 0)?;
        Ok((items, position))
    }

    fn get_item(&mut self) -> Result<(), Stop> {
        let [list, index] = self.operands()?;
        let (items, position) = self.position(list, index)?;
        let item = self.emit(Uop::ItemAt, &[items, position], 0)?;
        self.fact(item).not_null = true;
        let kinds = self.releases([list, index])?;
        self.emit(Uop::IncRef, &[item], 0)?;
        self.finish(kinds, item)
    }

    fn set_item(&mut self) -> Result<(), Stop> {
        let [_, list, index] = self.operands()?;
        let (items, position) = self.position(list, index)?;
        let old = self.emit(Uop::ItemAt, &[items, position], 0)?;
        self.fact(old).not_null = true;
        let [old_kind, list_kind, index_kind] = self.releases([old, list, index])?;
        let index = self.pop()?;
        let list = self.pop()?;
        let value = self.pop()?;
        self.own(value)?;
        let displaced = self.emit(Uop::ListExchange, &[items, position, value], 0)?;
        let old_kind = if old_kind == Release::Nothing {
            Release::Plain
        } else {
            old_kind
        };
        self.release(displaced, old_kind)?;
        self.release(list, list_kind)?;
        self.release(index, index_kind)?;
        self.at.ip += 1;
        Ok(())
    }
}
