//! The whole test suite, module by module, with what was found kept on disk: a run that was
//! interrupted goes on where it stopped.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;
use std::{fs, thread};

use serde_json::{Value, json};

use super::{PASSES, Run, Setting, differences, exclusions, modules, run as run_module};
use crate::Ending;
use crate::interpreters::{self, Interpreter, Mode};

/// What `cargo xtask conformance --help` prints.
pub const HELP: &str = "\
usage: cargo xtask conformance [option] ...

Runs the interpreter's own test suite without and with Serigraph and reports every test whose outcome
differs. A module that differs is run again on both sides: what varies without Serigraph too is reported
as unstable.

  --python PATH           the interpreter; by default all supported ones that are found
  --only MODULE[,MODULE]  these modules, like test_int,test_asyncio.test_tasks
  --threshold N           compile a loop at its Nth back edge; may be given several times, `default`
                          is the shipped number (by default 1, 2 and default)
  --pass-off PASS         leave out an optimiser pass; `each` leaves out each in turn
  --random-registers SEED let the register allocator choose at random
  --check-allocator       let the interpreter's allocator look for what is written behind objects
  --leaks                 compare what stays behind when a module is run again and again
  --jobs N                modules at a time (1)
  --limit SECONDS         time for a module without Serigraph (150); with it, four times as much
  --fresh                 do not use what earlier runs of this build found
  --keep                  use what earlier builds found to be the same, too

What is found is kept in target/conformance.
";

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The interpreter, where not all.
    pub python: Option<PathBuf>,
    /// The modules, where not all.
    pub only: Vec<String>,
    /// Thresholds; `None` is the shipped one.
    pub thresholds: Vec<Option<u32>>,
    /// A pass to leave out, or `each`.
    pub pass_off: Option<String>,
    /// Seed for random registers.
    pub random_registers: Option<u64>,
    /// Both sides run with the allocator of debuggers.
    pub check_allocator: bool,
    /// What modules leave behind, instead of their tests' outcomes.
    pub leaks: bool,
    /// Modules at a time.
    pub jobs: usize,
    /// Time for a module without Serigraph.
    pub limit: Duration,
    /// Forget what was found.
    pub fresh: bool,
    /// Believe what other builds found.
    pub keep: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            python: None,
            only: Vec::new(),
            thresholds: Vec::new(),
            pass_off: None,
            random_registers: None,
            check_allocator: false,
            leaks: false,
            jobs: 1,
            limit: Duration::from_secs(150),
            fresh: false,
            keep: false,
        }
    }
}

impl Options {
    /// How the interpreter is run with Serigraph: every threshold with every pass that is to be off.
    fn settings(&self) -> Result<Vec<Setting>, String> {
        let passes: Vec<Option<String>> = match self.pass_off.as_deref() {
            None => vec![None],
            Some("each") => PASSES.iter().map(|&pass| Some(pass.to_owned())).collect(),
            Some(pass) if PASSES.contains(&pass) => vec![Some(pass.to_owned())],
            Some(pass) => return Err(format!("there is no pass {pass:?}: {PASSES:?}")),
        };
        let thresholds = match self.thresholds.is_empty() {
            true => vec![Some(1), Some(2), None],
            false => self.thresholds.clone(),
        };
        let settings = thresholds.iter().flat_map(|&threshold| {
            passes.iter().map(move |pass_off| Setting {
                mode: Mode::On(threshold),
                pass_off: pass_off.clone(),
                random_registers: self.random_registers,
                check_allocator: self.check_allocator,
                leaks: self.leaks,
            })
        });
        Ok(settings.collect())
    }
}

/// What became of a module.
#[derive(Clone, Debug)]
struct Verdict {
    /// `same`, `different`, `unstable` or `not run`.
    word: String,
    /// What is to be said about it.
    text: String,
    /// Tests that were compared.
    tests: usize,
}

impl Verdict {
    fn new(word: &str, text: impl Into<String>, tests: usize) -> Self {
        Self {
            word: word.to_owned(),
            text: text.into(),
            tests,
        }
    }

    fn to_json(&self) -> Value {
        json!({"verdict": self.word, "text": self.text, "tests": self.tests})
    }

    fn from_json(value: &Value) -> Option<Self> {
        let tests = value["tests"].as_u64()?;
        Some(Self::new(
            value["verdict"].as_str()?,
            value["text"].as_str()?,
            usize::try_from(tests).ok()?,
        ))
    }
}

/// Runs the suite; `built` is the folder of the programs, `target` where to keep what is found.
pub fn run(built: &Path, target: &Path, options: &Options) -> Result<Ending, String> {
    let settings = options.settings()?;
    let store = Store::open(built, target, options)?;
    let mut different = 0;
    for interpreter in interpreters::supported(&store.serigraph, options.python.as_deref())? {
        let all = modules(&interpreter)?;
        if let Some(unknown) = options.only.iter().find(|&name| !all.contains(name)) {
            return Err(format!("{interpreter} has no module {unknown:?} of tests"));
        }
        let names = match options.only.is_empty() {
            true => all,
            false => options.only.clone(),
        };
        println!("{interpreter}: {} modules", names.len());
        let campaign = Campaign {
            interpreter: &interpreter,
            settings: &settings,
            store: &store,
            options,
            left: Mutex::new(names.iter().rev().cloned().collect()),
            found: Mutex::default(),
        };
        thread::scope(|scope| {
            for _ in 0..options.jobs.max(1) {
                scope.spawn(|| campaign.work());
            }
        });
        let found = campaign.found.into_inner().unwrap_or_default();
        different += summary(&interpreter, &found);
    }
    match different {
        0 => Ok(Ending::Same),
        _ => Ok(Ending::Different(format!("{different} runs differ"))),
    }
}

/// What was found, by module and setting.
type Found = BTreeMap<(String, String), Verdict>;

struct Campaign<'a> {
    interpreter: &'a Interpreter,
    settings: &'a [Setting],
    store: &'a Store,
    options: &'a Options,
    /// Modules that nobody took yet, the next one last.
    left: Mutex<Vec<String>>,
    found: Mutex<Found>,
}

impl Campaign<'_> {
    /// Takes module after module.
    fn work(&self) {
        let next = || self.left.lock().ok()?.pop();
        while let Some(module) = next() {
            let mut without = None;
            for setting in self.settings {
                let verdict = self
                    .verdict(&module, setting, &mut without)
                    .unwrap_or_else(|text| Verdict::new("different", text, 0));
                let mut line = format!("  {module}, {setting}: {}", verdict.word);
                if verdict.tests > 0 {
                    let _ = write!(line, ", {} tests", verdict.tests);
                }
                match verdict.text.is_empty() {
                    true => println!("{line}"),
                    false => println!("{line}\n{}", indented(&verdict.text)),
                }
                if let Ok(mut found) = self.found.lock() {
                    found.insert((module.clone(), setting.to_string()), verdict);
                }
            }
        }
    }

    /// What becomes of a module: remembered, or found out.
    fn verdict(
        &self,
        module: &str,
        setting: &Setting,
        without: &mut Option<Run>,
    ) -> Result<Verdict, String> {
        let version = self.interpreter.version();
        if let Some(exclusion) = exclusions::of_module(version, setting.mode, module)? {
            let word = if exclusion.debt {
                "excluded"
            } else {
                "not run"
            };
            return Ok(Verdict::new(word, exclusion.reason, 0));
        }
        if let Some(verdict) = self.store.load(version, module, setting) {
            return Ok(verdict);
        }
        let off = setting.off();
        let limit = self.options.limit;
        let without = match without {
            Some(run) => run,
            None => without.insert(run_module(self.interpreter, &off, module, limit)?),
        };
        let verdict = if without.overran {
            let text = format!(
                "takes more than {} s without Serigraph too",
                limit.as_secs()
            );
            Verdict::new("not run", text, 0)
        } else {
            let with = run_module(self.interpreter, setting, module, limit * 4)?;
            let first = Comparison::new(version, setting.mode, module, without, &with)?;
            match first.is_same() {
                true => Verdict::new("same", "", without.outcomes.len()),
                false => self.again(module, setting, without, &with)?,
            }
        };
        self.store.save(version, module, setting, &verdict)?;
        Ok(verdict)
    }

    /// Both sides differ: is it a side that does not agree with itself?
    fn again(
        &self,
        module: &str,
        setting: &Setting,
        without: &Run,
        with: &Run,
    ) -> Result<Verdict, String> {
        let version = self.interpreter.version();
        let limit = self.options.limit;
        let off = setting.off();
        let without_again = run_module(self.interpreter, &off, module, limit)?;
        let with_again = run_module(self.interpreter, setting, module, limit * 4)?;
        let pairs = [
            Comparison::new(version, setting.mode, module, without, with)?,
            Comparison::new(version, setting.mode, module, &without_again, &with_again)?,
        ];
        let varies = differences(&without.outcomes, &without_again.outcomes);
        let (mut text, mut unstable) = (String::new(), String::new());
        let mut tests: Vec<&String> = pairs.iter().flat_map(|pair| pair.tests.keys()).collect();
        tests.sort();
        tests.dedup();
        for test in tests {
            if let Some(how) = varies.get(test) {
                let _ = writeln!(
                    unstable,
                    "{test}: {}",
                    how.replace(" with", " at another time")
                );
                continue;
            }
            let shown = pairs.iter().find_map(|pair| pair.tests.get(test));
            let both = pairs.iter().all(|pair| pair.tests.contains_key(test));
            let times = if both { "" } else { " (one time of two)" };
            let _ = writeln!(text, "{test}: {}{times}", shown.map_or("", String::as_str));
            let runs = [with, &with_again];
            if let Some(traceback) = runs.iter().find_map(|run| run.tracebacks.get(test)) {
                text += &indented(traceback);
            }
        }
        if without.fault.is_some() != without_again.fault.is_some() {
            unstable += "the process ends badly without Serigraph at times\n";
        } else {
            for fault in pairs.iter().filter_map(|pair| pair.fault.as_ref()).take(1) {
                let _ = writeln!(text, "{fault}");
            }
        }
        if !unstable.is_empty() {
            text = format!("{text}unstable without Serigraph:\n{}", indented(&unstable));
        }
        let different = text.lines().next() != Some("unstable without Serigraph:");
        let word = if different && !text.is_empty() {
            "different"
        } else {
            "unstable"
        };
        Ok(Verdict::new(word, text, without.outcomes.len()))
    }
}

/// One run without Serigraph beside one with it.
struct Comparison {
    /// Tests that differ, and how.
    tests: BTreeMap<String, String>,
    /// How the process with Serigraph ended, where that without ended well.
    fault: Option<String>,
}

impl Comparison {
    fn new(
        version: &str,
        mode: Mode,
        module: &str,
        without: &Run,
        with: &Run,
    ) -> Result<Self, String> {
        let mut tests = BTreeMap::new();
        for (test, how) in differences(&without.outcomes, &with.outcomes) {
            if exclusions::of_test(version, mode, module, &test)?.is_none() {
                tests.insert(test, how);
            }
        }
        let fault = match without.fault {
            None => with.fault.clone(),
            Some(_) => None,
        };
        Ok(Self { tests, fault })
    }

    fn is_same(&self) -> bool {
        self.tests.is_empty() && self.fault.is_none()
    }
}

/// Prints what was found with one interpreter; returns how many runs differ.
fn summary(interpreter: &Interpreter, found: &Found) -> usize {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut tests = 0;
    let mut lines = String::new();
    for ((module, setting), verdict) in found {
        *counts.entry(&verdict.word).or_default() += 1;
        tests += verdict.tests;
        if verdict.word != "same" {
            let first = verdict.text.lines().next().unwrap_or_default();
            let _ = writeln!(lines, "  {}: {module}, {setting}: {first}", verdict.word);
        }
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    println!(
        "{interpreter}: {}; {tests} tests compared\n{lines}",
        counts.join(", ")
    );
    let is_different = |verdict: &&Verdict| verdict.word == "different";
    found.values().filter(is_different).count()
}

/// The results on disk, and a copy of the programs that gave them: the build may go on meanwhile.
struct Store {
    folder: PathBuf,
    /// What tells this build from others.
    build: String,
    /// The program to run.
    serigraph: PathBuf,
    fresh: bool,
    keep: bool,
}

impl Store {
    fn open(built: &Path, target: &Path, options: &Options) -> Result<Self, String> {
        let folder = target.join("conformance");
        let text = |error: std::io::Error| format!("{}: {error}", folder.display());
        let engine = "deps/libserigraph_engine.so";
        let build = format!(
            "{:016x}",
            hash(&fs::read(built.join(engine)).map_err(text)?)
        );
        let copy = folder.join("builds").join(&build);
        fs::create_dir_all(copy.join("deps")).map_err(text)?;
        for file in ["serigraph", engine] {
            // Never overwritten: another run may be using it.
            if !copy.join(file).exists() {
                let part = copy.join(format!("{file}.{}", std::process::id()));
                fs::copy(built.join(file), &part).map_err(text)?;
                fs::rename(part, copy.join(file)).map_err(text)?;
            }
        }
        Ok(Self {
            serigraph: copy.join("serigraph"),
            folder,
            build,
            fresh: options.fresh,
            keep: options.keep,
        })
    }

    fn file(&self, version: &str, module: &str, setting: &Setting) -> PathBuf {
        let setting = setting.to_string().replace(", ", "-").replace(' ', "-");
        let folder = self.folder.join(version).join(setting);
        folder.join(module).with_added_extension("json")
    }

    /// What an earlier run found; what took too long then may not do so now.
    fn load(&self, version: &str, module: &str, setting: &Setting) -> Option<Verdict> {
        if self.fresh {
            return None;
        }
        let text = fs::read(self.file(version, module, setting)).ok()?;
        let value: Value = serde_json::from_slice(&text).ok()?;
        let verdict = Verdict::from_json(&value)?;
        let of_this_build = value["build"] == self.build.as_str();
        let is_known = of_this_build || self.keep && verdict.word != "different";
        (is_known && verdict.word != "not run").then_some(verdict)
    }

    fn save(
        &self,
        version: &str,
        module: &str,
        setting: &Setting,
        verdict: &Verdict,
    ) -> Result<(), String> {
        let file = self.file(version, module, setting);
        let mut value = verdict.to_json();
        value["build"] = json!(self.build);
        let folder = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&file, value.to_string()))
            .map_err(|error| format!("{}: {error}", file.display()))
    }
}

/// FNV-1a: tells builds apart.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}
