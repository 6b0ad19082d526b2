//! Virtual environments with packages from PyPI, for what is measured and for what is compared, and with Serigraph as its users
//! install it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use serde::{Deserialize, Serialize};

use crate::interpreters::{self, Interpreter, Mode};
use crate::process::{self, Outcome};

/// Time pip may take: it may have to build packages that have no wheel for the interpreter.
const LIMIT: Duration = Duration::from_secs(1800);

/// A virtual environment.
#[derive(Clone, Debug)]
pub struct Environment {
    folder: PathBuf,
    /// The versions of all packages.
    pins: PathBuf,
}

/// Which versions of packages are taken where requirements do not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// Those of `benchmarks/constraints.txt`.
    Pinned,
    /// Those that are installed already, for requirements that say everything else.
    Installed,
    /// Requirements say everything.
    Given,
}

/// What was installed in an environment, kept in it so that nothing is asked for twice.
#[derive(Default, Serialize, Deserialize)]
struct Installed {
    /// Sets of requirements, and what pip said when it could not install one.
    sets: BTreeMap<String, Option<String>>,
}

impl Environment {
    /// The environment of an interpreter in a folder; made when there is none.
    pub fn of(folder: PathBuf, interpreter: &Interpreter) -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let environment = Self {
            folder,
            pins: root.join("benchmarks/constraints.txt"),
        };
        if !environment.python().exists() {
            println!("making {}", environment.folder.display());
            let mut command = interpreter.command(Mode::Plain);
            command
                .args(["-m", "venv", "--clear"])
                .arg(&environment.folder);
            finished(&mut command, "venv")?;
        }
        Ok(environment)
    }

    /// Its interpreter.
    pub fn python(&self) -> PathBuf {
        self.folder.join("bin/python")
    }

    /// A command with its interpreter, without or with Serigraph, in an environment that is the same
    /// on every machine.
    pub fn command(&self, serigraph: bool) -> Command {
        let mut command = Command::new(self.python());
        command.env_clear();
        for name in ["PATH", "HOME", "TMPDIR", "CC", "CFLAGS"] {
            if let Some(value) = env::var_os(name) {
                command.env(name, value);
            }
        }
        // Sets of texts have the same order in every process.
        command.env("LANG", "C.UTF-8").env("PYTHONHASHSEED", "0");
        if serigraph {
            command.env("SERIGRAPH", "1");
        }
        command
    }

    /// Installs requirements unless they are there: arguments of `pip install`.
    pub fn install(&self, requirements: &[String], versions: Versions) -> Result<(), String> {
        let record = self.folder.join("installed.json");
        let mut installed: Installed = fs::read(&record)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        let mut key = requirements.join(" ");
        if versions == Versions::Pinned {
            let mut hasher = DefaultHasher::new();
            let pins = fs::read(&self.pins)
                .map_err(|error| format!("{}: {error}", self.pins.display()))?;
            pins.hash(&mut hasher);
            key += &format!(", pins {:016x}", hasher.finish());
        }
        if let Some(outcome) = installed.sets.get(&key) {
            return outcome.clone().map_or(Ok(()), Err);
        }
        let mut command = self.pip("install");
        match versions {
            Versions::Pinned => {
                command.arg("--constraint").arg(&self.pins);
            }
            Versions::Installed => {
                let constraints = self.folder.join("constraints.txt");
                fs::write(&constraints, self.packages()?.join("\n"))
                    .map_err(|error| error.to_string())?;
                command.arg("--constraint").arg(constraints);
            }
            Versions::Given => {}
        }
        let outcome = finished(command.args(requirements), "pip install").err();
        installed.sets.insert(key, outcome.clone());
        let text = serde_json::to_string_pretty(&installed).map_err(|error| error.to_string())?;
        fs::write(&record, text).map_err(|error| error.to_string())?;
        outcome.map_or(Ok(()), Err)
    }

    /// Installs packages unless they are there, in the pinned versions.
    pub fn install_names(&self, packages: &[&str]) -> Result<(), String> {
        let requirements: Vec<String> = packages.iter().map(|&name| name.to_owned()).collect();
        self.install(&requirements, Versions::Pinned)
    }

    /// The source distribution of a package in its pinned version: a file in a folder of its own in `sources`.
    pub fn source(&self, package: &str, sources: &Path) -> Result<PathBuf, String> {
        let pins = fs::read_to_string(&self.pins).map_err(|error| error.to_string())?;
        let named = format!("{package}==");
        let mut pins = pins.lines().map(str::to_lowercase);
        let pin = pins.find(|pin| pin.starts_with(&named));
        let pin = pin.ok_or_else(|| format!("{package} is not among the pins"))?;
        let folder = sources.join(&pin);
        let file = || Some(fs::read_dir(&folder).ok()?.flatten().next()?.path());
        if let Some(there) = file() {
            return Ok(there);
        }
        let mut command = self.pip("download");
        // Only the package itself: what builds it may come as wheels.
        command
            .args(["--no-deps", "--no-binary", package, "--dest"])
            .arg(&folder)
            .arg(&pin);
        finished(&mut command, "pip download")?;
        file().ok_or_else(|| format!("pip downloaded no source of {pin}"))
    }

    /// Its interpreter, to be run by a build of Serigraph.
    pub fn interpreter(&self, serigraph: &Path) -> Result<Interpreter, String> {
        let inside = interpreters::supported(serigraph, Some(&self.python()))?;
        let first = inside.into_iter().next();
        first.ok_or_else(|| String::from("the environment has no interpreter"))
    }

    /// What is installed, with versions; without Serigraph.
    pub fn packages(&self) -> Result<Vec<String>, String> {
        let mut command = self.pip("freeze");
        let frozen = finished(
            command.args(["--all", "--exclude", "serigraph"]),
            "pip freeze",
        )?;
        Ok(frozen.stdout.lines().map(str::to_owned).collect())
    }

    /// Installs a wheel in the place of any older one.
    pub fn install_wheel(&self, wheel: &Path) -> Result<(), String> {
        let mut command = self.pip("install");
        command
            .args(["--force-reinstall", "--no-deps", "--no-index"])
            .arg(wheel);
        finished(&mut command, "pip install").map(drop)
    }

    /// Builds Serigraph's wheel as `pip install .` does: maturin comes from PyPI, by pip itself.
    pub fn build_wheel(&self, root: &Path, folder: &Path) -> Result<PathBuf, String> {
        let wheels = folder.join("wheels");
        // Nothing that an older version left.
        if wheels.exists() {
            fs::remove_dir_all(&wheels).map_err(|error| error.to_string())?;
        }
        let mut command = self.pip("wheel");
        command
            .args(["--no-deps", "--wheel-dir"])
            .arg(&wheels)
            .arg(root)
            // maturin tells cargo of the interpreter, which would make cargo's own builds build anew.
            .env("CARGO_TARGET_DIR", folder.join("wheel-target"));
        for name in ["CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"] {
            if let Some(value) = env::var_os(name) {
                command.env(name, value);
            }
        }
        finished(&mut command, "pip wheel")?;
        let entries = fs::read_dir(&wheels).map_err(|error| error.to_string())?;
        let wheel = entries.flatten().map(|entry| entry.path()).next();
        let wheel = wheel.ok_or("pip wheel made no wheel")?;
        match wheel.to_string_lossy().contains("-abi3-") {
            true => Ok(wheel),
            false => Err(format!("{} does not serve every version", wheel.display())),
        }
    }

    fn pip(&self, what: &str) -> Command {
        let mut command = self.command(false);
        command.args(["-m", "pip", "--quiet", "--disable-pip-version-check", what]);
        command
    }
}

/// Runs a command to its end; the last lines of what it says when it fails.
fn finished(command: &mut Command, what: &str) -> Result<Outcome, String> {
    let outcome = process::run(command, "", LIMIT).map_err(|error| format!("{what}: {error}"))?;
    match outcome.succeeded() {
        true => Ok(outcome),
        false => Err(format!(
            "{what}: {}: {}",
            outcome.ending(),
            last_lines(&outcome, 3)
        )),
    }
}

/// The end of what a program said, on one line: of the errors if there are any.
pub fn last_lines(outcome: &Outcome, count: usize) -> String {
    let text = match outcome.stderr.trim().is_empty() {
        true => &outcome.stdout,
        false => &outcome.stderr,
    };
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let text = lines[lines.len().saturating_sub(count)..].join(" | ");
    match env::var("HOME") {
        Ok(home) if home.len() > 1 => text.replace(&home, "~"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{bench, packages, tools};

    #[test]
    fn every_package_that_is_asked_for_is_pinned() {
        let benchmarks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benchmarks");
        let pins = fs::read_to_string(benchmarks.join("constraints.txt")).expect("pins");
        let pins: BTreeSet<String> = pins.lines().map(str::to_lowercase).collect();
        let wanted = bench::requirements();
        for package in &wanted {
            assert!(
                pins.contains(&package.to_lowercase()),
                "{package} is not among the pins"
            );
        }
        for package in tools::packages().iter().chain(&packages::names()) {
            let named = format!("{package}==");
            assert!(
                pins.iter().any(|pin| pin.starts_with(&named)),
                "{package} is not among the pins"
            );
        }
        assert!(wanted.len() > 10);
    }
}
