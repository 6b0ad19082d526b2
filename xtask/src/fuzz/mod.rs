//! `cargo xtask fuzz`: random programs, by the interpreter itself and with Serigraph.
//!
//! The Python half (`run.py` and what it imports) generates programs and compares many of them in one process, for starting
//! processes is what costs time. This half starts such processes, finds out what a crashed one was at, and has failing programs
//! made small.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Ending;
use crate::interpreters::{self, Interpreter, Mode};
use crate::process::{self, Outcome};
use crate::scratch::Scratch;

/// Programs compared in one go.
const BATCH: u64 = 200;

/// Programs compared by one process, from a multiple of it on. In every second one the interpreter's allocator looks for what
/// is written behind objects, or to dead ones.
const PROCESS: u64 = 100;

/// Time a process may take; a batch takes seconds.
const LIMIT: Duration = Duration::from_secs(600);

/// What to run and how long.
#[derive(Debug)]
pub struct Options {
    /// The only interpreter to run.
    pub python: Option<PathBuf>,
    /// For how long new programs are begun.
    pub time: Duration,
    /// The first seed.
    pub seed: u64,
    /// Processes at a time.
    pub jobs: usize,
}

/// A program that behaves differently with Serigraph.
#[derive(Debug)]
pub struct Finding {
    /// Its number, or the name of its file.
    pub program: String,
    /// With which settings, as `run.py` takes them.
    pub settings: String,
    /// What is different.
    pub what: String,
}

/// What came of comparing some programs.
#[derive(Debug, Default)]
pub struct Report {
    /// Programs compared.
    pub tried: u64,
    /// Those that differ.
    pub findings: Vec<Finding>,
}

/// Compares programs until the time is over; every difference found is printed and kept as a file, made small.
pub fn run(root: &Path, options: &Options) -> Result<Ending, String> {
    let built = crate::build_release(root, &["serigraph"])?;
    let serigraph = built.join("serigraph");
    let interpreters = interpreters::supported(&serigraph, options.python.as_deref())?;
    let failures = root.join("fuzz-failures");
    let started = Instant::now();
    let next = AtomicU64::new(0);
    let total = Mutex::new((0, 0, None));
    let work = || {
        while started.elapsed() < options.time {
            let job = next.fetch_add(1, Ordering::Relaxed);
            let interpreter = &interpreters[(job % interpreters.len() as u64) as usize];
            let first = options.seed + job / interpreters.len() as u64 * BATCH;
            let done = batch(interpreter, first, BATCH).and_then(|report| {
                for finding in &report.findings {
                    keep(interpreter, finding, &failures)?;
                }
                Ok(report)
            });
            let mut total = total.lock().expect("no thread panics with it");
            match done {
                Ok(report) => {
                    total.0 += report.tried;
                    total.1 += report.findings.len();
                }
                Err(text) => {
                    total.2 = Some(text);
                    return;
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(work);
        }
    });
    let (tried, different, fault) = total.into_inner().expect("no thread panics with it");
    if let Some(text) = fault {
        return Err(text);
    }
    let minutes = started.elapsed().as_secs_f64() / 60.0;
    println!(
        "{tried} programs from seed {}, {:.0} a minute, {different} differ",
        options.seed,
        tried as f64 / minutes
    );
    match different {
        0 => Ok(Ending::Same),
        _ => Ok(Ending::Different(format!(
            "programs that differ are in {}",
            failures.display()
        ))),
    }
}

/// Compares `count` programs from a seed on.
pub fn batch(interpreter: &Interpreter, first: u64, count: u64) -> Result<Report, String> {
    let mut report = Report::default();
    let mut seed = first;
    while seed < first + count {
        let end = (first + count).min((seed / PROCESS + 1) * PROCESS);
        let (from, rest) = (seed.to_string(), (end - seed).to_string());
        let outcome = python_half(interpreter, &from, &["batch", &from, &rest])?;
        seed = match read(&outcome, &mut report)? {
            None => end,
            // The process died at this program: go on after it.
            Some(at) => {
                at.parse::<u64>()
                    .map_err(|error| format!("{at}: {error}"))?
                    + 1
            }
        };
    }
    Ok(report)
}

/// Compares the programs in a folder that once failed, each with the settings that its first line names and with others.
pub fn corpus(interpreter: &Interpreter, folder: &Path) -> Result<Report, String> {
    let mut report = Report::default();
    let mut after = String::new();
    loop {
        let outcome = python_half(interpreter, &after, &["corpus", path(folder)?, &after])?;
        match read(&outcome, &mut report)? {
            None => return Ok(report),
            Some(at) => after = at,
        }
    }
}

fn path(path: &Path) -> Result<&str, String> {
    path.to_str()
        .ok_or_else(|| format!("{} is not UTF-8", path.display()))
}

/// Whether the interpreter's allocator is that of debuggers while this program runs; with those known by name it is.
fn is_allocator_checked(program: &str) -> bool {
    let seed: Result<u64, _> = program.parse();
    seed.map_or(true, |seed| seed / PROCESS % 2 == 1)
}

/// Runs `run.py` on programs from this one on. Serigraph is loaded; it switches it on and off itself.
fn python_half(
    interpreter: &Interpreter,
    program: &str,
    arguments: &[&str],
) -> Result<Outcome, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/fuzz/run.py");
    let mut command: Command = interpreter.command(Mode::On(None));
    // Sets of strings have the same order in every run.
    command
        .env("PYTHONHASHSEED", "0")
        .arg(script)
        .args(arguments);
    if is_allocator_checked(program) {
        command.env("PYTHONMALLOC", "debug");
    }
    process::run(&mut command, "", LIMIT).map_err(|error| error.to_string())
}

/// Reads what a process said; the program it was at if it did not come to its end.
fn read(outcome: &Outcome, report: &mut Report) -> Result<Option<String>, String> {
    let mut at = None;
    for line in outcome.stdout.lines() {
        let said: Value = serde_json::from_str(line).map_err(|error| format!("{line}: {error}"))?;
        let field = |name: &str| match &said[name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match said["kind"].as_str().unwrap_or_default() {
            "at" => {
                report.tried += u64::from(field("settings") == "off");
                at = Some((field("program"), field("settings")));
            }
            "different" => report.findings.push(Finding {
                program: field("program"),
                settings: field("settings"),
                what: field("text"),
            }),
            "done" => return Ok(None),
            _ => return Err(format!("what is this: {line}")),
        }
    }
    let Some((program, settings)) = at else {
        return Err(format!("{}\n{}", outcome.ending(), outcome.stderr));
    };
    let errors: Vec<&str> = outcome.stderr.lines().rev().take(12).collect();
    report.findings.push(Finding {
        program: program.clone(),
        settings,
        what: format!(
            "{}\n{}",
            outcome.ending(),
            errors.into_iter().rev().collect::<Vec<_>>().join("\n")
        ),
    });
    Ok(Some(program))
}

/// Prints a finding and writes the program, whole and made small.
fn keep(interpreter: &Interpreter, finding: &Finding, folder: &Path) -> Result<(), String> {
    let Finding {
        program,
        settings,
        what,
    } = finding;
    println!("program {program}, {interpreter}, {settings}: {what}");
    let fault = |error: std::io::Error| format!("cannot write to {}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(fault)?;
    let whole = python_half(interpreter, program, &["show", program])?.stdout;
    let name = format!("{program}-{}", interpreter.version());
    fs::write(
        folder.join(format!("{name}-whole.py")),
        format!("# settings: {settings}\n{whole}"),
    )
    .map_err(fault)?;
    let scratch = Scratch::new("reduce").map_err(|error| error.to_string())?;
    let file = scratch.path().join("program.py");
    fs::write(&file, &whole).map_err(fault)?;
    let reduced = python_half(interpreter, program, &["reduce", settings, path(&file)?])?;
    if reduced.succeeded() {
        let small = folder.join(format!("{name}.py"));
        fs::write(&small, &reduced.stdout).map_err(fault)?;
        println!("  made small: {}", small.display());
    } else {
        println!(
            "  not made small: {}",
            reduced.stderr.lines().last().unwrap_or("")
        );
    }
    Ok(())
}
