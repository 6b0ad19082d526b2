//! Every prefix of a recording is a valid exit: recordings are stopped after 0, 1, 2, ... instructions in turn, and the program
//! goes on in the interpreter from there, as if nothing had been.

use std::path::Path;
use std::process::{Command, Output};

use xtask::interpreters;

const SCRIPTS: &[&str] = &[
    "test_recorder_mix",
    "test_recorder_attributes",
    "test_lifetimes",
    "test_exceptions",
    "test_calls",
];

/// Limits of the stops: short ones try the beginnings of all loops often, long ones the ends.
const STOPS: &[&str] = &["7", "61", "250"];

fn run(serigraph: &Path, python: &Path, script: &Path, stop_after: Option<&str>) -> Output {
    let mut command = Command::new(serigraph);
    command
        .arg("--python")
        .arg(python)
        .env("PYTHONHASHSEED", "0");
    match stop_after {
        Some(limit) => command
            .env("SERIGRAPH_THRESHOLD", "1")
            .env("SERIGRAPH_STOP_AFTER", limit),
        None => command.arg("--off"),
    };
    command
        .arg(script)
        .output()
        .expect("the program can be started")
}

#[test]
fn a_recording_can_stop_anywhere() {
    let serigraph = Path::new(env!("CARGO_BIN_EXE_serigraph"));
    let interpreters = interpreters::supported(serigraph, None).expect("there is an interpreter");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python");
    for interpreter in &interpreters {
        for name in SCRIPTS {
            let script = folder.join(name).with_extension("py");
            let expected = run(serigraph, &interpreter.path, &script, None);
            for stop_after in STOPS {
                let found = run(serigraph, &interpreter.path, &script, Some(stop_after));
                assert!(
                    found.stdout == expected.stdout && found.status == expected.status,
                    "{name} with {interpreter}, stopped after up to {stop_after}: {}\n{}\n{}",
                    found.status,
                    String::from_utf8_lossy(&found.stdout),
                    String::from_utf8_lossy(&found.stderr),
                );
            }
        }
    }
}
