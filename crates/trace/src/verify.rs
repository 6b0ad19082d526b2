//! The verifier: what must be true of every trace, after every pass.
//!
//! 1. Params come first; every input is defined before its use, by an instruction with a result of the right kind.
//! 2. Kinds, immediates and snapshots are as the table says: an instruction has a snapshot exactly if it can leave.
//! 3. There is one `loop` instruction if the trace ends with a back edge, none otherwise; phis follow it immediately; the
//!    back edge has one argument of the right kind for each phi, in their order.
//! 4. A snapshot lists f0 first and then the inlined frames, each called by the one before; slots in ascending order
//!    and below the top; objects only, all defined before each use of the snapshot.
//! 5. Only boxes are sunk, of values that are not; nothing that is emitted uses a sunk value.
//! 6. Nothing with a side effect stands between the first use of a snapshot and a guard that uses it (law 6), for the
//!    interpreter would repeat the effect. Reference counts, slots, the instruction pointer and outgoing arguments are
//!    no such effects, for the exit's plan takes care of them; a store to an iterator is none if the snapshot has a
//!    pending store for that field. A snapshot is used on one side of the loop start only.
//! 7. What runs arbitrary code runs with every local of f0 in memory (law 2), and while a frame stands for each inlined
//!    function (law 5): as many have been pushed as its snapshot has, or have to be popped.
//! 8. References: never fewer than none, accounted for at each exit, the same in each turn of the loop
//!    ([`crate::ownership`], [`crate::exit`]).

use crate::exit::plan_exits;
use crate::ir::{End, FrameId, Inst, SnapshotId, Trace, ValueId};
use crate::ownership::{SlotMemory, State, same_value};
use serigraph_uops::{Effects, Exit, Immediate, Kind, Uop, layout};
use std::fmt;

/// What is wrong with a trace, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifyError {
    /// Where.
    pub place: Place,
    /// What.
    pub message: String,
}

/// A place in a trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The lists before and after the instructions.
    Trace,
    /// An instruction.
    Inst(ValueId),
    /// A snapshot.
    Snapshot(SnapshotId),
    /// The end.
    End,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::Trace => write!(f, "trace: {}", self.message),
            Place::Inst(value) => write!(f, "{value}: {}", self.message),
            Place::Snapshot(snapshot) => write!(f, "{snapshot}: {}", self.message),
            Place::End => write!(f, "end: {}", self.message),
        }
    }
}

impl std::error::Error for VerifyError {}

type Result = std::result::Result<(), VerifyError>;

#[cold]
fn bad(place: Place, message: impl Into<String>) -> Result {
    Err(VerifyError {
        place,
        message: message.into(),
    })
}

/// Checks a trace; the first thing that is wrong is the error.
pub fn verify(trace: &Trace) -> Result {
    let mut newest = Vec::with_capacity(trace.snapshots.len());
    for i in 0..trace.snapshots.len() {
        newest.push(snapshot(trace, SnapshotId(i as u32))?);
    }
    for i in 0..trace.insts.len() {
        inst(trace, i, &newest)?;
    }
    structure(trace)?;
    end(trace, &newest)?;
    lists(trace)?;
    repeated_effects(trace)?;
    escapes(trace)?;
    let exits = plan_exits(trace);
    exits.map(|_| ()).map_err(|error| {
        let place = if error.at.index() < trace.insts.len() {
            Place::Inst(error.at)
        } else {
            Place::End
        };
        VerifyError {
            place,
            message: error.message,
        }
    })
}

/// Whether a value is defined before instruction `at`, by an instruction that has a result.
fn defined(trace: &Trace, value: ValueId, at: usize) -> bool {
    value.index() < at && trace.insts[value.index()].has_value()
}

/// Checks a snapshot by itself; gives the number of instructions that must have run before it can be used.
fn snapshot(trace: &Trace, id: SnapshotId) -> std::result::Result<usize, VerifyError> {
    let place = Place::Snapshot(id);
    let error = |message: String| Err(VerifyError { place, message });
    let frames = trace.frames(id);
    let mut newest = 0;
    let mut see = |value: ValueId, kind: Kind| -> Result {
        if !defined(trace, value, trace.insts.len()) {
            return bad(place, format!("{value} is not a value"));
        }
        if trace.inst(value).kind != kind {
            return bad(place, format!("{value} is not of kind {}", kind.name()));
        }
        newest = newest.max(value.index() + 1);
        Ok(())
    };
    if frames.first().is_none_or(|f| f.frame.0 != 0) {
        return error("the first frame is not f0".into());
    }
    let mut outer = FrameId::NONE;
    for frame in frames {
        if outer.is_some() {
            let Some(inlined) = (frame.frame.0 > 0)
                .then(|| trace.inlined.get(frame.frame.index() - 1))
                .flatten()
            else {
                return error(format!("{} is not an inlined frame", frame.frame));
            };
            if inlined.caller != outer {
                return error(format!(
                    "{} was called by {}, not by {outer}",
                    frame.frame, inlined.caller
                ));
            }
            see(inlined.function, Kind::Object)?;
        } else if frame.top < trace.locals {
            return error(format!(
                "the stack top {} is among the {} locals",
                frame.top, trace.locals
            ));
        }
        outer = frame.frame;
        let mut next = 0;
        for slot in trace.slots(frame) {
            if slot.slot < next {
                return error(format!(
                    "slot {} of {} is out of order",
                    slot.slot, frame.frame
                ));
            }
            if slot.slot >= frame.top {
                return error(format!(
                    "slot {} of {} is not below the top {}",
                    slot.slot, frame.frame, frame.top
                ));
            }
            next = slot.slot + 1;
            see(slot.value, Kind::Object)?;
        }
    }
    for store in trace.stores(id) {
        see(store.object, Kind::Object)?;
        see(store.value, Kind::Int)?;
        if trace.inst(store.object).sunk {
            return error(format!(
                "{} is sunk, so it cannot be stored to",
                store.object
            ));
        }
    }
    Ok(newest)
}

fn inst(trace: &Trace, at: usize, newest: &[usize]) -> Result {
    let inst = &trace.insts[at];
    let info = inst.uop.info();
    let place = Place::Inst(ValueId(at as u32));
    for (i, &arg) in inst.args.iter().enumerate() {
        let Some(&kind) = info.inputs.get(i) else {
            if arg.is_some() {
                return bad(
                    place,
                    format!("{} has only {} inputs", info.name, info.inputs.len()),
                );
            }
            continue;
        };
        let kind = if inst.uop == Uop::Phi {
            inst.kind
        } else {
            kind
        };
        if !defined(trace, arg, at) {
            return bad(place, format!("{arg} is not defined before"));
        }
        if inst.uop == Uop::Phi && trace.loop_start.is_some_and(|start| arg > start) {
            return bad(place, format!("{arg} is not defined before the loop"));
        }
        if trace.inst(arg).kind != kind {
            return bad(
                place,
                format!(
                    "{arg} is {}, not {}",
                    trace.inst(arg).kind.name(),
                    kind.name()
                ),
            );
        }
        let made_of = trace.inst(arg);
        let is_box = matches!(inst.uop, Uop::BoxInt | Uop::BoxFloat | Uop::BoxBool);
        if made_of.sunk && !(inst.sunk && is_box && made_of.is_sum()) {
            return bad(place, format!("{arg} is sunk"));
        }
        if inst.sunk && inst.is_sum() && made_of.uop == Uop::ConstInt {
            return bad(place, format!("{arg} is a constant, in a sunk sum"));
        }
    }
    if let Some(kind) = info.output
        && kind != inst.kind
        && !matches!(inst.uop, Uop::Phi | Uop::Param)
    {
        return bad(
            place,
            format!("the result of {} is {}", info.name, kind.name()),
        );
    }
    let may_be_sunk =
        matches!(inst.uop, Uop::BoxInt | Uop::BoxFloat | Uop::BoxBool) || inst.is_sum();
    if inst.sunk && !may_be_sunk {
        return bad(place, format!("{} cannot be sunk", info.name));
    }
    match (info.exit, inst.snapshot.is_some()) {
        (Exit::Never, true) => {
            return bad(
                place,
                format!("{} never leaves, but has a snapshot", info.name),
            );
        }
        (Exit::Guard | Exit::Error, false) if !inst.sunk => {
            return bad(place, format!("{} has no snapshot", info.name));
        }
        _ => {}
    }
    if inst.snapshot.is_some() {
        match newest.get(inst.snapshot.index()) {
            None => return bad(place, format!("{} does not exist", inst.snapshot)),
            Some(&newest) if newest > at => {
                let value = ValueId(newest as u32 - 1);
                return bad(
                    place,
                    format!(
                        "{} lists {value}, which is not defined before",
                        inst.snapshot
                    ),
                );
            }
            _ => {}
        }
    }
    immediate(inst, place)
}

fn immediate(inst: &Inst, place: Place) -> Result {
    let name = inst.uop.name();
    let limit = match inst.uop.info().immediate {
        Immediate::None if inst.imm != 0 => return bad(place, format!("{name} has no immediate")),
        Immediate::Int32 if i32::try_from(inst.imm as i64).is_err() => {
            return bad(place, format!("{} does not fit 32 bits", inst.imm as i64));
        }
        Immediate::Slot => 1 << 20,
        Immediate::Offset if i32::try_from(inst.imm as i64).is_err() => {
            return bad(place, format!("{} does not fit 32 bits", inst.imm as i64));
        }
        Immediate::ArgIndex => layout::ARGS as u64,
        Immediate::FrameWord => layout::FRAME_WORDS as u64,
        // Argument 0 is the word before the arguments.
        Immediate::ArgCount => layout::ARGS as u64,
        _ => return Ok(()),
    };
    if inst.imm < limit {
        Ok(())
    } else {
        bad(
            place,
            format!("the immediate {} is not below {limit}", inst.imm),
        )
    }
}

fn structure(trace: &Trace) -> Result {
    let mut params_may_follow = true;
    let mut phis_may_follow = false;
    let mut seen_loop = None;
    for (i, inst) in trace.insts.iter().enumerate() {
        let value = ValueId(i as u32);
        match inst.uop {
            Uop::Param if !params_may_follow => {
                return bad(Place::Inst(value), "params come first");
            }
            Uop::Phi if !phis_may_follow => {
                return bad(Place::Inst(value), "phis follow the loop start");
            }
            Uop::LoopStart if seen_loop.is_some() => {
                return bad(Place::Inst(value), "a second loop");
            }
            Uop::LoopStart => seen_loop = Some(value),
            _ => {}
        }
        params_may_follow &= inst.uop == Uop::Param;
        phis_may_follow =
            matches!(inst.uop, Uop::LoopStart) || (inst.uop == Uop::Phi && phis_may_follow);
    }
    if seen_loop != trace.loop_start {
        return bad(Place::Trace, "`loop_start` is not the loop instruction");
    }
    for (i, frame) in trace.inlined.iter().enumerate() {
        let id = FrameId(i as u32 + 1);
        if frame.caller >= id {
            return bad(Place::Trace, format!("{id} is called by {}", frame.caller));
        }
        if !defined(trace, frame.function, trace.insts.len())
            || trace.inst(frame.function).kind != Kind::Object
        {
            return bad(
                Place::Trace,
                format!("the function of {id}, {}, is not an object", frame.function),
            );
        }
    }
    Ok(())
}

fn end(trace: &Trace, newest: &[usize]) -> Result {
    let count = trace.insts.len();
    for &arg in trace.end_args() {
        if !defined(trace, arg, count) {
            return bad(Place::End, format!("{arg} is not a value"));
        }
        if trace.inst(arg).sunk {
            return bad(Place::End, format!("{arg} is sunk"));
        }
    }
    match &trace.end {
        End::Loop(args) => {
            if trace.loop_start.is_none() {
                return bad(Place::End, "a back edge, but no loop start");
            }
            if trace.phis().count() != args.len() {
                return bad(
                    Place::End,
                    format!("{} arguments for {} phis", args.len(), trace.phis().count()),
                );
            }
            for (phi, &arg) in trace.phis().zip(args) {
                if trace.inst(phi).kind != trace.inst(arg).kind {
                    return bad(Place::End, format!("{arg} is not of the kind of {phi}"));
                }
            }
        }
        _ if trace.loop_start.is_some() => {
            return bad(Place::End, "a loop start, but no back edge");
        }
        End::Link { .. } | End::Enter { .. } => {}
        End::Exit(snapshot) => {
            if newest.get(snapshot.index()).is_none() {
                return bad(Place::End, format!("{snapshot} does not exist"));
            }
        }
    }
    Ok(())
}

fn lists(trace: &Trace) -> Result {
    let count = trace.insts.len();
    let object =
        |value: ValueId| defined(trace, value, count) && trace.inst(value).kind == Kind::Object;
    let is_param = |value: ValueId| value.index() < count && trace.inst(value).uop == Uop::Param;
    for entry in &trace.entry_slots {
        if !object(entry.value) {
            return bad(
                Place::Trace,
                format!(
                    "{} in entry slot {} is not an object",
                    entry.value, entry.slot
                ),
            );
        }
        let inst = trace.inst(entry.value);
        let given = match inst.uop {
            Uop::Param | Uop::ConstObject => true,
            Uop::BoxInt | Uop::BoxFloat | Uop::BoxBool => {
                let from = inst.args[0];
                let made_of = trace.inst(from);
                is_param(from)
                    || matches!(made_of.uop, Uop::ConstInt | Uop::ConstFloat)
                    || made_of.is_sum()
            }
            _ => false,
        };
        if !given {
            return bad(
                Place::Trace,
                format!(
                    "{} in entry slot {} is no param, constant, or box of one or of a sum",
                    entry.value, entry.slot
                ),
            );
        }
    }
    for &(value, _) in &trace.entry_owned {
        if !object(value) || !matches!(trace.inst(value).uop, Uop::Param | Uop::ConstObject) {
            return bad(
                Place::Trace,
                format!("{value}, owned from the start, is no param or constant"),
            );
        }
    }
    for inherited in &trace.inherited {
        if !is_param(inherited.value) {
            return bad(
                Place::Trace,
                format!("the inherited {} is not a param", inherited.value),
            );
        }
    }
    let Some(start) = trace.loop_start else {
        return Ok(());
    };
    let mut phis = trace.phis();
    for param in &trace.loop_params {
        if let Some(phi) = phis.next() {
            if phi != param.value {
                return bad(
                    Place::Trace,
                    format!("loop parameter {} should be {phi}", param.value),
                );
            }
        } else if !defined(trace, param.value, start.index()) && !is_derived(trace, param.value) {
            return bad(
                Place::Trace,
                format!(
                    "loop parameter {} is not defined before the loop",
                    param.value
                ),
            );
        }
    }
    if let Some(value) = trace.loop_slice.iter().find(|value| **value >= start) {
        return bad(
            Place::Trace,
            format!("{value} of the loop's slice is not before the loop"),
        );
    }
    Ok(())
}

/// A sunk sum at the start of the loop stands for a phi.
fn is_derived(trace: &Trace, value: ValueId) -> bool {
    trace
        .insts
        .get(value.index())
        .is_some_and(|inst| inst.sunk && inst.is_sum() && Some(value) > trace.loop_start)
}

/// Effects that an exit undoes or that do not matter.
const HARMLESS: Effects = Effects(
    Effects::COUNTS.0
        | Effects::ARGS.0
        | Effects::FRAME.0
        | Effects::FRAME_IP.0
        | Effects::FRAMES.0
        | Effects::VALIDITY.0,
);

fn repeated_effects(trace: &Trace) -> Result {
    #[derive(Clone, Copy)]
    struct FirstUse {
        effects: u32,
        iterator_stores: usize,
        in_loop: bool,
    }
    let mut first: Vec<Option<FirstUse>> = vec![None; trace.snapshots.len()];
    let mut effects = 0;
    let mut iterator_stores: Vec<ValueId> = Vec::new();
    let mut in_loop = false;
    let mut check = |snapshot: SnapshotId, effects, stores: &[ValueId], in_loop, place| -> Result {
        let first = first[snapshot.index()].get_or_insert(FirstUse {
            effects,
            iterator_stores: stores.len(),
            in_loop,
        });
        if first.in_loop != in_loop {
            return bad(place, format!("{snapshot} was used before the loop start"));
        }
        if first.effects != effects {
            return bad(
                place,
                format!("a side effect stands between the first use of {snapshot} and this"),
            );
        }
        for &store in &stores[first.iterator_stores..] {
            let inst = trace.inst(store);
            let pending = |p: &crate::ir::PendingStore| {
                p.object == inst.args[0] && u64::from(p.offset) == inst.imm
            };
            if !trace.stores(snapshot).iter().any(pending) {
                return bad(
                    place,
                    format!("{store} stands between the first use of {snapshot} and this"),
                );
            }
        }
        Ok(())
    };
    for (i, inst) in trace.insts.iter().enumerate() {
        let info = inst.uop.info();
        if inst.sunk {
            continue;
        }
        if inst.snapshot.is_some() && info.exit == Exit::Guard {
            check(
                inst.snapshot,
                effects,
                &iterator_stores,
                in_loop,
                Place::Inst(ValueId(i as u32)),
            )?;
        }
        in_loop |= inst.uop == Uop::LoopStart;
        match inst.uop {
            Uop::IterStore => iterator_stores.push(ValueId(i as u32)),
            _ if !HARMLESS.contains(info.writes) => effects += 1,
            _ => {}
        }
    }
    match trace.end {
        End::Exit(snapshot) => check(snapshot, effects, &iterator_stores, in_loop, Place::End),
        _ => Ok(()),
    }
}

/// Code that may look at frames must find them.
fn escapes(trace: &Trace) -> Result {
    let mut state: Option<State> = None;
    let mut done = 0;
    let mut standing = 0;
    for (i, inst) in trace.insts.iter().enumerate() {
        match inst.uop {
            Uop::PushFrame => standing += 1,
            Uop::PopFrames if inst.imm != standing => {
                return bad(
                    Place::Inst(ValueId(i as u32)),
                    format!("{standing} frames stand"),
                );
            }
            Uop::PopFrames => standing = 0,
            _ => {}
        }
        if inst.sunk || inst.snapshot.is_none() || !inst.uop.info().escapes() {
            continue;
        }
        let place = Place::Inst(ValueId(i as u32));
        let frames = trace.frames(inst.snapshot);
        if frames.len() as u64 != standing + 1 {
            return bad(
                place,
                format!(
                    "{} runs while {standing} frames stand of {}",
                    inst.uop.name(),
                    frames.len() - 1
                ),
            );
        }
        let state = state.get_or_insert_with(|| State::new(trace));
        while done < i {
            if let Err(error) = state.apply(trace, done) {
                return bad(Place::Inst(error.at), error.message);
            }
            done += 1;
        }
        for slot in trace
            .slots(&frames[0])
            .iter()
            .filter(|s| s.slot < trace.locals)
        {
            let memory = state.slot(slot.slot);
            if !matches!(memory, SlotMemory::Holds(value) if same_value(trace, value, slot.value)) {
                return bad(
                    place,
                    format!(
                        "slot {} is not in memory while {} runs",
                        slot.slot,
                        inst.uop.name()
                    ),
                );
            }
        }
    }
    Ok(())
}
