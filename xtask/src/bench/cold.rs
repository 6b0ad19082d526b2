//! Programs that end before anything gets hot: what Serigraph costs where it cannot gain.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::statistics::{Estimate, median};
use super::{Options, Setup, time};
use crate::interpreters::{Interpreter, Mode};
use crate::process;
use crate::scratch::Scratch;

/// Large modules of the standard library.
const IMPORTS: &str = "import argparse, ast, asyncio, calendar, concurrent.futures, ctypes, dataclasses, \
    decimal, difflib, email.message, http.client, inspect, json, logging.config, multiprocessing, pdb, \
    sqlite3, tarfile, unittest.mock, xml.etree.ElementTree";

/// The programs: name and command line.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("pass", &["-c", "pass"]),
    ("imports", &["-c", IMPORTS]),
    ("pip_list", &["-m", "pip", "list"]),
    (
        "unittest",
        &["-m", "unittest", "test.test_textwrap", "test.test_bisect"],
    ),
];

/// What a cold program may take longer: a share of its time, or this long if that is more.
const GOAL_SHARE: f64 = 0.02;
const GOAL_SECONDS: f64 = 0.003;

/// Time one run may take.
const LIMIT: Duration = Duration::from_secs(120);

/// What a run took, in seconds.
#[derive(Clone, Copy)]
pub struct Times {
    /// Of the processor, which says most on a machine with other work.
    pub processor: f64,
    /// By the clock.
    pub wall: f64,
}

/// Processor time and wall-clock time of one run of a program.
fn run(interpreter: &Interpreter, mode: Mode, arguments: &[&str]) -> Result<Times, String> {
    let mut command = interpreter.command(mode);
    command.args(arguments);
    let outcome = process::run(&mut command, "", LIMIT).map_err(|error| error.to_string())?;
    if outcome.succeeded() {
        return Ok(Times {
            processor: outcome.processor_time.as_secs_f64(),
            wall: outcome.time.as_secs_f64(),
        });
    }
    Err(format!(
        "{arguments:?}, {mode}: {}\n{}",
        outcome.ending(),
        outcome.stderr
    ))
}

/// Times of a program without and with Serigraph, in turns.
pub fn pairs(
    interpreter: &Interpreter,
    on: Mode,
    arguments: &[&str],
    rounds: usize,
) -> Result<Vec<(Times, Times)>, String> {
    // Once for the files that Python writes and the system keeps.
    run(interpreter, Mode::Off, arguments)?;
    run(interpreter, on, arguments)?;
    (0..rounds)
        .map(|round| {
            if round % 2 == 0 {
                let off = run(interpreter, Mode::Off, arguments)?;
                return Ok((off, run(interpreter, on, arguments)?));
            }
            let with = run(interpreter, on, arguments)?;
            Ok((run(interpreter, Mode::Off, arguments)?, with))
        })
        .collect()
}

/// How many traces a program compiles.
pub fn traces(interpreter: &Interpreter, on: Mode, arguments: &[&str]) -> Result<usize, String> {
    let scratch = Scratch::new("cold").map_err(|error| error.to_string())?;
    let file = scratch.path().join("stats.json");
    let mut command = interpreter.command(on);
    command.args(arguments);
    command.env("SERIGRAPH_STATS", format!("json:{}", file.display()));
    process::run(&mut command, "", LIMIT).map_err(|error| error.to_string())?;
    let text = fs::read(&file).map_err(|error| format!("no statistics: {error}"))?;
    let stats: Value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    Ok(stats["traces"].as_array().map_or(0, Vec::len))
}

/// The programs that are wanted.
pub fn wanted(
    options: &Options,
) -> impl Iterator<Item = &'static (&'static str, &'static [&'static str])> {
    PROGRAMS.iter().filter(|(name, _)| options.wants(name))
}

/// Measures the programs with one interpreter and prints a line for each.
pub fn measure(
    _setup: &Setup,
    interpreter: &Interpreter,
    options: &Options,
) -> Result<Value, String> {
    println!(
        "{:<10} {:>10} {:>10} {:>10} {:>24} {:>12}",
        "program", "off", "on", "more", "95 % interval", "by the clock"
    );
    let on = Mode::On(options.threshold);
    let mut results = serde_json::Map::new();
    for (name, arguments) in wanted(options) {
        let pairs = pairs(interpreter, on, arguments, options.rounds(25))?;
        let figures =
            |figure: fn(&(Times, Times)) -> f64| -> Vec<f64> { pairs.iter().map(figure).collect() };
        let (off, with) = (
            figures(|pair| pair.0.processor),
            figures(|pair| pair.1.processor),
        );
        let more = Estimate::of(&figures(|pair| pair.1.processor - pair.0.processor));
        let wall_more = median(&figures(|pair| pair.1.wall - pair.0.wall));
        let allowed = (median(&off) * GOAL_SHARE).max(GOAL_SECONDS);
        println!(
            "{name:<10} {:>10} {:>10} {:>10} {:>24} {:>12}  at most {}: {}",
            time(median(&off)),
            time(median(&with)),
            milliseconds(more.value),
            interval(&more),
            milliseconds(wall_more),
            time(allowed),
            if more.value <= allowed {
                "met"
            } else {
                "MISSED"
            }
        );
        let result = json!({
            "off": off,
            "on": with,
            "off_wall": figures(|pair| pair.0.wall),
            "on_wall": figures(|pair| pair.1.wall),
        });
        results.insert((*name).into(), result);
    }
    println!("(processor time, but for the last column)");
    Ok(Value::Object(results))
}

/// The interval of a difference of times, in words.
pub fn interval(more: &Estimate) -> String {
    match more.interval {
        Some((low, high)) => format!("{} to {}", milliseconds(low), milliseconds(high)),
        None => "none".into(),
    }
}

/// A difference of times, which may be negative.
pub fn milliseconds(seconds: f64) -> String {
    format!("{:+.2} ms", seconds * 1e3)
}
