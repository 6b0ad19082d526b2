//! The tools and packages that people use with Python, each with Serigraph and without: `cargo xtask tools`.
//!
//! They are installed into environments of their own under `target/tools`. What a program prints and how it ends must be the
//! same; reports of coverage are compared too. Tools that look at a running process must find the Python functions.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::Ending;
use crate::environment::Environment;
use crate::interpreters::{self, Interpreter, Mode};
use crate::process;
use crate::scratch::Scratch;

/// What `cargo xtask tools --help` prints.
pub const HELP: &str = "\
usage: cargo xtask tools [--python PATH] [--only TOOL[,TOOL]]

Runs coverage.py, pytest, NumPy, pandas, lxml, cffi, Cython, pybind11, Hypothesis, py-spy and gdb without
and with Serigraph, in environments that it makes under target/tools (with packages from PyPI).
";

/// Packages with a program here, whose output is compared.
const PROGRAMS: &[&str] = &[
    "numpy",
    "pandas",
    "lxml",
    "cffi",
    "cython",
    "pybind11",
    "hypothesis",
];

/// What is tried in other ways.
const OTHERS: &[&str] = &["coverage", "pytest", "py-spy", "gdb"];

/// What is installed besides.
const BESIDES: &[&str] = &["coverage", "pytest", "py-spy", "setuptools"];

const MODES: &[Mode] = &[
    Mode::Off,
    Mode::On(Some(1)),
    Mode::On(Some(2)),
    Mode::On(None),
];

const LIMIT: Duration = Duration::from_secs(300);

/// Runs the checks; `built` is the folder of the programs, `target` cargo's.
pub fn run(
    built: &Path,
    target: &Path,
    python: Option<&Path>,
    only: &[String],
) -> Result<Ending, String> {
    let names: Vec<&str> = PROGRAMS.iter().chain(OTHERS).copied().collect();
    if let Some(unknown) = only.iter().find(|o| !names.contains(&o.as_str())) {
        return Err(format!(
            "there is no tool {unknown:?} among {}",
            names.join(", ")
        ));
    }
    let serigraph = built.join("serigraph");
    let mut failures = 0;
    for base in interpreters::supported(&serigraph, python)? {
        let folder = target.join("tools").join(base.version());
        let environment = Environment::of(folder.clone(), &base)?;
        environment.install_names(&packages())?;
        let bench = Bench {
            interpreter: environment.interpreter(&serigraph)?,
            folder,
        };
        println!("{base}");
        let wanted = |name: &&str| only.is_empty() || only.iter().any(|o| o == name);
        for name in names.iter().copied().filter(wanted) {
            match bench.check(name) {
                Ok(text) => println!("  {name}: {text}"),
                Err(text) => {
                    failures += 1;
                    println!("  {name}: DIFFERENT\n{text}");
                }
            }
        }
    }
    match failures {
        0 => Ok(Ending::Same),
        _ => Ok(Ending::Different(format!(
            "{failures} tools find differences"
        ))),
    }
}

/// What is installed.
pub(crate) fn packages() -> Vec<&'static str> {
    [PROGRAMS, BESIDES].concat()
}

struct Bench {
    interpreter: Interpreter,
    folder: PathBuf,
}

impl Bench {
    fn check(&self, name: &str) -> Result<String, String> {
        match name {
            "coverage" => self.coverage(),
            "pytest" => self.compare(
                &["-m", "pytest", "-q", "-p", "no:cacheprovider"],
                "test_rewritten.py",
            ),
            "py-spy" => self.looked_at(name, |pid| {
                let mut command = Command::new(self.folder.join("bin/py-spy"));
                command.args(["dump", "--pid", &pid.to_string()]);
                command
            }),
            "gdb" => self.looked_at(name, |pid| {
                let mut command = Command::new("gdb");
                command.args(["-batch", "-p", &pid.to_string()]);
                command.args(["-ex", "thread apply all backtrace 12", "-ex", "detach"]);
                command
            }),
            _ => self.compare(&[], &format!("with_{name}.py")),
        }
    }

    fn program(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src/tools")
            .join(name)
    }

    fn command(&self, mode: Mode) -> Command {
        let mut command = self.interpreter.command(mode);
        command.env("TOOLS_FOLDER", self.folder.join("built"));
        command
    }

    /// One run: standard output without times, and how it ended.
    fn output(&self, mode: Mode, arguments: &[&str], program: &str) -> Result<String, String> {
        let scratch = Scratch::new("tools").map_err(|error| error.to_string())?;
        let mut command = self.command(mode);
        command
            .args(arguments)
            .arg(Self::program(program))
            .current_dir(scratch.path());
        let outcome = process::run(&mut command, "", LIMIT).map_err(|error| error.to_string())?;
        let lines = outcome.stdout.lines().map(without_time);
        let text: String = lines.map(|line| line + "\n").collect();
        Ok(format!("{text}{}\n{}", outcome.ending(), outcome.stderr))
    }

    fn compare(&self, arguments: &[&str], program: &str) -> Result<String, String> {
        // The first run may have to build something.
        self.output(Mode::Plain, arguments, program)?;
        let expected = self.output(Mode::Plain, arguments, program)?;
        if expected.contains("ModuleNotFoundError") {
            return Err(expected);
        }
        for &mode in MODES {
            let found = self.output(mode, arguments, program)?;
            if found != expected {
                return Err(format!("{mode}\nexpected\n{expected}\nfound\n{found}"));
            }
        }
        Ok("same".into())
    }

    /// Reports of coverage.py, by its tracer in C and by `sys.monitoring`.
    fn coverage(&self) -> Result<String, String> {
        for (core, branch) in [("ctrace", true), ("ctrace", false), ("sysmon", false)] {
            let mut expected = None;
            for mode in std::iter::once(Mode::Plain).chain(MODES.iter().copied()) {
                let found = self.coverage_report(mode, core, branch)?;
                let expected = expected.get_or_insert_with(|| found.clone());
                if *expected != found {
                    return Err(format!(
                        "{core}, {mode}\nexpected\n{expected}\nfound\n{found}"
                    ));
                }
            }
        }
        Ok("same".into())
    }

    fn coverage_report(&self, mode: Mode, core: &str, branch: bool) -> Result<String, String> {
        let scratch = Scratch::new("coverage").map_err(|error| error.to_string())?;
        let run = |mode: Mode, arguments: &[&str]| {
            let mut command = self.command(mode);
            command.args(["-m", "coverage"]).args(arguments);
            command
                .env("COVERAGE_CORE", core)
                .current_dir(scratch.path());
            process::run(&mut command, "", LIMIT).map_err(|error| error.to_string())
        };
        let program = Self::program("covered.py");
        let program = program.to_string_lossy();
        let mut arguments = vec!["run"];
        if branch {
            arguments.push("--branch");
        }
        arguments.push(&program);
        let outcome = run(mode, &arguments)?;
        let report = run(Mode::Plain, &["json", "-q", "-o", "report.json"])?;
        if !outcome.succeeded() || !report.succeeded() {
            return Err(format!(
                "{mode}: {}\n{}{}",
                outcome.ending(),
                outcome.stderr,
                report.stdout
            ));
        }
        let text =
            std::fs::read(scratch.path().join("report.json")).map_err(|error| error.to_string())?;
        let mut report: serde_json::Value =
            serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        report["meta"] = serde_json::Value::Null;
        Ok(format!("{}{report:#}", outcome.stdout))
    }

    /// A tool that looks at a running process: it must find the Python function, and the process must go on.
    fn looked_at(&self, name: &str, tool: impl Fn(u32) -> Command) -> Result<String, String> {
        for mode in [Mode::Plain, Mode::On(Some(2)), Mode::On(None)] {
            let mut child = Busy::start(self.command(mode))?;
            std::thread::sleep(Duration::from_millis(500));
            let looked = process::run(&mut tool(child.0.id()), "", Duration::from_secs(60));
            let ending = child.finish()?;
            let looked = match looked {
                Ok(looked) if looked.succeeded() => looked,
                // Not installed, or not allowed here: that says nothing of Serigraph.
                Ok(looked) if mode == Mode::Plain => {
                    let reason = looked.stderr.lines().last().unwrap_or_default();
                    return Ok(format!("not run: it fails without Serigraph too: {reason}"));
                }
                Err(error) => return Ok(format!("not run: {error}")),
                Ok(looked) => {
                    return Err(format!("{mode}: {}\n{}", looked.ending(), looked.stderr));
                }
            };
            if name == "py-spy" && !looked.stdout.contains("busy_loop") {
                return Err(format!("{mode}: {}", looked.stdout));
            }
            if ending != "right" {
                return Err(format!("{mode}: the process ended with {ending:?}"));
            }
        }
        Ok("the process was looked at and went on".into())
    }
}

/// A process in a hot loop, until it is told to stop.
struct Busy(Child, BufReader<std::process::ChildStdout>);

impl Busy {
    fn start(mut command: Command) -> Result<Self, String> {
        let mut child = command
            .arg(Bench::program("busy.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let output = child.stdout.take().ok_or("no output")?;
        let mut busy = Self(child, BufReader::new(output));
        match busy.line()?.as_str() {
            "ready" => Ok(busy),
            other => Err(format!("the busy process says {other:?}")),
        }
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        self.1
            .read_line(&mut line)
            .map_err(|error| error.to_string())?;
        Ok(line.trim().to_owned())
    }

    fn finish(&mut self) -> Result<String, String> {
        let stdin = self.0.stdin.as_mut().ok_or("no input")?;
        stdin.write_all(b"\n").map_err(|error| error.to_string())?;
        self.line()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A line without the seconds that pytest took.
fn without_time(line: &str) -> String {
    match line.rsplit_once(" in ") {
        Some((before, after)) if after.trim_end_matches('=').trim().ends_with('s') => {
            before.to_owned()
        }
        _ => line.to_owned(),
    }
}
