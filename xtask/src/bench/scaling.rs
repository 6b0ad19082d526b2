//! What compiling costs as loops get longer, and as a program has more of them. There should be no cliff:
//! the cost of a loop, and of a statement in it, stays what it is.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::charts::Curve;
use super::compiled;
use super::kernels::sample;
use super::statistics::median;
use super::{Measured, Options, Setup};
use crate::interpreters::{Interpreter, Mode};
use crate::scratch::Scratch;

/// Loops in one program.
const LOOPS: &[usize] = &[1, 3, 10, 30, 100, 300, 1000, 3000, 10_000];

/// Statements in the body of one loop.
const STATEMENTS: &[usize] = &[1, 3, 10, 30, 100, 300, 1000];

/// Rounds of each loop: more than make it hot.
const ROUNDS: usize = 2000;

/// A step that costs this many times the cheapest one before it is a cliff.
const CLIFF: f64 = 3.0;

/// What one step of a curve says.
struct Step {
    /// Loops, or statements.
    size: usize,
    traces: f64,
    uops: f64,
    /// Microseconds of all stages.
    compile: f64,
    /// Bytes of code.
    code: f64,
    /// Bytes that are kept beside the code.
    metadata: f64,
    /// Seconds of the first call, off and on.
    first: (f64, f64),
    /// Recordings that gave no trace, by reason.
    aborts: Value,
}

/// Measures with one interpreter and prints a line for each step.
pub fn measure(
    _setup: &Setup,
    interpreter: &Interpreter,
    options: &Options,
) -> Result<Measured, String> {
    let steps =
        |what: &str, sizes: &[usize], program: fn(usize) -> String| -> Result<Vec<Step>, String> {
            println!(
                "{what:<12} {:>7} {:>9} {:>12} {:>12} {:>11} {:>11} {:>10} {:>10}",
                "traces", "uops", "ns a uop", "us a trace", "code", "metadata", "off, ms", "on, ms"
            );
            let steps = sizes.iter().map(|&size| {
                let step = step(interpreter, options, size, &program(size))?;
                print(&step);
                Ok(step)
            });
            steps.collect()
        };
    let loops = steps("loops", LOOPS, many_loops)?;
    let statements = steps("statements", STATEMENTS, long_loop)?;
    cliffs("loops", &loops);
    cliffs("statements", &statements);
    let curve = |steps: &[Step], name: &str, seconds: fn(&Step) -> f64| -> Curve {
        let each = steps
            .iter()
            .map(|step| (step.size as f64, seconds(step) / step.size as f64 * 1e6));
        (name.into(), each.collect())
    };
    let both = |steps: &[Step]| {
        json!([
            curve(steps, "without Serigraph", |step| step.first.0),
            curve(steps, "with Serigraph", |step| step.first.1),
        ])
    };
    let curves = json!([
        {
            "name": "loops", "title": "Many loops, compiled and run once",
            "x": "loops in the program", "y": "microseconds a loop", "curves": both(&loops),
        },
        {
            "name": "length", "title": "A long loop, compiled and run once",
            "x": "statements in the loop", "y": "microseconds a statement", "curves": both(&statements),
        },
    ]);
    let raw = json!({
        "curves": curves,
        "loops": loops.iter().map(as_json).collect::<Vec<Value>>(),
        "statements": statements.iter().map(as_json).collect::<Vec<Value>>(),
    });
    Ok(raw.into())
}

/// A program of many functions with a loop each.
fn many_loops(count: usize) -> String {
    let mut text = String::new();
    for at in 0..count {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "def f{at}(n):\n    t = {at}\n    for i in range(n):\n        t += i ^ {at}\n    return t\n"
        );
    }
    text += "def main():\n    t = 0\n";
    for at in 0..count {
        let _ = writeln!(text, "    t ^= f{at}({ROUNDS})");
    }
    text + "    return t\n"
}

/// A program with one loop of many statements.
fn long_loop(count: usize) -> String {
    let mut text = String::from("def f(n):\n    t = 1\n    for i in range(n):\n");
    for at in 0..count {
        let _ = writeln!(text, "        t = (t * 5 + i + {at}) & 0xFFFFFF");
    }
    text + &format!("    return t\ndef main():\n    return f({ROUNDS})\n")
}

fn step(
    interpreter: &Interpreter,
    options: &Options,
    size: usize,
    program: &str,
) -> Result<Step, String> {
    let scratch = Scratch::new("scaling").map_err(|error| error.to_string())?;
    let file = scratch.path().join("program.py");
    fs::write(&file, program).map_err(|error| error.to_string())?;
    let run = |mode: Mode, file: &Path| sample(interpreter, mode, file, 1);
    let (mut offs, mut ons, mut compiles) = (Vec::new(), Vec::new(), Vec::new());
    let mut stats = Value::Null;
    for _ in 0..options.rounds(3) {
        let (off, on) = (
            run(Mode::Off, &file)?,
            run(Mode::On(options.threshold), &file)?,
        );
        if off.result != on.result {
            return Err(format!("{size}: {} is not {}", on.result, off.result));
        }
        offs.push(off.first());
        ons.push(on.first());
        stats = on.stats;
        compiles.push(compiled::microseconds(&stats));
    }
    let number = |name: &str| stats[name].as_f64().unwrap_or(0.0);
    Ok(Step {
        size,
        traces: compiled::traces(&stats),
        uops: compiled::uops(&stats),
        compile: median(&compiles),
        code: number("code_bytes"),
        metadata: number("metadata_bytes"),
        first: (median(&offs), median(&ons)),
        aborts: stats["aborts"].clone(),
    })
}

fn print(step: &Step) {
    println!(
        "{:<12} {:>7} {:>9} {:>12.1} {:>12.1} {:>11} {:>11} {:>10.2} {:>10.2}",
        step.size,
        step.traces,
        step.uops,
        step.compile * 1e3 / step.uops,
        step.compile / step.traces,
        step.code,
        step.metadata,
        step.first.0 * 1e3,
        step.first.1 * 1e3
    );
    if step.traces == 0.0 {
        println!("{:<12} not compiled: {}", "", step.aborts);
    }
}

/// Names the steps at which a loop, or a statement, costs far more than one did before. That is judged by
/// processor time; the times of the stages are by the clock, and a busy machine adds to them.
fn cliffs(what: &str, steps: &[Step]) {
    let mut least = f64::MAX;
    for step in steps {
        let cost = step.first.1 / step.size as f64;
        if cost > least * CLIFF {
            println!(
                "CLIFF at {} {what}: {:.1} times the cheapest step before",
                step.size,
                cost / least
            );
        }
        least = least.min(cost);
    }
}

fn as_json(step: &Step) -> Value {
    json!({
        "size": step.size,
        "traces": step.traces,
        "uops": step.uops,
        "compile_us": step.compile,
        "code_bytes": step.code,
        "metadata_bytes": step.metadata,
        "first_off": step.first.0,
        "first_on": step.first.1,
        "aborts": step.aborts,
    })
}
