//! `cargo xtask bench`: what Serigraph gains and costs, against the same interpreter without it.
//!
//! Both sides run in turns, so that what else the machine does falls on both. Medians and intervals are
//! over the turns.

mod cold;
mod compile;
mod kernels;
mod memory;
mod statistics;
mod threshold;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs};

use serde_json::{Value, json};

use crate::interpreters::{self, Interpreter};

/// Text of `cargo xtask bench --help`.
pub const HELP: &str = "\
usage: cargo xtask bench WHAT [--python PATH] [--only NAME[,NAME]] [--rounds N] [--threshold N]

  kernels      the programs of benchmarks/kernels: time without, with, and of the same in Rust
  cold         programs that end before anything is hot: imports, pip list, unittest, -c pass
  compile      nanoseconds for each recorded uop, by stage
  memory       peak of memory of the kernels
  threshold    cold programs and first calls of kernels at several thresholds

Every supported interpreter found is measured unless one is named. Result files go to
benchmarks/results.
";

/// What to measure and how often.
#[derive(Debug, Default)]
pub struct Options {
    /// The only interpreter to measure.
    pub python: Option<PathBuf>,
    /// Names to measure; all when empty.
    pub only: Vec<String>,
    /// Turns for each side.
    pub rounds: Option<usize>,
    /// Threshold instead of the shipped one.
    pub threshold: Option<u32>,
}

impl Options {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    fn rounds(&self, usual: usize) -> usize {
        self.rounds.unwrap_or(usual).max(1)
    }
}

/// Where things are.
struct Setup {
    interpreters: Vec<Interpreter>,
    /// The folder of the repository.
    root: PathBuf,
    /// The native kernels.
    native: PathBuf,
}

/// Builds what is measured, measures, prints a table for each interpreter and writes the result file.
pub fn run(what: &str, options: &Options) -> Result<(), String> {
    let measure: fn(&Setup, &Interpreter, &Options) -> Result<Value, String> = match what {
        "kernels" => kernels::measure,
        "cold" => cold::measure,
        "compile" => compile::measure,
        "memory" => memory::measure,
        "threshold" => threshold::measure,
        _ => return Err(format!("there is no benchmark {what:?}\n{HELP}")),
    };
    let setup = set_up(options)?;
    let mut results = BTreeMap::new();
    for interpreter in &setup.interpreters {
        println!("{what}, {interpreter}");
        let result = measure(&setup, interpreter, options)?;
        results.insert(interpreter.version().to_owned(), result);
        println!();
    }
    let file = write_results(&setup.root, what, &results)?;
    println!("raw samples: {}", file.display());
    Ok(())
}

fn set_up(options: &Options) -> Result<Setup, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .ok_or("xtask is not in a folder of the repository")?
        .to_owned();
    let built = crate::build_release(&root, &["serigraph", "serigraph-native-kernels"])?;
    let interpreters =
        interpreters::supported(&built.join("serigraph"), options.python.as_deref())?;
    Ok(Setup {
        interpreters,
        root,
        native: built.join("native-kernels"),
    })
}

/// Writes samples and the conditions they were taken under.
fn write_results(
    root: &Path,
    what: &str,
    results: &BTreeMap<String, Value>,
) -> Result<PathBuf, String> {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    let folder = root.join("benchmarks/results");
    let file = folder.join(format!("{what}-{seconds}.json"));
    let text = json!({
        "benchmark": what,
        "unix_time": seconds,
        "commit": first_line(Command::new("git").args(["rev-parse", "HEAD"]).current_dir(root)),
        "cpu": cpu(),
        "kernel": first_line(Command::new("uname").arg("-sr")),
        "load": fs::read_to_string("/proc/loadavg").unwrap_or_default().trim(),
        "results": results,
    });
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&file, format!("{text:#}\n")))
        .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    Ok(file)
}

fn cpu() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| Some(line.strip_prefix("model name")?.split_once(':')?.1.trim()));
    let count = text
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    format!("{count} x {}", name.unwrap_or("unknown"))
}

fn first_line(command: &mut Command) -> String {
    let output = command
        .output()
        .map(|output| output.stdout)
        .unwrap_or_default();
    String::from_utf8_lossy(&output)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// A duration in the unit that suits it.
fn time(seconds: f64) -> String {
    match seconds {
        s if s.is_nan() => "-".into(),
        s if s < 1e-3 => format!("{:.1} us", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}
