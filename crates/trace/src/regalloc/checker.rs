//! The allocator's independent judge: runs the allocated trace on a machine whose registers and slots hold names of values.
//!
//! ```text
//! r0: v4, r1: v2      int_add r2 = r0, r1   (v6 = int_add v4, v2)     ->   r2: v6
//! ```
//!
//! It shares no code with the allocator: it asks only what the trace wants (from the IR and [`crate::ownership`]) and what
//! the allocation says. Since a place holds one value (or constant), and the loop's state is declared, one walk over the
//! trace proves every way through it: both edges into the loop have to fulfil the declaration, and nothing else is known
//! inside.

use super::{
    Allocation, Edit, ExitSite, Location, LoopEntry, Place, Reg, Request, SURVIVING_REGS, Target,
};
use crate::ir::{End, SnapshotId, Trace, ValueId};
use crate::ownership;
use serigraph_uops::{Exit, Kind, Uop};
use std::fmt;

/// What is wrong with an allocation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The instruction at or before which; the number of instructions for the end.
    pub at: ValueId,
    /// What.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}: {}", self.at, self.message)
    }
}

impl std::error::Error for Fault {}

/// What a place holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Content {
    Unknown,
    Value(ValueId),
    Constant(u64),
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Unknown => write!(f, "nothing"),
            Content::Value(v) => write!(f, "{v}"),
            Content::Constant(bits) => write!(f, "the constant {bits:#x}"),
        }
    }
}

/// Proves an allocation, or says what is wrong with it.
pub fn check<T: Target>(
    trace: &Trace,
    allocation: &Allocation,
    request: &Request<'_>,
    target: &T,
) -> Result<(), Fault> {
    let slots = usize::from(request.max_slots).max(usize::from(allocation.slots));
    let linked = request.link.map_or(0, |l| usize::from(l.slots));
    let mut checker = Checker {
        trace,
        allocation,
        request,
        target,
        registers: [Content::Unknown; 16],
        slots: vec![Content::Unknown; slots.max(linked)],
        scratch: [Content::Unknown; 3],
        same: (0..trace.insts.len() as u32).map(ValueId).collect(),
        edit: 0,
        exit: 0,
        owned: Some(ownership::State::new(trace)),
        at: 0,
    };
    checker.run()
}

struct Checker<'a, T> {
    trace: &'a Trace,
    allocation: &'a Allocation,
    request: &'a Request<'a>,
    target: &'a T,
    registers: [Content; 16],
    slots: Vec<Content>,
    scratch: [Content; 3],
    /// Params that come in one place are one value.
    same: Vec<ValueId>,
    edit: usize,
    exit: usize,
    /// `None` once the trace is found not to be well formed, which is not the allocator's fault.
    owned: Option<ownership::State>,
    at: usize,
}

impl<T: Target> Checker<'_, T> {
    fn fault<R>(&self, message: String) -> Result<R, Fault> {
        Err(Fault {
            at: ValueId(self.at as u32),
            message,
        })
    }

    fn run(&mut self) -> Result<(), Fault> {
        let (trace, n) = (self.trace, self.trace.insts.len());
        if self.allocation.regs.len() != n {
            return self.fault(format!(
                "{} instructions but {} rows of registers",
                n,
                self.allocation.regs.len()
            ));
        }
        self.start()?;
        for i in 0..n {
            self.at = i;
            self.edits()?;
            if trace.loop_start == Some(ValueId(i as u32)) {
                self.enter_loop(|phi| trace.inst(phi).args[0])?;
                self.registers = [Content::Unknown; 16];
                self.slots.fill(Content::Unknown);
                for k in 0..self.allocation.loop_state.len() {
                    let (v, location) = self.allocation.loop_state[k];
                    self.hold(location, v)?;
                }
            }
            self.instruction(i)?;
            if let Some(state) = &mut self.owned
                && state.apply(trace, i).is_err()
            {
                self.owned = None;
            }
        }
        self.at = n;
        self.edits()?;
        match &trace.end {
            End::Exit(snapshot) => self.exit_at(n, *snapshot)?,
            End::Enter { .. } => self.end_edits()?,
            End::Loop(next) => {
                self.end_edits()?;
                let phis: Vec<ValueId> = trace.phis().collect();
                self.enter_loop(|phi| {
                    phis.iter().position(|&p| p == phi).map_or(phi, |k| next[k])
                })?;
            }
            End::Link { args, .. } => {
                let Some(link) = self.request.link else {
                    return self.fault("no link target".into());
                };
                self.end_edits()?;
                self.link(args, link)?;
            }
        }
        match self.allocation.exits.get(self.exit) {
            Some(exit) => self.fault(format!("{} has an exit in the allocation only", exit.inst)),
            None => Ok(()),
        }
    }

    fn start(&mut self) -> Result<(), Fault> {
        let params = self
            .trace
            .insts
            .iter()
            .take_while(|i| i.uop == Uop::Param)
            .count();
        for (i, &location) in self.request.entry.iter().enumerate().take(params) {
            let v = ValueId(i as u32);
            if let Some(place) = location.place()
                && let Content::Value(first) = self.read(place)?
            {
                self.same[i] = first;
            }
            self.hold(location, v)?;
        }
        Ok(())
    }

    /// What the value is by name.
    fn content(&self, v: ValueId) -> Content {
        let inst = self.trace.inst(v);
        match inst.uop {
            Uop::ConstInt | Uop::ConstFloat | Uop::ConstObject => Content::Constant(inst.imm),
            _ => Content::Value(self.same[v.index()]),
        }
    }

    fn cell(&mut self, place: Place) -> Result<&mut Content, Fault> {
        let at = ValueId(self.at as u32);
        let cell = match place {
            Place::Reg(r) if r.0 == 7 => None,
            Place::Reg(r) => self.registers.get_mut(r.0 as usize),
            Place::Slot(s) => self.slots.get_mut(s as usize),
            Place::ScratchGeneral => Some(&mut self.scratch[0]),
            Place::ScratchFloat => Some(&mut self.scratch[1]),
            Place::ScratchSlot => Some(&mut self.scratch[2]),
        };
        cell.ok_or_else(|| Fault {
            at,
            message: format!("there is no {place}"),
        })
    }

    fn read(&mut self, place: Place) -> Result<Content, Fault> {
        self.cell(place).copied()
    }

    fn write(&mut self, place: Place, content: Content) -> Result<(), Fault> {
        *self.cell(place)? = content;
        Ok(())
    }

    fn hold(&mut self, location: Location, v: ValueId) -> Result<(), Fault> {
        let content = self.content(v);
        if location.reg.is_some() {
            self.write(Place::Reg(location.reg), content)?;
        }
        if location.has_slot() {
            self.write(Place::Slot(location.slot), content)?;
        }
        Ok(())
    }

    fn expect(&mut self, place: Place, wanted: Content, what: &str) -> Result<(), Fault> {
        let found = self.read(place)?;
        if found != wanted {
            return self.fault(format!(
                "{what}: {place} should hold {wanted} but holds {found}"
            ));
        }
        Ok(())
    }

    fn expect_at(&mut self, location: Location, wanted: Content, what: &str) -> Result<(), Fault> {
        if location.reg.is_some() {
            self.expect(Place::Reg(location.reg), wanted, what)?;
        }
        if location.has_slot() {
            self.expect(Place::Slot(location.slot), wanted, what)?;
        }
        Ok(())
    }

    /// The edits before the instruction at hand.
    fn edits(&mut self) -> Result<(), Fault> {
        while let Some(&(before, edit)) = self.allocation.edits.get(self.edit)
            && before as usize <= self.at
        {
            if (before as usize) < self.at {
                return self.fault(format!(
                    "an edit before instruction {before} is out of order"
                ));
            }
            self.apply(edit)?;
            self.edit += 1;
        }
        Ok(())
    }

    fn end_edits(&mut self) -> Result<(), Fault> {
        for k in 0..self.allocation.end_edits.len() {
            self.apply(self.allocation.end_edits[k])?;
        }
        Ok(())
    }

    fn apply(&mut self, edit: Edit) -> Result<(), Fault> {
        match edit {
            Edit::Move { from, to } => {
                let class = |p: Place| match p {
                    Place::Reg(r) => Some(r.is_float()),
                    Place::ScratchGeneral => Some(false),
                    Place::ScratchFloat => Some(true),
                    Place::Slot(_) | Place::ScratchSlot => None,
                };
                match (class(from), class(to)) {
                    (None, None) => {
                        return self.fault(format!("a move from slot to slot: {from} to {to}"));
                    }
                    (Some(a), Some(b)) if a != b => {
                        return self.fault(format!("{from} and {to} differ in class"));
                    }
                    _ => {}
                }
                let content = self.read(from)?;
                self.write(to, content)
            }
            Edit::Constant { bits, to, .. } => self.write(Place::Reg(to), Content::Constant(bits)),
        }
    }

    /// One way into the loop: `incoming` is what a phi takes over on it.
    fn enter_loop(&mut self, incoming: impl Fn(ValueId) -> ValueId) -> Result<(), Fault> {
        for k in 0..self.allocation.loop_state.len() {
            let (v, location) = self.allocation.loop_state[k];
            let is_phi = self.trace.inst(v).uop == Uop::Phi;
            let wanted = self.content(if is_phi { incoming(v) } else { v });
            self.expect_at(location, wanted, &format!("{v} at the loop's start"))?;
        }
        Ok(())
    }

    fn link(&mut self, args: &[ValueId], link: &LoopEntry) -> Result<(), Fault> {
        for (&arg, &location) in args.iter().zip(&link.params) {
            let wanted = self.content(arg);
            self.expect_at(location, wanted, "link")?;
        }
        for &(_, bits, reg) in &link.constants {
            self.expect(Place::Reg(reg), Content::Constant(bits), "link")?;
        }
        Ok(())
    }

    fn class_fits(&self, reg: Reg, kind: Kind) -> bool {
        reg.is_some() && reg.is_float() == (kind == Kind::Float)
    }

    fn instruction(&mut self, i: usize) -> Result<(), Fault> {
        let inst = &self.trace.insts[i];
        let (info, regs, v) = (inst.uop.info(), self.allocation.regs[i], ValueId(i as u32));
        if inst.sunk || !info.has_stencil {
            return Ok(());
        }
        if let Content::Constant(bits) = self.content(v) {
            if regs.result.is_some() {
                if !self.class_fits(regs.result, inst.kind) {
                    return self.fault(format!("{} cannot hold {v}", regs.result));
                }
                self.write(Place::Reg(regs.result), Content::Constant(bits))?;
            }
            return Ok(());
        }
        for (k, &arg) in inst.inputs().iter().enumerate() {
            let reg = regs.inputs[k];
            if reg.is_none() && !self.target.reads(inst.uop, k) {
                continue;
            }
            if !self.class_fits(reg, info.inputs[k]) {
                return self.fault(format!("{reg} cannot hold input {k}"));
            }
            let wanted = self.content(arg);
            self.expect(Place::Reg(reg), wanted, &format!("input {k}"))?;
            if reg == regs.result && !self.target.may_alias(inst.uop, k) {
                return self.fault(format!("the result is in the register of input {k}, {reg}"));
            }
        }
        if self.target.clobbers(inst.uop) {
            self.registers[SURVIVING_REGS..].fill(Content::Unknown);
        }
        if info.exit != Exit::Never {
            let restored = regs.restored(|k| self.target.restores(inst.uop, k));
            if self.target.writes_before_exit(inst.uop) && regs.result.is_some() && !restored {
                self.write(Place::Reg(regs.result), Content::Unknown)?;
            }
            self.exit_at(i, inst.snapshot)?;
        }
        if info.output.is_some() {
            if !self.class_fits(regs.result, inst.kind) {
                return self.fault(format!("{} cannot hold {v}", regs.result));
            }
            self.write(Place::Reg(regs.result), Content::Value(v))?;
        }
        Ok(())
    }

    fn exit_at(&mut self, i: usize, snapshot: SnapshotId) -> Result<(), Fault> {
        let allocation = self.allocation;
        let Some(&site) = allocation
            .exits
            .get(self.exit)
            .filter(|e| e.inst.index() == i)
        else {
            return self.fault("its exit is missing in the allocation".into());
        };
        self.exit += 1;
        if site.snapshot != snapshot {
            return self.fault(format!(
                "its exit restores {} instead of {snapshot}",
                site.snapshot
            ));
        }
        for &(v, location) in allocation.exit_values(&site) {
            if location.is_none() {
                return self.fault(format!("the exit does not find {v}"));
            }
            let wanted = self.content(v);
            self.expect_at(location, wanted, "exit")?;
        }
        self.needs(&site)
    }

    /// Whether the exit's list names everything the exit needs.
    fn needs(&mut self, site: &ExitSite) -> Result<(), Fault> {
        let (trace, i) = (self.trace, site.inst.index());
        let mut needed: Vec<ValueId> = trace.snapshot_values(site.snapshot).collect();
        needed.extend(
            trace
                .stores(site.snapshot)
                .iter()
                .flat_map(|s| [s.object, s.value]),
        );
        if trace.loop_start.is_some_and(|l| l.index() < i) {
            let before = |v: &ValueId| trace.loop_start.is_some_and(|l| *v < l);
            needed.extend(trace.loop_params.iter().map(|p| p.value).filter(before));
        }
        needed.extend(trace.inherited.iter().map(|p| p.value));
        if let Some(state) = &mut self.owned {
            needed.extend(state.all_owned().map(|o| o.0));
        }
        while let Some(v) = needed.pop() {
            let inst = trace.inst(v);
            if matches!(self.content(v), Content::Constant(_)) {
                continue;
            }
            if inst.sunk {
                needed.extend_from_slice(inst.inputs());
            } else if !self.allocation.exit_values(site).iter().any(|e| e.0 == v) {
                return self.fault(format!("the exit needs {v}, which its list lacks"));
            }
        }
        Ok(())
    }
}
