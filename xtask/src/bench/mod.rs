//! `cargo xtask bench`: what Serigraph gains and costs, against the same interpreter without it.
//!
//! Both sides run in turns, so that what else the machine does falls on both. Medians and intervals are
//! over the turns.

mod against;
mod apps;
mod charts;
mod cold;
mod compile;
mod compiled;
mod instructions;
mod kernels;
mod lock;
mod memory;
mod peers;
mod pyperformance;
mod report;
pub mod results;
mod scaling;
pub mod statistics;
mod table;
mod threshold;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::Ending;
use crate::environment::Environment;
use crate::interpreters::{self, Interpreter};
use results::{Results, Row, Verdict};

/// Text of `cargo xtask bench --help`.
pub const HELP: &str = "\
usage: cargo xtask bench [WHAT] [--python PATH|VERSION] [--only NAME[,NAME]] [--rounds N] [--threshold N]
                         [--against RESULT.json]

  pyperformance  (when nothing else is said) the benchmarks of pyperformance, from PyPI
                 --fast: a quarter of the processes, fewer values; --resume: go on with a run that was stopped;
                 --only takes groups too
  kernels        the programs of benchmarks/kernels: time without, with, and of the same in Rust
  apps           the programs of benchmarks/apps, with packages from PyPI: cold and for long
  peers          the kernels with PyPy, Numba, Cython, where they can be had, and --peer NAME=PATH
  cold           programs that end before anything is hot: imports, pip list, unittest, -c pass
  compile        nanoseconds a recorded uop, microseconds a trace, by stage; instructions where there is valgrind
  scaling        what compiling costs as loops get longer and more
  memory         peak of memory of the kernels; a process with eight workers forked
  threshold      cold programs and first calls of kernels at several thresholds

  report         write docs/performance.md and its charts: of each version, the latest full run, or else the
                 latest of everything, or else of a part
  compare OLD.json NEW.json
                 what got slower from one result to another, by more than the noise;
                 --against does it with what has just been measured

Every supported interpreter found is measured unless one is named. Result files, tables and charts
go to benchmarks/results. One run measures at a time: a second one waits.
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
    /// Few turns.
    pub fast: bool,
    /// Go on with the run that was stopped.
    pub resume: bool,
    /// Other interpreters to compare the kernels with: name and program.
    pub peers: Vec<(String, PathBuf)>,
    /// An older result to compare with.
    pub against: Option<PathBuf>,
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
    /// A folder for environments and runs that are not finished.
    bench: PathBuf,
}

impl Setup {
    fn results(&self) -> PathBuf {
        self.root.join("benchmarks/results")
    }

    /// The environment of that name of an interpreter; made when there is none.
    fn environment(&self, name: &str, interpreter: &Interpreter) -> Result<Environment, String> {
        let folder = self.bench.join(format!("{name}-{}", interpreter.version()));
        Environment::of(folder, interpreter)
    }
}

/// What was measured with one interpreter.
struct Measured {
    /// What can be compared.
    rows: Vec<Row>,
    /// The packages that were installed for it.
    packages: Vec<String>,
    /// Everything else.
    raw: Value,
}

impl From<Value> for Measured {
    fn from(raw: Value) -> Self {
        Self {
            rows: Vec::new(),
            packages: Vec::new(),
            raw,
        }
    }
}

/// Measures, prints a table for each interpreter and writes the result file with its table and charts.
pub fn run(what: &str, options: &Options) -> Result<Ending, String> {
    type Measure = fn(&Setup, &Interpreter, &Options) -> Result<Measured, String>;
    let measure: Measure = match what {
        "pyperformance" => pyperformance::measure,
        "kernels" => kernels::measure,
        "apps" => apps::measure,
        "peers" => peers::measure,
        "scaling" => scaling::measure,
        "cold" => {
            |setup, interpreter, options| cold::measure(setup, interpreter, options).map(Into::into)
        }
        "compile" => |setup, interpreter, options| {
            compile::measure(setup, interpreter, options).map(Into::into)
        },
        "memory" => |setup, interpreter, options| {
            memory::measure(setup, interpreter, options).map(Into::into)
        },
        "threshold" => |setup, interpreter, options| {
            threshold::measure(setup, interpreter, options).map(Into::into)
        },
        "report" => return report::write(&root()?).map(|()| Ending::Same),
        _ => return Err(format!("there is no benchmark {what:?}\n{HELP}")),
    };
    let older = options.against.as_deref().map(Results::read).transpose()?;
    if older.as_ref().is_some_and(|older| older.benchmark != what) {
        return Err(format!("the older result is not of {what}"));
    }
    let setup = set_up(options)?;
    let _alone = lock::alone()?;
    let mut results = Results::new(&setup.root, what, options);
    for interpreter in &setup.interpreters {
        println!("{what}, {interpreter}");
        let measured = measure(&setup, interpreter, options)?;
        results.add(interpreter, measured)?;
        println!();
    }
    let file = results.write(&setup.results())?;
    println!("raw samples: {}", file.display());
    for picture in table::write(&results, &file)? {
        println!("{}", picture.display());
    }
    if let Some(older) = older {
        print!("{}", against::compare(&older, &results));
    }
    Ok(wrong(&results))
}

/// Measures one kernel with one interpreter as `kernels` does, for the tests: nothing is built, the native
/// kernel is left out, and the files go to `folder`.
pub fn one_kernel(
    name: &str,
    interpreter: &Interpreter,
    folder: &Path,
) -> Result<(Results, Vec<PathBuf>), String> {
    let options = Options {
        only: vec![name.into()],
        rounds: Some(2),
        ..Options::default()
    };
    let setup = Setup {
        interpreters: vec![interpreter.clone()],
        root: root()?,
        native: folder.join("none"),
        bench: folder.into(),
    };
    let mut results = Results::new(&setup.root, "kernels", &options);
    results.add(
        interpreter,
        kernels::measure(&setup, interpreter, &options)?,
    )?;
    let file = results.write(folder)?;
    let mut written = table::write(&results, &file)?;
    written.push(file);
    Ok((results, written))
}

/// Compares two result files.
pub fn compare(older: &Path, newer: &Path) -> Result<String, String> {
    Ok(against::compare(
        &Results::read(older)?,
        &Results::read(newer)?,
    ))
}

/// Names the benchmarks with a wrong result.
fn wrong(results: &Results) -> Ending {
    let rows = results
        .rows
        .iter()
        .flat_map(|(version, rows)| rows.iter().map(move |row| (version, row)));
    let wrong: Vec<String> = rows
        .filter(|(_, row)| row.verdict == Verdict::Different)
        .map(|(version, row)| format!("{} on {version}", row.name))
        .collect();
    match wrong.is_empty() {
        true => Ending::Same,
        false => Ending::Different(format!("results differ: {}", wrong.join(", "))),
    }
}

fn root() -> Result<PathBuf, String> {
    let parent = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    Ok(parent
        .ok_or("xtask is not in a folder of the repository")?
        .to_owned())
}

fn set_up(options: &Options) -> Result<Setup, String> {
    let root = root()?;
    let built = crate::build_release(&root, &["serigraph", "serigraph-native-kernels"])?;
    let interpreters =
        interpreters::supported(&built.join("serigraph"), options.python.as_deref())?;
    Ok(Setup {
        interpreters,
        root,
        native: built.join("native-kernels"),
        bench: built.parent().unwrap_or(&built).join("bench"),
    })
}

/// What is kept of Serigraph's statistics of a run: the counters, and the places that count most.
fn brief(stats: &Value) -> Value {
    const PLACES: usize = 8;
    let Value::Object(stats) = stats else {
        return Value::Null;
    };
    let weight = |entry: &Value| {
        entry["entered"]
            .as_u64()
            .or(entry["count"].as_u64())
            .unwrap_or(0)
    };
    let kept = stats.iter().map(|(name, value)| match value {
        Value::Array(entries) => {
            let mut entries = entries.clone();
            entries.sort_by_key(|entry| std::cmp::Reverse(weight(entry)));
            entries.truncate(PLACES);
            (name.clone(), json!(entries))
        }
        other => (name.clone(), other.clone()),
    });
    Value::Object(kept.collect())
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

/// What is installed for the applications, the peers and pyperformance itself.
#[cfg(test)]
pub(crate) fn requirements() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benchmarks/apps");
    let mut wanted: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(folder).expect("programs") {
        let words = apps::requirements(&entry.expect("a program").path()).expect("a text");
        wanted.extend(words.into_iter().filter(|word| !word.starts_with("--")));
    }
    let packages = peers::PACKAGES.iter().flat_map(|(_, all)| all.split(' '));
    wanted.extend(packages.map(str::to_owned));
    let base = pyperformance::PYPERFORMANCE.iter();
    wanted.extend(base.map(|package| (*package).to_owned()));
    wanted
}
