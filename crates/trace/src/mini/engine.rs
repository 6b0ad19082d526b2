//! The engine of the miniature: interprets a program, records its loop when it comes round the second time, and from then on
//! enters what a compiler made of the recording.

use super::interpret::{Position, Ran, step};
use super::program::Program;
use super::record::{Recording, record};
use crate::exit::{Scratch, plan_exit_at, restore};
use crate::ir::{End, Trace, ValueId};
use crate::testhost::TestHost;

/// A compiled loop: runs on the host from the loop header, and leaves by an exit; gives whether an exception is set. It is
/// given the objects of the program's constants.
pub type Entry<'a> = Box<dyn FnMut(&mut TestHost, &[u64]) -> bool + 'a>;

/// Makes something to enter of a complete recording, or not.
pub type Compile<'c, 'a> = dyn FnMut(&mut TestHost, Trace) -> Option<Entry<'a>> + 'c;

/// The end of a program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finished {
    /// The state at the end, as text.
    pub state: String,
    /// What went wrong: leaks, double frees.
    pub errors: Vec<String>,
    /// How often compiled code was entered.
    pub entered: u32,
}

/// Runs a program; `compile` decides what becomes of its loop (never called: `None`).
pub fn run<'a>(program: &Program, mut compile: Option<&mut Compile<'_, 'a>>) -> Finished {
    let (mut host, constants) = program.start();
    let mut at = Position {
        ip: 0,
        top: program.top(),
    };
    let mut visits = 0;
    let mut entered = 0;
    let mut entry: Option<Entry<'a>> = None;
    // The trace has just left here, so the interpreter has to go on.
    let mut left_here = false;
    loop {
        let is_header = at.ip == 0;
        if is_header && !left_here {
            visits += 1;
            left_here = true;
            if let Some(entry) = &mut entry {
                entered += 1;
                host.raised = entry(&mut host, &constants);
                let (ip, top) = host.position();
                at = Position { ip, top };
                if host.raised {
                    break;
                }
                continue;
            }
            if visits == program.warm
                && let Some(compile) = compile.as_mut()
            {
                let recording = record(program, &constants, &mut host, at);
                leave_recording(&mut host, &recording);
                let (ip, top) = host.position();
                at = Position { ip, top };
                if recording.raised {
                    host.raised = true;
                    break;
                }
                // The state is the header's again: what was compiled can be entered at once.
                left_here = !recording.complete && at.ip == 0;
                if recording.complete {
                    entry = compile(&mut host, recording.trace);
                    left_here = entry.is_none();
                }
                continue;
            }
        }
        left_here = false;
        match step(program, &constants, &mut host, &mut at) {
            Ran::On => {}
            Ran::Ended => break,
            Ran::Raised => {
                host.raised = true;
                break;
            }
        }
    }
    drop(entry);
    host.set_position(at.ip, at.top);
    let state = host.describe();
    for constant in constants.into_iter().filter(|c| *c != 0) {
        host.heap.decref(constant);
    }
    let errors = host.finish();
    Finished {
        state,
        errors,
        entered,
    }
}

/// Leaves a recording by its end.
pub fn leave_recording(host: &mut TestHost, recording: &Recording) {
    let End::Exit(snapshot) = recording.trace.end else {
        return;
    };
    match plan_exit_at(&recording.trace, recording.trace.insts.len(), snapshot) {
        Ok(plans) => {
            let mut leaving = host.leaving(|value: ValueId| recording.values[value.index()]);
            restore(
                plans.plan(crate::exit::PlanId(0)),
                &mut leaving,
                &mut Scratch::default(),
            );
        }
        Err(error) => host.heap.errors.push(format!(
            "the recording cannot be left: {error}\n{}",
            recording.trace
        )),
    }
}
