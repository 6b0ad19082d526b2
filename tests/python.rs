//! Python programs with Serigraph and without: what they print, how they end.
//!
//! One test for each script in `tests/python`, each example and each kernel with each supported
//! interpreter on this machine, and for each of a few modules of the interpreter's own test suite. The
//! programs know nothing of Serigraph: the interpreter itself says what is right.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use xtask::interpreters::{self, Interpreter, Mode};
use xtask::process::{self, Outcome};
use xtask::scratch::Scratch;
use xtask::{conformance, fuzz};

/// With what every script is compared: compiled at once, compiled at the second back edge, and as
/// shipped.
const MODES: &[Mode] = &[
    Mode::Off,
    Mode::On(Some(1)),
    Mode::On(Some(2)),
    Mode::On(None),
];

/// Time one run of a script may take; they take well under a second, but machines are shared.
const LIMIT: Duration = Duration::from_secs(180);

/// The examples, made quick: arguments and standard input.
const EXAMPLES: &[(&str, &[&str], &str)] = &[
    ("mandelbrot", &["60", "300"], ""),
    ("nbody", &["2000"], ""),
    ("primes", &["30000"], ""),
    (
        "words",
        &["5"],
        "the quick brown fox and the lazy dog and the cat\n",
    ),
];

/// Random programs that are compared, in batches; `cargo xtask fuzz` compares others for as long as it is told to.
const RANDOM_PROGRAMS: u64 = 240;

/// Programs in a batch.
const RANDOM_BATCH: u64 = 80;

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
    let scripts = programs("tests/python", "test_");
    let kernels = programs("benchmarks/kernels", "");
    let mut trials = Vec::new();
    for interpreter in &interpreters {
        let examples = EXAMPLES.iter().map(|&(name, arguments, stdin)| Program {
            name: format!("example::{name}"),
            path: root().join("examples").join(name).with_extension("py"),
            arguments,
            stdin,
            modes: MODES,
        });
        let scripts = scripts.iter().map(|path| Program {
            name: path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into(),
            path: path.clone(),
            arguments: &["an", "argument"],
            stdin: "standard input\n",
            modes: MODES,
        });
        let kernels = kernels.iter().map(|path| Program {
            name: format!("kernel::{}", path.file_stem().unwrap_or_default().display()),
            path: path.clone(),
            arguments: &[],
            stdin: "",
            modes: &[Mode::On(None)],
        });
        // They take long; the benchmarks compare them with every interpreter.
        let kernels = kernels.filter(|_| interpreter.path == interpreters[0].path);
        for program in scripts.chain(examples).chain(kernels) {
            let interpreter = interpreter.clone();
            trials.push(Trial::test(
                format!("{}::{}", interpreter.version(), program.name),
                move || compare_program(&interpreter, &program),
            ));
        }
        for first in (0..RANDOM_PROGRAMS).step_by(RANDOM_BATCH as usize) {
            let interpreter = interpreter.clone();
            trials.push(Trial::test(
                format!("{}::random::{first}", interpreter.version()),
                move || {
                    no_findings(
                        &fuzz::batch(&interpreter, first, RANDOM_BATCH)?,
                        RANDOM_BATCH,
                    )
                },
            ));
        }
        let (folder, kept) = (root().join("tests/fuzz"), programs("tests/fuzz", "").len());
        let once_failed = interpreter.clone();
        trials.push(Trial::test(
            format!("{}::random::corpus", interpreter.version()),
            move || no_findings(&fuzz::corpus(&once_failed, &folder)?, kept as u64),
        ));
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

/// A Python program to run on every side.
struct Program {
    name: String,
    path: PathBuf,
    arguments: &'static [&'static str],
    stdin: &'static str,
    /// With what it is compared.
    modes: &'static [Mode],
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Python programs in a folder whose names begin so.
fn programs(folder: &str, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).expect("the folder is there");
    let mut programs: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(prefix) && name.ends_with(".py")
        })
        .collect();
    programs.sort();
    programs
}

/// Runs a program by the interpreter itself and in every mode, and compares.
fn compare_program(interpreter: &Interpreter, program: &Program) -> Result<(), Failed> {
    let scratch = Scratch::new("script")?;
    let statistics = scratch.path().join("stats.json");
    let source = fs::read_to_string(&program.path)?;
    let run = |mode: Mode| {
        let mut command = interpreter.command(mode);
        command.arg(&program.path).args(program.arguments);
        if mode == Mode::On(Some(2)) {
            // The interpreter's allocator looks for what is written behind objects, or to dead ones.
            command.env("PYTHONMALLOC", "debug");
        }
        if matches!(mode, Mode::On(_)) {
            command.env("SERIGRAPH_STATS", format!("json:{}", statistics.display()));
        }
        process::run(&mut command, program.stdin, LIMIT)
    };
    let expected = run(Mode::Plain)?;
    if expected.status.is_none() || expected.stdout.is_empty() {
        return Err(format!("{}\n{}", expected.ending(), expected.stderr).into());
    }
    for &mode in program.modes {
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

/// Checks that so many programs were compared, and none differed.
fn no_findings(report: &fuzz::Report, expected: u64) -> Result<(), Failed> {
    if let Some(finding) = report.findings.first() {
        return Err(format!(
            "program {}, {}: {}",
            finding.program, finding.settings, finding.what
        )
        .into());
    }
    if report.tried != expected {
        return Err(format!("only {} programs of {expected} were compared", report.tried).into());
    }
    Ok(())
}

/// Runs a module of the interpreter's test suite without and with Serigraph.
fn compare_module(interpreter: &Interpreter, module: &str) -> Result<(), Failed> {
    let modes = [Mode::On(Some(1)), Mode::On(Some(2))];
    Ok(conformance::compare(interpreter, module, &modes)?)
}
