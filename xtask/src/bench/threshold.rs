//! The curve from which the shipped threshold is chosen: what cold programs lose and what short runs of
//! the kernels gain, at several thresholds.

use serde_json::{Value, json};

use super::kernels::{sample, wanted};
use super::statistics::{geometric_mean, median};
use super::{Options, Setup, cold};
use crate::interpreters::{Interpreter, Mode};

const THRESHOLDS: &[u32] = &[16, 64, 256, 512, 1024, 2048, 4096, 16384];

/// Measures the curve with one interpreter and prints a line for each threshold.
pub fn measure(
    setup: &Setup,
    interpreter: &Interpreter,
    options: &Options,
) -> Result<Value, String> {
    let kernels = wanted(setup, options)?;
    println!(
        "{:>9} {:>22} {:>24} {:>24}",
        "threshold", "first calls, speed-up", "cold programs, more", "traces in cold programs"
    );
    let mut results = serde_json::Map::new();
    for &threshold in THRESHOLDS {
        let on = Mode::On(Some(threshold));
        let mut gains = Vec::new();
        for (_, file) in &kernels {
            let off = sample(interpreter, Mode::Off, file, 1)?.times[0];
            gains.push(off / sample(interpreter, on, file, 1)?.times[0]);
        }
        let (mut more, mut traces) = (Vec::new(), 0);
        for (_, arguments) in cold::wanted(&Options::default()) {
            let pairs = cold::pairs(interpreter, on, arguments, options.rounds(11))?;
            let differences: Vec<f64> = pairs
                .iter()
                .map(|(off, on)| on.processor - off.processor)
                .collect();
            more.push(median(&differences) * 1e3);
            traces += cold::traces(interpreter, on, arguments)?;
        }
        println!(
            "{threshold:>9} {:>22.2} {:>21.1} ms {traces:>24}",
            geometric_mean(&gains),
            more.iter().sum::<f64>()
        );
        results.insert(
            threshold.to_string(),
            json!({"gains": gains, "more_ms": more, "traces": traces}),
        );
    }
    Ok(Value::Object(results))
}
