//! A crash inside machine code says so, with the trace and its line, beside what `faulthandler` says.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use xtask::interpreters::{self, Interpreter, Mode};
use xtask::process::{self, Outcome};
use xtask::scratch::Scratch;

/// A list whose items move away: the loads of the trace fault. Line 6 is the loop.
const IN_MACHINE_CODE: &str = "
import ctypes
def loop(n, items):
    slot = ctypes.c_ssize_t.from_address(id(items) + 24)
    total = 0
    for value in [slot.value] * n + [8]:
        slot.value = value
        total += items[1]
loop(3000, [1, 2, 3, 4])
";

/// A C function that faults when the trace calls it. Line 6 is the loop.
const IN_A_CALL: &str = "
import ctypes
def loop(n):
    read = ctypes._string_at
    buffer = ctypes.create_string_buffer(b'x')
    for address in [ctypes.addressof(buffer)] * n + [8]:
        read(address, 1)
loop(3000)
";

/// The same without a loop.
const ELSEWHERE: &str = "
import ctypes
for i in range(3000):
    total = i
ctypes._string_at(8, 1)
";

const SIGSEGV: i32 = 11;

fn run(interpreter: &Interpreter, faulthandler: &str, program: &str) -> Outcome {
    let scratch = Scratch::new("crash").expect("a folder");
    let file = scratch.path().join("program.py");
    let before = match faulthandler {
        "later" => "import faulthandler; faulthandler.enable()",
        _ => "",
    };
    std::fs::write(&file, format!("{before}{program}")).expect("a file");
    let mut command = interpreter.command(Mode::On(Some(2)));
    if faulthandler == "before" {
        command.args(["-X", "faulthandler"]);
    }
    command.arg(&file).current_dir(scratch.path());
    process::run(&mut command, "", Duration::from_secs(60)).expect("it can be started")
}

#[test]
fn crashes_are_reports() {
    let serigraph = Path::new(env!("CARGO_BIN_EXE_serigraph"));
    for interpreter in interpreters::supported(serigraph, None).expect("an interpreter") {
        for faulthandler in ["none", "before", "later"] {
            for (program, says) in [
                (
                    IN_MACHINE_CODE,
                    "segmentation fault in machine code: root trace ",
                ),
                (
                    IN_A_CALL,
                    "segmentation fault in a function called by machine code: root trace ",
                ),
            ] {
                let outcome = run(&interpreter, faulthandler, program);
                let what = format!(
                    "{interpreter}, faulthandler {faulthandler}: {}",
                    outcome.stderr
                );
                let signal = outcome.status.and_then(|status| status.signal());
                assert_eq!(signal, Some(SIGSEGV), "{what}");
                assert!(outcome.stderr.contains(says), "{what}");
                assert!(outcome.stderr.contains("program.py:6, "), "{what}");
                assert!(outcome.stderr.contains("SERIGRAPH_ONLY=0"), "{what}");
                assert_eq!(
                    outcome
                        .stderr
                        .contains("Fatal Python error: Segmentation fault"),
                    faulthandler != "none",
                    "{what}"
                );
            }
        }
    }
}

#[test]
fn crashes_elsewhere_are_not_our_business() {
    let serigraph = Path::new(env!("CARGO_BIN_EXE_serigraph"));
    for interpreter in interpreters::supported(serigraph, None).expect("an interpreter") {
        for faulthandler in ["none", "before"] {
            let outcome = run(&interpreter, faulthandler, ELSEWHERE);
            let signal = outcome.status.and_then(|status| status.signal());
            assert_eq!(signal, Some(SIGSEGV), "{interpreter}");
            assert!(
                !outcome.stderr.contains("serigraph: "),
                "{}",
                outcome.stderr
            );
        }
    }
}
