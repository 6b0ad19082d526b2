//! The own tests of packages from PyPI, without Serigraph and with it: `cargo xtask packages`.
//!
//! They are programs that people wrote with no thought of us, in the style of their time. Those packages are taken that bring
//! their tests along when they are installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Ending;
use crate::conformance::{Outcomes, collect, differences};
use crate::environment::Environment;
use crate::interpreters::{self, Interpreter, Mode};
use crate::process;
use crate::scratch::Scratch;

/// What `cargo xtask packages --help` prints.
pub const HELP: &str = "\
usage: cargo xtask packages [--python PATH] [--only NAME[,NAME]] [--threshold N]

Runs the own tests of packages from PyPI without and with Serigraph (threshold 2, where none is given), in
environments that it makes under target/packages, and reports every test whose outcome differs both times
that it is run.
";

/// Packages, and what of each pytest collects.
const PACKAGES: &[(&str, &[&str])] = &[
    ("toolz", &["toolz", "tlz"]),
    ("simplejson", &["simplejson"]),
    ("jsonschema", &["jsonschema"]),
    ("mpmath", &["mpmath"]),
    ("numpy", &["numpy.lib", "numpy.ma", "numpy.polynomial"]),
    ("networkx", &["networkx"]),
    ("sympy", &["sympy.core", "sympy.polys", "sympy.parsing"]),
];

/// What the tests need besides.
const BESIDES: &[&str] = &["pytest", "hypothesis"];

const LIMIT: Duration = Duration::from_secs(3600);

/// What is installed.
pub(crate) fn names() -> Vec<&'static str> {
    let tested = PACKAGES.iter().map(|(name, _)| *name);
    tested.chain(BESIDES.iter().copied()).collect()
}

/// What to run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The interpreter, where not all.
    pub python: Option<PathBuf>,
    /// The packages, where not all.
    pub only: Vec<String>,
    /// The threshold.
    pub threshold: Option<u32>,
}

/// Runs the tests; `built` is the folder of the programs, `target` cargo's.
///
/// # Errors
/// A package that is unknown, an environment that cannot be made, a test whose outcome differs.
pub fn run(built: &Path, target: &Path, options: &Options) -> Result<Ending, String> {
    let known: Vec<&str> = PACKAGES.iter().map(|(name, _)| *name).collect();
    if let Some(unknown) = options.only.iter().find(|o| !known.contains(&o.as_str())) {
        return Err(format!(
            "there is no package {unknown:?} among {}",
            known.join(", ")
        ));
    }
    let serigraph = built.join("serigraph");
    let with = Mode::On(Some(options.threshold.unwrap_or(2)));
    let mut different = 0;
    for base in interpreters::supported(&serigraph, options.python.as_deref())? {
        let folder = target.join("packages").join(base.version());
        let environment = Environment::of(folder, &base)?;
        environment.install_names(&names())?;
        let interpreter = environment.interpreter(&serigraph)?;
        println!("{base}");
        for (name, parts) in PACKAGES {
            if !options.only.is_empty() && !options.only.iter().any(|o| o == name) {
                continue;
            }
            let (tests, found) = compare(&interpreter, with, parts)?;
            println!("  {name}: {tests} tests, {} differ", found.len());
            for line in &found {
                println!("    {line}");
            }
            different += found.len();
        }
    }
    match different {
        0 => Ok(Ending::Same),
        _ => Ok(Ending::Different(format!("{different} tests differ"))),
    }
}

/// How many tests there are, and what is to be said of those that differ.
fn compare(
    interpreter: &Interpreter,
    with: Mode,
    parts: &[&str],
) -> Result<(usize, Vec<String>), String> {
    let off = outcomes(interpreter, Mode::Off, parts)?;
    if off.is_empty() {
        return Err(format!("pytest finds no tests in {}", parts.join(", ")));
    }
    let mut found = differences(&off, &outcomes(interpreter, with, parts)?);
    if !found.is_empty() {
        // What differs once may vary by itself.
        let off = outcomes(interpreter, Mode::Off, parts)?;
        let again = differences(&off, &outcomes(interpreter, with, parts)?);
        found.retain(|test, _| again.contains_key(test));
    }
    let lines = found.iter().map(|(test, how)| format!("{test}: {how}"));
    Ok((off.len(), lines.collect()))
}

/// The outcome of each test.
fn outcomes(interpreter: &Interpreter, mode: Mode, parts: &[&str]) -> Result<Outcomes, String> {
    let scratch = Scratch::new("packages").map_err(|error| error.to_string())?;
    let file = scratch.path().join("outcomes");
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/packages");
    let mut command = interpreter.command(mode);
    command
        .env("PACKAGES_OUTCOMES", &file)
        .env("PYTHONPATH", plugins)
        .env("PYTHONHASHSEED", "1")
        .args(["-m", "pytest", "-q", "-p", "outcomes"])
        .args(["-p", "no:cacheprovider", "--hypothesis-seed=0"])
        .args(["--continue-on-collection-errors", "--pyargs"])
        .args(parts)
        .current_dir(scratch.path());
    let outcome = process::run(&mut command, "", LIMIT).map_err(|error| error.to_string())?;
    let mut outcomes = collect(&fs::read_to_string(&file).unwrap_or_default()).outcomes;
    if outcome.status.and_then(|status| status.code()).is_none() {
        outcomes.insert("the whole run".into(), outcome.ending());
    }
    Ok(outcomes)
}
