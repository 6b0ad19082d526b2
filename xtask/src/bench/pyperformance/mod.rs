//! pyperformance, benchmark by benchmark, without and with Serigraph in turns, through pyperf's runner.
//!
//! Each script runs first under a watch, which compares results and sees the first calls, memory and
//! what Serigraph did; then by itself, as pyperf runs it.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::results::{Row, Verdict};
use super::statistics::geometric_mean;
use super::{Measured, Options, Setup, time};
use crate::environment::{Environment, Versions, last_lines};
use crate::interpreters::Interpreter;
use crate::process;

/// The version that is measured: another one is another benchmark.
pub const PYPERFORMANCE: &[&str] = &[
    "pyperformance==1.14.0",
    // Some of the packages still import `distutils`, which it has.
    "setuptools==79.0.1",
];

/// How long and how often.
struct Pace {
    /// Turns of each side.
    turns: usize,
    /// Processes of each turn.
    processes: usize,
    /// Values of each process.
    values: usize,
    /// Seconds of calls under the watch.
    watched: &'static str,
    /// When this is over there are no more turns than have to be.
    budget: Duration,
    /// Time one run of a script may take.
    limit: Duration,
}

const FULL: Pace = Pace {
    turns: 10,
    processes: 2,
    values: 3,
    watched: "5",
    budget: Duration::from_secs(600),
    limit: Duration::from_secs(900),
};

const FAST: Pace = Pace {
    turns: 5,
    processes: 1,
    values: 2,
    watched: "1",
    budget: Duration::from_secs(25),
    limit: Duration::from_secs(240),
};

/// So many turns there are at least, however long they take.
const LEAST_TURNS: usize = 3;

/// What pyperformance has.
#[derive(Deserialize)]
struct Catalogue {
    version: String,
    benchmarks: Vec<Benchmark>,
}

/// A script of pyperformance with its options; it may measure several things.
#[derive(Deserialize)]
struct Benchmark {
    name: String,
    script: PathBuf,
    options: Vec<String>,
    groups: Vec<String>,
    requirements: Vec<String>,
    supported: bool,
}

impl Benchmark {
    fn group(&self) -> &str {
        self.groups.first().map_or("other", String::as_str)
    }

    fn wanted(&self, options: &Options) -> bool {
        options.wants(&self.name) || self.groups.iter().any(|group| options.wants(group))
    }
}

/// What is kept of a script that was measured, so that a run can be resumed.
#[derive(Serialize, Deserialize)]
struct Done {
    rows: Vec<Row>,
    raw: Value,
}

/// What the watch saw of a script.
#[derive(Deserialize)]
struct Report {
    /// Seconds until the first call: imports and preparations.
    ready: Option<f64>,
    peak_kib: f64,
    stats: Value,
    benchmarks: BTreeMap<String, Watched>,
}

/// What the watch saw of one benchmark.
#[derive(Deserialize)]
struct Watched {
    /// Processor time of each call.
    processor: Vec<f64>,
    results: Vec<String>,
}

/// What pyperf measured of one benchmark: a figure for each turn, and its own statistics.
#[derive(Deserialize)]
struct Figures {
    off: Vec<f64>,
    on: Vec<f64>,
    pyperf: Value,
}

/// Measures with one interpreter and prints a line for each benchmark.
pub fn measure(
    setup: &Setup,
    interpreter: &Interpreter,
    options: &Options,
) -> Result<Measured, String> {
    let environment = setup.environment("pyperformance", interpreter)?;
    environment.install(&base(), Versions::Pinned)?;
    let catalogue = catalogue(&environment)?;
    let run = Run::begin(setup, interpreter, options, environment, &catalogue)?;
    println!(
        "{:<32} {:>10} {:>10} {:>22} {:>17} {:>6}  results",
        "benchmark", "off", "on", "ratio", "95 % interval", "first"
    );
    let (mut rows, mut raw) = (Vec::new(), serde_json::Map::new());
    for benchmark in catalogue
        .benchmarks
        .iter()
        .filter(|one| one.wanted(options))
    {
        let done = run.done(benchmark)?;
        done.rows.iter().for_each(print);
        rows.extend(done.rows);
        raw.insert(benchmark.name.clone(), done.raw);
    }
    if rows.is_empty() {
        return Err("pyperformance has no such benchmark or group".into());
    }
    let ratios: Vec<f64> = rows
        .iter()
        .filter(|row| row.measured())
        .map(|row| row.ratio().value)
        .collect();
    let mean = match ratios.is_empty() {
        true => String::new(),
        false => format!(
            "; geometric mean of the ratios: {:.3}",
            geometric_mean(&ratios)
        ),
    };
    println!(
        "{} measured, {} not{mean}",
        ratios.len(),
        rows.len() - ratios.len()
    );
    Ok(Measured {
        rows,
        packages: run.environment.packages()?,
        raw: json!({"pyperformance": catalogue.version, "scripts": raw}),
    })
}

fn base() -> Vec<String> {
    PYPERFORMANCE
        .iter()
        .map(|&package| package.to_owned())
        .collect()
}

fn catalogue(environment: &Environment) -> Result<Catalogue, String> {
    let mut command = environment.command(false);
    command.arg(helper("catalogue.py"));
    let outcome = run_limited(&mut command, Duration::from_secs(120))?;
    serde_json::from_str(&outcome.stdout).map_err(|_| {
        format!(
            "pyperformance has no catalogue: {}",
            last_lines(&outcome, 3)
        )
    })
}

fn helper(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/bench/pyperformance")
        .join(name)
}

fn run_limited(command: &mut Command, limit: Duration) -> Result<process::Outcome, String> {
    process::run(command, "", limit).map_err(|error| error.to_string())
}

/// A run through the benchmarks.
struct Run<'a> {
    setup: &'a Setup,
    interpreter: &'a Interpreter,
    environment: Environment,
    wheel: PathBuf,
    pace: &'static Pace,
    turns: usize,
    /// Where what is done is kept.
    folder: PathBuf,
    version: String,
}

impl<'a> Run<'a> {
    /// Installs Serigraph and finds or makes the folder of the run.
    fn begin(
        setup: &'a Setup,
        interpreter: &'a Interpreter,
        options: &Options,
        environment: Environment,
        catalogue: &Catalogue,
    ) -> Result<Self, String> {
        let wheel = environment.build_wheel(&setup.root, &setup.bench)?;
        environment.install_wheel(&wheel)?;
        let pace = if options.fast { &FAST } else { &FULL };
        let turns = options.rounds(pace.turns);
        let suffix = if options.fast { "-fast" } else { "" };
        let folder = setup
            .bench
            .join(format!("run-{}{suffix}", interpreter.version()));
        let identity = format!(
            "{} {turns} {:016x}",
            catalogue.version,
            digest(&environment)?
        );
        let file = folder.join("run");
        let fault = |error: std::io::Error| format!("{}: {error}", folder.display());
        // With several interpreters the stopped run may not have come to this one.
        let started = fs::read_to_string(&file).ok().filter(|_| options.resume);
        match started {
            Some(started) if started == identity => {}
            Some(_) => {
                return Err(
                    "Serigraph or the options have changed since that run was started: start another, without --resume"
                        .into(),
                );
            }
            None => {
                if folder.exists() {
                    fs::remove_dir_all(&folder).map_err(fault)?;
                }
                fs::create_dir_all(&folder)
                    .and_then(|()| fs::write(&file, &identity))
                    .map_err(fault)?;
            }
        }
        Ok(Self {
            setup,
            interpreter,
            environment,
            wheel,
            pace,
            turns,
            folder,
            version: interpreter.version().into(),
        })
    }

    /// A script's figures: what a run before has left, or measured now.
    fn done(&self, benchmark: &Benchmark) -> Result<Done, String> {
        let folder = self.folder.join(&benchmark.name);
        let file = folder.join("done.json");
        if let Some(done) = fs::read(&file)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
        {
            return Ok(done);
        }
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(|error| error.to_string())?;
        }
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let done = self
            .script(benchmark, &folder)
            .unwrap_or_else(|cause| Done {
                rows: vec![Row::failed(&benchmark.name, benchmark.group(), cause)],
                raw: Value::Null,
            });
        let text = serde_json::to_string(&done).map_err(|error| error.to_string())?;
        fs::write(&file, text).map_err(|error| error.to_string())?;
        Ok(done)
    }

    /// Measures a script; the error is why it cannot be.
    fn script(&self, benchmark: &Benchmark, folder: &Path) -> Result<Done, String> {
        if !benchmark.supported {
            return Err(format!(
                "pyperformance does not have it for {}",
                self.version
            ));
        }
        let environment = self.environment_of(benchmark)?;
        let script = Script {
            benchmark,
            folder,
            environment,
            pace: self.pace,
        };
        let off = script.watched(false, "off")?;
        let on = script.watched(true, "on")?;
        let again = |name: &str| -> Option<Vec<String>> {
            let mut report = script.watched(false, "again").ok()?;
            report
                .benchmarks
                .remove(name)
                .map(|watched| watched.results)
        };
        let (mut off_files, mut on_files) = (Vec::new(), Vec::new());
        let mut loops = [None, None];
        let begun = Instant::now();
        for turn in 0..self.turns {
            if begun.elapsed() > self.pace.budget && turn >= LEAST_TURNS {
                break;
            }
            for side in [turn % 2 == 1, turn % 2 == 0] {
                let files = if side { &mut on_files } else { &mut off_files };
                files.push(script.turn(side, turn, &mut loops[usize::from(side)])?);
            }
        }
        let figures = script.figures(&off_files, &on_files)?;
        let mut rows = Vec::new();
        let mut raw = serde_json::Map::new();
        for (name, figures) in figures {
            let (without, with) = (off.benchmarks.get(&name), on.benchmarks.get(&name));
            let verdict = match (without, with) {
                (Some(without), Some(with)) if without.results == with.results => Verdict::Same,
                (Some(without), Some(_)) if again(&name).as_ref() == Some(&without.results) => {
                    Verdict::Different
                }
                (Some(_), Some(_)) => Verdict::Unstable,
                _ => Verdict::None,
            };
            let times =
                |watched: Option<&Watched>| watched.map_or(Vec::new(), |one| one.processor.clone());
            let warm_up = (times(without), times(with));
            rows.push(Row {
                name: name.clone(),
                group: benchmark.group().into(),
                off: figures.off,
                on: figures.on,
                first: warm_up.0.first().copied().zip(warm_up.1.first().copied()),
                warm_up,
                native: Vec::new(),
                peak_mib: Some((off.peak_kib / 1024.0, on.peak_kib / 1024.0)),
                verdict,
                stats: super::brief(&on.stats),
                failure: None,
            });
            raw.insert(name, figures.pyperf);
        }
        let raw = json!({"pyperf": raw, "ready_seconds": [off.ready, on.ready]});
        Ok(Done { rows, raw })
    }

    /// The environment with what a script needs: the common one, or one of its own when its
    /// requirements do not go together with those of others.
    fn environment_of(&self, benchmark: &Benchmark) -> Result<Environment, String> {
        if benchmark.requirements.is_empty() {
            return Ok(self.environment.clone());
        }
        if self
            .environment
            .install(&benchmark.requirements, Versions::Installed)
            .is_ok()
        {
            return Ok(self.environment.clone());
        }
        let own = self.setup.environment(&benchmark.name, self.interpreter)?;
        own.install(&base(), Versions::Pinned)?;
        own.install(&benchmark.requirements, Versions::Given)?;
        own.install_wheel(&self.wheel)?;
        Ok(own)
    }
}

/// What tells one build of the library from another.
fn digest(environment: &Environment) -> Result<u64, String> {
    let mut command = environment.command(false);
    command.args([
        "-c",
        "import serigraph._native as native; print(native.__file__)",
    ]);
    let outcome = run_limited(&mut command, Duration::from_secs(60))?;
    let library = fs::read(outcome.stdout.trim())
        .map_err(|_| format!("Serigraph is not installed: {}", last_lines(&outcome, 1)))?;
    let mut hasher = DefaultHasher::new();
    library.hash(&mut hasher);
    Ok(hasher.finish())
}

/// A script that is being measured.
struct Script<'a> {
    benchmark: &'a Benchmark,
    folder: &'a Path,
    environment: Environment,
    pace: &'static Pace,
}

impl Script<'_> {
    fn fault(&self, side: bool, outcome: &process::Outcome) -> String {
        let side = if side {
            "with Serigraph"
        } else {
            "without Serigraph"
        };
        format!("{side}: {}: {}", outcome.ending(), last_lines(outcome, 2))
    }

    /// Runs the script under the watch.
    fn watched(&self, side: bool, name: &str) -> Result<Report, String> {
        let report = self.folder.join(format!("{name}-watched.json"));
        let mut command = self.environment.command(side);
        command
            .arg(helper("observe.py"))
            .arg(self.folder.join("plan.json"))
            .arg(&report)
            .arg(self.pace.watched)
            .arg(&self.benchmark.script)
            .args(&self.benchmark.options)
            .current_dir(self.folder);
        let outcome = run_limited(&mut command, self.pace.limit)?;
        let text = fs::read(&report).ok().filter(|_| outcome.succeeded());
        let report = text.and_then(|text| serde_json::from_slice(&text).ok());
        report.ok_or_else(|| self.fault(side, &outcome))
    }

    /// Runs the script once as pyperf does; the file with what it measured.
    fn turn(&self, side: bool, turn: usize, loops: &mut Option<u64>) -> Result<PathBuf, String> {
        let name = format!("{}-{turn}.json", if side { "on" } else { "off" });
        let file = self.folder.join(name);
        let mut command = self.environment.command(side);
        command
            .arg(&self.benchmark.script)
            .args(&self.benchmark.options)
            .args([
                "--quiet",
                "--inherit-environ",
                "SERIGRAPH,LANG",
                "--warmups",
                "1",
            ])
            .args(["--processes", &self.pace.processes.to_string()])
            .args(["--values", &self.pace.values.to_string(), "--output"])
            .arg(&file)
            .current_dir(self.folder);
        if let Some(loops) = loops {
            command.args(["--loops", &loops.to_string()]);
        }
        let outcome = run_limited(&mut command, self.pace.limit)?;
        let text = fs::read(&file).ok().filter(|_| outcome.succeeded());
        let said: Option<Value> = text.and_then(|text| serde_json::from_slice(&text).ok());
        let said = said.ok_or_else(|| self.fault(side, &outcome))?;
        // Where a script measures one thing, how often it goes round is found out once.
        if said["benchmarks"]
            .as_array()
            .is_some_and(|all| all.len() == 1)
        {
            let at = [&said["metadata"], &said["benchmarks"][0]["metadata"]];
            let found = at.iter().find_map(|metadata| metadata["loops"].as_u64());
            *loops = Some(found.unwrap_or(1));
        }
        Ok(file)
    }

    /// The figures of all turns, through pyperf.
    fn figures(
        &self,
        off: &[PathBuf],
        on: &[PathBuf],
    ) -> Result<BTreeMap<String, Figures>, String> {
        let report = self.folder.join("figures.json");
        let mut command = self.environment.command(false);
        command.arg(helper("merge.py")).arg(&report);
        command
            .arg(self.folder.join("off.json"))
            .arg(self.folder.join("on.json"));
        command.args(off).args(on);
        let outcome = run_limited(&mut command, Duration::from_secs(120))?;
        let text = fs::read(&report).ok();
        let figures = text.and_then(|text| serde_json::from_slice(&text).ok());
        figures.ok_or_else(|| format!("pyperf: {}", last_lines(&outcome, 2)))
    }
}

fn print(row: &Row) {
    if let Some(cause) = &row.failure {
        println!("{:<32} NOT MEASURED: {cause}", row.name);
        return;
    }
    let verdict = match row.verdict {
        Verdict::None => "none",
        Verdict::Same => "same",
        Verdict::Unstable => "another one each time",
        Verdict::Different => "DIFFERENT",
    };
    println!(
        "{:<32} {:>10} {:>10} {:>22} {:>17} {:>6}  {verdict}",
        row.name,
        time(super::statistics::median(&row.off)),
        time(super::statistics::median(&row.on)),
        row.ratio_text(),
        row.ratio().interval_text(),
        row.first
            .map_or("-".into(), |(off, on)| format!("{:.2}", off / on)),
    );
}
