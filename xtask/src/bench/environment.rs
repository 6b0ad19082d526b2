//! Virtual environments with what is measured: packages from PyPI, and Serigraph as its users install it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use serde::{Deserialize, Serialize};

use crate::interpreters::{Interpreter, Mode};
use crate::process::{self, Outcome};

/// Time pip may take: it may have to build packages that have no wheel for the interpreter.
const LIMIT: Duration = Duration::from_secs(1800);

/// A virtual environment.
#[derive(Clone, Debug)]
pub struct Environment {
    folder: PathBuf,
}

/// What was installed in an environment, kept in it so that nothing is asked for twice.
#[derive(Default, Serialize, Deserialize)]
struct Installed {
    /// Sets of requirements, and what pip said when it could not install one.
    sets: BTreeMap<String, Option<String>>,
}

impl Environment {
    /// The environment of that name of an interpreter; made when there is none.
    pub fn of(folder: &Path, name: &str, interpreter: &Interpreter) -> Result<Self, String> {
        let folder = folder.join(format!("{name}-{}", interpreter.version()));
        let environment = Self { folder };
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

    /// Installs requirements unless they are there: arguments of `pip install`. With `together` what is
    /// installed already keeps its version.
    pub fn install(&self, requirements: &[String], together: bool) -> Result<(), String> {
        let record = self.folder.join("installed.json");
        let mut installed: Installed = fs::read(&record)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        let key = requirements.join(" ");
        if let Some(outcome) = installed.sets.get(&key) {
            return outcome.clone().map_or(Ok(()), Err);
        }
        let mut command = self.pip("install");
        if together {
            let constraints = self.folder.join("constraints.txt");
            let frozen = finished(
                self.pip("freeze").arg("--exclude").arg("serigraph"),
                "pip freeze",
            )?;
            fs::write(&constraints, frozen.stdout).map_err(|error| error.to_string())?;
            command.arg("--constraint").arg(constraints);
        }
        let outcome = finished(command.args(requirements), "pip install").err();
        installed.sets.insert(key, outcome.clone());
        let text = serde_json::to_string_pretty(&installed).map_err(|error| error.to_string())?;
        fs::write(&record, text).map_err(|error| error.to_string())?;
        outcome.map_or(Ok(()), Err)
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
