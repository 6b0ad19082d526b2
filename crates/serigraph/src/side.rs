//! A hot side exit: recording goes on from there, and the exit is linked to the trace that comes of it.

use std::rc::Rc;

use serigraph_cpython::code::CodeRef;
use serigraph_cpython::frame::FramePtr;
use serigraph_cpython::threads::Thread;
use serigraph_stencil::Activation;
use serigraph_trace::ir::ValueId;
use serigraph_trace::regalloc::Location;
use serigraph_trace::side::{SideEntry, side_entry};
use serigraph_uops::Reason;

use crate::executor::{Compiled, ValidWord, Words};
use crate::exit::{self, InActivation, Values};
use crate::record::{Side, SideFrame, Start, Turns};
use crate::record_root::{self, Origin};
use crate::{attach, compile, enter, log, recording, state};

/// Whether a side trace may be recorded here and now.
pub fn may_record(thread: Thread, code: CodeRef, parent: &Compiled, index: u32) -> bool {
    if attach::is_watched_by_others(thread, code)
        || recording::is_recording(thread)
        || !enter::has_room(thread)
    {
        return false;
    }
    let is_full = state::with(|s| {
        let tree = s
            .traces
            .iter()
            .filter(|t| t.compiled.root == parent.root)
            .count();
        tree > s.options.limits.side_traces
    });
    let refused = if is_full {
        Err(Reason::TooManyTraces)
    } else {
        compile::prepare(thread)
    };
    if let Err(reason) = refused {
        record_root::failed(
            code,
            origin(parent, index, parent.ip),
            code,
            parent.ip,
            reason,
        );
        return false;
    }
    true
}

fn origin(parent: &Compiled, exit: u32, ip: u32) -> Origin {
    Origin::Exit {
        parent: parent.id,
        exit,
        ip,
    }
}

/// Records from an exit that a trace has just taken, and compiles. The result is that of [`exit::leave`].
///
/// # Safety
/// As [`exit::leave`]; the activation is as machine code has left it at this exit.
pub unsafe fn record(
    thread: Thread,
    frame: FramePtr,
    code: CodeRef,
    parent: &Rc<Compiled>,
    index: u32,
    activation: &Activation,
) -> bool {
    let exit = &parent.exits[index as usize];
    let begun = side_entry(&parent.trace, parent.id, exit.at).and_then(|entry| {
        let found = parent.machine.exit_values(index as usize);
        let locate = |value| {
            found
                .iter()
                .find(|(v, _)| *v == value)
                .map(|&(_, location)| location)
        };
        let locations: Option<Vec<Location>> =
            entry.params.iter().map(|&value| locate(value)).collect();
        if locations.is_none() {
            let is_lost = |value: &&ValueId| locate(**value).is_none();
            let lost: Vec<&ValueId> = entry.params.iter().filter(is_lost).collect();
            log!(Error, "the exit at {} does not keep {lost:?}", exit.at);
        }
        locations
            .map(|locations| (entry, locations))
            .ok_or(Reason::VerifierFailed)
    });
    let (entry, locations) = match begun {
        Ok(begun) => begun,
        Err(reason) => {
            log!(
                Error,
                "no side trace of trace {} can begin at {}\n{}",
                parent.id,
                exit.at,
                parent.trace
            );
            record_root::failed(
                code,
                origin(parent, index, parent.ip),
                code,
                parent.ip,
                reason,
            );
            let plan = parent.plans.plan(exit.plan);
            // SAFETY: by the caller's promise.
            return unsafe {
                exit::leave(
                    thread,
                    frame,
                    code,
                    plan,
                    &InActivation(activation),
                    exit.is_error,
                )
            };
        }
    };
    let SideEntry {
        trace,
        ip,
        top,
        frames,
        ..
    } = entry;
    let values = InActivation(activation);
    let params = locations
        .iter()
        .map(|&location| values.bits(location))
        .collect();
    let inlined = frames
        .into_iter()
        .zip(&trace.inlined)
        .map(|(state, inlined)| SideFrame {
            // SAFETY: the handle is the code of an inlined function, which the parent keeps alive.
            code: unsafe {
                CodeRef::from_raw(std::ptr::with_exposed_provenance_mut(inlined.code as usize))
            },
            ip: state.ip,
            top: state.top,
            slots: state.slots.iter().map(|s| (s.slot, s.value)).collect(),
        })
        .collect();
    let (turns, header) = state::with(|s| {
        let root = s.traces.get(parent.root).map(|root| &root.compiled);
        root.map_or((None, 0), |root| (root.words.turns.clone(), root.ip))
    });
    let words = Words {
        valid: ValidWord::default(),
        turns,
    };
    let counted = words.turns.as_ref().map(|counter| Turns {
        header,
        word: counter.address(),
        if_it_calls: false,
    });
    let start = Start::Side(Side {
        parent: parent.id,
        trace,
        params,
        ip,
        top,
        inlined,
    });
    // SAFETY: by the caller's promise; the activation holds what the trace's beginning says.
    let Some(recording) =
        (unsafe { recording::record(thread, frame, code, start, &words.valid, counted) })
    else {
        record_root::failed(code, origin(parent, index, ip), code, ip, Reason::BadCode);
        let plan = parent.plans.plan(exit.plan);
        // SAFETY: by the caller's promise; nothing was recorded.
        return unsafe { exit::leave(thread, frame, code, plan, &values, exit.is_error) };
    };
    // SAFETY: by the caller's promise.
    unsafe {
        record_root::finish(
            thread,
            frame,
            code,
            recording,
            origin(parent, index, ip),
            locations,
            words,
        )
    }
}
