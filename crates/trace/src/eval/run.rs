//! Evaluating a whole trace: the oracle for machine code and optimiser.

use super::{Host, Step, step};
use crate::ir::{End, SnapshotId, Trace, ValueId};
use serigraph_uops::Uop;

/// Where an evaluation stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// At the exit of an instruction.
    Exit {
        /// The instruction that was left.
        at: ValueId,
        /// The snapshot to restore.
        snapshot: SnapshotId,
        /// An exception is set; otherwise a guard failed.
        raised: bool,
    },
    /// At the trace's end: an exit or a link, or a back edge past the limit of iterations.
    End,
}

/// The result of an evaluation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Where it stopped.
    pub stop: Stop,
    /// The bits of all values.
    pub values: Vec<u64>,
    /// How often the back edge was taken.
    pub iterations: u64,
}

/// Evaluates a trace from its start. `params` are the bits of its params, in order. The back edge is taken at most
/// `limit` times. Sunk instructions are passed over, as the machine code does.
pub fn run<H: Host + ?Sized>(trace: &Trace, host: &mut H, params: &[u64], limit: u64) -> Outcome {
    run_from(trace, host, params, vec![0; trace.insts.len()], 0, limit)
}

/// Evaluates a trace from its loop start. `args` are the bits of its loop parameters, in order.
pub fn run_loop<H: Host + ?Sized>(
    trace: &Trace,
    host: &mut H,
    args: &[u64],
    limit: u64,
) -> Outcome {
    let mut values = vec![0; trace.insts.len()];
    for (param, &bits) in trace.loop_params.iter().zip(args) {
        values[param.value.index()] = bits;
    }
    run_from(trace, host, &[], values, after_phis(trace), limit)
}

/// The first instruction of the loop after the phis.
fn after_phis(trace: &Trace) -> usize {
    trace
        .phis()
        .last()
        .or(trace.loop_start)
        .map_or(trace.insts.len(), |last| last.index() + 1)
}

fn run_from<H: Host + ?Sized>(
    trace: &Trace,
    host: &mut H,
    params: &[u64],
    mut values: Vec<u64>,
    mut at: usize,
    limit: u64,
) -> Outcome {
    let mut params = params.iter();
    let mut next_phis = Vec::new();
    let mut iterations = 0;
    loop {
        let Some(inst) = trace.insts.get(at) else {
            match &trace.end {
                End::Loop(args) if iterations < limit => {
                    iterations += 1;
                    next_phis.clear();
                    next_phis.extend(args.iter().map(|arg| values[arg.index()]));
                    for (phi, &next) in trace.phis().zip(&next_phis) {
                        values[phi.index()] = next;
                    }
                    at = after_phis(trace);
                    continue;
                }
                _ => {
                    return Outcome {
                        stop: Stop::End,
                        values,
                        iterations,
                    };
                }
            }
        };
        if inst.uop == Uop::Param {
            values[at] = params.next().copied().unwrap_or(0);
        } else if !inst.sunk {
            match step(host, inst, at, &mut values) {
                Step::Next(_) => {}
                left => {
                    let raised = left == Step::Raised;
                    let stop = Stop::Exit {
                        at: ValueId(at as u32),
                        snapshot: inst.snapshot,
                        raised,
                    };
                    return Outcome {
                        stop,
                        values,
                        iterations,
                    };
                }
            }
        }
        at += 1;
    }
}
