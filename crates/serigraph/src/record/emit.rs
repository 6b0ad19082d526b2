//! Emitting uops and evaluating them; snapshots; the precautions around code that could look at frames.

use serigraph_cpython::Owned;
use serigraph_trace::eval::{Step, step};
use serigraph_trace::ir::{FrameState, Inst, SlotValue, Snapshot, SnapshotId, ValueId};
use serigraph_uops::{Effects, Exit, Reason, Uop};

use super::frame::Fact;
use super::{Recorder, Stop};
use crate::host::helpers::Helper;
use crate::host::object;

impl Recorder<'_> {
    // --- One uop.

    /// Emits a uop and evaluates it; its snapshot is the state before the current instruction. A guard that does not hold
    /// stops the recording there.
    pub(super) fn emit(&mut self, uop: Uop, args: &[ValueId], imm: u64) -> Result<ValueId, Stop> {
        match self.attempt(uop, args, imm)? {
            Some(value) => Ok(value),
            None => Err(self.unsupported()),
        }
    }

    /// As [`Recorder::emit`], but a guard that does not hold is not recorded, and gives `None`.
    pub(super) fn attempt(
        &mut self,
        uop: Uop,
        args: &[ValueId],
        imm: u64,
    ) -> Result<Option<ValueId>, Stop> {
        let snapshot = if uop.info().exit == Exit::Never {
            SnapshotId::NONE
        } else {
            self.snapshot()
        };
        self.attempt_at(uop, args, imm, snapshot)
    }

    /// As [`Recorder::attempt`], with a snapshot of the caller's.
    pub(super) fn attempt_at(
        &mut self,
        uop: Uop,
        args: &[ValueId],
        imm: u64,
        snapshot: SnapshotId,
    ) -> Result<Option<ValueId>, Stop> {
        let info = uop.info();
        let inst = Inst::new(uop, args, imm, snapshot);
        let value = self.trace.push(inst);
        self.values.push(0);
        self.facts.push(Fact::NOTHING);
        let (host, values) = (&mut self.host, &mut self.values);
        match step(host, &inst, value.index(), values) {
            Step::Next(_) => {
                if info.writes.intersects(CONTAINERS) {
                    self.epoch += 1;
                }
                Ok(Some(value))
            }
            Step::GuardFailed => {
                self.retract();
                Ok(None)
            }
            Step::Raised => {
                self.retract();
                Err(Stop::Raised)
            }
        }
    }

    /// Emits a uop without evaluating it.
    pub(super) fn emit_silently(&mut self, uop: Uop, imm: u64, snapshot: SnapshotId) {
        self.trace.push(Inst::new(uop, &[], imm, snapshot));
        self.values.push(0);
        self.facts.push(Fact::NOTHING);
    }

    fn retract(&mut self) {
        self.trace.insts.pop();
        self.values.pop();
        self.facts.pop();
    }

    /// The bits of a value in this recording.
    #[inline]
    pub(super) fn bits(&self, value: ValueId) -> u64 {
        self.values[value.index()]
    }
    #[inline]
    pub(super) fn fact(&self, value: ValueId) -> &Fact {
        &self.facts[value.index()]
    }
    #[inline]
    pub(super) fn fact_mut(&mut self, value: ValueId) -> &mut Fact {
        &mut self.facts[value.index()]
    }

    // --- Constants.

    /// A constant object that lives as long as the trace for other reasons than being in it.
    pub(super) fn constant(&mut self, address: u64) -> Result<ValueId, Stop> {
        let value = self.emit(Uop::ConstObject, &[], address)?;
        let mut fact = Fact {
            constant: true,
            ..Fact::NOTHING
        };
        if address != 0 {
            let exact = object::type_address(address);
            fact.exact_type = if self.types.is_known(exact) { exact } else { 0 };
            fact.immortal = object::immortal(address);
            fact.not_null = true;
        } else {
            fact.immortal = true;
        }
        *self.fact_mut(value) = fact;
        Ok(value)
    }

    /// A constant object that is alive as long as the trace is valid, and held by others until they tell that they let go of it.
    pub(super) fn kept_constant(&mut self, address: u64) -> Result<ValueId, Stop> {
        self.keep(address);
        if object::type_address(address) == self.types.function {
            self.held.push(address);
        }
        self.constant(address)
    }

    /// A function that is alive as long as the trace is valid, but may be let go of at any time.
    pub(super) fn passing_constant(&mut self, address: u64) -> Result<ValueId, Stop> {
        self.keep(address);
        let value = self.constant(address)?;
        self.fact_mut(value).passing = true;
        Ok(value)
    }

    /// How many references to an object the recording has for itself.
    pub(super) fn kept(&self, address: u64) -> u64 {
        let is_it = |kept: &&Owned| object::address(kept.as_ptr()) == address;
        self.constants.iter().filter(is_it).count() as u64
    }

    /// Has an object alive as long as the trace is valid: what becomes of the recording decides who holds it then.
    pub(super) fn keep(&mut self, address: u64) {
        if address != 0 && !object::immortal(address) {
            self.constants.extend(object::owned(address));
        }
    }

    pub(super) fn const_int(&mut self, value: i64) -> Result<ValueId, Stop> {
        let value = self.emit(Uop::ConstInt, &[], value as u64)?;
        self.fact_mut(value).constant = true;
        Ok(value)
    }
    pub(super) fn const_float(&mut self, value: f64) -> Result<ValueId, Stop> {
        self.emit(Uop::ConstFloat, &[], value.to_bits())
    }

    // --- Calls of helpers.

    /// Calls a helper on the list: it runs no Python code and looks at no frame.
    pub(super) fn leaf(
        &mut self,
        uop: Uop,
        helper: Helper,
        args: &[ValueId],
    ) -> Result<ValueId, Stop> {
        self.emit(uop, args, helper.number())
    }

    /// Calls a helper that may run any code.
    pub(super) fn escaping(
        &mut self,
        uop: Uop,
        helper: Helper,
        args: &[ValueId],
    ) -> Result<ValueId, Stop> {
        self.before_escape()?;
        self.emit(uop, args, helper.number())
    }

    /// Places arguments in the outgoing area from `first` on.
    pub(super) fn push_args(&mut self, first: usize, args: &[ValueId]) -> Result<(), Stop> {
        if first + args.len() > serigraph_uops::layout::ARGS {
            return Err(self.unsupported());
        }
        for (i, &arg) in args.iter().enumerate() {
            self.emit(Uop::PushArg, &[arg], (first + i) as u64)?;
        }
        Ok(())
    }

    /// Places arguments from 0 on, and a null after them.
    pub(super) fn push_args_and_null(&mut self, args: &[ValueId]) -> Result<(), Stop> {
        self.push_args(0, args)?;
        let null = self.constant(0)?;
        self.push_args(args.len(), &[null])
    }

    // --- Snapshots.

    /// The state before the current instruction.
    pub(super) fn snapshot(&mut self) -> SnapshotId {
        if self.current.is_none() {
            debug_assert!(!self.committed, "a guard after the instruction's effects");
            self.current = self.take_snapshot(Reason::GuardFailed);
        }
        self.current
    }

    /// The same state, with another reason to leave.
    pub(super) fn snapshot_for(&mut self, reason: Reason) -> SnapshotId {
        let state = self.snapshot();
        let mut copy = self.trace.snapshots[state.index()];
        if copy.reason == reason {
            return state;
        }
        copy.reason = reason;
        self.trace.snapshots.push(copy);
        SnapshotId(self.trace.snapshots.len() as u32 - 1)
    }

    /// A snapshot of the frames as they are now.
    pub(super) fn take_snapshot(&mut self, reason: Reason) -> SnapshotId {
        let first = self.trace.frame_states.len() as u32;
        for frame in &self.frames {
            let first = self.trace.slot_values.len() as u32;
            let in_memory = frame.id.0 == 0;
            for (slot, content) in frame.slots[..frame.top as usize].iter().enumerate() {
                let listed = content.value.is_some()
                    && (in_memory || self.values[content.value.index()] != 0);
                if listed {
                    self.trace.slot_values.push(SlotValue {
                        slot: slot as u32,
                        value: content.value,
                    });
                }
            }
            let count = self.trace.slot_values.len() as u32 - first;
            self.trace.frame_states.push(FrameState {
                frame: frame.id,
                ip: frame.ip,
                top: frame.top,
                first,
                count,
            });
        }
        let count = self.frames.len() as u32;
        self.trace.snapshots.push(Snapshot {
            first,
            count,
            first_store: 0,
            store_count: 0,
            reason,
        });
        SnapshotId(self.trace.snapshots.len() as u32 - 1)
    }
}

/// What a value borrowed from a container may not outlive a change of.
const CONTAINERS: Effects =
    Effects(Effects::LIST_SHAPE.0 | Effects::LIST_ITEMS.0 | Effects::ESCAPE.0);
