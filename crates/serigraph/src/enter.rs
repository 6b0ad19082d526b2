//! From a back edge in the interpreter into machine code, and back.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use serigraph_cpython::code::CodeRef;
use serigraph_cpython::frame::FramePtr;
use serigraph_cpython::poll::{self, Poll};
use serigraph_cpython::threads::{Thread, native_stack_remaining};
use serigraph_cpython::tracemalloc;
use serigraph_stencil::{self as stencil, Activation, Context, PollWord};
use serigraph_uops::Reason;

use crate::executor::{Compiled, TurnCounter, slots_of};
use crate::exit::{self, InActivation};
use crate::header::Due;
use crate::payoff::{Measured, Visit};
use crate::state::State;
use crate::{attach, crash, log, record_root, side, state};

/// What the monitoring callback is to tell the interpreter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Go on, from wherever the frame stands now.
    GoOn,
    /// The frame is left with the exception that is set.
    Raise,
}

/// C recursion units that a call from machine code back into the interpreter takes, and the interpreter itself would not
/// have taken: those of the eval loop, and of the callback.
const C_RECURSION: i32 = 4;

thread_local! {
    /// Traces entered inside one another on this thread's stack.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Counts a back edge to the header at `ip`, if that is all that is to be done.
#[inline]
pub fn count(code: CodeRef, ip: u32) -> Due {
    state::with(|s| {
        s.stats.jump_events += 1;
        if !s.on || tracemalloc::is_tracing() {
            return Due::Wait;
        }
        if s.sleepers.is_one_due(s.stats.jump_events) {
            return Due::Wake;
        }
        let data = s.codes.get_mut(&code.as_ptr().addr());
        let Some(header) = data.and_then(|data| data.find_mut(ip)) else {
            return count_first(s, code, ip);
        };
        if !header.executors.is_empty() {
            return Due::Look;
        }
        match header.count() {
            due @ (Due::Wait | Due::Look) => due,
            due => count_last(s, code, ip, due),
        }
    })
}

/// As [`count`], of a header that has not been seen before.
#[cold]
fn count_first(s: &mut State, code: CodeRef, ip: u32) -> Due {
    let limits = &s.options.limits;
    let data = s.codes.entry(code.as_ptr().addr()).or_default();
    data.header(ip, limits).count()
}

/// The events of a header are about to be switched off, for a while or for good.
#[cold]
fn count_last(s: &mut State, code: CodeRef, ip: u32, due: Due) -> Due {
    match due {
        Due::Sleep(rest) => {
            let events = s.stats.jump_events;
            s.sleepers.add(code.as_ptr().addr(), ip, rest, events);
        }
        Due::Leave => s.sleepers.wake_all(),
        _ => {}
    }
    Due::Never
}

/// A back edge to `header` was taken in this frame, and [`count`] has asked for a look: a trace is entered or recorded.
///
/// # Safety
/// Called in the monitoring callback of that jump; `frame` is the current frame of `thread`, which is the running one, and
/// runs `code`.
pub unsafe fn at_back_edge(thread: Thread, frame: FramePtr, code: CodeRef, header: u32) -> Answer {
    enum Next {
        GoOn,
        Record,
        Enter(Rc<Compiled>),
    }
    let next = state::with(|s| {
        let address = code.as_ptr().addr();
        let limits = &s.options.limits;
        let header = s.codes.entry(address).or_default().header(header, limits);
        if header.executors.is_empty() {
            if header.is_due() {
                return Next::Record;
            }
            header.pace.tick(frame.as_ptr().addr());
            return Next::GoOn;
        }
        let ids: &[u32] = &header.executors;
        let mut reason = Reason::EntryTypes;
        for &id in ids {
            if let Some(trace) = s.traces.get(id)
                // SAFETY: by the caller's promise.
                && unsafe { trace.compiled.accepts(slots_of(frame)) }
            {
                if !trace.compiled.is_at_home(frame) {
                    reason = Reason::EntryGlobals;
                    continue;
                }
                if trace.compiled.is_exposed(frame) {
                    reason = Reason::FrameObject;
                    continue;
                }
                header.entries.accepted();
                return Next::Enter(trace.compiled.clone());
            }
        }
        s.stats.not_entered.count(reason);
        if !header.entries.refused() {
            let (ids, ip) = (header.executors.clone(), header.ip);
            for id in ids {
                s.retire(id, Reason::NotPaying);
            }
            if let Some(header) = s.code(code).find_mut(ip) {
                header.blacklisted = true;
            }
            return Next::GoOn;
        }
        match header.count() {
            Due::Look if header.is_due() => Next::Record,
            // A header with traces keeps its events.
            _ => Next::GoOn,
        }
    });
    match next {
        Next::GoOn => Answer::GoOn,
        // SAFETY: by the caller's promise.
        Next::Record => unsafe { record_root::record(thread, frame, code, header) },
        // SAFETY: by the caller's promise; the trace begins at this header.
        Next::Enter(trace) => unsafe { enter(thread, frame, code, &trace) },
    }
}

/// Runs `f` as if no monitoring callback were running, and counts it as one level of nesting.
pub fn outside_callback<R>(thread: Thread, f: impl FnOnce() -> R) -> R {
    let saved = thread.leave_callback();
    thread.adjust_c_recursion(C_RECURSION);
    // One look-up of the thread's variable: each is a call.
    let result = DEPTH.with(|depth| {
        depth.set(depth.get() + 1);
        let result = f();
        depth.set(depth.get() - 1);
        result
    });
    thread.adjust_c_recursion(-C_RECURSION);
    thread.reenter_callback(saved);
    result
}

/// Whether there is room on the native stack for one more level of nesting.
pub fn has_room(thread: Thread) -> bool {
    let (nesting, stack_left) =
        state::with(|s| (s.options.limits.nesting, s.options.limits.stack_left));
    DEPTH.get() < nesting
        && native_stack_remaining() >= stack_left
        && thread.c_recursion_remaining() > 2 * C_RECURSION
}

/// Why a trace may not be entered here and now.
fn obstacle(thread: Thread, code: CodeRef) -> Option<Reason> {
    if attach::is_watched_by_others(thread, code) {
        return Some(Reason::ToolsActive);
    }
    // As many levels as any trace takes: from this one others may be reached, also such that are made while it runs.
    let levels = state::with(|s| s.options.limits.inline_depth) as i32;
    if !has_room(thread) || thread.py_recursion_remaining() <= levels {
        return Some(Reason::NestedTooDeep);
    }
    None
}

/// The words that machine code polls on this thread.
fn poll_words(thread: Thread) -> [PollWord; 2] {
    static QUIET: u64 = 0;
    let nothing = PollWord {
        word: (&raw const QUIET).cast(),
        expected: 0,
    };
    let poll = Poll::of(thread);
    let breaker = PollWord {
        word: poll.address,
        expected: poll.quiet,
    };
    match poll::monitoring_version_address(thread) {
        Some(version) => [
            breaker,
            PollWord {
                word: version,
                expected: poll::monitoring_version(thread),
            },
        ],
        None => [nothing, breaker],
    }
}

/// Runs a trace.
///
/// # Safety
/// As [`at_back_edge`]; the trace begins where the frame stands, and accepts it.
unsafe fn enter(thread: Thread, frame: FramePtr, code: CodeRef, trace: &Compiled) -> Answer {
    if let Some(reason) = obstacle(thread, code) {
        state::with(|s| s.stats.not_entered.count(reason));
        return Answer::GoOn;
    }
    let (sequence, visit, entries) = state::with(|s| {
        s.stats.entries += 1;
        let visit = s.traces.get_mut(trace.id).map(|trace| {
            trace.entered += 1;
            trace.payoff.enter()
        });
        let (thread, code) = (thread.as_ptr().addr(), code.as_ptr().addr());
        let sequence = s.traces.enter(thread, code);
        (sequence, visit, s.stats.entries)
    });
    log!(Trace, "into trace {}", trace.id);
    let turns = || trace.words.turns.as_ref().map(TurnCounter::turns);
    let turns_before = turns();
    let context = Context {
        polls: poll_words(thread),
        current_frame: thread.current_frame_address(),
        recursion: thread.py_recursion_address(),
    };
    let entry_before = crash::entered();
    // SAFETY: the code is published and stays until this entry has left; it was made for this code object, and the frame
    // stands where it begins, with the types that its guards check again.
    let handled = outside_callback(thread, || unsafe {
        stencil::enter(
            trace.machine.entry(),
            frame.as_ptr(),
            &context,
            |activation| {
                crash::left(entry_before);
                let visit = Visited {
                    trace: trace.id,
                    sequence,
                    entries,
                    inside: visit.and_then(Visit::ended),
                    turns: turns()
                        .zip(turns_before)
                        .map(|(now, then)| now.wrapping_sub(then)),
                };
                on_exit(thread, frame, code, visit, activation)
            },
        )
    });
    if handled { Answer::GoOn } else { Answer::Raise }
}

/// A visit to a root trace that has ended.
struct Visited {
    /// The trace that was entered.
    trace: u32,
    /// The number of the entry.
    sequence: u64,
    /// How many entries there had been when it began.
    entries: u64,
    /// How long it took, if that was measured.
    inside: Option<Duration>,
    /// How many turns its loop made, if that is counted.
    turns: Option<u64>,
}

/// A visit to a root trace was measured and left for good, for this reason: a trace that does not pay is thrown away.
#[cold]
fn measured(visit: &Visited, inside: Duration, inlined: usize, reason: Reason) {
    let trace = visit.trace;
    state::with(|s| {
        // A loop that has ended was left between two turns, any other in the middle of one.
        let rest = u64::from(reason != Reason::LoopEnded);
        let measured = Measured {
            inside,
            inlined,
            half_turns: visit.turns.map(|turns| 2 * turns + rest),
            is_nested: s.stats.entries != visit.entries,
        };
        let Some(executor) = s.traces.get_mut(trace) else {
            return;
        };
        if executor.retired.is_some() || executor.payoff.left(measured) {
            return;
        }
        // Where traces of other trees go on in this one, its loop is worth more than the visits from here.
        let others = executor.linked_from.clone();
        let is_foreign = |id: &u32| {
            s.traces
                .get(*id)
                .is_some_and(|t| t.compiled.root != trace && t.retired.is_none())
        };
        if !others.iter().any(is_foreign) {
            s.retire(trace, Reason::NotPaying);
        }
    });
}

/// The trace has left: restores the frame, or goes on recording from here. False: see [`exit::leave`].
///
/// # Safety
/// As [`exit::leave`].
unsafe fn on_exit(
    thread: Thread,
    frame: FramePtr,
    code: CodeRef,
    visit: Visited,
    activation: &Activation,
) -> bool {
    let (trace, index, hot, reason, is_final) = state::with(|s| {
        s.traces.leave(visit.sequence);
        let Some((trace, index)) = s.traces.exit(activation.exit as u32) else {
            // Machine code cannot leave by an exit that does not exist; nothing sensible is left to be done.
            unreachable!("exit {} does not exist", activation.exit);
        };
        trace.left += 1;
        let exit = &mut trace.exits[index as usize];
        exit.counter = exit.counter.saturating_add(1);
        let hot = exit.counter >= exit.due && trace.retired.is_none();
        let is_final = exit.due == u32::MAX;
        let trace = trace.compiled.clone();
        let reason = trace.exits[index as usize].reason;
        s.stats.exits.count(reason);
        log!(
            Trace,
            "out of trace {} by exit {index}, {}",
            trace.id,
            trace.exits[index as usize].at
        );
        (trace, index, hot, reason, is_final)
    });
    if let Some(inside) = visit.inside.filter(|_| is_final) {
        let plan = trace.plans.plan(trace.exits[index as usize].plan);
        let inlined = plan.frames.len().saturating_sub(1);
        measured(&visit, inside, inlined, reason);
    }
    // SAFETY: by the caller's promise.
    let handled = unsafe {
        if hot && side::may_record(thread, code, &trace, index) {
            side::record(thread, frame, code, &trace, index, activation)
        } else {
            let exit = &trace.exits[index as usize];
            exit::leave(
                thread,
                frame,
                code,
                trace.plans.plan(exit.plan),
                &InActivation(activation),
                exit.is_error,
            )
        }
    };
    drop(trace);
    drop(state::with(|s| {
        s.traces.end(visit.sequence);
        if s.traces.has_retired() {
            s.collect()
        } else {
            Vec::new()
        }
    }));
    handled
}
