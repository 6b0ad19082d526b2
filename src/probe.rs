//! Asks an interpreter what it is.
//!
//! The question is put by the same Python file that checks the interpreter again from inside at
//! start-up, so there is one definition of "supported".

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Defines `describe()` and `is_supported()`; also imported by the start-up step inside the interpreter.
const CHECK: &str = include_str!("../python/serigraph/_boot/_serigraph_interpreter.py");

/// Prints the path of the interpreter itself (not of a shim), what it is, whether it is supported.
const QUESTION: &str = "
import sys
sys.stdout.write(chr(31).join(['serigraph', sys.executable, describe(), str(is_supported())]))
";

/// What became of running a candidate.
#[derive(Debug)]
pub enum Probe {
    /// It is supported: its own path, what it is.
    Supported(PathBuf, String),
    /// It is a Python that runs, but not a supported one: its own path, what it is.
    Unsupported(PathBuf, String),
    /// It does not run, or is no Python: what it did.
    NoPython(String),
}

/// Runs the candidate once, without the user's or the site's code, and asks what it is.
pub fn probe(candidate: &Path) -> Probe {
    let output = Command::new(candidate)
        .args(["-I", "-S", "-c"])
        .arg(format!("{CHECK}{QUESTION}"))
        .stdin(Stdio::null())
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => return Probe::NoPython(format!("cannot be run: {error}")),
    };
    let mut fields = output.stdout.split(|&byte| byte == 31);
    match [(); 4].map(|()| fields.next()) {
        [Some(b"serigraph"), Some(path), Some(what), Some(supported)]
            if output.status.success() =>
        {
            let path = PathBuf::from(OsStr::from_bytes(path));
            let what = String::from_utf8_lossy(what).into_owned();
            if supported == b"True" {
                Probe::Supported(path, what)
            } else {
                Probe::Unsupported(path, what)
            }
        }
        _ => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().find(|line| !line.trim().is_empty());
            Probe::NoPython(format!(
                "not a Python that runs ({}{})",
                output.status,
                said.map(|line| format!(": {}", line.trim()))
                    .unwrap_or_default()
            ))
        }
    }
}
