//! Memory with Serigraph and without: the peak of the kernels, and that of a server with forked workers.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::kernels::{sample, wanted};
use super::statistics::median;
use super::{Options, Setup};
use crate::environment::last_lines;
use crate::interpreters::{Interpreter, Mode};
use crate::process;

/// What Serigraph may need more than the interpreter alone.
const GOAL_MIB: f64 = 5.0;

/// Time the forking server may take.
const PREFORK_LIMIT: Duration = Duration::from_secs(120);

/// Measures the kernels, and the forking server, with one interpreter and prints a line for each.
pub fn measure(
    setup: &Setup,
    interpreter: &Interpreter,
    options: &Options,
) -> Result<Value, String> {
    let only_prefork = options.only.len() == 1 && options.wants("prefork");
    let kernels = match only_prefork {
        true => Vec::new(),
        false => wanted(setup, options)?,
    };
    println!(
        "{:<17} {:>10} {:>10} {:>10}",
        "program", "off, MiB", "on, MiB", "more, MiB"
    );
    let mut results = serde_json::Map::new();
    for (name, file) in kernels {
        let mut peaks = [Vec::new(), Vec::new()];
        for _ in 0..options.rounds(3) {
            for (mode, peaks) in [Mode::Off, Mode::On(options.threshold)]
                .into_iter()
                .zip(&mut peaks)
            {
                let peak = sample(interpreter, mode, &file, 2)?.peak_kib;
                peaks.push(peak as f64 / 1024.0);
            }
        }
        let [off, on] = [median(&peaks[0]), median(&peaks[1])];
        let verdict = if on - off <= GOAL_MIB { "" } else { "  MISSED" };
        println!(
            "{name:<17} {off:>10.2} {on:>10.2} {:>10.2}{verdict}",
            on - off
        );
        results.insert(name, json!({"off_mib": peaks[0], "on_mib": peaks[1]}));
    }
    println!("goal: at most {GOAL_MIB} MiB more");
    if options.wants("prefork") {
        let mut sizes = [Vec::new(), Vec::new()];
        for _ in 0..options.rounds(3) {
            for (mode, sizes) in [Mode::Off, Mode::On(options.threshold)]
                .into_iter()
                .zip(&mut sizes)
            {
                sizes.push(prefork(interpreter, mode)?);
            }
        }
        let [off, on] = [median(&sizes[0]), median(&sizes[1])];
        println!(
            "{:<17} {off:>10.2} {on:>10.2} {:>10.2}  a process with 8 workers forked, all together",
            "prefork",
            on - off
        );
        results.insert(
            "prefork".into(),
            json!({"off_mib": sizes[0], "on_mib": sizes[1]}),
        );
    }
    Ok(Value::Object(results))
}

/// MiB of a server with its workers, pages that they share counted once.
fn prefork(interpreter: &Interpreter, mode: Mode) -> Result<f64, String> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bench/prefork.py");
    let mut command = interpreter.command(mode);
    let outcome =
        process::run(command.arg(program), "", PREFORK_LIMIT).map_err(|error| error.to_string())?;
    let kib = outcome.stdout.split_whitespace().next();
    match kib.and_then(|kib| kib.parse::<f64>().ok()) {
        Some(kib) if outcome.succeeded() => Ok(kib / 1024.0),
        _ => Err(format!(
            "prefork, {mode}: {}: {}",
            outcome.ending(),
            last_lines(&outcome, 3)
        )),
    }
}
