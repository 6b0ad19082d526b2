//! Ends a recorded trace that has come to the header of another trace's loop: appends what computes that loop's parameters.
//!
//! ```text
//!   ...                                     ...
//! end exit s9                               guard_type v7, INT @s9        # of slot 1, an int in the target
//!                                     =>    v20 = unbox_int v7 @s9
//!                                           v21 = list_len v3             # from the target's slice
//!                                         end link 4 v20, v21
//! ```
//!
//! What is appended is naive; the optimiser folds it: what the trace has just boxed is not unboxed, what it inherits from
//! the loop it belongs to is not checked again. So this runs before [`crate::opt::optimise_linear`].

use crate::enter::fill_stack;
use crate::ir::{End, Inst, ParamSource, SlotValue, SnapshotId, Trace, ValueId};
use crate::opt::{HostTypes, difference};
use crate::ownership::{SlotMemory, State};
use crate::unroll;
use serigraph_uops::{Effects, Exit, Reason, Uop};

struct Linker<'a> {
    trace: &'a mut Trace,
    target: &'a Trace,
    types: &'a HostTypes,
    /// The state at the header: slots of f0 that the snapshot lists, or that were looked up.
    state: Vec<SlotValue>,
    header: SnapshotId,
    /// The target's values here.
    names: Vec<ValueId>,
}

/// Appends what the loop of `target` needs to `trace`, whose [`End::Exit`] is the state at the target's header.
pub fn link(
    trace: &mut Trace,
    target_number: u32,
    target: &Trace,
    types: &HostTypes,
) -> Result<(), Reason> {
    let End::Exit(header) = trace.end else {
        return Err(Reason::NotLooping);
    };
    if header.is_none() || target.loop_start.is_none() || trace.frames(header).len() != 1 {
        return Err(Reason::NotLooping);
    }
    let state = trace.slots(&trace.frames(header)[0]).to_vec();
    let names = vec![ValueId::NONE; target.insts.len()];
    let mut linker = Linker {
        trace,
        target,
        types,
        state,
        header,
        names,
    };
    fill_stack(linker.trace, header, target)?;
    linker.copy_slice()?;
    for param in &target.loop_params {
        linker.names[param.value.index()] = linker.parameter(param.source, param.value)?;
    }
    linker.take_turn()?;
    let args = target
        .loop_params
        .iter()
        .map(|param| linker.names[param.value.index()])
        .collect();
    trace.end = End::Link {
        target: target_number,
        args,
    };
    Ok(())
}

impl Linker<'_> {
    fn push(&mut self, uop: Uop, args: &[ValueId], imm: u64) -> ValueId {
        let snapshot = if uop.info().exit == Exit::Never {
            SnapshotId::NONE
        } else {
            self.header
        };
        self.trace.push(Inst::new(uop, args, imm, snapshot))
    }

    /// What a slot of f0 holds at the header.
    fn slot(&mut self, slot: u32) -> ValueId {
        if let Some(known) = self.state.iter().find(|s| s.slot == slot) {
            return known.value;
        }
        let entry = self
            .trace
            .entry_slots
            .iter()
            .find(|e| e.slot == slot)
            .map(|e| e.value);
        let value = entry.unwrap_or_else(|| self.push(Uop::LoadSlot, &[], slot.into()));
        self.state.push(SlotValue { slot, value });
        value
    }

    /// An object of a type in a slot.
    fn typed(&mut self, slot: u32, type_address: u64) -> Result<ValueId, Reason> {
        let value = self.slot(slot);
        self.check_not_null(value)?;
        if type_address != 0 {
            self.push(Uop::GuardType, &[value], type_address);
        }
        Ok(value)
    }

    fn check_not_null(&mut self, value: ValueId) -> Result<(), Reason> {
        let inst = self.trace.inst(value);
        if inst.uop == Uop::ConstObject && inst.imm == 0 {
            return Err(Reason::TypesUnstable);
        }
        self.push(Uop::GuardIsNot, &[value], 0);
        Ok(())
    }

    fn parameter(&mut self, source: ParamSource, value: ValueId) -> Result<ValueId, Reason> {
        Ok(match source {
            ParamSource::SlotObject {
                slot,
                type_address: 0,
            } => self.slot(slot),
            ParamSource::SlotObject { slot, type_address } => self.typed(slot, type_address)?,
            ParamSource::SlotInt(slot) => {
                let object = self.typed(slot, self.types.int)?;
                self.push(Uop::UnboxInt, &[object], 0)
            }
            ParamSource::SlotFloat(slot) => {
                let object = self.typed(slot, self.types.float)?;
                self.push(Uop::UnboxFloat, &[object], 0)
            }
            ParamSource::SlotBool(slot) => {
                let object = self.typed(slot, self.types.bool_)?;
                self.push(Uop::UnboxBool, &[object], 0)
            }
            ParamSource::IterField { slot, offset } => {
                let iterator = self.slot(slot);
                self.push(Uop::IterLoad, &[iterator], offset.into())
            }
            ParamSource::Invariant => self.names[value.index()],
        })
    }

    /// Copies the part of the target's preamble that computes its invariants and checks what the loop relies on.
    fn copy_slice(&mut self) -> Result<(), Reason> {
        for &value in &self.target.loop_slice {
            let inst = *self.target.inst(value);
            if inst.uop == Uop::LoadSlot {
                self.names[value.index()] = self.slot(inst.imm as u32);
                continue;
            }
            let args = inst.args.map(|a| {
                if a.is_some() {
                    self.names[a.index()]
                } else {
                    a
                }
            });
            if inst.uop == Uop::GuardType {
                self.check_not_null(args[0])?;
            }
            let snapshot = if inst.snapshot.is_some() {
                self.header
            } else {
                SnapshotId::NONE
            };
            self.names[value.index()] = self.trace.push(Inst {
                args,
                snapshot,
                ..inst
            });
        }
        Ok(())
    }

    /// Takes a turn of the loop here, if only after one the loop's unboxed numbers are nobody else's, and what it derives from
    /// others is so.
    fn take_turn(&mut self) -> Result<(), Reason> {
        let target = self.target;
        let lazy = unroll::lazy_slots(target);
        for slot in lazy.iter().flatten() {
            self.slot(*slot);
        }
        let is_own = |slot: &Option<u32>| {
            slot.is_none_or(|slot| {
                let value = self.state.iter().find(|s| s.slot == slot).map(|s| s.value);
                value
                    .is_some_and(|value| unroll::is_own(self.trace, self.types, &self.state, value))
            })
        };
        let mut own: Vec<bool> = lazy.iter().map(is_own).collect();
        let first = own.len() - unroll::derived(target).count();
        for (i, (_, sum)) in unroll::derived(target).enumerate() {
            own[first + i] &= self.is_derived(sum);
        }
        if own.iter().all(|own| *own) {
            return Ok(());
        }
        // Where one turn is not enough, the trace enters the other from its beginning, which has the turns.
        if !unroll::own_after_turn(target, &own).iter().all(|own| *own) {
            return Err(Reason::TypesUnstable);
        }
        self.write_stale_slots(&lazy)?;
        unroll::append_turn(self.trace, target, &mut self.names, &self.state);
        Ok(())
    }

    /// Whether what the target derives from another number differs from that as the target says.
    fn is_derived(&self, sum: ValueId) -> bool {
        let of_param = |value: ValueId| {
            let param = self.target.loop_params.iter().find(|p| p.value == value);
            param.and_then(|param| self.number(param.source))
        };
        let inst = self.target.inst(sum);
        let (from, value) = (of_param(inst.args[0]), of_param(sum));
        from.zip(value)
            .and_then(|(from, value)| difference(self.trace, from, value))
            .is_some_and(|differs| differs as u64 == inst.imm)
    }

    /// The number that a parameter comes from, if the trace itself has made or stored it.
    fn number(&self, source: ParamSource) -> Option<ValueId> {
        let known = |slot| self.state.iter().find(|s| s.slot == slot).map(|s| s.value);
        match source {
            ParamSource::SlotInt(slot) => {
                let inst = self.trace.inst(known(slot)?);
                (inst.uop == Uop::BoxInt).then_some(inst.args[0])
            }
            ParamSource::IterField { slot, offset } => {
                let iterator = known(slot)?;
                let mut insts = self.trace.insts.iter().rev();
                let may_write = |inst: &&Inst| match inst.uop {
                    Uop::IterStore => inst.imm == u64::from(offset),
                    uop => uop.info().writes.intersects(Effects::ITERATOR),
                };
                let store = insts.find(may_write)?;
                let is_it = store.uop == Uop::IterStore && store.args[0] == iterator;
                is_it.then_some(store.args[1])
            }
            _ => None,
        }
    }

    /// The turn's exits expect in memory what the loop does not leave stale.
    fn write_stale_slots(&mut self, lazy: &[Option<u32>]) -> Result<(), Reason> {
        let count = self.trace.insts.len();
        let memory = State::at(self.trace, count).map_err(|_| Reason::VerifierFailed)?;
        for slot in 0..self.trace.locals {
            if memory.slot(slot) == SlotMemory::Stale && !lazy.contains(&Some(slot)) {
                let value = self.slot(slot);
                self.push(Uop::IncRef, &[value], 0);
                self.push(Uop::SyncSlot, &[value], slot.into());
            }
        }
        Ok(())
    }
}
