//! Modules of the interpreter's own test suite: the outcome of every test with Serigraph must be
//! what it is without.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::interpreters::{Interpreter, Mode};
use crate::process;
use crate::scratch::Scratch;

/// Modules that the whole run compares.
pub const MODULES: &[&str] = &[
    "test_int",
    "test_float",
    "test_long",
    "test_range",
    "test_list",
    "test_tuple",
    "test_iter",
    "test_grammar",
    "test_generators",
    "test_exceptions",
    "test_sys_settrace",
    "test_monitoring",
    "test_signal",
];

/// The quick ones of them, for `cargo test`.
pub const SAMPLE: &[&str] = &["test_int", "test_range", "test_grammar", "test_generators"];

/// Time a module may take; the slowest takes half a minute.
const LIMIT: Duration = Duration::from_secs(400);

/// Outcome of each test, by name.
pub type Outcomes = BTreeMap<String, String>;

/// Runs one module of the interpreter's test suite.
pub fn run(interpreter: &Interpreter, mode: Mode, module: &str) -> Result<Outcomes, String> {
    let runner = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/run_suite.py");
    let scratch = Scratch::new("suite").map_err(|error| error.to_string())?;
    let file = scratch.path().join("outcomes.json");
    let mut command = interpreter.command(mode);
    command
        .args([&runner, Path::new(module), &file])
        .current_dir(scratch.path());
    let outcome = process::run(&mut command, "", LIMIT).map_err(|error| error.to_string())?;
    let read = std::fs::read(&file).ok();
    match read.and_then(|text| serde_json::from_slice(&text).ok()) {
        Some(outcomes) if outcome.succeeded() => Ok(outcomes),
        _ => Err(format!(
            "{module}, {mode}: {}\n{}",
            outcome.ending(),
            last_lines(&outcome.stderr, 30)
        )),
    }
}

/// Tests whose outcomes differ, with both: empty when there are none.
pub fn differences(without: &Outcomes, with: &Outcomes) -> String {
    let absent = String::from("not run");
    let names = without.keys().chain(with.keys());
    let mut lines: Vec<String> = names
        .filter_map(|name| {
            let (off, on) = (
                without.get(name).unwrap_or(&absent),
                with.get(name).unwrap_or(&absent),
            );
            (off != on).then(|| format!("{name}: {off} without, {on} with\n"))
        })
        .collect();
    lines.sort();
    lines.dedup();
    lines.concat()
}

/// The end of a long text.
fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
