//! What compiling costs: nanoseconds for each recorded uop, by stage; and instructions, which repeat exactly.

use serde_json::{Value, json};

use super::kernels::{sample, wanted};
use super::statistics::median;
use super::{Options, Setup, instructions};
use crate::interpreters::{Interpreter, Mode};

/// Nanoseconds a recorded uop may cost: recorded; everything after it; copied and patched.
const GOALS: [f64; 3] = [150.0, 150.0, 30.0];

/// The stages, as the statistics name them.
const STAGES: [&str; 5] = [
    "record_ms",
    "optimise_ms",
    "allocate_ms",
    "emit_ms",
    "install_ms",
];

/// What one run of a kernel compiled: traces, recorded uops, and the nanoseconds a uop of each stage.
fn costs(interpreter: &Interpreter, on: Mode, file: &std::path::Path) -> Result<[f64; 7], String> {
    let stats = sample(interpreter, on, file, 1)?.stats;
    let number = |name: &str| stats[name].as_f64().unwrap_or(0.0);
    let uops = number("recorded_uops");
    let mut figures = [
        number("root_traces") + number("side_traces"),
        uops,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
    ];
    for (figure, stage) in figures[2..].iter_mut().zip(STAGES) {
        *figure = number(stage) * 1e6 / uops;
    }
    Ok(figures)
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
        results.insert(name, json!(runs));
    }
    let medians: [f64; 7] = std::array::from_fn(|at| median(&all[at]));
    print_row("median", &medians);
    let reached = [medians[2], medians[3] + medians[4] + medians[5], medians[5]];
    for ((what, reached), goal) in ["recording", "everything after it", "copying and patching"]
        .into_iter()
        .zip(reached)
        .zip(GOALS)
    {
        let verdict = if reached <= goal { "met" } else { "MISSED" };
        println!("{what}: {reached:.0} ns a uop, at most {goal:.0}: {verdict}");
    }
    results.insert("instructions".into(), instructions::measure(interpreter)?);
    Ok(Value::Object(results))
}

fn print_row(name: &str, [traces, uops, record, optimise, allocate, emit, install]: &[f64; 7]) {
    let after = optimise + allocate + emit;
    println!(
        "{name:<17} {traces:>7.0} {uops:>7.0} {record:>8.0} {optimise:>9.0} {allocate:>9.0} {emit:>7.0} \
         {install:>8.0} {after:>12.0}"
    );
}
