//! Python programs with Serigraph and without: what they print, how they end.
//!
//! One test for each script in `tests/python` and each supported interpreter on this machine, and for
//! each of a few modules of the interpreter's own test suite. The scripts know nothing of Serigraph:
//! the interpreter itself says what is right.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use xtask::conformance;
use xtask::interpreters::{self, Interpreter, Mode};
use xtask::process::{self, Outcome};
use xtask::scratch::Scratch;

/// With what every script is compared: compiled at once, compiled at the second back edge, and as
/// shipped.
const MODES: &[Mode] = &[
    Mode::Off,
    Mode::On(Some(1)),
    Mode::On(Some(2)),
    Mode::On(None),
];

/// Time one run of a script may take; they take well under a second.
const LIMIT: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let serigraph = Path::new(env!("CARGO_BIN_EXE_serigraph"));
    let interpreters = match interpreters::supported(serigraph, None) {
        Ok(interpreters) => interpreters,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::FAILURE;
        }
    };
    if !arguments.list {
        for interpreter in &interpreters {
            println!("interpreter: {interpreter}");
        }
    }
    let scripts = scripts();
    let mut trials = Vec::new();
    for interpreter in &interpreters {
        for script in &scripts {
            let name = script.file_stem().unwrap_or_default().to_string_lossy();
            let (interpreter, script) = (interpreter.clone(), script.clone());
            trials.push(Trial::test(
                format!("{}::{name}", interpreter.version()),
                move || compare_script(&interpreter, &script),
            ));
        }
        for &module in conformance::SAMPLE {
            let interpreter = interpreter.clone();
            trials.push(Trial::test(
                format!("{}::suite::{module}", interpreter.version()),
                move || compare_module(&interpreter, module),
            ));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The scripts in `tests/python`.
fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python");
    let entries = fs::read_dir(&folder).expect("tests/python is there");
    let mut scripts: Vec<PathBuf> = entries
        .map(|entry| entry.expect("tests/python can be read").path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("test_") && name.ends_with(".py")
        })
        .collect();
    scripts.sort();
    scripts
}

/// Runs a script by the interpreter itself and in every mode, and compares.
fn compare_script(interpreter: &Interpreter, script: &Path) -> Result<(), Failed> {
    let scratch = Scratch::new("script")?;
    let statistics = scratch.path().join("stats.json");
    let source = fs::read_to_string(script)?;
    let run = |mode: Mode| {
        let mut command = interpreter.command(mode);
        command.arg(script).args(["an", "argument"]);
        if matches!(mode, Mode::On(_)) {
            command.env("SERIGRAPH_STATS", format!("json:{}", statistics.display()));
        }
        process::run(&mut command, "standard input\n", LIMIT)
    };
    let expected = run(Mode::Plain)?;
    if expected.status.is_none() || expected.stdout.is_empty() {
        return Err(format!("{}\n{}", expected.ending(), expected.stderr).into());
    }
    for &mode in MODES {
        let _ = fs::remove_file(&statistics);
        let outcome = run(mode)?;
        if let Some(difference) = difference(&expected, &outcome) {
            return Err(format!("{mode}: {difference}").into());
        }
        // A script that ends by a signal writes none.
        if mode == Mode::On(Some(1)) && !source.contains("# no traces expected") {
            entered(&statistics).map_err(|text| format!("{mode}: {text}"))?;
        }
    }
    Ok(())
}

/// Checks that machine code ran at all.
fn entered(statistics: &Path) -> Result<(), String> {
    let text = fs::read(statistics).map_err(|error| format!("no statistics: {error}"))?;
    let statistics: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| format!("bad statistics: {error}"))?;
    let traces = statistics["traces"].as_array().cloned().unwrap_or_default();
    let entered = traces
        .iter()
        .any(|trace| trace["entered"].as_u64().unwrap_or(0) > 0);
    if entered {
        return Ok(());
    }
    Err(format!(
        "{} traces, none entered; aborts: {}",
        traces.len(),
        statistics["aborts"]
    ))
}

/// The first difference between two runs.
fn difference(expected: &Outcome, outcome: &Outcome) -> Option<String> {
    for (what, expected, got) in [
        ("stdout", &expected.stdout, &outcome.stdout),
        ("stderr", &expected.stderr, &outcome.stderr),
    ] {
        if expected == got {
            continue;
        }
        let line = expected
            .lines()
            .zip(got.lines())
            .take_while(|(left, right)| left == right)
            .count();
        let show = |text: &str| {
            let lines = text.lines().skip(line.saturating_sub(2)).take(6);
            lines
                .map(|line| format!("    {line}\n"))
                .collect::<String>()
        };
        return Some(format!(
            "{what} differs from line {}:\n  expected\n{}  got ({})\n{}{}",
            line + 1,
            show(expected),
            outcome.ending(),
            show(got),
            match what {
                "stdout" => format!("  stderr\n{}", show(&outcome.stderr)),
                _ => String::new(),
            }
        ));
    }
    (expected.status != outcome.status).then(|| {
        format!(
            "it ended differently: expected {}, got {}",
            expected.ending(),
            outcome.ending()
        )
    })
}

/// Runs a module of the interpreter's test suite without and with Serigraph.
fn compare_module(interpreter: &Interpreter, module: &str) -> Result<(), Failed> {
    let without = conformance::run(interpreter, Mode::Off, module)?;
    for threshold in [1, 2] {
        let mode = Mode::On(Some(threshold));
        let with = conformance::run(interpreter, mode, module)?;
        let differences = conformance::differences(&without, &with);
        if !differences.is_empty() {
            return Err(format!("{mode}:\n{differences}").into());
        }
    }
    Ok(())
}
