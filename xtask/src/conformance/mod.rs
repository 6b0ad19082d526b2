//! The interpreter's own test suite: the outcome of every test with Serigraph must be what it is
//! without.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::interpreters::{Interpreter, Mode};
use crate::process;
use crate::scratch::Scratch;

mod campaign;
mod exclusions;

pub use campaign::{HELP, Options, run as campaign};

/// Modules for `cargo test`: quick ones of many kinds. The whole suite is `cargo xtask conformance`.
pub const SAMPLE: &[&str] = &[
    "test_int",
    "test_range",
    "test_grammar",
    "test_generators",
    "test_dict",
    "test_enumerate",
    "test_compare",
    "test_unpack",
    "test_heapq",
    "test_bdb",
    "test_frame",
    "test_global",
    "test_scope",
    "test_with",
    "test_sys_setprofile",
    "test_opcache",
];

/// The optimiser's passes, for `--pass-off each`.
pub const PASSES: &[&str] = &[
    "refcount", "guards", "fold", "unbox", "cse", "memory", "peel", "sink", "reuse", "lower",
    "derive", "dead",
];

/// Time a module of the sample may take.
const LIMIT: Duration = Duration::from_secs(400);

/// How to run the interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// With Serigraph or without.
    pub mode: Mode,
    /// An optimiser pass that is left out.
    pub pass_off: Option<String>,
    /// Seed of a register allocator that chooses at random.
    pub random_registers: Option<u64>,
    /// Whether the interpreter's allocator looks for what is written behind objects, or to dead ones.
    pub check_allocator: bool,
    /// Whether the module is run again and again, to find out what it leaves behind.
    pub leaks: bool,
}

impl Setting {
    /// Nothing but a mode.
    pub const fn plain(mode: Mode) -> Self {
        Self {
            mode,
            pass_off: None,
            random_registers: None,
            check_allocator: false,
            leaks: false,
        }
    }

    /// The same without Serigraph.
    fn off(&self) -> Self {
        Self {
            check_allocator: self.check_allocator,
            leaks: self.leaks,
            ..Self::plain(Mode::Off)
        }
    }
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.mode)?;
        if let Some(pass) = &self.pass_off {
            write!(f, ", without {pass}")?;
        }
        if let Some(seed) = self.random_registers {
            write!(f, ", random registers {seed}")?;
        }
        if self.check_allocator {
            write!(f, ", checked allocator")?;
        }
        if self.leaks {
            write!(f, ", leaks")?;
        }
        Ok(())
    }
}

/// Outcome of each test, by name.
pub type Outcomes = BTreeMap<String, String>;

/// What a run of a module showed.
#[derive(Debug, Default)]
pub struct Run {
    /// Outcome of each test; of the one that did not come to its end too.
    pub outcomes: Outcomes,
    /// Tracebacks of those that failed.
    pub tracebacks: BTreeMap<String, String>,
    /// How the process ended, where that was not as it should be, with the end of what it printed.
    pub fault: Option<String>,
    /// It took longer than it may.
    pub overran: bool,
    /// Seconds of wall-clock time.
    pub seconds: f64,
}

/// Runs one module of the interpreter's test suite.
pub fn run(
    interpreter: &Interpreter,
    setting: &Setting,
    module: &str,
    limit: Duration,
) -> Result<Run, String> {
    let scratch = Scratch::new("suite").map_err(|error| error.to_string())?;
    let file = scratch.path().join("outcomes");
    let work = scratch.path().join("work");
    std::fs::create_dir(&work).map_err(|error| error.to_string())?;
    let mut command = interpreter.command(setting.mode);
    if let Some(pass) = &setting.pass_off {
        command.env("SERIGRAPH_OPT", format!("-{pass}"));
    }
    if setting.check_allocator {
        command.env("PYTHONMALLOC", "debug");
    }
    if let Some(seed) = setting.random_registers {
        command.env("SERIGRAPH_RANDOM_RA", seed.to_string());
    }
    command
        .arg(runner())
        .arg(&file)
        .args([&limit.as_secs().to_string(), module])
        .args(setting.leaks.then_some("leaks"))
        .current_dir(&work);
    // Later than the interpreter would end itself, which says where it was.
    let outcome = process::run(&mut command, "", limit + Duration::from_secs(10))
        .map_err(|error| error.to_string())?;
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let mut run = collect(&text);
    run.seconds = outcome.time.as_secs_f64();
    run.overran = outcome.time >= limit;
    if !outcome.succeeded() {
        let end = last_lines(&outcome.stderr, 40);
        run.fault = Some(format!("{}\n{end}", outcome.ending()));
    }
    Ok(run)
}

/// Names of all modules of an interpreter's test suite.
fn modules(interpreter: &Interpreter) -> Result<Vec<String>, String> {
    let scratch = Scratch::new("suite").map_err(|error| error.to_string())?;
    let file = scratch.path().join("modules.json");
    let mut command = interpreter.command(Mode::Plain);
    command.arg(runner()).arg(&file);
    let outcome = process::run(&mut command, "", Duration::from_secs(60))
        .map_err(|error| error.to_string())?;
    let read = std::fs::read(&file).ok();
    let names = read.and_then(|text| serde_json::from_slice(&text).ok());
    names.ok_or_else(|| {
        format!(
            "{interpreter} has no test suite (the package `test`): {}\n{}",
            outcome.ending(),
            last_lines(&outcome.stderr, 5)
        )
    })
}

fn runner() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/conformance/run_suite.py")
}

/// Reads what `run_suite.py` wrote.
pub(crate) fn collect(text: &str) -> Run {
    let mut run = Run::default();
    let mut running: Option<String> = None;
    for line in text.lines() {
        let Ok((test, outcome, traceback)) = serde_json::from_str::<(String, String, String)>(line)
        else {
            continue;
        };
        match &*outcome {
            "started" => running = Some(test),
            "stopped" => running = None,
            _ => {
                // A test may have several failing subtests, or fail and then fail to clean up.
                run.outcomes
                    .entry(test.clone())
                    .or_default()
                    .push_str(&outcome);
                if !traceback.is_empty() {
                    run.tracebacks.entry(test).or_default().push_str(&traceback);
                }
            }
        }
    }
    if let Some(test) = running {
        run.outcomes
            .entry(test)
            .or_default()
            .push_str("the process ended here");
    }
    run
}

/// Tests whose outcomes differ, with both: empty when there are none.
pub fn differences(without: &Outcomes, with: &Outcomes) -> BTreeMap<String, String> {
    let absent = String::from("not run");
    let names = without.keys().chain(with.keys());
    names
        .filter_map(|name| {
            let (off, on) = (
                without.get(name).unwrap_or(&absent),
                with.get(name).unwrap_or(&absent),
            );
            (off != on).then(|| (name.clone(), format!("{off} without, {on} with")))
        })
        .collect()
}

/// Compares one module without and with Serigraph; a text of every difference.
pub fn compare(interpreter: &Interpreter, module: &str, modes: &[Mode]) -> Result<(), String> {
    let without = run(interpreter, &Setting::plain(Mode::Off), module, LIMIT)?;
    if let Some(fault) = without.fault {
        return Err(format!("{module}, off: {fault}"));
    }
    for &mode in modes {
        let with = run(interpreter, &Setting::plain(mode), module, LIMIT)?;
        let mut text = with.fault.unwrap_or_default();
        for (test, difference) in differences(&without.outcomes, &with.outcomes) {
            if exclusions::of_test(interpreter.version(), mode, module, &test)?.is_some() {
                continue;
            }
            let traceback = with.tracebacks.get(&test).map_or("", String::as_str);
            text += &format!("{test}: {difference}\n{traceback}");
        }
        if !text.is_empty() {
            return Err(format!("{module}, {mode}: {text}"));
        }
    }
    Ok(())
}

/// The end of a long text.
fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_in_which_a_process_died_is_named() {
        let run = collect(
            "[\"a\", \"started\", \"\"]\n[\"a\", \"ok\", \"\"]\n[\"a\", \"stopped\", \"\"]\n\
             [\"b\", \"started\", \"\"]\n",
        );
        assert_eq!(run.outcomes["a"], "ok");
        assert_eq!(run.outcomes["b"], "the process ended here");
    }

    #[test]
    fn outcomes_of_subtests_add_up() {
        let run = collect("[\"a\", \"failure\", \"x\"]\n[\"a\", \"error: E\", \"y\"]\n");
        assert_eq!(run.outcomes["a"], "failureerror: E");
        assert_eq!(run.tracebacks["a"], "xy");
    }

    #[test]
    fn tests_that_did_not_run_are_differences() {
        let one = |name: &str| Outcomes::from([(name.to_owned(), "ok".to_owned())]);
        let found = differences(&one("a"), &one("b"));
        assert_eq!(found["a"], "ok without, not run with");
        assert_eq!(found["b"], "not run without, ok with");
    }

    #[test]
    fn the_passes_are_those_of_the_documentation() {
        let text = include_str!("../../../docs/debugging.md");
        let sentence = text
            .split_once("`SERIGRAPH_OPT` can leave out:")
            .expect("it lists them")
            .1;
        let sentence = sentence.split_once(".\n").expect("a full stop").0;
        let names: Vec<&str> = sentence.split('`').skip(1).step_by(2).collect();
        assert_eq!(names, PASSES);
    }
}
