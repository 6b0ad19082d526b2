//! Runs the scripts of `tests/live/` in every supported interpreter that can be found, with the extension module of
//! `examples/live_probe`. `SERIGRAPH_PYTHON` (a list as `PATH` is one) adds interpreters.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Interpreters by what they say they are.
fn interpreters() -> BTreeMap<String, PathBuf> {
    let mut candidates: Vec<PathBuf> = Vec::new();
    if let Some(list) = env::var_os("SERIGRAPH_PYTHON") {
        candidates.extend(env::split_paths(&list));
    }
    for folder in env::split_paths(&env::var_os("PATH").unwrap_or_default()) {
        candidates.extend(["python3", "python3.12", "python3.13"].map(|name| folder.join(name)));
    }
    let pyenv = env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".pyenv")));
    if let Some(Ok(versions)) = pyenv.map(|root| fs::read_dir(root.join("versions"))) {
        candidates.extend(
            versions
                .flatten()
                .map(|version| version.path().join("bin/python3")),
        );
    }
    let mut found = BTreeMap::new();
    for candidate in candidates.into_iter().filter(|path| path.is_file()) {
        let script = "import sys; print(sys.version_info[:2] in ((3, 12), (3, 13)), sys.version, sys.abiflags)";
        let output = Command::new(&candidate).args(["-c", script]).output();
        if let Ok(output) = output
            && let Ok(text) = String::from_utf8(output.stdout)
            && let Some(version) = text.strip_prefix("True ")
        {
            found.entry(version.replace('\n', " ")).or_insert(candidate);
        }
    }
    found
}

/// Builds the extension module and puts it under its name into a folder.
fn build_probe() -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--example", "live_probe"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo runs");
    assert!(built.success(), "the extension module builds");
    let test = env::current_exe().expect("a test has a path");
    let profile = test.ancestors().nth(2).expect("target/debug/deps/live");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("live_probe");
    fs::create_dir_all(&folder).expect("the target folder is writable");
    // A module that is loaded must not be overwritten: rename into place.
    let fresh = folder.join("fresh.so");
    fs::copy(profile.join("examples/liblive_probe.so"), &fresh).expect("the module was built");
    fs::rename(fresh, folder.join("live_probe.so")).expect("same folder");
    folder
}

#[test]
fn scripts_pass_in_every_interpreter() {
    let probe = build_probe();
    let interpreters = interpreters();
    assert!(
        !interpreters.is_empty(),
        "no CPython 3.12 or 3.13 found; set SERIGRAPH_PYTHON"
    );
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live");
    let mut scripts: Vec<_> = fs::read_dir(scripts)
        .expect("tests/live exists")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "py"))
        .collect();
    scripts.sort();
    let mut failures = Vec::new();
    for (version, interpreter) in &interpreters {
        for script in &scripts {
            let output = Command::new(interpreter)
                .arg(script)
                .env("PYTHONPATH", &probe)
                .env("PYTHONDONTWRITEBYTECODE", "1")
                .output()
                .expect("the interpreter runs");
            if !output.status.success() {
                let name = script.file_name().unwrap_or_default().to_string_lossy();
                failures.push(format!(
                    "{name} in {version}: {}\n{}{}",
                    output.status,
                    String::from_utf8_lossy(&output.stdout),
                    String::from_utf8_lossy(&output.stderr)
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
