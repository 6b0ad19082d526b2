//! From a recording to an executor: optimise, plan the exits, allocate registers, copy and patch, install.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use serigraph_cpython::code::CodeRef;
use serigraph_cpython::frame::FramePtr;
use serigraph_cpython::threads::{Thread, processor_time};
use serigraph_cpython::{Owned, ffi, layout};
use serigraph_emit::{EmitContext, Emitter, MAX_SLOTS, StencilTarget};
use serigraph_stencil::{CodeAddress, CodeError, StencilTable};
use serigraph_trace::enter::enter;
use serigraph_trace::exit::{PlanId, Plans, plan_exits_named};
use serigraph_trace::ir::{Trace, ValueId};
use serigraph_trace::link::link;
use serigraph_trace::opt;
use serigraph_trace::regalloc::liveness::is_constant;
use serigraph_trace::regalloc::{self, Allocation, Location};
use serigraph_uops::{Reason, Uop};

use crate::dump::Stage;
use crate::executor::{
    Compiled, Executor, Exit, ExitState, Held, Home, Kind, Words, entry_checks,
    guards_frame_object, link_checks, slots_of,
};
use crate::header::TraceId;
use crate::host::hold::is_data;
use crate::host::{FrameImage, object};
use crate::host_types::host_types;
use crate::payoff::{Payoff, Work};
use crate::record::Dependency;
use crate::state::State;
use crate::{attach, log, native, state};

/// What is to be compiled.
pub struct Job {
    /// How the trace came to be.
    pub kind: Kind,
    /// The running frame, brought to where the recording stopped.
    pub frame: FramePtr,
    /// The code of f0.
    pub code: CodeRef,
    /// The header, or the instruction of the exit.
    pub ip: u32,
    /// The recording.
    pub trace: Trace,
    /// The header it stands at, if it is not the one where it began.
    pub reached: Option<u32>,
    /// Where the params of a side trace are, in order.
    pub entry: Vec<Location>,
    /// What it relies on.
    pub dependencies: Vec<Dependency>,
    /// Objects that it needs.
    pub constants: Vec<Owned>,
    /// Objects that it needs and that others hold for it.
    pub borrowed: Vec<Held>,
    /// Functions (addresses) that others hold until they tell that they let go of them.
    pub held: Vec<u64>,
    /// Heads of frames that it copies.
    pub images: Vec<FrameImage>,
    /// Words that its machine code has the addresses of.
    pub words: Words,
}

/// Makes sure that there is memory for code, before anything is recorded; cold traces make room.
pub fn prepare(thread: Thread) -> Result<(), Reason> {
    let (result, freed) = state::with(|s| {
        s.notice_fork(thread.as_ptr().addr());
        let limit = s.options.limits.code_bytes;
        if s.memory.is_none() {
            match native::code_memory(limit, thread) {
                Ok(memory) => s.memory = Some(memory),
                Err(error) => return (Err(reason_of(error)), Vec::new()),
            }
        }
        let is_full = |s: &State| {
            s.memory
                .as_ref()
                .is_none_or(|m| m.used() + s.metadata + ROOM > limit)
        };
        let mut freed = Vec::new();
        if is_full(s) && s.evict() {
            freed = s.collect();
        }
        let result = match &s.memory {
            Some(memory) if !memory.is_usable() => Err(Reason::OutOfMemory),
            _ if is_full(s) => Err(Reason::CodeMemoryFull),
            _ => Ok(()),
        };
        (result, freed)
    });
    drop(freed);
    result
}

/// Room that is wanted for a trace before it is recorded, in bytes.
const ROOM: usize = 2048;

fn reason_of(error: CodeError) -> Reason {
    log!(Warn, "{error}");
    match error {
        CodeError::Full(_) => Reason::CodeMemoryFull,
        CodeError::Reserve(_) | CodeError::Unseal(_) | CodeError::Seal(_) | CodeError::Unusable => {
            Reason::OutOfMemory
        }
        _ => Reason::VerifierFailed,
    }
}

/// How a trace goes on in another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// In its loop, with what that wants in registers.
    Loop,
    /// From its beginning.
    Beginning,
}

/// The trace that another ends with going on in.
#[derive(Clone, Debug)]
struct Target {
    trace: Rc<Compiled>,
    way: Way,
}

impl Target {
    /// Where the machine code goes on.
    fn address(&self) -> Option<CodeAddress> {
        let machine = &self.trace.machine;
        match self.way {
            Way::Loop => machine.loop_entry.as_ref().map(|(address, _)| *address),
            Way::Beginning => Some(machine.entry()),
        }
    }
}

/// The traces at the header that the recording has come to which take the state it has left, the best way first.
fn targets(job: &Job, tree: Option<&Compiled>) -> Vec<Target> {
    let Some(header) = job.reached else {
        return Vec::new();
    };
    state::with(|s| {
        let executors = s
            .codes
            .get(&job.code.as_ptr().addr())
            .and_then(|d| d.find(header))
            .map_or(&[][..], |h| &h.executors);
        let all: Vec<&Rc<Compiled>> = executors
            .iter()
            .filter_map(|id| s.traces.get(*id))
            .map(|t| &t.compiled)
            .filter(|c| c.is_at_home(job.frame))
            .collect();
        // SAFETY: the frame has been brought to the header.
        let slots = unsafe { slots_of(job.frame) };
        // SAFETY: those are the slots of the frame.
        let linkable = all.iter().filter(|c| unsafe { c.accepts_link(slots) });
        let mut targets: Vec<Target> = linkable
            .map(|&trace| Target {
                trace: trace.clone(),
                way: Way::Loop,
            })
            .collect();
        // The own tree's loop first: its invariants are at hand.
        targets.sort_by_key(|t| tree.is_none_or(|tree| tree.id != t.trace.id));
        // SAFETY: as above.
        let enterable = all.iter().filter(|c| unsafe { c.accepts(slots) });
        targets.extend(enterable.map(|&trace| Target {
            trace: trace.clone(),
            way: Way::Beginning,
        }));
        targets
    })
}

/// What comes before the machine code.
struct Front {
    trace: Trace,
    allocation: Allocation,
    /// The plans of the exits, and which is whose.
    plans: Plans<Location>,
    plan_ids: Vec<PlanId>,
    /// The trace it goes on in.
    target: Option<Target>,
    optimise_ns: u64,
    allocate_ns: u64,
}

/// What each exit has to do, with the places where it finds the values.
fn plans(trace: &Trace, allocation: &Allocation) -> Result<(Plans<Location>, Vec<PlanId>), Reason> {
    let locate = |exit: usize, value: ValueId| {
        let values = allocation.exit_values(allocation.exits.get(exit)?);
        match values.iter().find(|(v, _)| *v == value) {
            Some(&(_, location)) if !location.is_none() => Some(location),
            _ => is_constant(trace.inst(value)).then_some(Location::NONE),
        }
    };
    let same_places = |a: usize, b: usize| {
        let places = |exit: usize| Some(allocation.exit_values(allocation.exits.get(exit)?));
        places(a) == places(b)
    };
    let exits = plan_exits_named(trace, locate, same_places).map_err(|error| {
        log!(Error, "{error}\n{trace}");
        Reason::VerifierFailed
    })?;
    let allocated = allocation.exits.iter().map(|site| site.inst);
    if !exits.exits.iter().map(|(inst, _)| *inst).eq(allocated) {
        log!(Error, "the exits allocated are not those planned\n{trace}");
        return Err(Reason::VerifierFailed);
    }
    let ids = exits.exits.iter().map(|&(_, plan)| plan).collect();
    Ok((exits.plans, ids))
}

/// Traces with more instructions are rare.
const USUAL_INSTS: usize = 2000;

/// Optimises and allocates. Touches nothing but its arguments, and the buffers of the allocator.
fn front(job: &Job, tree: Option<&Compiled>, linked: Option<&Target>) -> Result<Front, Reason> {
    let types = host_types();
    let (passes, random_seed) = state::with(|s| (s.options.passes, s.options.random_registers));
    let began = processor_time();
    let mut trace = job.trace.clone();
    let trace = match linked {
        None => opt::optimise_loop(trace, &types, passes)?,
        Some(Target { trace: to, way }) => {
            let tree = tree.map(|t| &t.trace);
            let loop_of = match way {
                Way::Loop => {
                    link(&mut trace, to.id, &to.trace, &types)?;
                    Some(&to.trace)
                }
                Way::Beginning => {
                    enter(&mut trace, to.id, &to.trace)?;
                    None
                }
            };
            opt::optimise_linear(trace, tree, loop_of, &types, passes)?
        }
    };
    let optimised = processor_time();
    let request = regalloc::Request {
        entry: &job.entry,
        link: linked
            .filter(|t| t.way == Way::Loop)
            .and_then(|t| t.trace.machine.loop_entry.as_ref())
            .map(|(_, entry)| entry),
        max_slots: MAX_SLOTS,
        random_seed,
    };
    let mut allocator = state::with(|s| s.allocator.take()).unwrap_or_default();
    let target = &StencilTarget::new(StencilTable::select());
    let allocation = allocator.run(&trace, &request, target);
    // The buffers of an unusually long trace are not worth keeping.
    if trace.insts.len() <= USUAL_INSTS {
        state::with(|s| s.allocator = Some(allocator));
    }
    let allocation = allocation?;
    let (plans, plan_ids) = plans(&trace, &allocation)?;
    Ok(Front {
        trace,
        allocation,
        plans,
        plan_ids,
        target: linked.cloned(),
        optimise_ns: optimised.saturating_sub(began).as_nanos() as u64,
        allocate_ns: processor_time().saturating_sub(optimised).as_nanos() as u64,
    })
}

/// The front end for whatever the recording may become: a loop, or a way to one of the traces at the header it reached. A
/// panic in it is a fault, but none of the program's.
fn any_front(job: &Job) -> Result<Front, Reason> {
    let tree = state::with(|s| s.traces.get(job.trace.tree).map(|t| t.compiled.clone()));
    let run = |target: Option<&Target>| {
        catch_unwind(AssertUnwindSafe(|| front(job, tree.as_deref(), target)))
            .unwrap_or(Err(Reason::VerifierFailed))
    };
    if job.reached.is_none() {
        return run(None);
    }
    let mut result = Err(Reason::TypesUnstable);
    for target in &targets(job, tree.as_deref()) {
        result = run(Some(target));
        if !matches!(result, Err(Reason::TypesUnstable | Reason::NotLooping)) {
            break;
        }
    }
    result
}

/// Compiles and installs a trace. On failure the constants are given back, to be released when nothing is half done.
pub fn compile(job: Job) -> Result<TraceId, (Reason, Vec<Owned>)> {
    let (id, is_selected) = state::with(|s| {
        let id = s.traces.new_number();
        (
            id,
            s.options.only.as_ref().is_none_or(|only| only.contains(id)),
        )
    });
    if !is_selected {
        return Err((Reason::NotSelected, job.constants));
    }
    let front = match any_front(&job) {
        Ok(front) => front,
        Err(reason) => return Err((reason, job.constants)),
    };
    // Whoever changes what the trace relies on from here on throws it away.
    let relies = job
        .dependencies
        .iter()
        .all(|d| attach::watch(d, id) && holds(d));
    let holds: Option<Vec<Hold>> = job.constants.iter().map(|c| hold(c, &job)).collect();
    let Some(holds) = holds else {
        state::with(|s| s.dependencies.forget(id));
        return Err((Reason::UnheldConstant, job.constants));
    };
    let relies = relies && {
        let mut all = job.constants.iter().zip(&holds);
        all.all(|(c, &hold)| hold != Hold::Borrow || attach::watch_life(c, id))
    };
    // A side trace goes with its parent, which is perhaps gone already.
    let is_wanted = match job.kind {
        Kind::Root => true,
        Kind::Side { parent, .. } => {
            state::with(|s| s.traces.get(parent).is_some_and(|p| p.retired.is_none()))
        }
    };
    if !relies || !is_wanted {
        state::with(|s| s.dependencies.forget(id));
        return Err((Reason::WorldChanged, job.constants));
    }
    let mut job = job;
    let mut others = Vec::new();
    for (constant, hold) in std::mem::take(&mut job.constants).into_iter().zip(holds) {
        match hold {
            Hold::Own => job.constants.push(constant),
            Hold::Borrow => {
                let held = Held::new(&constant);
                if !job.borrowed.contains(&held) {
                    job.borrowed.push(held);
                }
                others.push(constant);
            }
            Hold::Nothing => others.push(constant),
        }
    }
    match install(id, job, front) {
        Ok(id) => {
            // The recording's references; where they were the last, the trace is thrown away.
            drop(others);
            Ok(id)
        }
        Err((reason, mut constants)) => {
            constants.extend(others);
            Err((reason, constants))
        }
    }
}

/// What a trace has of an object that its recording needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hold {
    /// A reference.
    Own,
    /// Its address: others hold it, and tell before they let go of it.
    Borrow,
    /// Nothing: the trace does not name it.
    Nothing,
}

/// What a trace will have of an object; `None`: it can neither be owned nor borrowed.
fn hold(object: &Owned, job: &Job) -> Option<Hold> {
    let this = object.as_ptr();
    if is_data(object::address(this)) {
        return Some(Hold::Own);
    }
    for dependency in &job.dependencies {
        match *dependency {
            Dependency::Item { value, .. } if value == this => return Some(Hold::Borrow),
            // What is in it is loaded from it.
            Dependency::Function { defaults, .. } if defaults == this => {
                return Some(Hold::Nothing);
            }
            _ => {}
        }
    }
    attach::tells_its_death(object).then_some(Hold::Borrow)
}

/// Whether what a trace relies on is so now.
fn holds(dependency: &Dependency) -> bool {
    match *dependency {
        Dependency::Item { dict, key, value } => {
            // SAFETY: the recorder holds both; the key is a str, so looking it up runs no Python code.
            let now = unsafe { ffi::PyDict_GetItemWithError(dict, key) };
            if now.is_null() {
                // SAFETY: the GIL is held; a look-up that failed is as good as another value.
                unsafe { ffi::PyErr_Clear() };
            }
            now == value
        }
        Dependency::Function {
            function,
            code,
            defaults,
        } => {
            let field = |offset: usize| {
                // SAFETY: the recorder holds the function.
                unsafe {
                    *function
                        .cast::<u8>()
                        .add(offset)
                        .cast::<*mut ffi::PyObject>()
                }
            };
            field(layout().function.code) == code.as_ptr()
                && field(layout().function.defaults) == defaults
        }
    }
}

/// Copies and patches, and puts the trace into the tables.
fn install(id: TraceId, job: Job, front: Front) -> Result<TraceId, (Reason, Vec<Owned>)> {
    let line = job.code.line(job.ip).map_or(-1, |line| line as i32);
    let place = (job.code.filename_text(), line);
    let Front {
        trace,
        allocation,
        plans,
        plan_ids,
        target,
        optimise_ns,
        allocate_ns,
    } = front;
    let mut outer = Some(job);
    state::with(|s| {
        let Some(mut job) = outer.take() else {
            unreachable!("taken once")
        };
        let began = processor_time();
        let count = allocation.exits.len() as u32;
        let first_exit = s.traces.reserve_exits(count);
        let context = EmitContext {
            first_exit,
            link: target.as_ref().and_then(Target::address),
            remember_uops: s.options.dump.wants(Stage::Asm),
        };
        let emitter = s
            .emitter
            .get_or_insert_with(|| Emitter::new(StencilTable::select()));
        let parent = match job.kind {
            Kind::Root => None,
            Kind::Side { parent, exit } => s
                .traces
                .get(parent)
                .map(|parent| (parent.compiled.clone(), exit as usize)),
        };
        let emitted = match (&mut s.memory, &parent) {
            (Some(memory), None) => emitter.emit(&trace, &allocation, &context, memory),
            // Nothing runs until the trace is in the tables too.
            (Some(memory), Some((parent, exit))) => {
                memory.together(parent.machine.code.block(), |memory| {
                    let machine = emitter.emit(&trace, &allocation, &context, memory)?;
                    let linked = parent.machine.link_exit(memory, *exit, machine.entry());
                    if linked.is_err() {
                        memory.free(machine.code.block());
                    }
                    linked.map(|()| machine)
                })
            }
            (None, _) => Err(CodeError::Unusable),
        };
        let emitted = emitted.map_err(reason_of);
        let machine = match emitted {
            Ok(machine) => machine,
            Err(reason) => {
                s.traces.release_exits(first_exit, count);
                s.dependencies.forget(id);
                return Err((reason, job.constants));
            }
        };
        let emitted = processor_time();
        let exits: Vec<Exit> = machine
            .exits
            .iter()
            .zip(&plan_ids)
            .map(|(point, &plan)| Exit {
                plan,
                at: point.inst,
                reason: trace.snapshots[point.snapshot.index()].reason,
                is_error: point.error,
            })
            .collect();
        let hot_exit = s.options.limits.hot_exit;
        let units = s.code(job.code).validated.clone().flatten();
        let is_last = |exit: &Exit| match plans.plan(exit.plan).frames {
            [frame] if exit.reason == Reason::LoopEnded => units
                .as_ref()
                .is_some_and(|units| units.leads_out_of_loops(frame.ip)),
            _ => false,
        };
        let states = exits
            .iter()
            .map(|exit| ExitState::new(exit, is_last(exit), hot_exit))
            .collect();
        let root = match job.kind {
            Kind::Root => id,
            Kind::Side { parent, .. } => s.traces.get(parent).map_or(id, |p| p.compiled.root),
        };
        let work = Work::of(&trace);
        if job.kind == Kind::Root && !trace.insts.iter().any(|i| i.uop == Uop::CountTurn) {
            job.words.turns = None;
        }
        // What a turn took in the interpreter, to be compared with what it takes now.
        let pace = match (&job.words.turns, s.codes.get(&job.code.as_ptr().addr())) {
            (Some(_), Some(data)) => data.find(job.ip).and_then(|header| header.pace.turn()),
            _ => None,
        };
        let texts = texts(s, id, &place, &job.trace, &trace, &allocation, &machine);
        let compiled = Rc::new(Compiled {
            id,
            kind: job.kind,
            root,
            code: job.code,
            home: Home::of(job.frame),
            ip: job.ip,
            place,
            plans,
            exits,
            first_exit,
            words: job.words,
            entry_checks: entry_checks(&trace),
            link_checks: link_checks(&trace, &host_types()),
            guards_frame_object: guards_frame_object(&trace),
            follows_calls: !job.trace.inlined.is_empty(),
            constants: job.constants,
            borrowed: job.borrowed,
            held: job.held,
            taken: RefCell::default(),
            images: job.images,
            links_to: target.as_ref().map(|t| t.trace.id),
            texts,
            trace,
            machine,
        });
        log!(
            Info,
            "trace {id} ({}) at {}:{}: {} uops recorded, {} left, {} bytes at {:#x}",
            match job.kind {
                Kind::Root => "root".to_owned(),
                Kind::Side { parent, exit } => format!("side of {parent}, exit {exit}"),
            },
            compiled.place.0,
            compiled.place.1,
            job.trace.insts.len(),
            compiled.trace.insts.len(),
            compiled.code_size(),
            compiled.machine.entry().get()
        );
        s.install(Executor {
            compiled: compiled.clone(),
            exits: states,
            sides: Vec::new(),
            linked_from: Vec::new(),
            retired: None,
            is_pinned: false,
            entered: 0,
            entered_before: 0,
            left: 0,
            payoff: Payoff::new(work, pace),
            metadata: 0,
        });
        if root != id
            && let Some(root) = s.traces.get_mut(root)
        {
            root.payoff.grow(work);
        }
        if let Kind::Root = job.kind {
            let limits = &s.options.limits;
            s.codes
                .entry(job.code.as_ptr().addr())
                .or_default()
                .header(job.ip, limits)
                .compiled(id, limits);
        }
        s.stats.optimise_ns += optimise_ns;
        s.stats.allocate_ns += allocate_ns;
        s.stats.emit_ns += emitted.saturating_sub(began).as_nanos() as u64;
        s.stats.install_ns += processor_time().saturating_sub(emitted).as_nanos() as u64;
        Ok(id)
    })
}

/// The texts that were asked for, written out and kept.
fn texts(
    s: &mut State,
    id: TraceId,
    place: &(String, i32),
    recorded: &Trace,
    trace: &Trace,
    allocation: &Allocation,
    machine: &serigraph_emit::Compiled,
) -> Vec<(Stage, String)> {
    let mut texts = Vec::new();
    for stage in Stage::ALL {
        if !s.options.dump.wants(stage) {
            continue;
        }
        let text = match stage {
            Stage::Record => recorded.to_string(),
            Stage::Opt => trace.to_string(),
            Stage::Regalloc => regalloc::dump(trace, allocation),
            Stage::Asm => s.memory.as_ref().map_or_else(String::new, |memory| {
                serigraph_emit::dump(trace, machine, memory)
            }),
        };
        s.options
            .dump
            .write(id, &format!("{}:{}", place.0, place.1), stage, &text);
        texts.push((stage, text));
    }
    texts
}
