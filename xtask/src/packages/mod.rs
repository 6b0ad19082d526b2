//! The own tests of packages from PyPI, without Serigraph and with it: `cargo xtask packages`.
//!
//! They are programs that people wrote with no thought of us, in the style of their time. Some packages bring their tests along
//! when they are installed; of the others they are taken from the source distribution, and they alone, so that what they test is
//! what was installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::Ending;
use crate::conformance::{Outcomes, collect, differences};
use crate::environment::Environment;
use crate::interpreters::{self, Interpreter, Mode};
use crate::process;
use crate::scratch::Scratch;

/// What `cargo xtask packages --help` prints.
pub const HELP: &str = "\
usage: cargo xtask packages [OPTIONS]

Runs the own tests of packages from PyPI without and with Serigraph, in environments that it makes under
target/packages, and reports every test whose outcome differs both times that it is run.

  --python PATH           this interpreter only, or VERSION, like 3.13
  --only NAME[,NAME]      these packages only
  --threshold N           compile a loop at its Nth back edge; may be given several times, `default`
                          for the shipped threshold [2]
";

/// A package and where its tests are.
struct Package {
    name: &'static str,
    tests: Tests,
    /// Other packages that many of its tests need.
    needs: &'static [&'static str],
}

/// Where the tests of a package are.
#[derive(Clone, Copy)]
enum Tests {
    /// In these of its modules.
    Installed(&'static [&'static str]),
    /// In this folder of its source distribution.
    Source(&'static str),
}

const fn installed(name: &'static str, modules: &'static [&'static str]) -> Package {
    Package {
        name,
        tests: Tests::Installed(modules),
        needs: &[],
    }
}

const fn source(name: &'static str, path: &'static str, needs: &'static [&'static str]) -> Package {
    Package {
        name,
        tests: Tests::Source(path),
        needs,
    }
}

const PACKAGES: &[Package] = &[
    installed("toolz", &["toolz", "tlz"]),
    installed("simplejson", &["simplejson"]),
    installed("jsonschema", &["jsonschema"]),
    installed("mpmath", &["mpmath"]),
    installed("numpy", &["numpy.lib", "numpy.ma", "numpy.polynomial"]),
    installed("networkx", &["networkx"]),
    installed("sympy", &["sympy.core", "sympy.polys", "sympy.parsing"]),
    source("attrs", "tests", &[]),
    source("babel", "tests", &["freezegun", "pytz"]),
    source("beautifulsoup4", "bs4/tests", &["html5lib", "lxml"]),
    source("boltons", "tests", &[]),
    source("cachetools", "tests", &[]),
    source("click", "tests", &[]),
    source("docutils", "test", &[]),
    source("executing", "tests", &["asttokens"]),
    source("flask", "tests", &["asgiref"]),
    source("idna", "tests", &[]),
    source("intervaltree", "test", &[]),
    source("itsdangerous", "tests", &["freezegun"]),
    source("jinja2", "tests", &["trio"]),
    source("lark", "tests", &[]),
    source("marshmallow", "tests", &["simplejson"]),
    source("mistune", "tests", &[]),
    source("more-itertools", "tests", &[]),
    source("parso", "test", &[]),
    source("pluggy", "testing", &[]),
    source("pyasn1", "tests", &[]),
    source("pycparser", "tests", &[]),
    source("pygments", "tests", &[]),
    source("pyparsing", "tests", &[]),
    source("pyrsistent", "tests", &[]),
    source("pyyaml", "tests", &[]),
    source("soupsieve", "tests", &["html5lib", "lxml"]),
    source("sqlglot", "tests", &[]),
    source("tabulate", "test", &[]),
    source("tinycss2", "tests", &[]),
    source("tomlkit", "tests", &["pyyaml"]),
];

/// What all tests need.
const BESIDES: &[&str] = &["pytest", "hypothesis"];

const LIMIT: Duration = Duration::from_secs(3600);

/// What is installed.
pub(crate) fn names() -> Vec<&'static str> {
    let tested = PACKAGES
        .iter()
        .flat_map(|package| package.needs.iter().chain([&package.name]));
    tested.chain(BESIDES).copied().collect()
}

/// What to run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The interpreter, where not all.
    pub python: Option<PathBuf>,
    /// The packages, where not all.
    pub only: Vec<String>,
    /// Thresholds; `None` is the shipped one.
    pub thresholds: Vec<Option<u32>>,
}

/// Runs the tests; `built` is the folder of the programs, `target` cargo's.
///
/// # Errors
/// A package that is unknown, an environment that cannot be made, a test whose outcome differs.
pub fn run(built: &Path, target: &Path, options: &Options) -> Result<Ending, String> {
    let known: Vec<&str> = PACKAGES.iter().map(|package| package.name).collect();
    if let Some(unknown) = options.only.iter().find(|o| !known.contains(&o.as_str())) {
        return Err(format!(
            "there is no package {unknown:?} among {}",
            known.join(", ")
        ));
    }
    let modes: Vec<Mode> = match options.thresholds.is_empty() {
        true => vec![Mode::On(Some(2))],
        false => options.thresholds.iter().copied().map(Mode::On).collect(),
    };
    let serigraph = built.join("serigraph");
    let mut different = 0;
    for base in interpreters::supported(&serigraph, options.python.as_deref())? {
        let folder = target.join("packages").join(base.version());
        let environment = Environment::of(folder.clone(), &base)?;
        environment.install_names(&names())?;
        let interpreter = environment.interpreter(&serigraph)?;
        println!("{base}");
        for package in PACKAGES {
            if !options.only.is_empty() && !options.only.iter().any(|o| o == package.name) {
                continue;
            }
            let archive = match package.tests {
                Tests::Installed(_) => PathBuf::new(),
                Tests::Source(_) => {
                    let sources = target.join("packages/sources");
                    environment.source(package.name, &sources)?
                }
            };
            let suite = Suite {
                interpreter: &interpreter,
                tests: package.tests,
                archive,
                folder: folder.join("tests").join(package.name),
            };
            different += compare(&suite, package.name, &modes)?;
        }
    }
    match different {
        0 => Ok(Ending::Same),
        _ => Ok(Ending::Different(format!("{different} tests differ"))),
    }
}

/// Compares the tests of a package without Serigraph and in each mode, and says what differs: how many.
fn compare(suite: &Suite, name: &str, modes: &[Mode]) -> Result<usize, String> {
    let off = suite.outcomes(Mode::Off)?;
    if off.is_empty() {
        return Err(format!("pytest finds no tests of {name}"));
    }
    let mut different = 0;
    for &mode in modes {
        let mut found = differences(&off, &suite.outcomes(mode)?);
        if !found.is_empty() {
            // What differs once may vary by itself.
            let again = differences(&suite.outcomes(Mode::Off)?, &suite.outcomes(mode)?);
            found.retain(|test, _| again.contains_key(test));
        }
        let (tests, differ) = (off.len(), found.len());
        println!("  {name}, {mode}: {tests} tests, {differ} differ");
        for (test, how) in &found {
            println!("    {test}: {how}");
        }
        different += differ;
    }
    Ok(different)
}

/// The tests of a package, to be run by an interpreter.
struct Suite<'a> {
    interpreter: &'a Interpreter,
    tests: Tests,
    /// The source distribution, where the tests are in it.
    archive: PathBuf,
    /// Where they are unpacked: the names of some tests have paths in them, so it is always the same.
    folder: PathBuf,
}

impl Suite<'_> {
    /// The outcome of each test.
    fn outcomes(&self, mode: Mode) -> Result<Outcomes, String> {
        let scratch = Scratch::new("packages").map_err(|error| error.to_string())?;
        let file = scratch.path().join("outcomes");
        let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/packages");
        let mut command = self.interpreter.command(mode);
        command
            .env("PACKAGES_OUTCOMES", &file)
            .env("PYTHONPATH", plugins)
            .env("PYTHONHASHSEED", "1")
            .args(["-m", "pytest", "-q", "-p", "outcomes"])
            .args(["-p", "no:cacheprovider", "--hypothesis-seed=0"])
            .arg("--continue-on-collection-errors")
            // Ten thousand times the same.
            .args(["-m", "not stress"]);
        match self.tests {
            Tests::Installed(modules) => command
                .arg("--pyargs")
                .args(modules)
                .current_dir(scratch.path()),
            Tests::Source(path) => {
                self.unpack(path)?;
                command
                    .arg("--rootdir")
                    .arg(&self.folder)
                    .arg(".")
                    .current_dir(&self.folder)
            }
        };
        let outcome = process::run(&mut command, "", LIMIT).map_err(|error| error.to_string())?;
        let mut outcomes = collect(&fs::read_to_string(&file).unwrap_or_default()).outcomes;
        if outcome.status.and_then(|status| status.code()).is_none() {
            outcomes.insert("the whole run".into(), outcome.ending());
        }
        Ok(outcomes)
    }

    /// Unpacks the tests anew: nothing that a run left is met by the next.
    fn unpack(&self, path: &str) -> Result<(), String> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder).map_err(|error| error.to_string())?;
        }
        fs::create_dir_all(&self.folder).map_err(|error| error.to_string())?;
        let mut command = Command::new("tar");
        command
            .args(["--extract", "--gzip", "--strip-components=1"])
            .args(["--wildcards", "--no-wildcards-match-slash"])
            .arg("--file")
            .arg(&self.archive)
            .arg("--directory")
            .arg(&self.folder)
            .arg(format!("*/{path}"));
        let outcome = process::run(&mut command, "", LIMIT).map_err(|error| error.to_string())?;
        match outcome.succeeded() {
            true => Ok(()),
            false => Err(format!("tar: {}", outcome.stderr.trim())),
        }
    }
}
