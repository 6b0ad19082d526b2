//! Programs as people write them, with packages from PyPI: cold, a process that does its work once;
//! and long, the usual call in a process that goes on.

use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use serde_json::{Value, json};

use super::kernels::{Sample, programs, sample_with};
use super::results::{Row, Verdict};
use super::statistics::{geometric_mean, median};
use super::{Measured, Options, Setup, brief, time};
use crate::environment::{Environment, Versions};
use crate::interpreters::Interpreter;
use crate::process;

/// Seconds of calls in a process of the long run.
const LONG: f64 = 3.0;
/// The same with `--fast`.
const LONG_FAST: f64 = 1.0;
const MOST_CALLS: f64 = 300.0;

/// Time a cold process may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Measures with one interpreter and prints a line for each program.
pub fn measure(
    setup: &Setup,
    interpreter: &Interpreter,
    options: &Options,
) -> Result<Measured, String> {
    let environment = setup.environment("apps", interpreter)?;
    let wheel = environment.build_wheel(&setup.root, &setup.bench)?;
    environment.install_wheel(&wheel)?;
    println!(
        "{:<24} {:>10} {:>10} {:>22} {:>17}  results",
        "program", "off", "on", "ratio", "95 % interval"
    );
    let (mut rows, mut raw) = (Vec::new(), serde_json::Map::new());
    for (name, file) in programs(&setup.root.join("benchmarks/apps"), options)? {
        match program(&environment, &name, &file, options) {
            Ok((measured, samples)) => {
                measured.iter().for_each(print);
                rows.extend(measured);
                raw.insert(name, samples);
            }
            Err(cause) => {
                println!("{name:<24} NOT MEASURED: {cause}");
                rows.push(Row::failed(&name, "long", cause));
            }
        }
    }
    for group in ["long", "cold"] {
        let of_group = rows
            .iter()
            .filter(|row| row.group == group && row.measured());
        let ratios: Vec<f64> = of_group.map(|row| row.ratio().value).collect();
        if !ratios.is_empty() {
            println!(
                "{group}: geometric mean of the ratios: {:.3}",
                geometric_mean(&ratios)
            );
        }
    }
    Ok(Measured {
        rows,
        packages: environment.packages()?,
        raw: Value::Object(raw),
    })
}

/// What a program needs: the words after `# requires:` on its first line.
pub fn requirements(file: &Path) -> Result<Vec<String>, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let first = text.lines().next().unwrap_or_default();
    let words = first.strip_prefix("# requires:").unwrap_or_default();
    Ok(words.split_whitespace().map(str::to_owned).collect())
}

/// The rows of a program, and its raw samples.
fn program(
    environment: &Environment,
    name: &str,
    file: &Path,
    options: &Options,
) -> Result<(Vec<Row>, Value), String> {
    let needed = requirements(file)?;
    if !needed.is_empty() {
        environment.install(&needed, Versions::Pinned)?;
    }
    let long = |side: bool, calls: usize| {
        let which = if side {
            "with Serigraph"
        } else {
            "without Serigraph"
        };
        sample_with(command(environment, side), file, calls)
            .map_err(|fault| format!("{which}: {fault}"))
    };
    let seconds = if options.fast { LONG_FAST } else { LONG };
    let calls = (seconds / long(false, 3)?.steady()).clamp(3.0, MOST_CALLS) as usize;
    let mut samples: Vec<[Sample; 2]> = Vec::new();
    let mut cold: Vec<[f64; 2]> = Vec::new();
    for turn in 0..options.rounds(if options.fast { 3 } else { 7 }) {
        let both = |first: bool| -> Result<[(Sample, f64); 2], String> {
            let side = |side: bool| Ok((long(side, calls)?, once(environment, side, file)?));
            let one: Result<(Sample, f64), String> = side(first);
            let (one, other) = (one?, side(!first)?);
            Ok(if first { [other, one] } else { [one, other] })
        };
        let [(off, off_cold), (on, on_cold)] = both(turn % 2 == 1)?;
        samples.push([off, on]);
        cold.push([off_cold, on_cold]);
    }
    let rows = rows(name, &samples, &cold);
    let times =
        |side: usize| -> Vec<&[f64]> { samples.iter().map(|pair| &pair[side].times[..]).collect() };
    let raw =
        json!({"off": times(0), "on": times(1), "cold": cold, "result": samples[0][0].result});
    Ok((rows, raw))
}

fn rows(name: &str, samples: &[[Sample; 2]], cold: &[[f64; 2]]) -> Vec<Row> {
    let each = |side: usize, figure: fn(&Sample) -> f64| -> Vec<f64> {
        samples.iter().map(|pair| figure(&pair[side])).collect()
    };
    let curve = |side: usize| -> Vec<f64> {
        let calls = samples
            .iter()
            .map(|pair| pair[side].times.len())
            .min()
            .unwrap_or(0);
        let call = |at: usize| {
            median(
                &samples
                    .iter()
                    .map(|pair| pair[side].times[at])
                    .collect::<Vec<f64>>(),
            )
        };
        (0..calls).map(call).collect()
    };
    let peak = |side: usize| median(&each(side, |sample| sample.peak_kib as f64 / 1024.0));
    let first = &samples[0][0].result;
    let verdict = match samples
        .iter()
        .flatten()
        .all(|sample| sample.result == *first)
    {
        true => Verdict::Same,
        // Without Serigraph it is always the same, or the program is of no use here.
        false => Verdict::Different,
    };
    let long = Row {
        name: name.into(),
        group: "long".into(),
        off: each(0, Sample::steady),
        on: each(1, Sample::steady),
        first: Some((
            median(&each(0, Sample::first)),
            median(&each(1, Sample::first)),
        )),
        warm_up: (curve(0), curve(1)),
        native: Vec::new(),
        peak_mib: Some((peak(0), peak(1))),
        verdict,
        stats: samples
            .last()
            .map_or(Value::Null, |pair| brief(&pair[1].stats)),
        failure: None,
    };
    let cold = Row {
        name: format!("{name}, cold"),
        group: "cold".into(),
        off: cold.iter().map(|pair| pair[0]).collect(),
        on: cold.iter().map(|pair| pair[1]).collect(),
        verdict,
        ..Row::default()
    };
    vec![long, cold]
}

/// Processor time of a process that does the work of a program once.
fn once(environment: &Environment, side: bool, file: &Path) -> Result<f64, String> {
    let mut command = command(environment, side);
    let outcome = process::run(command.arg(file), "", LIMIT).map_err(|error| error.to_string())?;
    match outcome.succeeded() {
        true => Ok(outcome.processor_time.as_secs_f64()),
        false => Err(format!(
            "{}: {}",
            outcome.ending(),
            crate::environment::last_lines(&outcome, 3)
        )),
    }
}

/// Programs run in the folder for temporary files: some leave caches where they are.
fn command(environment: &Environment, side: bool) -> Command {
    let mut command = environment.command(side);
    command.current_dir(env::temp_dir());
    command
}

fn print(row: &Row) {
    println!(
        "{:<24} {:>10} {:>10} {:>22} {:>17}  {}",
        row.name,
        time(median(&row.off)),
        time(median(&row.on)),
        row.ratio_text(),
        row.ratio().interval_text(),
        if row.verdict == Verdict::Same {
            "same"
        } else {
            "DIFFERENT"
        }
    );
}
