//! The reverse linear scan.
//!
//! At an instruction, seen from below (`dst = uop a, b`): the result's register becomes free above; values that live across a
//! call leave the registers it destroys; inputs get registers; last, the exit is told where its values are. All reloads that
//! this causes stand after the instruction, the store of a spilled result first.

use super::liveness::{is_constant, is_emitted};
use super::registers::{FLOAT, GENERAL, RegSet, SURVIVING, State, bit};
use super::{
    Allocation, Edit, ExitSite, InstRegs, Location, LoopEntry, Place, Reg, Request, Target,
};
use crate::ir::{End, Inst, SnapshotId, Trace, ValueId};
use serigraph_uops::{Exit, Reason, Uop};

/// Registers of a class kept back from phis, for what the loop computes.
const KEPT_FOR_TEMPORARIES: usize = 2;

/// The allocator. It keeps its buffers from one trace to the next.
#[derive(Debug)]
pub struct Allocator {
    state: State,
    /// Phi, its value round the back edge, how much the phi is read in the loop.
    phis: Vec<(ValueId, ValueId, u32)>,
    exit_mark: u32,
    /// The values of the exit at hand.
    needed: Vec<ValueId>,
}

impl Default for Allocator {
    fn default() -> Self {
        Self::new()
    }
}

impl Allocator {
    /// An allocator without buffers yet.
    pub fn new() -> Allocator {
        Allocator {
            state: State::new(),
            phis: Vec::new(),
            exit_mark: 0,
            needed: Vec::new(),
        }
    }

    /// Allocates a verified trace. In debug builds the checker proves the result.
    pub fn run<T: Target>(
        &mut self,
        trace: &Trace,
        request: &Request<'_>,
        target: &T,
    ) -> Result<Allocation, Reason> {
        let n = trace.insts.len();
        self.state.live.compute(trace, target)?;
        self.state
            .reset(trace, request.max_slots, request.random_seed);
        self.exit_mark = 0;
        let params = trace
            .insts
            .iter()
            .take_while(|i| i.uop == Uop::Param)
            .count();
        if request.entry.len() < params {
            return Err(Reason::VerifierFailed);
        }
        let exits = Vec::with_capacity(self.state.live.exits);
        let mut out = Allocation {
            regs: vec![InstRegs::NONE; n],
            exits,
            ..Allocation::default()
        };
        self.reserve_entry(params, request.entry);

        match &trace.end {
            End::Exit(snapshot) => self.exit(n, *snapshot, GENERAL | FLOAT, &mut out),
            End::Enter { .. } => {}
            End::Loop(args) => self.loop_end(trace, args)?,
            End::Link { args, .. } => {
                let link = request.link.ok_or(Reason::VerifierFailed)?;
                self.link_end(trace, args, link, &mut out)?;
            }
        }
        let body = trace
            .loop_start
            .map_or(n, |l| l.index() + 1 + trace.phis().count());
        for i in (body.min(n)..n).rev() {
            self.instruction(trace, i, target, &mut out)?;
        }
        let mut above = n;
        if let Some(start) = trace.loop_start {
            self.loop_head(trace, start.index(), body, &mut out)?;
            above = start.index();
        }
        for i in (params..above).rev() {
            self.instruction(trace, i, target, &mut out)?;
        }
        self.trace_head(params, request.entry)?;
        if self.state.failed {
            return Err(Reason::TooManyValues);
        }
        self.finish(trace, &mut out);
        if cfg!(debug_assertions)
            && let Err(fault) = super::checker::check(trace, &out, request, target)
        {
            debug_assert!(
                false,
                "register allocation is wrong: {fault}\n{}",
                super::dump(trace, &out)
            );
        }
        Ok(out)
    }

    fn finish(&mut self, trace: &Trace, out: &mut Allocation) {
        let state = &mut self.state;
        state.edits.reverse();
        out.edits.extend_from_slice(&state.edits);
        out.exits.reverse();
        out.exit_values.extend_from_slice(&state.exit_values);
        out.slots = state.slot_owner.len() as u16;
        if matches!(trace.end, End::Loop(_)) {
            super::poll::move_before_last_guard(trace, out);
        }
        if trace.loop_start.is_some() {
            out.loop_entry = loop_entry(trace, out);
        }
    }

    /// The slots that the parent left params in stay theirs.
    fn reserve_entry(&mut self, params: usize, entry: &[Location]) {
        let state = &mut self.state;
        for (i, location) in entry.iter().enumerate().take(params) {
            let v = ValueId(i as u32);
            state.value(v).hint = location.reg;
            if location.has_slot() {
                state.claim_slot(v, location.slot);
                state.value(v).keeps_slot = true;
            }
        }
    }

    /// The back edge: chooses the registers of the phis, and puts their next values there.
    fn loop_end(&mut self, trace: &Trace, args: &[ValueId]) -> Result<(), Reason> {
        let end = trace.insts.len();
        let live = &self.state.live;
        self.phis.clear();
        for (phi, &arg) in trace.phis().zip(args) {
            if trace.inst(phi).sunk || !live.is_used(phi) {
                continue;
            }
            if trace.inst(arg).sunk {
                return Err(Reason::VerifierFailed);
            }
            let uses = 2 * live.loop_uses(phi) + live.loop_uses(arg);
            self.phis.push((phi, arg, uses));
        }
        // The most used first; equals in their order.
        self.phis.sort_by_key(|p| std::cmp::Reverse(p.2));
        let state = &mut self.state;
        for &(phi, arg, _) in &self.phis {
            if state.values[arg.index()].constant || state.is_invariant(arg) {
                continue;
            }
            let (class, old) = (state.values[arg.index()].class(), state.values[arg.index()]);
            if old.reg.is_some() || old.slot != Location::NO_SLOT {
                continue;
            }
            let phi_last = (state.live.last_use(phi) as usize).max(phi.index() + 1) - 1;
            let crosses = state.crosses_call(arg, end)
                || state.crosses_call(phi, phi_last.max(phi.index() + 1));
            let mut free = state.free & class;
            if crosses {
                free &= SURVIVING;
            }
            let enough = (state.free & class).count_ones() as usize > KEPT_FOR_TEMPORARIES;
            if free == 0 || !enough || state.chance(4) {
                state.value(phi).slot_hint = state.fresh_slot(arg);
                continue;
            }
            let calls =
                state.live.calls_before[end] > state.live.calls_before[state.live.loop_start];
            if calls && !crosses && free & !SURVIVING != 0 {
                free &= !SURVIVING;
            }
            let reg = match &mut state.random {
                Some(random) => {
                    (0..random.below(free.count_ones())).for_each(|_| free &= free - 1);
                    Reg(free.trailing_zeros() as u8)
                }
                None => Reg(free.trailing_zeros() as u8),
            };
            state.assign(arg, reg);
            state.end_regs[reg.0 as usize] = arg;
            state.at_end |= bit(reg);
            state.value(phi).hint = reg;
            state.reserved |= bit(reg);
        }
        Ok(())
    }

    /// A link: puts the arguments where the other trace's loop expects them.
    fn link_end(
        &mut self,
        trace: &Trace,
        args: &[ValueId],
        link: &LoopEntry,
        out: &mut Allocation,
    ) -> Result<(), Reason> {
        if args.len() != link.params.len() {
            return Err(Reason::VerifierFailed);
        }
        let end = trace.insts.len();
        let state = &mut self.state;
        let wanted = |&(_, to): &(&ValueId, &Location)| !to.is_none();
        for (&arg, to) in args.iter().zip(&link.params).filter(wanted) {
            if trace.inst(arg).sunk {
                return Err(Reason::VerifierFailed);
            }
            let value = state.values[arg.index()];
            let fits = to.reg.is_some() && bit(to.reg) & value.class() & state.free != 0;
            if fits && value.reg.is_none() && !value.constant && !state.chance(4) {
                state.assign(arg, to.reg);
            }
        }
        for (&arg, to) in args.iter().zip(&link.params).filter(wanted) {
            let value = state.values[arg.index()];
            if value.constant || !value.location().is_none() {
                continue;
            }
            let owner = state
                .slot_owner
                .get(to.slot as usize)
                .copied()
                .unwrap_or(ValueId::NONE);
            if to.has_slot() && to.slot < state.max_slots && owner.is_none() {
                state.claim_slot(arg, to.slot);
            } else if state.free & value.class() != 0 {
                state.take(arg, value.class() & state.free, end);
            } else {
                state.slot_of(arg);
            }
        }
        for (&arg, to) in args.iter().zip(&link.params).filter(wanted) {
            let value = state.values[arg.index()];
            let source = state.source(arg, value.reg);
            if to.reg.is_some() {
                state.moves.add(source, Place::Reg(to.reg));
            }
            if to.has_slot() && (value.constant || value.slot != to.slot) {
                state.moves.add(source, Place::Slot(to.slot));
            }
        }
        for &(kind, bits, reg) in &link.constants {
            state
                .moves
                .add(super::moves::Source::Constant(kind, bits), Place::Reg(reg));
        }
        state.moves.resolve(&mut out.end_edits);
        Ok(())
    }

    /// One instruction that is no phi and no param.
    fn instruction<T: Target>(
        &mut self,
        trace: &Trace,
        i: usize,
        target: &T,
        out: &mut Allocation,
    ) -> Result<(), Reason> {
        let inst = &trace.insts[i];
        if !is_emitted(inst) {
            return Ok(());
        }
        let (v, info, state) = (ValueId(i as u32), inst.uop.info(), &mut self.state);
        if is_constant(inst) {
            // In the loop it stays in its register, and is made before the loop.
            if state.values[i].reg.is_some() && !state.in_loop {
                out.regs[i].result = state.unassign(v);
            }
            return Ok(());
        }
        if inst.uop == Uop::Param || inst.uop == Uop::Phi {
            return Err(Reason::VerifierFailed);
        }
        let mut result = Reg::NONE;
        if info.output.is_some() {
            result = match state.values[i].reg {
                reg if reg.is_some() => reg,
                _ => state.take(v, GENERAL | FLOAT, i),
            };
            if state.failed {
                return Err(Reason::TooManyValues);
            }
            let slot = state.values[i].slot;
            if slot != Location::NO_SLOT {
                state.edits.push((
                    i as u32 + 1,
                    Edit::Move {
                        from: Place::Reg(result),
                        to: Place::Slot(slot),
                    },
                ));
            }
            state.unassign(v);
            state.release_slot(v);
        }
        let clobbers = info.calls && target.clobbers(inst.uop);
        if clobbers {
            clear_call(state, i, bit(result));
        }
        let leaves = info.exit != Exit::Never;
        let lost = if leaves && target.writes_before_exit(inst.uop) {
            bit(result)
        } else {
            0
        };
        let mut regs = InstRegs {
            result,
            inputs: [Reg::NONE; 3],
        };
        inputs(state, inst, i, target, lost, &mut regs);
        let lost = if regs.restored(|k| target.restores(inst.uop, k)) {
            0
        } else {
            lost
        };
        out.regs[i] = regs;
        if state.failed {
            return Err(Reason::TooManyValues);
        }
        if leaves {
            let kept = if clobbers { SURVIVING } else { GENERAL | FLOAT };
            self.exit(i, inst.snapshot, kept & !lost, out);
        }
        Ok(())
    }

    /// Records where the values of an exit are. Values that are nowhere yet get a register that is free, or a slot.
    /// `kept`: the registers that are at the exit as they were before the instruction.
    fn exit(&mut self, i: usize, snapshot: SnapshotId, kept: RegSet, out: &mut Allocation) {
        let state = &mut self.state;
        let first = state.exit_values.len() as u32;
        self.needed.clear();
        self.needed
            .extend_from_slice(state.live.of_snapshot(snapshot));
        if !state.live.owned_at(i).is_empty() {
            self.exit_mark += 1;
            for &v in &self.needed {
                state.values[v.index()].exit_mark = self.exit_mark;
            }
            for &v in state.live.owned_at(i) {
                if state.values[v.index()].exit_mark != self.exit_mark {
                    self.needed.push(v);
                }
            }
        }
        for &v in &self.needed {
            let value = &state.values[v.index()];
            let location = value.location();
            // Nearly all are in a register that is right at the exit, or in a slot.
            if !location.is_none() && (bit(location.reg) & !kept) == 0 && !value.soft {
                state.exit_values.push((v, location));
                continue;
            }
            let location = exit_location(state, v, i, kept);
            let entry = state.exit_values.len() as u32;
            state.exit_values.push((v, location));
            let value = &mut state.values[v.index()];
            if value.soft {
                state.chains.push((entry, value.chain));
                value.chain = state.chains.len() as u32 - 1;
            }
        }
        let count = state.exit_values.len() as u32 - first;
        out.exits.push(ExitSite {
            inst: ValueId(i as u32),
            snapshot,
            first,
            count,
        });
    }

    /// The loop's start: settles both ways in.
    fn loop_head(
        &mut self,
        trace: &Trace,
        start: usize,
        body: usize,
        out: &mut Allocation,
    ) -> Result<(), Reason> {
        let state = &mut self.state;
        // The back edge. First the phis, each from where its next value is at the end ...
        for &(phi, arg, _) in &self.phis {
            let location = state.values[phi.index()].location();
            let Some(to) = location.place() else { continue };
            if location.reg.is_some() && location.has_slot() {
                let edit = Edit::Move {
                    from: Place::Reg(location.reg),
                    to: Place::Slot(location.slot),
                };
                state.edits.push((body as u32, edit));
            }
            out.loop_state.push((phi, place_location(to)));
            let at_end = state.end_regs.iter().position(|&v| v == arg);
            let source = state.source(arg, at_end.map_or(Reg::NONE, |r| Reg(r as u8)));
            state.moves.add(source, to);
        }
        // ... then what was made before the loop and is not in its register at the end.
        for r in 0..16 {
            let v = state.reg_value[r];
            if v.is_some() && trace.inst(v).uop != Uop::Phi && state.end_regs[r] != v {
                let source = state.source(v, Reg::NONE);
                state.moves.add(source, Place::Reg(Reg(r as u8)));
            }
        }
        state.moves.resolve(&mut out.end_edits);
        for r in 0..16 {
            let v = state.reg_value[r];
            if v.is_some() && trace.inst(v).uop != Uop::Phi {
                out.loop_state.push((v, state.values[v.index()].location()));
            }
        }
        for slot in 0..state.slot_owner.len() {
            let v = state.slot_owner[slot];
            if v.is_some() && trace.inst(v).uop != Uop::Phi && state.values[v.index()].reg.is_none()
            {
                if v.index() >= start {
                    return Err(Reason::VerifierFailed);
                }
                out.loop_state.push((v, Location::in_slot(slot as u16)));
            }
        }
        self.enter_preamble(trace, start, out)
    }

    /// From the loop's start upwards: phis become their initial values.
    fn enter_preamble(
        &mut self,
        trace: &Trace,
        start: usize,
        out: &Allocation,
    ) -> Result<(), Reason> {
        let state = &mut self.state;
        for r in 0..16 {
            let v = state.reg_value[r];
            if v.is_none() {
                continue;
            }
            state.value(v).soft = false;
            let made_here = v.index() >= start;
            if made_here && state.values[v.index()].constant {
                let source = state.source(v, Reg::NONE);
                state.moves.add(source, Place::Reg(Reg(r as u8)));
                state.unassign(v);
            } else if trace.inst(v).uop == Uop::Phi {
                state.unassign(v);
            } else if made_here {
                return Err(Reason::VerifierFailed);
            }
        }
        for &(phi, _, _) in &self.phis {
            state.release_slot(phi);
        }
        state.in_loop = false;
        state.reserved = 0;
        // Initial values that are nowhere else go where the phi expects them.
        for &(phi, to) in out
            .loop_state
            .iter()
            .filter(|l| trace.inst(l.0).uop == Uop::Phi)
        {
            let initial = trace.inst(phi).args[0];
            state.value(initial).next_use =
                state.live.previous_use[phi.index()][0].min(start as u32);
            let value = state.values[initial.index()];
            if value.constant || !value.location().is_none() || state.chance(4) {
                continue;
            }
            if to.reg.is_some() && bit(to.reg) & state.free != 0 {
                state.assign(initial, to.reg);
            } else if to.has_slot() && state.slot_owner[to.slot as usize].is_none() {
                state.claim_slot(initial, to.slot);
            }
        }
        for &(phi, to) in out
            .loop_state
            .iter()
            .filter(|l| trace.inst(l.0).uop == Uop::Phi)
        {
            let initial = trace.inst(phi).args[0];
            let value = state.values[initial.index()];
            if value.location().is_none() && !value.constant && state.free & value.class() != 0 {
                state.take(initial, value.class() & state.free, start);
            }
            let reg = state.values[initial.index()].reg;
            let source = state.source(initial, reg);
            if let Some(place) = to.place() {
                let in_place = to.has_slot() && state.values[initial.index()].slot == to.slot;
                if !in_place {
                    state.moves.add(source, place);
                }
            }
        }
        state.place_moves(start);
        Ok(())
    }

    /// The start of a side trace: from where the parent left the params to where the trace wants them.
    fn trace_head(&mut self, params: usize, entry: &[Location]) -> Result<(), Reason> {
        let state = &mut self.state;
        for (i, from) in entry.iter().enumerate().take(params) {
            let want = state.values[i].location();
            let missing_reg = want.reg.is_some() && want.reg != from.reg;
            let missing_slot = want.has_slot() && want.slot != from.slot;
            if !missing_reg && !missing_slot {
                continue;
            }
            let place = from.place().ok_or(Reason::VerifierFailed)?;
            if missing_reg {
                state
                    .moves
                    .add(super::moves::Source::Place(place), Place::Reg(want.reg));
            }
            if missing_slot {
                state
                    .moves
                    .add(super::moves::Source::Place(place), Place::Slot(want.slot));
            }
        }
        state.place_moves(params);
        // Anything else that is still live was never made.
        let orphan = |v: &ValueId| v.is_some() && v.index() >= params;
        if state.reg_value.iter().any(orphan) || state.slot_owner.iter().any(orphan) {
            return Err(Reason::VerifierFailed);
        }
        Ok(())
    }
}

/// Only one of the two: a phi with both is stored in the loop.
fn place_location(place: Place) -> Location {
    match place {
        Place::Reg(reg) => Location::in_reg(reg),
        Place::Slot(slot) => Location::in_slot(slot),
        _ => Location::NONE,
    }
}

/// Values that live across a call leave the registers it destroys.
fn clear_call(state: &mut State, i: usize, result: RegSet) {
    state.touched |= !SURVIVING;
    let mut set = !state.free & (GENERAL | FLOAT) & !SURVIVING;
    while set != 0 {
        let reg = Reg(set.trailing_zeros() as u8);
        set &= set - 1;
        let v = state.reg_value[reg.0 as usize];
        let value = state.values[v.index()];
        let room = state.free & SURVIVING & !result;
        let by_move =
            !value.float && !value.soft && !value.constant && value.slot == Location::NO_SLOT;
        if by_move && room != 0 && !state.chance(3) {
            state.unassign(v);
            let to = Reg(room.trailing_zeros() as u8);
            state.assign(v, to);
            state.edits.push((
                i as u32 + 1,
                Edit::Move {
                    from: Place::Reg(to),
                    to: Place::Reg(reg),
                },
            ));
        } else {
            state.evict(reg, i);
        }
    }
}

/// Registers for the inputs of instruction `i`. `lost`: the register in which no input may be, since an exit may need it.
fn inputs<T: Target>(
    state: &mut State,
    inst: &Inst,
    i: usize,
    target: &T,
    lost: RegSet,
    regs: &mut InstRegs,
) {
    let args = inst.inputs();
    for (k, &arg) in args.iter().enumerate() {
        let value = &mut state.values[arg.index()];
        value.next_use = state.live.previous_use[i][k];
        // What exits below found in this register they go on finding there.
        value.soft = false;
        state.locked |= bit(value.reg);
    }
    for (k, &arg) in args
        .iter()
        .enumerate()
        .filter(|&(k, _)| target.reads(inst.uop, k))
    {
        if state.values[arg.index()].reg.is_none() {
            let restored = target.restores(inst.uop, k)
                && args.iter().filter(|&&other| other == arg).count() == 1;
            let mut allowed = (GENERAL | FLOAT) & if restored { RegSet::MAX } else { !lost };
            let apart =
                |(n, &other): (usize, &ValueId)| other == arg && !target.may_alias(inst.uop, n);
            if regs.result.is_some() && args.iter().enumerate().any(apart) {
                allowed &= !bit(regs.result);
            } else if state.values[arg.index()].hint.is_none()
                && state.reserved & bit(regs.result) == 0
                && !state.is_invariant(arg)
            {
                // Chains of operations stay in one register, which is what brings them back to their phi's. (What is made
                // before the loop wants a register that nothing in the loop writes.)
                state.value(arg).hint = regs.result;
            }
            let reg = state.take(arg, allowed, i);
            state.locked |= bit(reg);
        }
        regs.inputs[k] = state.values[arg.index()].reg;
    }
    state.locked = 0;
}

/// Where an exit at instruction `i` finds a value. `kept`: registers that are right at the exit.
fn exit_location(state: &mut State, v: ValueId, i: usize, kept: RegSet) -> Location {
    let value = state.values[v.index()];
    if value.location().is_none() {
        let free = state.free & kept & value.class();
        // Made before the loop: storing it costs nothing in the loop.
        if state.is_invariant(v) || free == 0 || state.chance(3) {
            state.slot_of(v);
        } else {
            state.take(v, free, i);
            state.value(v).soft = true;
        }
    }
    let mut location = state.values[v.index()].location();
    if bit(location.reg) & kept == 0 {
        location.reg = Reg::NONE;
        if !location.has_slot() {
            location.slot = state.slot_of(v);
        }
    }
    location
}

/// What a trace that jumps into the loop has to know.
fn loop_entry(trace: &Trace, out: &Allocation) -> Option<LoopEntry> {
    let mut entry = LoopEntry {
        params: Vec::new(),
        constants: Vec::new(),
        slots: out.slots,
    };
    entry.params.resize(trace.loop_params.len(), Location::NONE);
    for &(v, location) in &out.loop_state {
        let inst = trace.inst(v);
        if let Some(k) = trace.loop_params.iter().position(|p| p.value == v) {
            entry.params[k] = location;
        } else if is_constant(inst) {
            entry.constants.push((inst.kind, inst.imm, location.reg));
        } else {
            return None;
        }
    }
    Some(entry)
}
