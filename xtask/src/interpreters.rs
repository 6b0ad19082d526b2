//! The interpreters of this machine, and how to run each with and without Serigraph.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process;

/// A supported interpreter.
#[derive(Clone, Debug)]
pub struct Interpreter {
    /// The program.
    pub path: PathBuf,
    /// What it calls itself, like `CPython 3.13.0`.
    pub name: String,
    /// The `serigraph` program to run it with.
    serigraph: PathBuf,
}

impl fmt::Display for Interpreter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.path.display())
    }
}

/// With what to run a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The interpreter itself.
    Plain,
    /// `serigraph --off`.
    Off,
    /// `serigraph`, with a threshold or the default one.
    On(Option<u32>),
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str("plain"),
            Self::Off => f.write_str("off"),
            Self::On(None) => f.write_str("on"),
            Self::On(Some(threshold)) => write!(f, "threshold {threshold}"),
        }
    }
}

/// Variables that would change what a program under test does or costs.
const UNWANTED: &[&str] = &[
    "PYTHONPATH",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONUNBUFFERED",
    "PYTHONHASHSEED",
    "PYTHONSTARTUP",
    "PYTHONMALLOC",
    "SERIGRAPH",
    "SERIGRAPH_PYTHON",
    "SERIGRAPH_FALLBACK",
    "SERIGRAPH_THRESHOLD",
    "SERIGRAPH_STATS",
    "SERIGRAPH_LOG",
    "SERIGRAPH_DUMP",
    "SERIGRAPH_OPT",
    "SERIGRAPH_ONLY",
    "SERIGRAPH_RANDOM_RA",
    "SERIGRAPH_CODE_LIMIT",
];

impl Interpreter {
    /// A command that runs a program with this interpreter; the program is still to be added.
    pub fn command(&self, mode: Mode) -> Command {
        let mut command = match mode {
            Mode::Plain => Command::new(&self.path),
            Mode::Off | Mode::On(_) => {
                let mut command = Command::new(&self.serigraph);
                command.arg("--python").arg(&self.path);
                command
            }
        };
        match mode {
            Mode::Off => {
                command.arg("--off");
            }
            Mode::On(Some(threshold)) => {
                command.arg("--threshold").arg(threshold.to_string());
            }
            Mode::Plain | Mode::On(None) => {}
        }
        for variable in UNWANTED {
            command.env_remove(variable);
        }
        command
    }

    /// A short name for file and test names, like `3.13.0`.
    pub fn version(&self) -> &str {
        self.name.rsplit(' ').next().unwrap_or(&self.name)
    }
}

/// Whether an interpreter of this version is meant by `3.13`, or `3.13.0`.
fn is_version(wanted: &str, version: &str) -> bool {
    let rest = version.strip_prefix(wanted);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Every supported interpreter that `serigraph` finds on this machine; one of each version. With
/// `only`, that one: a program, or those of a version like `3.13`.
pub fn supported(serigraph: &Path, only: Option<&Path>) -> Result<Vec<Interpreter>, String> {
    let is_number = |text: &&str| text.starts_with(|c: char| c.is_ascii_digit());
    let wanted = only
        .filter(|only| !only.exists())
        .and_then(Path::to_str)
        .filter(is_number);
    let mut command = Command::new(serigraph);
    command.arg("--interpreters");
    if let (Some(only), None) = (only, wanted) {
        command.arg("--python").arg(only);
    }
    let listed = process::run(&mut command, "", Duration::from_secs(60))
        .map_err(|error| format!("cannot run {}: {error}", serigraph.display()))?;
    let mut found: Vec<Interpreter> = Vec::new();
    for line in listed.stdout.lines() {
        let mut fields = line.split('\t');
        if let (Some("supported"), Some(path), Some(name)) =
            (fields.next(), fields.next(), fields.next())
            && !found.iter().any(|other| other.name == name)
        {
            found.push(Interpreter {
                path: path.into(),
                name: name.into(),
                serigraph: serigraph.to_owned(),
            });
        }
    }
    if let Some(wanted) = wanted {
        found.retain(|one| is_version(wanted, one.version()));
    }
    if found.is_empty() {
        return Err(format!(
            "no supported interpreter found; `serigraph --interpreters` says:\n{}{}",
            listed.stdout, listed.stderr
        ));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::is_version;

    #[test]
    fn a_version_names_those_that_begin_with_it() {
        assert!(is_version("3.13", "3.13.0") && is_version("3.13.0", "3.13.0"));
        assert!(!is_version("3.1", "3.13.0") && !is_version("3.13.0", "3.13"));
    }
}
