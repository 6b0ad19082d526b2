//! What the developers' commands do; the tests use parts of it.

use std::path::{Path, PathBuf};
use std::process::Command;

pub mod bench;
pub mod conformance;
pub mod environment;
pub mod fuzz;
pub mod interpreters;
pub mod packages;
pub mod process;
pub mod scratch;
pub mod seeds;
pub mod soak;
pub mod tools;

/// How a comparison ended that could be made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Ending {
    /// No differences.
    Same,
    /// What differs.
    Different(String),
}

/// Builds packages for release; returns the folder of the programs.
pub fn build_release(root: &Path, packages: &[&str]) -> Result<PathBuf, String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["build", "--quiet", "--release"])
        .current_dir(root);
    for package in packages {
        command.args(["--package", package]);
    }
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(format!("cargo build: {status}")),
        Err(error) => return Err(format!("cargo cannot be run: {error}")),
    }
    // `cargo xtask` runs this program from the same target folder.
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let target = program.parent().and_then(Path::parent);
    Ok(target
        .ok_or("this program is in no target folder")?
        .join("release"))
}
