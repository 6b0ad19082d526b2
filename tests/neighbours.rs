//! Somebody else has what Serigraph needs of the interpreter, or wants it later: both are told so.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use xtask::interpreters::{self, Interpreter, Mode};
use xtask::process::{self, Outcome};
use xtask::scratch::Scratch;

/// Somebody else has the tool id for optimisers, then Serigraph has it.
const TOOL_ID: &str = "
import sys, serigraph
serigraph.disable()
monitoring = sys.monitoring
tool = monitoring.OPTIMIZER_ID
def tell(function, *arguments, **options):
    try:
        function(*arguments, **options)
    except (RuntimeError, ValueError) as error:
        print(type(error).__name__, error)
    print(serigraph.is_enabled(), monitoring.get_tool(tool))
def loop(n):
    total = 0
    for i in range(n):
        total += i
    return total
monitoring.use_tool_id(tool, 'another jit')
seen = []
monitoring.register_callback(tool, monitoring.events.JUMP, lambda *what: seen.append(what))
tell(serigraph.enable)
monitoring.set_local_events(tool, loop.__code__, monitoring.events.JUMP)
print(loop(2000), len(seen))
monitoring.set_local_events(tool, loop.__code__, 0)
monitoring.free_tool_id(tool)
tell(serigraph.enable, threshold=2)
tell(monitoring.use_tool_id, tool, 'another jit')
def loop(n):
    total = 0
    for i in range(n):
        total += i * i
    return total
print(loop(2000), len(serigraph.stats()['traces']) > 0)
serigraph.disable()
tell(monitoring.use_tool_id, tool, 'another jit')
";

const TOOL_ID_SAYS: &str = "\
RuntimeError the tool id sys.monitoring.OPTIMIZER_ID, which Serigraph needs, is in use by 'another jit'
False another jit
1999000 2000
True serigraph
ValueError tool 5 is already in use
True serigraph
2664667000 True
False another jit
";

/// All watchers of one kind are taken, as far as the interpreter's helpers can; the kind is the argument. Nothing of Serigraph stays behind where it gives up.
const WATCHERS: &str = "
import sys, serigraph
try:
    import _testcapi
except ImportError:
    print('no helpers')
    sys.exit()
serigraph.disable()
def loop(n):
    pass
add = getattr(_testcapi, 'add_%s_watcher' % sys.argv[1])
clear = getattr(_testcapi, 'clear_%s_watcher' % sys.argv[1])
taken = []
try:
    while True:
        taken.append(add(loop if sys.argv[1] == 'func' else len(taken) % 2))
        if sys.argv[1] in ('code', 'func') and len(taken) == 2:
            # Its helpers have two of these.
            break
except RuntimeError:
    pass
try:
    serigraph.enable()
except RuntimeError as error:
    print(error)
print(serigraph.is_enabled(), sys.monitoring.get_tool(sys.monitoring.OPTIMIZER_ID))
for watcher in taken:
    clear(watcher)
serigraph.enable(threshold=2)
total = 0
for i in range(3000):
    total += i
print(total, len(serigraph.stats()['traces']) > 0)
";

const NO_WATCHER: &str = "\
all watcher slots of this interpreter are taken by other tools
False None
4498500 True
";

const BESIDE_OTHERS: &str = "True serigraph\n4498500 True\n";

fn all() -> Vec<Interpreter> {
    let serigraph = Path::new(env!("CARGO_BIN_EXE_serigraph"));
    interpreters::supported(serigraph, None).expect("an interpreter")
}

fn run(command: &mut Command) -> Outcome {
    process::run(command, "", Duration::from_secs(60)).expect("it can be started")
}

#[test]
fn the_tool_id_has_one_user() {
    for interpreter in all() {
        let outcome = run(interpreter.command(Mode::On(None)).args(["-c", TOOL_ID]));
        assert_eq!(
            outcome.stdout, TOOL_ID_SAYS,
            "{interpreter}: {}",
            outcome.stderr
        );
    }
}

#[test]
fn a_tool_id_that_was_taken_at_start_up_is_named() {
    let scratch = Scratch::new("neighbours").expect("a folder");
    std::fs::write(
        scratch.path().join("sitecustomize.py"),
        "import sys\nsys.monitoring.use_tool_id(sys.monitoring.OPTIMIZER_ID, 'another jit')\n",
    )
    .expect("a file");
    for interpreter in all() {
        let mut command = interpreter.command(Mode::On(None));
        command.env("PYTHONPATH", scratch.path());
        command.args(["--stats", "-c", "print('ran')"]);
        let refused = run(&mut command);
        let code = refused.status.and_then(|status| status.code());
        assert_eq!((refused.stdout.as_str(), code), ("", Some(2)));
        let text = "OPTIMIZER_ID, which Serigraph needs, is in use by 'another jit'\n";
        assert!(refused.stderr.contains(text), "{}", refused.stderr);
        let plain = run(command.env("SERIGRAPH_FALLBACK", "1"));
        assert_eq!(plain.stdout, "ran\n", "{interpreter}: {}", plain.stderr);
        assert!(plain.stderr.contains(text), "{}", plain.stderr);
    }
}

#[test]
fn watchers_may_be_taken() {
    for interpreter in all() {
        for (kind, expected) in [
            ("dict", NO_WATCHER),
            ("type", BESIDE_OTHERS),
            ("code", BESIDE_OTHERS),
            ("func", BESIDE_OTHERS),
        ] {
            let mut command = interpreter.command(Mode::On(None));
            let outcome = run(command.args(["-c", WATCHERS, kind]));
            if outcome.stdout == "no helpers\n" {
                continue;
            }
            assert_eq!(
                outcome.stdout, expected,
                "{interpreter}, {kind}: {}",
                outcome.stderr
            );
        }
    }
}
