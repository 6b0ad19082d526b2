//! What compiling costs: nanoseconds a recorded uop and microseconds a trace, by stage; and instructions, which repeat exactly.

use serde_json::{Value, json};

use super::kernels::{sample, wanted};
use super::statistics::median;
use super::{Options, Setup, compiled, instructions};
use crate::interpreters::{Interpreter, Mode};

/// Nanoseconds a recorded uop may cost: recorded; everything after it; copied and patched.
const GOALS: [f64; 3] = [150.0, 150.0, 30.0];

/// What one run of a kernel compiled: traces, recorded uops, and the nanoseconds a uop of each stage.
fn costs(interpreter: &Interpreter, on: Mode, file: &std::path::Path) -> Result<[f64; 7], String> {
    let stats = sample(interpreter, on, file, 1)?.stats;
    let [record, optimise, allocate, emit, install] = compiled::nanoseconds_a_uop(&stats);
    Ok([
        compiled::traces(&stats),
        compiled::uops(&stats),
        record,
        optimise,
        allocate,
        emit,
        install,
    ])
}

/// The microseconds a trace of each stage, from traces, uops, and nanoseconds a uop.
fn a_trace([traces, uops, stages @ ..]: &[f64; 7]) -> [f64; 5] {
    stages.map(|nanoseconds| nanoseconds * uops / traces / 1e3)
}

/// Measures the kernels with one interpreter and prints a line for each.
pub fn measure(
    setup: &Setup,
    interpreter: &Interpreter,
    options: &Options,
) -> Result<Value, String> {
    println!("nanoseconds for each recorded uop");
    println!(
        "{:<17} {:>7} {:>7} {:>8} {:>9} {:>9} {:>7} {:>8} {:>12}",
        "kernel",
        "traces",
        "uops",
        "record",
        "optimise",
        "allocate",
        "emit",
        "install",
        "after record"
    );
    let on = Mode::On(options.threshold);
    let mut results = serde_json::Map::new();
    let mut all: [Vec<f64>; 7] = Default::default();
    for (name, file) in wanted(setup, options)? {
        let runs: Result<Vec<[f64; 7]>, String> = (0..options.rounds(5))
            .map(|_| costs(interpreter, on, &file))
            .collect();
        let runs = runs?;
        let column = |at: usize| median(&runs.iter().map(|run| run[at]).collect::<Vec<f64>>());
        let figures: [f64; 7] = std::array::from_fn(column);
        print_row(&name, &figures);
        for (all, figure) in all.iter_mut().zip(figures) {
            all.push(figure);
        }
        let figures = json!({
            "traces": figures[0], "uops": figures[1], "ns_a_uop": figures[2..], "us_a_trace": a_trace(&figures), "runs": runs,
        });
        results.insert(name, figures);
    }
    let medians: [f64; 7] = std::array::from_fn(|at| median(&all[at]));
    print_row("median", &medians);
    let [record, optimise, allocate, emit, install] = a_trace(&medians);
    println!(
        "microseconds a trace: record {record:.1}, optimise {optimise:.1}, allocate {allocate:.1}, emit {emit:.1}, \
         install {install:.1}"
    );
    let reached = [medians[2], medians[3] + medians[4] + medians[5], medians[5]];
    for ((what, reached), goal) in ["recording", "everything after it", "copying and patching"]
        .into_iter()
        .zip(reached)
        .zip(GOALS)
    {
        let verdict = if reached <= goal { "met" } else { "MISSED" };
        println!("{what}: {reached:.0} ns a uop, at most {goal:.0}: {verdict}");
    }
    Ok(json!({"kernels": results, "instructions": instructions::measure(interpreter)?}))
}

fn print_row(name: &str, [traces, uops, record, optimise, allocate, emit, install]: &[f64; 7]) {
    let after = optimise + allocate + emit;
    println!(
        "{name:<17} {traces:>7.0} {uops:>7.0} {record:>8.0} {optimise:>9.0} {allocate:>9.0} {emit:>7.0} \
         {install:>8.0} {after:>12.0}"
    );
}
