//! Chooses the interpreter to run.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::Failure;
use crate::probe::{Probe, probe};
use crate::pyenv::{self, Shim};

/// What Serigraph runs on, for messages.
const SUPPORTED: &str =
    "supported are release builds of CPython 3.13 and 3.12 with the GIL, for 64-bit x86 Linux";

/// Names looked for on PATH, best first.
const ON_PATH: &[&str] = &["python3.13", "python3.12", "python3"];

/// Names looked for in what pyenv and uv installed, best first.
const INSTALLED: &[&str] = &["python3.13", "python3.12"];

/// An interpreter to start.
#[derive(Debug)]
pub struct Interpreter {
    /// The program to execute.
    pub path: PathBuf,
    /// False when it is to run without Serigraph, because it is not supported and
    /// `SERIGRAPH_FALLBACK=1` allows that.
    pub supported: bool,
}

/// Chooses the interpreter: the one named by `--python` or `SERIGRAPH_PYTHON`, else the first
/// supported one on the machine.
///
/// Asking an interpreter what it is costs as much as starting it. So the first candidate that looks
/// right is taken as it is, and checks itself before it runs anything; if it refuses, this program
/// is started again with `ask_all` set, and every candidate is asked.
pub fn choose(named: Option<&OsStr>, ask_all: bool) -> Result<Interpreter, Failure> {
    let (candidates, named_by) = candidates(named)?;
    if !ask_all && let Some(path) = first_likely(&candidates, named_by.is_some()) {
        return Ok(Interpreter {
            path,
            supported: true,
        });
    }
    let mut looked_at = Vec::new();
    let mut unsupported = None;
    for candidate in candidates {
        match ask(&candidate) {
            Probe::Supported(path, _) => {
                return Ok(Interpreter {
                    path,
                    supported: true,
                });
            }
            Probe::Unsupported(path, what) => {
                unsupported.get_or_insert(path);
                looked_at.push((candidate, what));
            }
            Probe::NoPython(what) => looked_at.push((candidate, what)),
        }
    }
    match unsupported {
        Some(path) if fallback()? => Ok(Interpreter {
            path,
            supported: false,
        }),
        _ => Err(nothing_found(named_by, &looked_at)),
    }
}

/// Asks a candidate what it is, a shim by way of what it stands for. The path in the answer is the
/// program to execute: a script in front of an interpreter need not run again.
fn ask(candidate: &Path) -> Probe {
    let program = match pyenv::shim(candidate) {
        Shim::For(program) => program,
        Shim::No | Shim::Unclear => candidate.to_owned(),
        Shim::Unselected => {
            return Probe::NoPython("a pyenv shim for versions that are not selected".into());
        }
    };
    let binary = is_elf(&program);
    match probe(&program) {
        Probe::Supported(_, what) if binary => Probe::Supported(program, what),
        Probe::Unsupported(_, what) if binary => Probe::Unsupported(program, what),
        answer => answer,
    }
}

/// Prints every interpreter on the machine, or the named one, a line each: whether it is supported, the program, what
/// it is, with tabs between.
pub fn list(named: Option<&OsStr>) -> Result<(), Failure> {
    for candidate in candidates(named)?.0 {
        let (verdict, path, what) = match ask(&candidate) {
            Probe::Supported(path, what) => ("supported", path, what),
            Probe::Unsupported(path, what) => ("unsupported", path, what),
            Probe::NoPython(what) => ("unusable", candidate, what),
        };
        println!("{verdict}\t{}\t{what}", path.display());
    }
    Ok(())
}

/// The first candidate, if it can be known without running it: a binary that, unless it was named,
/// carries a supported version in its name. None when a script has to be asked first.
fn first_likely(candidates: &[PathBuf], named: bool) -> Option<PathBuf> {
    for candidate in candidates {
        let program = match pyenv::shim(candidate) {
            Shim::For(program) => program,
            Shim::No => candidate.clone(),
            Shim::Unclear => return None,
            Shim::Unselected => continue,
        };
        if !is_elf(&program) {
            return None;
        }
        // `python3` is a link to the program with the full name.
        let real = program.canonicalize().unwrap_or_default();
        let name = real.file_name().unwrap_or_default();
        if named || INSTALLED.iter().any(|likely| name == *likely) {
            return Some(program);
        }
    }
    None
}

/// What to choose from, best first, and by what it was named: only the named interpreter if there
/// is one.
fn candidates(named: Option<&OsStr>) -> Result<(Vec<PathBuf>, Option<&'static str>), Failure> {
    let variable = env::var_os("SERIGRAPH_PYTHON").filter(|value| !value.is_empty());
    let (name, from) = match (named, variable) {
        (Some(name), _) => (name.to_owned(), "--python"),
        (None, Some(name)) => (name, "SERIGRAPH_PYTHON"),
        (None, None) => return Ok((on_this_machine(), None)),
    };
    match resolve(&name) {
        Some(program) => Ok((vec![program], Some(from))),
        None => Err(Failure(format!(
            "{from}: there is no program {}",
            name.display()
        ))),
    }
}

/// Interpreters on the machine, in the order in which they are preferred, each once.
fn on_this_machine() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    let on_path = ON_PATH.iter().flat_map(|name| on_path(OsStr::new(name)));
    for candidate in on_path.chain(pyenv::installed(INSTALLED)) {
        if !found.contains(&candidate) {
            found.push(candidate);
        }
    }
    found
}

/// Every executable file of that name on PATH, in order.
fn on_path(name: &OsStr) -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        // An empty entry means the current folder; a path without a slash would be looked up again.
        .map(|folder| match folder.as_os_str().is_empty() {
            true => Path::new(".").join(name),
            false => folder.join(name),
        })
        .filter(|program| is_executable(program))
        .collect()
}

/// A named interpreter: a path, or a program on PATH.
fn resolve(name: &OsStr) -> Option<PathBuf> {
    if name.as_encoded_bytes().contains(&b'/') {
        let path = PathBuf::from(name);
        return is_executable(&path).then_some(path);
    }
    on_path(name).into_iter().next()
}

fn is_executable(program: &Path) -> bool {
    program
        .metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// True for a binary program, false for a script that starts one.
fn is_elf(program: &Path) -> bool {
    let mut magic = [0; 4];
    File::open(program).is_ok_and(|mut file| file.read_exact(&mut magic).is_ok())
        && magic == *b"\x7fELF"
}

/// `SERIGRAPH_FALLBACK`.
fn fallback() -> Result<bool, Failure> {
    match env::var_os("SERIGRAPH_FALLBACK") {
        None => Ok(false),
        Some(value) if value == "1" => Ok(true),
        Some(value) if value == "0" || value.is_empty() => Ok(false),
        Some(value) => Err(Failure(format!(
            "SERIGRAPH_FALLBACK must be 0 or 1, not {}",
            value.display()
        ))),
    }
}

fn nothing_found(named: Option<&str>, looked_at: &[(PathBuf, String)]) -> Failure {
    let list = |indent: &str| -> String {
        looked_at
            .iter()
            .map(|(path, what)| format!("{indent}{}: {what}\n", path.display()))
            .collect()
    };
    let advice = "Name one with --python or SERIGRAPH_PYTHON";
    let fallback = "SERIGRAPH_FALLBACK=1 runs the program without Serigraph";
    Failure(match named {
        Some(from) => format!("{from}: {}{SUPPORTED}\n({fallback})", list("")),
        None if looked_at.is_empty() => {
            format!("no Python found on PATH, nor installed by pyenv or uv; {SUPPORTED}\n{advice}")
        }
        None => format!(
            "no supported Python found; {SUPPORTED}. Looked at:\n{}{advice}; {fallback}",
            list("  ")
        ),
    })
}
