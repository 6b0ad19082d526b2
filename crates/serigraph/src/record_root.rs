//! A hot header: one iteration is recorded and compiled.

use serigraph_cpython::code::CodeRef;
use serigraph_cpython::ffi;
use serigraph_cpython::frame::{FramePtr, Owner};
use serigraph_cpython::threads::Thread;
use serigraph_trace::exit::{PlanId, plan_exit_at};
use serigraph_trace::regalloc::Location;
use serigraph_uops::Reason;

use crate::compile::{self, Job};
use crate::enter::{self, Answer};
use crate::executor::{Kind, TurnCounter, ValidWord, Words};
use crate::exit::{self, Recorded};
use crate::record::{Abort, Outcome, Recording, Start, Turns};
use crate::{attach, log, recording, state};

/// Records and compiles the loop at a header, where the frame stands.
///
/// # Safety
/// As [`enter::at_back_edge`].
pub unsafe fn record(thread: Thread, frame: FramePtr, code: CodeRef, header: u32) -> Answer {
    if frame.owner() != Owner::Thread {
        fail(code, header, code, header, Reason::GeneratorFrame);
        return Answer::GoOn;
    }
    if attach::is_watched_by_others(thread, code)
        || recording::is_recording(thread)
        || !enter::has_room(thread)
    {
        state::with(|s| {
            if let Some(header) = s.code(code).find_mut(header) {
                header.postpone();
            }
        });
        return Answer::GoOn;
    }
    if let Err(reason) = compile::prepare(thread) {
        fail(code, header, code, header, reason);
        return Answer::GoOn;
    }
    let counter = TurnCounter::default();
    let turns = Turns {
        header,
        word: counter.address(),
        if_it_calls: true,
    };
    let valid = ValidWord::default();
    // SAFETY: by the caller's promise; the frame stands at the header.
    let handled = enter::outside_callback(thread, || unsafe {
        let Some(recording) = recording::record(
            thread,
            frame,
            code,
            Start::Header(header),
            &valid,
            Some(turns),
        ) else {
            fail(code, header, code, header, Reason::BadCode);
            return true;
        };
        finish(
            thread,
            frame,
            code,
            recording,
            Origin::Header(header),
            Vec::new(),
            Words {
                valid,
                turns: Some(counter),
            },
        )
    });
    if handled { Answer::GoOn } else { Answer::Raise }
}

/// Where a recording began.
#[derive(Clone, Copy, Debug)]
pub enum Origin {
    /// At a header.
    Header(u32),
    /// At a side exit of a trace of this tree.
    Exit {
        /// The trace.
        parent: u32,
        /// The exit, as an index.
        exit: u32,
        /// The instruction of f0 where the exit is.
        ip: u32,
    },
}

/// Compiles what was recorded, if it came to something (`entry`: where the params of a side trace are), and brings the frame to where the recording stopped. The result is
/// that of [`exit::leave`].
///
/// # Safety
/// As [`exit::leave`]; the recording has just been made, in this frame.
pub unsafe fn finish(
    thread: Thread,
    frame: FramePtr,
    code: CodeRef,
    recording: Recording,
    origin: Origin,
    entry: Vec<Location>,
    words: Words,
) -> bool {
    let Recording {
        outcome,
        trace,
        snapshot,
        values,
        dependencies,
        constants,
        held,
        images,
        // Frames may stand in it until the recording has been left.
        room: _room,
    } = recording;
    let plans = match plan_exit_at(&trace, trace.insts.len(), snapshot) {
        Ok(plans) => plans,
        // The frame cannot be put together again, so the program cannot go on.
        Err(error) => {
            log!(
                Error,
                "a recording owns what it should not: {error}\n{trace}"
            );
            // SAFETY: ends the process.
            unsafe {
                ffi::Py_FatalError(
                    c"serigraph: a recording cannot be left; please report this".as_ptr(),
                )
            }
        }
    };
    let plan = plans.plan(PlanId(0));
    let raised = matches!(outcome, Outcome::Aborted(Abort { raised: true, .. }));
    // What leaving runs, and what compiling looks at, must not see a pending exception.
    let exception = raised.then(crate::raise::take);
    // SAFETY: by the caller's promise; the plan is that of the recording's end.
    let handled =
        unsafe { exit::leave_with(thread, frame, code, plan, &Recorded(&values), exception) };
    let reached = match outcome {
        Outcome::Aborted(abort) => {
            // Nothing is compiled; with an exception set, nothing more is run than counting.
            failed(code, origin, abort.code, abort.ip, abort.reason);
            drop(constants);
            return handled;
        }
        Outcome::Loop => None,
        Outcome::Reached(header) => Some(header),
    };
    let (kind, ip) = match origin {
        Origin::Header(ip) => (Kind::Root, ip),
        Origin::Exit { parent, exit, ip } => (Kind::Side { parent, exit }, ip),
    };
    let job = Job {
        kind,
        frame,
        code,
        ip,
        trace,
        reached,
        entry,
        dependencies,
        constants,
        borrowed: Vec::new(),
        held,
        images,
        words,
    };
    // What it relies on is checked again: leaving may have run anything.
    if let Err((reason, constants)) = compile::compile(job) {
        failed(code, origin, code, ip, reason);
        drop(constants);
    }
    handled
}

/// A recording gave no trace.
pub fn failed(code: CodeRef, origin: Origin, at_code: CodeRef, at: u32, reason: Reason) {
    match origin {
        Origin::Header(header) => fail(code, header, at_code, at, reason),
        Origin::Exit { parent, exit, .. } => {
            count_abort(at_code, at, reason);
            state::with(|s| {
                let limits = &s.options.limits;
                let (attempts, hot_exit) = (limits.exit_attempts, limits.hot_exit);
                if let Some(trace) = s.traces.get_mut(parent) {
                    trace.exits[exit as usize].failed(hot_exit, attempts);
                }
            });
        }
    }
}

/// A recording from a header gave no trace.
fn fail(code: CodeRef, header: u32, at_code: CodeRef, at: u32, reason: Reason) {
    count_abort(at_code, at, reason);
    state::with(|s| {
        let limits = &s.options.limits;
        let events = s.stats.jump_events;
        let data = s.codes.entry(code.as_ptr().addr()).or_default();
        let header = data.header(header, limits);
        if matches!(
            reason,
            Reason::GeneratorFrame | Reason::BadCode | Reason::NotSelected
        ) {
            header.blacklisted = true;
        } else if reason == Reason::LoopEnded {
            header.ended(limits, events);
        } else if reason == Reason::TraceEnd {
            // Stopped on purpose (the option `stop_after`): the next turn is recorded too.
            header.counter = header.due.saturating_sub(1);
        } else {
            if reason == Reason::CallsCostMore {
                // What the loop does will hardly change, and waiting for the next attempt costs an event at each turn.
                header.attempts += 1;
            }
            header.failed(limits, events);
        }
    });
}

/// Counts a recording that gave no trace, with its place.
fn count_abort(code: CodeRef, unit: u32, reason: Reason) {
    let file = code.filename_text();
    let line = code.line(unit).map_or(-1, |line| line as i32);
    let culprit = recording::validated(code)
        .and_then(|checked| checked.at(unit).map(|i| i.opcode.name().to_owned()))
        .unwrap_or_default();
    log!(
        Debug,
        "nothing recorded at {file}:{line} ({culprit}): {}",
        reason.text()
    );
    state::with(|s| s.stats.abort(&file, line, reason, &culprit));
}
