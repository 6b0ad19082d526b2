//! Computing plans: the scan of [`crate::ownership`], stopped at each exit.

use super::{BoxKind, Count, Make, PlanFrame, PlanId, Plans, Raw, SlotWrite, Source, Store};
use crate::ir::{End, InlinedKind, SnapshotId, Trace, ValueId};
use crate::ownership::{OwnershipError, SlotMemory, State, is_null, same_value};
use serigraph_uops::Uop;

/// The exits of a trace.
#[derive(Clone, Debug)]
pub struct Exits<V = ValueId> {
    /// The plans. Exits that have the same to do, with the same names, share one.
    pub plans: Plans<V>,
    /// The instructions that can leave, in order, with their plans; last the end, if it is an exit, as the number of
    /// instructions.
    pub exits: Vec<(ValueId, PlanId)>,
    /// Slots at the end of the trace, and references, if it does not end with a back edge.
    pub end: State,
}

/// Plans every exit of a trace. An error means that the trace is not well formed, and must not run.
pub fn plan_exits(trace: &Trace) -> Result<Exits, OwnershipError> {
    plan(trace, |_, value| Some(value), |_, _| true)
}

/// Plans every exit of a trace, with other names for its values, such as their locations there: `name` is asked with the how-manieth
/// exit it is. A value without a name is an error too. `same_names` says of two exits whether all names are the same at both.
pub fn plan_exits_named<V: Copy>(
    trace: &Trace,
    name: impl Fn(usize, ValueId) -> Option<V>,
    same_names: impl Fn(usize, usize) -> bool,
) -> Result<Exits<V>, OwnershipError> {
    let mut exits = plan(trace, name, same_names)?;
    exits.plans.shrink_to_fit();
    Ok(exits)
}

fn plan<V: Copy>(
    trace: &Trace,
    name: impl Fn(usize, ValueId) -> Option<V>,
    same_names: impl Fn(usize, usize) -> bool,
) -> Result<Exits<V>, OwnershipError> {
    let mut state = State::new(trace);
    let mut planner = Planner::new(trace);
    let mut exits: Vec<(ValueId, PlanId)> = Vec::with_capacity(trace.insts.len() / 2);
    let mut last = (SnapshotId::NONE, u32::MAX);
    let mut plan_once = |state: &mut State, at: usize, snapshot: SnapshotId| {
        let number = exits.len();
        let same = last == (snapshot, state.version()) && same_names(number - 1, number);
        if !same {
            planner.plan(trace, state, at, snapshot, |value| name(number, value))?;
            last = (snapshot, state.version());
        }
        exits.push((ValueId(at as u32), PlanId(planner.plans.len() as u32 - 1)));
        Ok(())
    };
    for (i, inst) in trace.insts.iter().enumerate() {
        if inst.snapshot.is_some() && !inst.sunk {
            plan_once(&mut state, i, inst.snapshot)?;
        }
        state.apply(trace, i)?;
    }
    match trace.end {
        End::Exit(snapshot) if snapshot.is_some() => {
            plan_once(&mut state, trace.insts.len(), snapshot)?;
        }
        End::Exit(_) | End::Link { .. } | End::Enter { .. } => {}
        End::Loop(_) => state.check_back_edge(trace)?,
    }
    Ok(Exits {
        plans: planner.plans,
        exits,
        end: state,
    })
}

/// Plans one exit: the one before instruction `at` (the number of instructions: at the end) at this snapshot. For a
/// recording that stops, and for a uop that raised while recording.
pub fn plan_exit_at(
    trace: &Trace,
    at: usize,
    snapshot: SnapshotId,
) -> Result<Plans<ValueId>, OwnershipError> {
    let mut state = State::at(trace, at)?;
    let mut planner = Planner::new(trace);
    planner.plan(trace, &mut state, at, snapshot, Some)?;
    Ok(planner.plans)
}

struct Planner<V> {
    plans: Plans<V>,
    /// References that the frames of the snapshot at hand need, by value.
    needed: Vec<u32>,
    /// The values with a need, in the order of their first.
    touched: Vec<ValueId>,
    /// The numbers of the makes at hand, by order in `touched`.
    made: Vec<(ValueId, u32)>,
}

impl<V: Copy> Planner<V> {
    fn new(trace: &Trace) -> Planner<V> {
        let count = trace.insts.len();
        let plans = Plans::with_capacity(count / 3 + 4);
        Planner {
            plans,
            needed: vec![0; count],
            touched: Vec::with_capacity(32),
            made: Vec::with_capacity(16),
        }
    }

    /// The source of an object, of which the frames need one more reference.
    fn need(
        &mut self,
        trace: &Trace,
        at: usize,
        value: ValueId,
        name: impl Fn(ValueId) -> Option<V>,
    ) -> Result<Source<V>, OwnershipError> {
        let Some(inst) = trace.insts.get(value.index()) else {
            return bad(at, format!("{value} does not exist"));
        };
        if is_null(inst) {
            return Ok(Source::Constant(0));
        }
        let needed = &mut self.needed[value.index()];
        *needed += 1;
        if *needed == 1 {
            self.touched.push(value);
        }
        if !inst.sunk {
            return source(trace, at, value, name);
        }
        if let Some(&(_, number)) = self.made.iter().find(|(made, _)| *made == value) {
            return Ok(Source::Made(number));
        }
        let made = match inst.uop {
            Uop::BoxInt => BoxKind::Int,
            Uop::BoxFloat => BoxKind::Float,
            Uop::BoxBool => BoxKind::Bool(inst.imm),
            _ => {
                return bad(
                    at,
                    format!("an exit cannot make {value}, a sunk {}", inst.uop.name()),
                );
            }
        };
        let from = raw(trace, at, inst.args[0], name)?;
        let number = self.made.len() as u32;
        self.made.push((value, number));
        self.plans.makes.push(Make { made, from });
        Ok(Source::Made(number))
    }

    fn plan(
        &mut self,
        trace: &Trace,
        state: &mut State,
        at: usize,
        snapshot: SnapshotId,
        name: impl Fn(ValueId) -> Option<V>,
    ) -> Result<(), OwnershipError> {
        if snapshot.index() >= trace.snapshots.len() {
            return bad(at, format!("{snapshot} does not exist"));
        }
        let mut ranges = self.plans.begin(snapshot);
        self.touched.clear();
        self.made.clear();
        let frames = trace.frames(snapshot);
        if frames[0].top < state.stack_held() {
            return bad(
                at,
                format!(
                    "{snapshot} has stack top {} but memory holds the stack to {}",
                    frames[0].top,
                    state.stack_held()
                ),
            );
        }
        for frame in frames {
            let first_write = self.plans.writes.len() as u32;
            let running = frame.frame.0 == 0;
            for &slot in trace.slots(frame) {
                let memory = if running {
                    state.slot(slot.slot)
                } else {
                    SlotMemory::Dead
                };
                let held = matches!(memory, SlotMemory::Holds(value) if same_value(trace, value, slot.value));
                if !held {
                    let value = self.need(trace, at, slot.value, &name)?;
                    let release_old = memory != SlotMemory::Dead;
                    self.plans.writes.push(SlotWrite {
                        slot: slot.slot,
                        value,
                        release_old,
                    });
                }
            }
            let write_count = self.plans.writes.len() as u32 - first_write;
            let (code, return_ip, kind, function) = if running {
                (0, 0, InlinedKind::Call, Source::Constant(0))
            } else {
                let inlined = &trace.inlined[frame.frame.index() - 1];
                (
                    inlined.code,
                    inlined.return_ip,
                    inlined.kind,
                    self.need(trace, at, inlined.function, &name)?,
                )
            };
            let (frame, ip, top) = (frame.frame, frame.ip, frame.top);
            self.plans.frames.push(PlanFrame {
                frame,
                ip,
                top,
                code,
                return_ip,
                kind,
                function,
                first_write,
                write_count,
            });
        }
        for store in trace.stores(snapshot) {
            self.plans.stores.push(Store {
                object: source(trace, at, store.object, &name)?,
                offset: store.offset,
                value: raw(trace, at, store.value, &name)?,
            });
        }
        self.count_increfs(trace, at, state, &name)?;
        ranges.increfs[1] = self.plans.counts.len() as u32;
        ranges.decrefs[0] = ranges.increfs[1];
        state.forget_uncounted();
        for (value, owned) in state.all_owned() {
            let needed = if trace.inst(value).sunk {
                0
            } else {
                self.needed[value.index()]
            };
            if owned > needed {
                self.plans.counts.push(Count {
                    object: source(trace, at, value, &name)?,
                    count: owned - needed,
                });
            }
            self.plans.owned.push((named(at, value, &name)?, owned));
        }
        for value in &self.touched {
            self.needed[value.index()] = 0;
        }
        self.plans.finish(ranges);
        Ok(())
    }

    /// The references that the frames need beyond those that the trace owns or the makes come with.
    fn count_increfs(
        &mut self,
        trace: &Trace,
        at: usize,
        state: &State,
        name: impl Fn(ValueId) -> Option<V>,
    ) -> Result<(), OwnershipError> {
        for &value in &self.touched {
            let inst = trace.inst(value);
            let needed = self.needed[value.index()];
            let (object, have) = if inst.sunk {
                let number = self
                    .made
                    .iter()
                    .find(|(made, _)| *made == value)
                    .map_or(0, |m| m.1);
                (
                    Source::Made(number),
                    u32::from(inst.uop.info().ownership.output_owned),
                )
            } else {
                (
                    source(trace, at, value, &name)?,
                    state.owned(value).max(0) as u32,
                )
            };
            if needed > have {
                self.plans.counts.push(Count {
                    object,
                    count: needed - have,
                });
            }
        }
        Ok(())
    }
}

#[cold]
fn bad<T>(at: usize, message: String) -> Result<T, OwnershipError> {
    Err(OwnershipError {
        at: ValueId(at as u32),
        message,
    })
}

fn named<V>(
    at: usize,
    value: ValueId,
    name: impl Fn(ValueId) -> Option<V>,
) -> Result<V, OwnershipError> {
    match name(value) {
        Some(name) => Ok(name),
        None => bad(at, format!("{value} is nowhere at the exit")),
    }
}

fn source<V>(
    trace: &Trace,
    at: usize,
    value: ValueId,
    name: impl Fn(ValueId) -> Option<V>,
) -> Result<Source<V>, OwnershipError> {
    let inst = trace.inst(value);
    if inst.uop == Uop::ConstObject {
        Ok(Source::Constant(inst.imm))
    } else {
        named(at, value, name).map(Source::Value)
    }
}

fn raw<V>(
    trace: &Trace,
    at: usize,
    value: ValueId,
    name: impl Fn(ValueId) -> Option<V>,
) -> Result<Raw<V>, OwnershipError> {
    let inst = trace.inst(value);
    let [a, b, _] = inst.args;
    let name = |value| named(at, value, &name);
    Ok(match inst.uop {
        Uop::ConstInt | Uop::ConstFloat => Raw::Constant(inst.imm),
        _ if !inst.sunk => Raw::Value(name(value)?),
        _ if !inst.inputs().iter().all(|arg| is_in_a_place(trace, *arg)) => {
            return bad(at, format!("an exit cannot make {value} of what is sunk"));
        }
        Uop::IntAddWrapImm => Raw::Plus(name(a)?, inst.imm),
        Uop::IntAddWrap => Raw::Sum(name(a)?, name(b)?),
        Uop::IntSubWrap => Raw::Difference(name(a)?, name(b)?),
        _ => return bad(at, format!("an exit cannot make {value}, which is sunk")),
    })
}

fn is_in_a_place(trace: &Trace, value: ValueId) -> bool {
    let inst = trace.inst(value);
    !inst.sunk && !matches!(inst.uop, Uop::ConstInt | Uop::ConstFloat)
}
