//! Result files: what was measured, and under which conditions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fs, slice};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::statistics::{Estimate, median, spread};
use super::{Measured, Options};
use crate::interpreters::{Interpreter, Mode};
use crate::process;

/// A result file.
#[derive(Debug, Serialize, Deserialize)]
pub struct Results {
    /// What was measured, as on the command line.
    pub benchmark: String,
    /// True for a full run: everything, as often as usual.
    #[serde(default)]
    pub full: bool,
    /// What the command line asked for.
    #[serde(default)]
    pub asked: Asked,
    /// When.
    pub unix_time: u64,
    /// The commit of Serigraph.
    pub commit: String,
    /// Processors and what they call themselves.
    pub cpu: String,
    /// The operating system's kernel.
    pub kernel: String,
    /// The operating system.
    #[serde(default)]
    pub system: String,
    /// How busy the machine was at the beginning.
    pub load: String,
    /// How busy the machine was at the end.
    #[serde(default)]
    pub load_at_end: String,
    /// The interpreters by version.
    #[serde(default)]
    pub interpreters: BTreeMap<String, Build>,
    /// What can be compared from run to run, by version.
    #[serde(default)]
    pub rows: BTreeMap<String, Vec<Row>>,
    /// The packages that were installed, as `pip freeze` has them, by version.
    #[serde(default)]
    pub packages: BTreeMap<String, Vec<String>>,
    /// Everything else, raw samples among it, by version.
    pub results: BTreeMap<String, Value>,
}

/// What was asked for beyond everything, as often as usual.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// `--fast`.
    pub fast: bool,
    /// `--only`: names and groups.
    pub only: Vec<String>,
    /// `--rounds`.
    pub rounds: Option<usize>,
    /// `--threshold`.
    pub threshold: Option<u32>,
}

impl Asked {
    /// How much a run says: one of everything as often as usual most, one of a part little, one with another threshold nothing of
    /// what users get.
    fn rank(&self) -> u32 {
        match self {
            Self {
                threshold: Some(_), ..
            } => 0,
            Self { only, .. } if !only.is_empty() => 1,
            Self {
                fast: false,
                rounds: None,
                ..
            } => 3,
            _ => 2,
        }
    }

    /// What is not as in a full run, in words.
    pub fn said(&self) -> Vec<String> {
        let mut words = Vec::new();
        if !self.only.is_empty() {
            words.push(format!("partial: only {}", self.only.join(", ")));
        }
        if self.fast {
            words.push("fewer and shorter turns (--fast)".into());
        }
        if let Some(rounds) = self.rounds {
            words.push(format!("{rounds} turns (--rounds)"));
        }
        if let Some(threshold) = self.threshold {
            words.push(format!("another threshold than users have: {threshold}"));
        }
        words
    }
}

/// How an interpreter was built.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Build {
    /// What `sys.version` says.
    pub version: String,
    /// The options of its configure script.
    pub configure: String,
    /// The C compiler's options.
    pub flags: String,
}

impl Build {
    /// Asks an interpreter.
    pub fn of(interpreter: &Interpreter) -> Result<Self, String> {
        const ASK: &str = "import json, sys, sysconfig\n\
            get = lambda name: sysconfig.get_config_var(name) or ''\n\
            print(json.dumps({'version': sys.version, 'configure': get('CONFIG_ARGS'), \
            'flags': get('PY_CFLAGS') + ' ' + get('PY_CFLAGS_NODIST')}))";
        let mut command = interpreter.command(Mode::Plain);
        command.args(["-c", ASK]);
        let outcome = process::run(&mut command, "", Duration::from_secs(60));
        let outcome = outcome.map_err(|error| error.to_string())?;
        serde_json::from_str(&outcome.stdout).map_err(|_| {
            format!(
                "{interpreter} does not say how it was built: {}",
                outcome.stderr
            )
        })
    }

    /// Whether the build was steered by profiles, in words.
    pub fn kind(&self) -> String {
        let has = |option: &str| self.configure.contains(option) || self.flags.contains(option);
        let profiled = match has("--enable-optimizations") || has("-fprofile-use") {
            true => "profile-optimised",
            false => "not profile-optimised",
        };
        let linked = match has("--with-lto") || has("-flto") {
            true => "link-time optimised",
            false => "not link-time optimised",
        };
        // `sys.version` ends with the compiler in brackets.
        let compiler = self.version.split_once('[').map_or("", |(_, rest)| rest);
        let compiler = compiler.trim_end_matches(']');
        // What was chosen, but not where things are.
        let text = self.configure.replace('\'', "");
        let chosen = text
            .split_whitespace()
            .filter(|word| word.starts_with("--enable") || word.starts_with("--with"));
        let chosen: Vec<&str> = chosen.filter(|word| !word.contains('/')).collect();
        let chosen = match chosen.is_empty() {
            true => "no options".into(),
            false => chosen.join(" "),
        };
        format!("{profiled}, {linked}, built by {compiler}, configured with {chosen}")
    }
}

/// One benchmark without and with Serigraph.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// The group it is counted in.
    pub group: String,
    /// Seconds of each turn without Serigraph.
    pub off: Vec<f64>,
    /// Seconds of each turn with Serigraph; as many.
    pub on: Vec<f64>,
    /// Seconds of the first call, without and with.
    #[serde(default)]
    pub first: Option<(f64, f64)>,
    /// Seconds of every call from the first on, without and with.
    #[serde(default)]
    pub warm_up: (Vec<f64>, Vec<f64>),
    /// Seconds of each turn of the same in Rust, where there is that.
    #[serde(default)]
    pub native: Vec<f64>,
    /// Peak of memory in MiB, without and with.
    #[serde(default)]
    pub peak_mib: Option<(f64, f64)>,
    /// What is known of the results.
    #[serde(default)]
    pub verdict: Verdict,
    /// What Serigraph did.
    #[serde(default)]
    pub stats: Value,
    /// Why it was not measured.
    #[serde(default)]
    pub failure: Option<String>,
}

/// Whether both sides computed the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// There is no result to compare.
    #[default]
    None,
    /// The same.
    Same,
    /// Without Serigraph it is another one each time.
    Unstable,
    /// Serigraph's result is wrong.
    Different,
}

impl Row {
    /// A benchmark that could not be measured.
    pub fn failed(name: &str, group: &str, cause: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            group: group.into(),
            failure: Some(cause.into()),
            ..Self::default()
        }
    }

    /// How many times as fast it is with Serigraph, over the pairs of turns.
    pub fn ratio(&self) -> Estimate {
        Estimate::of(&self.ratios())
    }

    /// The ratio of each pair of turns.
    fn ratios(&self) -> Vec<f64> {
        let pairs = self.off.iter().zip(&self.on);
        pairs.map(|(off, on)| off / on).collect()
    }

    /// True when there is a figure.
    pub fn measured(&self) -> bool {
        self.failure.is_none() && !self.off.is_empty() && self.off.len() == self.on.len()
    }

    /// The ratio in words.
    pub fn ratio_text(&self) -> String {
        let ratio = self.ratio();
        match ratio.interval {
            None => format!("too few turns ({:.2})", ratio.value),
            Some(_) if ratio.differs_from(1.0) => format!("{:.2} x", ratio.value),
            Some(_) => format!("no difference ({:.2})", ratio.value),
        }
    }

    /// How much turns differ from each other, as shares: without and with.
    pub fn noise(&self) -> (f64, f64) {
        (spread(&self.off), spread(&self.on))
    }

    /// Calls until no later call is much faster: without and with.
    pub fn steady_after(&self) -> (usize, usize) {
        (steady_after(&self.warm_up.0), steady_after(&self.warm_up.1))
    }
}

/// The number of calls before the first one that takes what calls take later, or hardly more.
fn steady_after(times: &[f64]) -> usize {
    let usual = median(&times[times.len() / 2..]);
    let steady = |time: &f64| *time <= usual * 1.1;
    times.iter().position(steady).unwrap_or(times.len())
}

/// Each group: its name, how many were measured, the geometric mean of their ratios.
pub fn groups(rows: &[Row]) -> Vec<(String, usize, Estimate)> {
    let mut by_group: BTreeMap<&str, Vec<Vec<f64>>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.measured()) {
        by_group.entry(&row.group).or_default().push(row.ratios());
    }
    let mean = |name: &str, ratios: &[Vec<f64>]| {
        let estimate = Estimate::geometric_mean(ratios);
        (name.to_owned(), ratios.len(), estimate)
    };
    let mut means: Vec<_> = by_group
        .iter()
        .map(|(name, ratios)| mean(name, ratios))
        .collect();
    if means.len() > 1 {
        let all: Vec<Vec<f64>> = by_group.into_values().flatten().collect();
        means.push(mean("all", &all));
    }
    means
}

impl Results {
    /// An empty result with the conditions of now.
    pub fn new(root: &Path, benchmark: &str, options: &Options) -> Self {
        let time = SystemTime::now().duration_since(UNIX_EPOCH);
        let asked = Asked {
            fast: options.fast,
            only: options.only.clone(),
            rounds: options.rounds,
            threshold: options.threshold,
        };
        Self {
            benchmark: benchmark.into(),
            full: asked == Asked::default(),
            asked,
            unix_time: time.map_or(0, |time| time.as_secs()),
            commit: first_line(
                Command::new("git")
                    .args(["rev-parse", "HEAD"])
                    .current_dir(root),
            ),
            cpu: cpu(),
            kernel: first_line(Command::new("uname").arg("-sr")),
            system: system(),
            load: load(),
            load_at_end: String::new(),
            interpreters: BTreeMap::new(),
            rows: BTreeMap::new(),
            packages: BTreeMap::new(),
            results: BTreeMap::new(),
        }
    }

    /// Adds what was measured with an interpreter.
    pub(super) fn add(
        &mut self,
        interpreter: &Interpreter,
        measured: Measured,
    ) -> Result<(), String> {
        let version = interpreter.version().to_owned();
        self.interpreters
            .insert(version.clone(), Build::of(interpreter)?);
        self.load_at_end = load();
        self.rows.insert(version.clone(), measured.rows);
        self.packages.insert(version.clone(), measured.packages);
        self.results.insert(version, measured.raw);
        Ok(())
    }

    /// Writes the file, into a folder that is made when there is none.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, String> {
        let file = folder.join(format!("{}-{}.json", self.benchmark, self.unix_time));
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&file, text + "\n"))
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        Ok(file)
    }

    /// Reads a file.
    pub fn read(file: &Path) -> Result<Self, String> {
        let text = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        serde_json::from_slice(&text)
            .map_err(|error| format!("{} is no result file: {error}", file.display()))
    }

    /// For each version of the interpreter, the result of a benchmark in a folder that says most: the newest full one, or the
    /// newest of everything, or the newest of a part.
    pub fn latest(folder: &Path, benchmark: &str) -> BTreeMap<String, Rc<Self>> {
        let mut best: BTreeMap<String, Rc<Self>> = BTreeMap::new();
        for results in Self::all(folder, benchmark) {
            let results = Rc::new(results);
            for version in results.results.keys() {
                match best.get(version) {
                    Some(other) if other.weight() > results.weight() => {}
                    _ => drop(best.insert(version.clone(), results.clone())),
                }
            }
        }
        best
    }

    /// What of two results of a version is told of: the greater one.
    fn weight(&self) -> (u32, u64) {
        // Files that do not say what was asked for are of fewer turns if they are not full.
        let rank = match self.full {
            true => 3,
            false => self.asked.rank().min(2),
        };
        (rank, self.unix_time)
    }

    /// The results of a benchmark in a folder.
    fn all(folder: &Path, benchmark: &str) -> Vec<Self> {
        let of = |path: &PathBuf| {
            let name = path.file_name()?.to_str()?;
            let time = name
                .strip_prefix(benchmark)?
                .strip_prefix('-')?
                .strip_suffix(".json")?;
            time.parse::<u64>().ok()
        };
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let files = entries.map(|entry| entry.path());
        let files = files.filter(|path| of(path).is_some());
        files.filter_map(|file| Self::read(&file).ok()).collect()
    }

    /// The rows of a version.
    pub fn rows_of(&self, version: &str) -> slice::Iter<'_, Row> {
        self.rows.get(version).map_or([].iter(), |rows| rows.iter())
    }
}

/// How busy the machine is.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.trim().into()
}

/// The distribution and the memory of the machine.
fn system() -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory.lines().find_map(|line| {
        let kib = line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?;
        kib.parse::<u64>().ok()
    });
    format!(
        "{}, {} MiB",
        name.unwrap_or("unknown").trim_matches('"'),
        memory.unwrap_or(0) / 1024
    )
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

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, group: &str, off: f64, on: f64) -> Row {
        Row {
            name: name.into(),
            group: group.into(),
            off: vec![off; 5],
            on: vec![on; 5],
            ..Row::default()
        }
    }

    #[test]
    fn a_ratio_whose_interval_holds_one_is_no_difference() {
        assert_eq!(row("a", "g", 4.0, 2.0).ratio_text(), "2.00 x");
        let noisy = Row {
            on: vec![1.0, 4.0, 8.0, 3.0, 5.0],
            ..row("a", "g", 4.0, 4.0)
        };
        assert_eq!(noisy.ratio_text(), "no difference (1.00)");
        let once = Row {
            off: vec![4.0],
            on: vec![2.0],
            ..row("a", "g", 4.0, 2.0)
        };
        assert_eq!(once.ratio_text(), "too few turns (2.00)");
    }

    #[test]
    fn groups_have_geometric_means_and_leave_failures_out() {
        let rows = [
            row("a", "one", 4.0, 1.0),
            row("b", "one", 1.0, 1.0),
            row("c", "two", 1.0, 2.0),
            Row::failed("d", "two", "does not run"),
        ];
        let means: Vec<(String, usize, f64)> = groups(&rows)
            .into_iter()
            .map(|(name, count, mean)| (name, count, mean.value))
            .collect();
        assert_eq!(means[0], ("one".into(), 2, 2.0));
        assert_eq!(means[1], ("two".into(), 1, 0.5));
        assert_eq!((means[2].0.as_str(), means[2].1), ("all", 3));
    }

    #[test]
    fn warm_up_ends_where_calls_are_as_fast_as_later_ones() {
        assert_eq!(steady_after(&[9.0, 5.0, 1.0, 1.0, 1.05, 1.0, 1.0, 0.95]), 2);
        assert_eq!(steady_after(&[1.0; 8]), 0);
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let scratch = crate::scratch::Scratch::new("results").expect("a folder");
        let mut results = Results::new(scratch.path(), "kernels", &Options::default());
        results
            .rows
            .insert("3.13.0".into(), vec![row("a", "g", 2.0, 1.0)]);
        results.results.insert("3.13.0".into(), Value::Null);
        results.write(scratch.path()).expect("written");
        let read = Results::latest(scratch.path(), "kernels");
        assert_eq!(read["3.13.0"].rows_of("3.13.0").len(), 1);
        assert!(Results::latest(scratch.path(), "kern").is_empty());
    }

    #[test]
    fn each_version_has_the_result_that_says_most() {
        let scratch = crate::scratch::Scratch::new("latest").expect("a folder");
        let write = |time: u64, versions: &[&str], options: Options| {
            let mut results = Results::new(scratch.path(), "kernels", &options);
            results.unix_time = time;
            for &version in versions {
                results.results.insert(version.into(), Value::Null);
            }
            results.write(scratch.path()).expect("written");
        };
        let fast = || Options {
            fast: true,
            ..Options::default()
        };
        let partial = || Options {
            only: vec!["gcd".into()],
            ..Options::default()
        };
        let chosen = || -> Vec<(String, u64)> {
            let latest = Results::latest(scratch.path(), "kernels");
            let times = latest.into_iter().map(|(v, result)| (v, result.unix_time));
            times.collect()
        };
        write(1, &["3.12.1", "3.13.0"], partial());
        write(2, &["3.13.0"], partial());
        assert_eq!(chosen(), [("3.12.1".into(), 1), ("3.13.0".into(), 2)]);
        write(3, &["3.12.1"], fast());
        write(4, &["3.13.0"], Options::default());
        write(5, &["3.12.1", "3.13.0"], partial());
        write(6, &["3.13.0"], fast());
        let threshold = Options {
            threshold: Some(2),
            ..Options::default()
        };
        write(7, &["3.12.1"], threshold);
        assert_eq!(chosen(), [("3.12.1".into(), 3), ("3.13.0".into(), 4)]);
    }
}
