//! Peak of memory of the kernels, with Serigraph and without.

use serde_json::{Value, json};

use super::kernels::{sample, wanted};
use super::statistics::median;
use super::{Options, Setup};
use crate::interpreters::{Interpreter, Mode};

/// What Serigraph may need more than the interpreter alone.
const GOAL_MIB: f64 = 5.0;

/// Measures the kernels with one interpreter and prints a line for each.
pub fn measure(
    setup: &Setup,
    interpreter: &Interpreter,
    options: &Options,
) -> Result<Value, String> {
    println!(
        "{:<17} {:>10} {:>10} {:>10}",
        "kernel", "off, MiB", "on, MiB", "more, MiB"
    );
    let mut results = serde_json::Map::new();
    for (name, file) in wanted(setup, options)? {
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
    Ok(Value::Object(results))
}
