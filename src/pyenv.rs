//! What pyenv and uv have installed, and what a pyenv shim stands for.
//!
//! pyenv puts *shims* on PATH: shell scripts that run the selected version's program of that name,
//! or fail when the selected version has none. Running one takes a fifth of a second, so they are
//! read as pyenv reads them, and run only when their meaning is not plain.

use std::cmp::Reverse;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// Folder of pyenv's data.
fn root() -> Option<PathBuf> {
    non_empty("PYENV_ROOT").or_else(|| Some(non_empty("HOME")?.join(".pyenv")))
}

fn non_empty(variable: &str) -> Option<PathBuf> {
    env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// What a program on PATH is in terms of pyenv.
#[derive(Debug)]
pub enum Shim {
    /// Not a shim.
    No,
    /// A shim that stands for this program.
    For(PathBuf),
    /// A shim of a program that the selected versions do not have.
    Unselected,
    /// A shim whose meaning only pyenv can tell.
    Unclear,
}

/// Reads a program on PATH as a shim.
pub fn shim(program: &Path) -> Shim {
    let Some(root) = root() else { return Shim::No };
    if program.parent() != Some(&root.join("shims")) {
        return Shim::No;
    }
    let (Some(name), Some(selected)) = (program.file_name(), selected(&root)) else {
        return Shim::Unclear;
    };
    for version in selected.split([':', '\n', ' ']).filter(|v| !v.is_empty()) {
        let home = root.join("versions").join(version);
        if !home.is_dir() {
            return Shim::Unclear;
        }
        let program = home.join("bin").join(name);
        if program.is_file() {
            return Shim::For(program);
        }
    }
    Shim::Unselected
}

/// The selected versions: PYENV_VERSION, the nearest `.python-version`, or the global choice.
fn selected(root: &Path) -> Option<String> {
    if let Some(version) = env::var_os("PYENV_VERSION").filter(|value| !value.is_empty()) {
        return version.into_string().ok();
    }
    let here = env::current_dir().ok()?;
    here.ancestors()
        .map(|folder| folder.join(".python-version"))
        .chain([root.join("version")])
        .find_map(|file| fs::read_to_string(file).ok())
}

/// Interpreters installed by pyenv and by uv with the given program names: all of the first name
/// before those of the second, newer releases first.
pub fn installed(names: &[&str]) -> Vec<PathBuf> {
    let pyenv = root().map(|root| root.join("versions"));
    let uv = non_empty("UV_PYTHON_INSTALL_DIR").or_else(|| {
        let data = non_empty("XDG_DATA_HOME")
            .or_else(|| Some(non_empty("HOME")?.join(".local").join("share")));
        Some(data?.join("uv").join("python"))
    });
    [pyenv, uv]
        .into_iter()
        .flatten()
        .flat_map(|folder| {
            let homes = &homes(&folder);
            names
                .iter()
                .flat_map(|name| homes.iter().map(move |home| home.join("bin").join(name)))
                .filter(|program| program.is_file())
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The folders in `folder`, by the numbers in their names, newest first.
fn homes(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut homes: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    homes.sort_by_cached_key(|home| Reverse((numbers(home.file_name()), home.clone())));
    homes
}

/// The numbers in a name: `cpython-3.13.0-linux` gives 3, 13, 0.
fn numbers(name: Option<&OsStr>) -> Vec<u64> {
    let name = name.unwrap_or_default().to_string_lossy();
    name.split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}
