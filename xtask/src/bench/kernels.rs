//! Throughput of the kernels: the interpreter, Serigraph, and the same program in Rust. All times are
//! of the processor: the machines are shared, and the kernels have one thread and do not wait.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::results::{Row, Verdict};
use super::statistics::{Estimate, geometric_mean, median};
use super::{Measured, Options, Setup, brief, time};
use crate::environment::last_lines;
use crate::interpreters::{Interpreter, Mode};
use crate::process;

/// Calls of a kernel's main() in one process. The first one includes recording and compiling and is
/// shown for itself.
const CALLS: usize = 4;

/// What the kernels are to reach: times the interpreter, and at most this many times native.
const GOALS: &[(&str, f64, Option<f64>)] = &[
    ("int_sum_squares", 40.0, Some(1.5)),
    ("int_sum_overflow", 1.0, None),
    ("mandelbrot", 30.0, None),
    ("float_recurrence", 1.0, Some(1.3)),
    ("sieve", 10.0, None),
    ("matmul", 10.0, None),
    ("collatz", 12.0, None),
    ("gcd", 12.0, None),
    ("nbody", 6.0, None),
    ("fannkuch_swap", 4.0, None),
];

/// Time one process may take.
const LIMIT: Duration = Duration::from_secs(120);

/// What one process of a kernel said.
pub struct Sample {
    /// The result of main().
    pub result: String,
    /// Processor time of each call, in seconds.
    pub times: Vec<f64>,
    /// Peak of memory.
    pub peak_kib: u64,
    /// What Serigraph did.
    pub stats: Value,
}

impl Sample {
    /// The first call, which includes recording and compiling.
    pub fn first(&self) -> f64 {
        self.times[0]
    }

    /// The usual call, once compiled.
    pub fn steady(&self) -> f64 {
        median(&self.times[self.times.len().min(2) - 1..])
    }
}

/// The kernels that are wanted: name and file.
pub fn wanted(setup: &Setup, options: &Options) -> Result<Vec<(String, PathBuf)>, String> {
    programs(&setup.root.join("benchmarks/kernels"), options)
}

/// The programs of a folder that are wanted.
pub fn programs(folder: &Path, options: &Options) -> Result<Vec<(String, PathBuf)>, String> {
    let entries = folder
        .read_dir()
        .map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    let mut kernels: Vec<(String, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_stem()?.to_str()?.to_owned();
            (path.extension()? == "py" && options.wants(&name)).then_some((name, path))
        })
        .collect();
    // Those with goals first, in the order of the goals.
    let rank = |name: &str| {
        let goal = GOALS.iter().position(|(goal, ..)| *goal == name);
        goal.unwrap_or(GOALS.len())
    };
    kernels.sort_by_key(|(name, _)| (rank(name), name.clone()));
    if kernels.is_empty() {
        return Err(format!("no such program in {}", folder.display()));
    }
    Ok(kernels)
}

/// Runs a kernel in a process of its own.
pub fn sample(
    interpreter: &Interpreter,
    mode: Mode,
    kernel: &Path,
    calls: usize,
) -> Result<Sample, String> {
    sample_with(interpreter.command(mode), kernel, calls)
        .map_err(|fault| format!("{}, {mode}: {fault}", kernel.display()))
}

/// Runs a kernel in a process of its own, with any interpreter.
pub fn sample_with(mut command: Command, kernel: &Path, calls: usize) -> Result<Sample, String> {
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bench/driver.py");
    command.arg(driver).arg(kernel).arg(calls.to_string());
    let outcome = process::run(&mut command, "", LIMIT).map_err(|error| error.to_string())?;
    let fault = || format!("{}: {}", outcome.ending(), last_lines(&outcome, 3));
    let said: Value = serde_json::from_str(&outcome.stdout).map_err(|_| fault())?;
    let times: Option<Vec<f64>> = said["times"]
        .as_array()
        .map(|times| times.iter().filter_map(Value::as_f64).collect());
    match (times, said["result"].as_str(), said["peak_kib"].as_u64()) {
        (Some(times), Some(result), Some(peak_kib)) if !times.is_empty() && outcome.succeeded() => {
            Ok(Sample {
                result: result.into(),
                times,
                peak_kib,
                stats: said["stats"].clone(),
            })
        }
        _ => Err(fault()),
    }
}

/// Runs the native program of a kernel: its result, and the time of a call.
fn native_sample(setup: &Setup, name: &str) -> Option<(String, f64)> {
    let mut command = Command::new(&setup.native);
    command.args([name, "5"]);
    let outcome = process::run(&mut command, "", LIMIT).ok()?;
    let mut lines = outcome.stdout.lines();
    let (result, times) = (lines.next()?, lines.next()?);
    let times: Vec<f64> = times
        .split(' ')
        .filter_map(|time| time.parse().ok())
        .collect();
    Some((result.into(), median(&times)))
}

/// Processor time of a process that runs a kernel once.
fn whole_process(interpreter: &Interpreter, mode: Mode, kernel: &Path) -> Result<f64, String> {
    let mut command = interpreter.command(mode);
    let outcome =
        process::run(command.arg(kernel), "", LIMIT).map_err(|error| error.to_string())?;
    if outcome.succeeded() {
        return Ok(outcome.processor_time.as_secs_f64());
    }
    Err(format!(
        "{}, {mode}: {}\n{}",
        kernel.display(),
        outcome.ending(),
        outcome.stderr
    ))
}

/// Measures the kernels with one interpreter and prints a line for each.
pub fn measure(
    setup: &Setup,
    interpreter: &Interpreter,
    options: &Options,
) -> Result<Measured, String> {
    println!(
        "{:<17} {:>10} {:>10} {:>7} {:>17} {:>7} {:>7} {:>10} {:>8}  goal",
        "kernel", "off", "on", "ratio", "95 % interval", "first", "process", "native", "x native"
    );
    let on = Mode::On(options.threshold);
    let mut results = serde_json::Map::new();
    let mut ratios = Vec::new();
    let mut rows = Vec::new();
    for (name, file) in wanted(setup, options)? {
        let mut samples = Vec::new();
        for round in 0..options.rounds(5) {
            let side = |mode: Mode| -> Result<(Sample, f64), String> {
                let sample = sample(interpreter, mode, &file, CALLS)?;
                Ok((sample, whole_process(interpreter, mode, &file)?))
            };
            let pair = if round % 2 == 0 {
                let without = side(Mode::Off)?;
                (without, side(on)?)
            } else {
                let with = side(on)?;
                (side(Mode::Off)?, with)
            };
            samples.push((pair.0, pair.1, native_sample(setup, &name)));
        }
        let row = Figures::new(&name, &samples);
        row.print();
        ratios.push(row.ratio.value);
        results.insert(name.clone(), row.json);
        rows.push(comparable(&name, &samples, row.difference.is_some()));
    }
    println!(
        "geometric mean of the ratios: {:.2}",
        geometric_mean(&ratios)
    );
    Ok(Measured {
        rows,
        ..Value::Object(results).into()
    })
}

/// What can be compared of a kernel's turns.
fn comparable(name: &str, turns: &[Turn], differs: bool) -> Row {
    let each = |figure: fn(&Turn) -> f64| -> Vec<f64> { turns.iter().map(figure).collect() };
    let call = |at: usize, times: fn(&Turn) -> &Sample| {
        median(
            &turns
                .iter()
                .map(|turn| times(turn).times[at])
                .collect::<Vec<f64>>(),
        )
    };
    let curve =
        |times: fn(&Turn) -> &Sample| (0..CALLS).map(|at| call(at, times)).collect::<Vec<f64>>();
    let warm_up = (curve(|turn| &turn.0.0), curve(|turn| &turn.1.0));
    let peak = |peak: fn(&Turn) -> f64| median(&each(peak)) / 1024.0;
    Row {
        name: name.into(),
        group: "kernels".into(),
        off: each(|turn| turn.0.0.steady()),
        on: each(|turn| turn.1.0.steady()),
        first: Some((warm_up.0[0], warm_up.1[0])),
        warm_up,
        native: turns
            .iter()
            .filter_map(|turn| turn.2.as_ref().map(|(_, time)| *time))
            .collect(),
        peak_mib: Some((
            peak(|turn| turn.0.0.peak_kib as f64),
            peak(|turn| turn.1.0.peak_kib as f64),
        )),
        verdict: if differs {
            Verdict::Different
        } else {
            Verdict::Same
        },
        stats: turns
            .last()
            .map_or(Value::Null, |turn| brief(&turn.1.0.stats)),
        failure: None,
    }
}

/// A turn: without, with (each with the time of a whole process), native.
type Turn = ((Sample, f64), (Sample, f64), Option<(String, f64)>);

/// The figures of one kernel.
struct Figures {
    name: String,
    off: f64,
    on: f64,
    ratio: Estimate,
    first: f64,
    process: f64,
    native: f64,
    difference: Option<String>,
    json: Value,
}

impl Figures {
    fn new(name: &str, turns: &[Turn]) -> Self {
        let each = |figure: fn(&Turn) -> f64| -> Vec<f64> { turns.iter().map(figure).collect() };
        let mut results: Vec<&str> = turns
            .iter()
            .flat_map(|((off, _), (on, _), native)| {
                let native = native.as_ref().map(|(result, _)| result.as_str());
                [Some(off.result.as_str()), Some(on.result.as_str()), native]
            })
            .flatten()
            .collect();
        results.sort_unstable();
        results.dedup();
        let difference = (results.len() > 1).then(|| format!("{name}: {}", results.join(" or ")));
        Self {
            name: name.into(),
            off: median(&each(|turn| turn.0.0.steady())),
            on: median(&each(|turn| turn.1.0.steady())),
            ratio: Estimate::of(&each(|turn| turn.0.0.steady() / turn.1.0.steady())),
            first: median(&each(|turn| turn.0.0.first() / turn.1.0.first())),
            process: median(&each(|turn| turn.0.1 / turn.1.1)),
            native: median(&each(|turn| {
                turn.2.as_ref().map_or(f64::NAN, |(_, time)| *time)
            })),
            difference,
            json: json!({
                "result": results,
                "off": each_json(turns, |turn| json!(turn.0.0.times)),
                "on": each_json(turns, |turn| json!(turn.1.0.times)),
                "off_process": each(|turn| turn.0.1),
                "on_process": each(|turn| turn.1.1),
                "native": each_json(turns, |turn| json!(turn.2.as_ref().map(|(_, time)| *time))),
                "off_peak_kib": each_json(turns, |turn| json!(turn.0.0.peak_kib)),
                "on_peak_kib": each_json(turns, |turn| json!(turn.1.0.peak_kib)),
                "stats": turns.last().map(|turn| turn.1.0.stats.clone()),
            }),
        }
    }

    fn print(&self) {
        let times_native = self.on / self.native;
        println!(
            "{:<17} {:>10} {:>10} {:>7.2} {:>17} {:>7.2} {:>7.2} {:>10} {:>8.2}  {}{}",
            self.name,
            time(self.off),
            time(self.on),
            self.ratio.value,
            self.ratio.interval_text(),
            self.first,
            self.process,
            time(self.native),
            times_native,
            self.goal(times_native),
            match (&self.difference, self.ratio.interval) {
                (Some(_), _) => " RESULTS DIFFER",
                (None, None) => " too few turns to call it a difference",
                (None, Some(_)) if !self.ratio.differs_from(1.0) => " no difference",
                (None, Some(_)) => "",
            }
        );
    }

    /// The goal, and whether it is met.
    fn goal(&self, times_native: f64) -> String {
        let Some((_, least, most_native)) = GOALS.iter().find(|(name, ..)| *name == self.name)
        else {
            return String::new();
        };
        let met = self.ratio.value >= *least && most_native.is_none_or(|most| times_native <= most);
        let native = most_native.map_or(String::new(), |most| format!(", {most} x native"));
        format!("{least} x{native}: {}", if met { "met" } else { "MISSED" })
    }
}

fn each_json(turns: &[Turn], figure: fn(&Turn) -> Value) -> Vec<Value> {
    turns.iter().map(figure).collect()
}
