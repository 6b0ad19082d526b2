//! What the process looks like from outside: where code lies, and what happens where the system refuses memory.

use std::path::Path;
use std::time::Duration;

use xtask::interpreters::{self, Interpreter, Mode};
use xtask::process::{self, Outcome};
use xtask::scratch::Scratch;

/// Loops that are compiled while the process goes on, and what they must give.
const LOOPS: &str = "
def make(k):
    space = {}
    exec('''def loop(n):
    total = %d
    for i in range(n):
        total += i
        if i %% 5 == 1:
            total -= 3
    return total
''' % k, space)
    return space['loop']
def work(count):
    return sum(make(k)(3000) for k in range(count))
";

/// Reads the process's map from another thread while loops are compiled.
const WATCH: &str = "
import sys, threading
sys.setswitchinterval(0.00001)
done = threading.Event()
bad, code = set(), set()
def watch():
    while not done.is_set():
        with open('/proc/self/maps') as file:
            shared = {}
            for line in file:
                fields = line.split()
                where, rights, inode = fields[0], fields[1], fields[3] + ' ' + fields[4]
                if 'w' in rights and 'x' in rights:
                    bad.add(line)
                if 'x' in rights and fields[4] == '0' and len(fields) == 5:
                    code.add(where.split('-')[0])
                if rights[3] == 's':
                    shared.setdefault(inode, set()).update(rights)
            for inode, rights in shared.items():
                if 'x' in rights and 'w' in rights:
                    bad.add(inode)
thread = threading.Thread(target=watch)
thread.start()
print(work(300), file=sys.stderr)
done.set()
thread.join()
print(sorted(bad))
print(min(code))
";

/// Has the system refuse what is asked of it from now on: `mprotect` to executable, or new memory.
const REFUSE: &str = "
import ctypes, resource, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def seccomp(number, argument, bits):
    def op(code, jt, jf, k):
        return struct.pack('HBBI', code, jt, jf, k)
    low = 16 + 8 * argument
    program = b''.join([
        op(0x20, 0, 0, 0),              # the number of the system call
        op(0x15, 0, 3, number),
        op(0x20, 0, 0, low),            # the low half of the argument
        op(0x45, 0, 1, bits),
        op(0x06, 0, 0, 0x00050000 | 12),  # ENOMEM
        op(0x06, 0, 0, 0x7fff0000),     # allowed
    ])
    buffer = ctypes.create_string_buffer(program, len(program))
    class Filter(ctypes.Structure):
        _fields_ = [('length', ctypes.c_ushort), ('filter', ctypes.c_void_p)]
    wanted = Filter(len(program) // 8, ctypes.addressof(buffer))
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(wanted), 0, 0):
        print('no seccomp here')
def limit():
    resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))
kind = sys.argv[1]
if kind == 'none':
    pass
elif kind == 'mprotect-execute':
    seccomp(10, 2, 4)
elif kind == 'mprotect-write':
    seccomp(10, 2, 2)
elif kind == 'mmap':
    limit()
elif kind == 'later':
    print(work(20))
    seccomp(10, 2, 4)
elif kind == 'later-write':
    print(work(20))
    seccomp(10, 2, 2)
print(work(60))
import serigraph
print(serigraph.stats()['traces'] != [])
";

fn run(interpreter: &Interpreter, mode: Mode, program: &str, arguments: &[&str]) -> Outcome {
    let scratch = Scratch::new("security").expect("a folder");
    let file = scratch.path().join("program.py");
    std::fs::write(&file, format!("{LOOPS}{program}")).expect("a file");
    let mut command = interpreter.command(mode);
    if arguments == ["mmap"] {
        // More than the limit on memory allows.
        command.env("SERIGRAPH_CODE_LIMIT", (1 << 30).to_string());
    }
    command.arg(&file).args(arguments);
    process::run(&mut command, "", Duration::from_secs(120)).expect("it can be started")
}

fn all() -> Vec<Interpreter> {
    let serigraph = Path::new(env!("CARGO_BIN_EXE_serigraph"));
    interpreters::supported(serigraph, None).expect("an interpreter")
}

#[test]
fn no_page_can_be_written_and_executed_and_none_is_where_it_was() {
    for interpreter in all() {
        let mut places = Vec::new();
        for _ in 0..4 {
            let outcome = run(&interpreter, Mode::On(Some(1)), WATCH, &[]);
            assert!(outcome.succeeded(), "{interpreter}: {}", outcome.stderr);
            let lines: Vec<&str> = outcome.stdout.lines().collect();
            assert_eq!(lines[0], "[]", "{interpreter}");
            places.push(lines[1].to_owned());
        }
        places.sort();
        places.dedup();
        assert_eq!(places.len(), 4, "{interpreter}: {places:?}");
    }
}

#[test]
fn a_system_that_refuses_leaves_the_program_to_the_interpreter() {
    for interpreter in all() {
        let mut expected = String::new();
        for (how, compiles) in [
            ("none", true),
            ("mprotect-execute", false),
            ("mprotect-write", false),
            ("mmap", false),
        ] {
            // Memory for code is asked for at the first trace: here that is to be after the limit is set.
            let threshold = if how == "mmap" { 2000 } else { 1 };
            let outcome = run(&interpreter, Mode::On(Some(threshold)), REFUSE, &[how]);
            let what = format!(
                "{interpreter}, {how}: {}\n{}",
                outcome.ending(),
                outcome.stderr
            );
            assert!(outcome.succeeded(), "{what}");
            let lines: Vec<&str> = outcome.stdout.lines().collect();
            if lines.contains(&"no seccomp here") {
                continue;
            }
            if how == "none" {
                expected = lines[0].to_owned();
            }
            assert_eq!(lines[0], expected, "{what}");
            // What was compiled before the limit was set is still there.
            assert!(lines[1] == "True" || !compiles, "{what}");
        }
        for how in ["later", "later-write"] {
            let outcome = run(&interpreter, Mode::On(Some(1)), REFUSE, &[how]);
            let what = format!(
                "{interpreter}, {how}: {}\n{}",
                outcome.ending(),
                outcome.stderr
            );
            assert!(outcome.succeeded(), "{what}");
            assert!(
                outcome.stdout.lines().any(|line| line == expected),
                "{what}"
            );
        }
    }
}

/// Fills the code memory many times over.
const FILL: &str = "
loops = list(map(make, range(200)))
print(sum(loop(200) for loop in loops for _ in range(3)))
import serigraph
stats = serigraph.stats()
print(stats['code_bytes'] < 65536, stats['discarded'].get('evicted', 0) > 50)
";

#[test]
fn the_limit_on_code_is_reached_and_survived() {
    for interpreter in all() {
        let scratch = Scratch::new("limit").expect("a folder");
        let file = scratch.path().join("program.py");
        std::fs::write(&file, format!("{LOOPS}{FILL}")).expect("a file");
        let mut command = interpreter.command(Mode::On(Some(1)));
        command.env("SERIGRAPH_CODE_LIMIT", "65536").arg(&file);
        let outcome = process::run(&mut command, "", Duration::from_secs(120)).expect("it runs");
        let what = format!("{interpreter}: {}\n{}", outcome.stdout, outcome.stderr);
        assert_eq!(outcome.stdout, "11927700\nTrue True\n", "{what}");
    }
}
