//! Uses: one forward pass that tells the allocator where each value was read before, and what each exit needs.
//!
//! ```text
//!   v4: int = phi v2
//!   v5: object = box_int v4 (sunk)
//!   v6: int = int_add_imm v4, 1 @s1     # reads v4; its exit needs v4, too
//! s1: [f0 ip=14 top=3 1=v5]             # v5 is made from v4 at the exit
//! ```
//!
//! The live ranges themselves are not written down: the reverse scan meets each value first at its last use. An exit needs:
//! the values its snapshot mentions (slots, functions of inlined frames, pending stores), with sunk values replaced by what
//! they are made of, and without constants; and object values of which the trace owns references there, which the exit has
//! to give back. Exits in a loop need the loop's invariants too, and exits of a side trace what it inherits, so that
//! traces that start there can jump into the loop.

use super::Target;
use crate::ir::{End, Inst, SnapshotId, Trace, ValueId};
use crate::ownership;
use serigraph_uops::{Exit, Kind, Ownership, Reason, Uop};

/// Whether an instruction becomes machine code.
#[inline]
pub fn is_emitted(inst: &Inst) -> bool {
    !inst.sunk && inst.uop.info().has_stencil
}

/// Whether it is a constant.
#[inline]
pub fn is_constant(inst: &Inst) -> bool {
    matches!(inst.uop, Uop::ConstInt | Uop::ConstFloat | Uop::ConstObject)
}

/// What is known about one value.
#[derive(Clone, Copy, Default, Debug)]
struct Uses {
    last_use: u32,
    /// The last list that it was added to.
    mark: u32,
    /// References that the trace owns, where the pass is.
    owned: i32,
    loop_uses: u16,
    used: bool,
    /// It is among the values that are or were owned.
    listed: bool,
}

/// What the forward pass found. Keeps its buffers.
#[derive(Default, Debug)]
pub struct Liveness {
    uses: Vec<Uses>,
    /// For each input of each instruction: 1 + the index of the instruction before that reads the same value, or 0.
    pub previous_use: Vec<[u32; 3]>,
    /// Number of calls that destroy registers before each instruction (and, last, in the whole trace).
    pub calls_before: Vec<u32>,
    /// What exits need besides their snapshots' values: in the loop, or (in a side trace) everywhere.
    always: Vec<ValueId>,
    /// Whether `always` is for exits in the loop only.
    always_in_loop_only: bool,
    /// The index of the `loop` instruction, or of the end.
    pub loop_start: usize,
    /// The constants, in the order of the trace.
    pub constants: Vec<(ValueId, Kind, u64)>,
    /// Number of exits.
    pub exits: usize,
    snapshot_values: Vec<(u32, u32)>,
    values: Vec<ValueId>,
    owned_values: Vec<(u32, u32)>,
    owned: Vec<ValueId>,
    mark: u32,
    owned_now: Vec<ValueId>,
    gained: Vec<i32>,
}

const NOT_EXPANDED: u32 = u32::MAX;

impl Liveness {
    /// Reads the trace. An instruction that reads a value that is never made is an error.
    pub fn compute<T: Target>(&mut self, trace: &Trace, target: &T) -> Result<(), Reason> {
        let n = trace.insts.len();
        reset(&mut self.uses, n, Uses::default());
        reset(&mut self.previous_use, n, [0; 3]);
        reset(&mut self.calls_before, n + 1, 0);
        reset(
            &mut self.snapshot_values,
            trace.snapshots.len(),
            (NOT_EXPANDED, 0),
        );
        reset(&mut self.owned_values, n + 1, (0, 0));
        self.mark = 0;
        self.exits = 0;
        self.values.clear();
        self.owned.clear();
        self.owned_now.clear();
        self.always.clear();
        self.constants.clear();
        self.loop_start = trace.loop_start.map_or(n, ValueId::index);

        self.collect_always(trace)?;
        for &(value, count) in &trace.entry_owned {
            self.own(trace, value, count as i32);
        }
        let mut calls = 0;
        for (i, inst) in trace.insts.iter().enumerate() {
            self.calls_before[i] = calls;
            if inst.sunk {
                continue;
            }
            if is_constant(inst) {
                self.constants
                    .push((ValueId(i as u32), inst.kind, inst.imm));
                continue;
            }
            let info = inst.uop.info();
            let args = &inst.args[..info.inputs.len()];
            let in_loop = u16::from(i > self.loop_start && inst.uop != Uop::Phi);
            for (k, &arg) in args.iter().enumerate() {
                if arg.index() >= i || trace.insts[arg.index()].sunk {
                    return Err(Reason::VerifierFailed);
                }
                let uses = &mut self.uses[arg.index()];
                self.previous_use[i][k] = uses.last_use;
                uses.used = true;
                uses.loop_uses = uses.loop_uses.saturating_add(in_loop);
            }
            // After all inputs, so that one read twice by this instruction points further back both times.
            for &arg in args {
                self.uses[arg.index()].last_use = i as u32 + 1;
            }
            if info.has_stencil {
                calls += u32::from(info.calls && target.clobbers(inst.uop));
                if info.exit != Exit::Never {
                    self.exit_at(trace, i, inst.snapshot)?;
                }
                let ownership = &info.ownership;
                if ownership.output_owned {
                    self.own(trace, ValueId(i as u32), 1);
                }
                if (ownership.consumes | ownership.gains) != 0 {
                    for (k, &arg) in args.iter().enumerate() {
                        self.own(trace, arg, change_of(ownership, k));
                    }
                }
            } else if inst.uop == Uop::LoopStart {
                self.enter_loop(trace, i)?;
            }
        }
        self.calls_before[n] = calls;
        match &trace.end {
            End::Exit(snapshot) => self.exit_at(trace, n, *snapshot)?,
            End::Enter { .. } => {}
            End::Loop(args) | End::Link { args, .. } => {
                for &arg in args {
                    self.uses
                        .get_mut(arg.index())
                        .ok_or(Reason::VerifierFailed)?
                        .used = true;
                }
            }
        }
        Ok(())
    }

    /// 1 + the index of the last instruction that reads the value, or 0.
    #[inline]
    pub fn last_use(&self, v: ValueId) -> u32 {
        self.uses[v.index()].last_use
    }
    /// How often instructions in the loop read the value.
    #[inline]
    pub fn loop_uses(&self, v: ValueId) -> u32 {
        self.uses[v.index()].loop_uses.into()
    }
    /// Whether anything reads the value: an instruction, an exit, the end.
    #[inline]
    pub fn is_used(&self, v: ValueId) -> bool {
        self.uses[v.index()].used
    }

    /// Kind and bits of a constant.
    pub fn constant(&self, v: ValueId) -> (Kind, u64) {
        match self.constants.binary_search_by_key(&v, |c| c.0) {
            Ok(i) => (self.constants[i].1, self.constants[i].2),
            Err(_) => (Kind::Int, 0),
        }
    }

    /// The values that exits with a snapshot need, apart from what the trace owns. (It was met by [`Self::compute`].)
    #[inline]
    pub fn of_snapshot(&self, snapshot: SnapshotId) -> &[ValueId] {
        let (first, count) = self.snapshot_values[snapshot.index()];
        &self.values[first as usize..(first + count) as usize]
    }

    /// Object values of which the trace owns references at the exit of an instruction.
    #[inline]
    pub fn owned_at(&self, inst: usize) -> &[ValueId] {
        let (first, count) = self.owned_values[inst];
        &self.owned[first as usize..(first + count) as usize]
    }

    fn collect_always(&mut self, trace: &Trace) -> Result<(), Reason> {
        self.always_in_loop_only = trace.loop_start.is_some();
        self.mark += 1;
        let mut always = std::mem::take(&mut self.always);
        for param in &trace.loop_params {
            if param.value.index() < self.loop_start {
                self.expand(trace, param.value, &mut always)?;
            }
        }
        for inherited in &trace.inherited {
            self.expand(trace, inherited.value, &mut always)?;
            self.always_in_loop_only = false;
        }
        self.always = always;
        Ok(())
    }

    fn exit_at(&mut self, trace: &Trace, inst: usize, snapshot: SnapshotId) -> Result<(), Reason> {
        if snapshot.index() >= trace.snapshots.len() {
            return Err(Reason::VerifierFailed);
        }
        if self.snapshot_values[snapshot.index()].0 == NOT_EXPANDED {
            self.mark += 1;
            let first = self.values.len() as u32;
            let mut values = std::mem::take(&mut self.values);
            for frame in trace.frames(snapshot) {
                for slot in trace.slots(frame) {
                    self.expand(trace, slot.value, &mut values)?;
                }
                if let Some(inlined) = frame.frame.index().checked_sub(1) {
                    self.expand(trace, trace.inlined[inlined].function, &mut values)?;
                }
            }
            for store in trace.stores(snapshot) {
                self.expand(trace, store.object, &mut values)?;
                self.expand(trace, store.value, &mut values)?;
            }
            // A snapshot is used on one side of the loop's start only.
            if !self.always_in_loop_only || inst > self.loop_start {
                for k in 0..self.always.len() {
                    self.expand(trace, self.always[k], &mut values)?;
                }
            }
            self.snapshot_values[snapshot.index()] = (first, values.len() as u32 - first);
            self.values = values;
        }
        self.exits += 1;
        if !self.owned_now.is_empty() {
            let uses = &mut self.uses;
            self.owned_now.retain(|v| {
                let state = &mut uses[v.index()];
                state.listed = state.owned != 0;
                state.listed
            });
            let first = self.owned.len() as u32;
            self.owned.extend_from_slice(&self.owned_now);
            self.owned_values[inst] = (first, self.owned_now.len() as u32);
        }
        Ok(())
    }

    /// Adds what a value is made of (itself, if it is in a place) to `out`, each once for the current mark.
    #[inline]
    fn expand(
        &mut self,
        trace: &Trace,
        mut value: ValueId,
        out: &mut Vec<ValueId>,
    ) -> Result<(), Reason> {
        loop {
            let Some(uses) = self.uses.get_mut(value.index()) else {
                return Err(Reason::VerifierFailed);
            };
            if uses.mark == self.mark {
                return Ok(());
            }
            uses.mark = self.mark;
            let inst = trace.inst(value);
            if !inst.sunk {
                if !is_constant(inst) {
                    uses.used = true;
                    out.push(value);
                }
                return Ok(());
            }
            // Boxes and sums.
            let count = inst.uop.info().inputs.len();
            if count == 0 || inst.uop == Uop::Phi {
                return Err(Reason::VerifierFailed);
            }
            for &other in &inst.args[1..count] {
                self.expand(trace, other, out)?;
            }
            value = inst.args[0];
        }
    }

    /// At the loop's start phis take over references from their initial values.
    fn enter_loop(&mut self, trace: &Trace, start: usize) -> Result<(), Reason> {
        let object_phi = |&(phi, _): &(ValueId, &ValueId)| {
            let inst = trace.inst(phi);
            inst.kind == Kind::Object && !inst.sunk
        };
        let phis = || trace.phis().zip(trace.end_args()).filter(object_phi);
        if phis().next().is_none() {
            return Ok(());
        }
        // A phi takes over what the loop's body gains of its next value. Where phis hand on to phis, or share, ask the
        // owner of the rule.
        let plain = |&next: &ValueId| {
            next.index() < trace.insts.len()
                && trace.inst(next).uop != Uop::Phi
                && phis().filter(|other| *other.1 == next).count() == 1
        };
        if !phis().all(|(_, next)| plain(next)) {
            return self.ask_ownership(trace, start);
        }
        reset(&mut self.gained, trace.insts.len(), 0);
        for (i, inst) in trace.insts.iter().enumerate().skip(start + 1) {
            let info = inst.uop.info();
            let ownership = &info.ownership;
            if inst.sunk || !(ownership.output_owned || (ownership.consumes | ownership.gains) != 0)
            {
                continue;
            }
            self.gained[i] += i32::from(ownership.output_owned);
            for (k, arg) in inst.args[..info.inputs.len()].iter().enumerate() {
                *self
                    .gained
                    .get_mut(arg.index())
                    .ok_or(Reason::VerifierFailed)? += change_of(ownership, k);
            }
        }
        for (phi, next) in phis() {
            let count = self.gained[next.index()].max(0);
            self.own(trace, trace.inst(phi).args[0], -count);
            self.own(trace, phi, count);
        }
        Ok(())
    }

    fn ask_ownership(&mut self, trace: &Trace, start: usize) -> Result<(), Reason> {
        let state = ownership::State::at(trace, start + 1).map_err(|_| Reason::VerifierFailed)?;
        for v in self.owned_now.drain(..) {
            let uses = &mut self.uses[v.index()];
            (uses.owned, uses.listed) = (0, false);
        }
        for (v, count) in state.loop_owned(trace) {
            self.own(trace, v, count as i32);
        }
        Ok(())
    }

    #[inline]
    fn own(&mut self, trace: &Trace, value: ValueId, change: i32) {
        let inst = trace.inst(value);
        if change == 0 || inst.sunk || is_constant(inst) {
            return;
        }
        let uses = &mut self.uses[value.index()];
        uses.owned += change;
        if !uses.listed {
            uses.listed = true;
            self.owned_now.push(value);
        }
    }
}

/// What an instruction adds to the references owned of its input `k`.
#[inline]
fn change_of(ownership: &Ownership, k: usize) -> i32 {
    i32::from(ownership.gains >> k & 1) - i32::from(ownership.consumes >> k & 1)
}

fn reset<T: Copy>(vector: &mut Vec<T>, len: usize, value: T) {
    vector.clear();
    vector.resize(len, value);
}
