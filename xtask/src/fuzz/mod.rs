//! `cargo xtask fuzz`: random programs, by the interpreter itself and with Serigraph.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::interpreters::{self, Interpreter, Mode};
use crate::process::{self, Outcome};
use crate::scratch::Scratch;

/// Functions in a generated program, as `generate.py` has it.
const FUNCTIONS: u32 = 8;

/// Thresholds that are compared with the interpreter.
const THRESHOLDS: &[u32] = &[1, 2, 16];

/// Time a program may take; without Serigraph they take a tenth of a second.
const LIMIT: Duration = Duration::from_secs(30);

/// What to run and how long.
#[derive(Debug)]
pub struct Options {
    /// The only interpreter to run.
    pub python: Option<PathBuf>,
    /// For how long new programs are begun.
    pub time: Duration,
    /// The first seed.
    pub seed: u64,
}

/// Compares programs until the time is over; every difference found is printed and kept as a file.
pub fn run(root: &Path, options: &Options) -> Result<(), String> {
    let built = crate::build_release(root, &["serigraph"])?;
    let serigraph = built.join("serigraph");
    let interpreters = interpreters::supported(&serigraph, options.python.as_deref())?;
    let failures = root.join("fuzz-failures");
    let started = Instant::now();
    let (mut programs, mut different) = (0u64, 0);
    let mut seed = options.seed;
    while started.elapsed() < options.time {
        for interpreter in &interpreters {
            if let Some(failure) = compare(interpreter, seed, None)? {
                different += 1;
                let text = smallest(interpreter, seed)?.unwrap_or(failure);
                println!("seed {seed}, {interpreter}: {}", text.what);
                fs::create_dir_all(&failures)
                    .and_then(|()| fs::write(failures.join(format!("{seed}.py")), &text.program))
                    .map_err(|error| format!("cannot write to {}: {error}", failures.display()))?;
            }
        }
        programs += 1;
        seed += 1;
    }
    println!(
        "{programs} programs, seeds {} to {}, {different} differ",
        options.seed,
        seed - 1
    );
    match different {
        0 => Ok(()),
        _ => Err(format!(
            "programs that differ are in {}",
            failures.display()
        )),
    }
}

/// A program that behaves differently.
#[derive(Debug)]
pub struct Failure {
    /// Where the difference is.
    pub what: String,
    /// The program.
    pub program: String,
}

/// Tries the functions of a failing program one by one.
fn smallest(interpreter: &Interpreter, seed: u64) -> Result<Option<Failure>, String> {
    for function in 0..FUNCTIONS {
        if let Some(mut failure) = compare(interpreter, seed, Some(function))? {
            failure.what = format!("function f{function}: {}", failure.what);
            return Ok(Some(failure));
        }
    }
    Ok(None)
}

/// Generates a program and runs it on all sides; only one of its functions, if one is named.
pub fn compare(
    interpreter: &Interpreter,
    seed: u64,
    function: Option<u32>,
) -> Result<Option<Failure>, String> {
    let fault = |error: std::io::Error| error.to_string();
    let scratch = Scratch::new("fuzz").map_err(fault)?;
    let generator = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/fuzz/generate.py");
    let mut command = interpreter.command(Mode::Plain);
    command.arg(generator).arg(seed.to_string());
    command.args(function.map(|function| function.to_string()));
    let generated = process::run(&mut command, "", LIMIT).map_err(fault)?;
    if !generated.succeeded() {
        return Err(format!("seed {seed}: {}", generated.stderr));
    }
    let file = scratch.path().join("program.py");
    fs::write(&file, &generated.stdout).map_err(fault)?;

    let run = |mode: Mode| -> Result<Outcome, String> {
        process::run(interpreter.command(mode).arg(&file), "", LIMIT).map_err(fault)
    };
    let expected = run(Mode::Plain)?;
    if !expected.succeeded() {
        return Err(format!(
            "seed {seed}: {}\n{}",
            expected.ending(),
            expected.stderr
        ));
    }
    for &threshold in THRESHOLDS {
        let mode = Mode::On(Some(threshold));
        let outcome = run(mode)?;
        let same = outcome.stdout == expected.stdout
            && outcome.stderr == expected.stderr
            && outcome.status == expected.status;
        if !same {
            let lines = expected.stdout.lines().zip(outcome.stdout.lines());
            let first = lines.into_iter().find(|(left, right)| left != right);
            let lines = first.map_or(String::new(), |(left, right)| {
                format!("\n  expected {left}\n  got      {right}")
            });
            return Ok(Some(Failure {
                what: format!("{mode}: {}{lines}\n{}", outcome.ending(), outcome.stderr),
                program: generated.stdout,
            }));
        }
    }
    Ok(None)
}
