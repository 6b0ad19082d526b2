//! The `serigraph` program behaves as `python` does, and refuses what it must.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use xtask::interpreters::{self, Interpreter, Mode};
use xtask::process::{self, Outcome};
use xtask::scratch::Scratch;

const SERIGRAPH: &str = env!("CARGO_BIN_EXE_serigraph");

/// Prints what a program can see of how it was started.
const PROBE: &str = r#"
import sys, os
def show(*what): print(*what, file=sys.stdout)
show(sys.argv, sys.orig_argv, sys.executable, __name__, globals().get("__file__"))
show(sys.path, sorted(sys.path_importer_cache), sys.flags, sys.warnoptions, sys._xoptions)
show({name: value for name, value in os.environ.items() if name != "_"})
show([name for name in sys.modules if not name.startswith(("serigraph", "atexit"))])
show(sys.stdin and sys.stdin.read(), sys.gettrace(), sys.getprofile(), sys.getrecursionlimit())
"#;

fn interpreters() -> Vec<Interpreter> {
    interpreters::supported(Path::new(SERIGRAPH), None).expect("a supported interpreter")
}

fn run(command: &mut Command, stdin: &str) -> Outcome {
    process::run(command, stdin, Duration::from_secs(60)).expect("it can be started")
}

/// Runs `serigraph` itself with nothing in the environment that concerns it.
fn serigraph(arguments: &[&str]) -> Command {
    let mut command = Command::new(SERIGRAPH);
    command.args(arguments);
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"SERIGRAPH") {
            command.env_remove(name);
        }
    }
    command
}

/// A folder with programs to run.
fn programs() -> Scratch {
    let scratch = Scratch::new("cli").expect("a folder");
    let write = |name: &str, text: &str| {
        let file = scratch.path().join(name);
        fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
        fs::write(file, text).expect("a file");
    };
    write("probe.py", PROBE);
    write("package/__init__.py", "");
    write("package/__main__.py", PROBE);
    write("folder/__main__.py", PROBE);
    write("library/extra.py", "print('extra', __file__)\n");
    write(
        "fails.py",
        "def inner(x):\n    return 1 // x\ndef outer():\n    for i in range(40):\n        inner(30 - i)\nouter()\n",
    );
    write("wrong.py", "def f(:\n");
    write(
        "site/sitecustomize.py",
        "print('own sitecustomize', __name__, __file__)\n",
    );
    write(
        "bad-site/sitecustomize.py",
        "import there_is_no_such_module\n",
    );
    scratch
}

/// Runs the same thing by the interpreter itself and by `serigraph`, off and on.
fn same(arguments: &[&str], stdin: &str, environment: &[(&str, &str)]) {
    let folder = programs();
    for interpreter in interpreters() {
        let outcome = |mode: Mode| {
            let mut command = interpreter.command(mode);
            command.args(arguments).current_dir(folder.path());
            command.envs(environment.iter().copied());
            run(&mut command, stdin)
        };
        let plain = outcome(Mode::Plain);
        assert!(plain.status.is_some(), "{arguments:?} did not end");
        for mode in [Mode::Off, Mode::On(None), Mode::On(Some(1))] {
            let ours = outcome(mode);
            let what = format!("{interpreter}, {mode}: {arguments:?}");
            assert_eq!(plain.stdout, ours.stdout, "{what}\n{}", ours.stderr);
            assert_eq!(plain.stderr, ours.stderr, "{what}");
            assert_eq!(plain.status, ours.status, "{what}");
        }
    }
}

#[test]
fn scripts_modules_and_code() {
    same(&["probe.py", "a", "--stats", "-c", ""], "some input\n", &[]);
    same(&["-m", "package", "a", "-b"], "", &[]);
    same(&["folder", "x"], "", &[]);
    same(&["-c", PROBE, "a b", "--off"], "input", &[]);
    same(&["-", "a"], PROBE, &[]);
    same(&[], PROBE, &[]);
}

#[test]
fn options_of_the_interpreter() {
    same(&["-uOO", "-W", "error", "-Xdev", "probe.py"], "", &[]);
    same(&["-P", "-s", "-B", "-q", "probe.py"], "", &[]);
    same(&["-bb", "-c", "print('a' == b'a')"], "", &[]);
    same(&["-V"], "", &[]);
    same(&["--", "probe.py", "--"], "", &[]);
    same(&["-x", "probe.py"], "", &[]);
}

#[test]
fn environment() {
    same(&["probe.py"], "", &[("PYTHONPATH", "library:elsewhere")]);
    same(&["-c", "import extra"], "", &[("PYTHONPATH", "library")]);
    same(&["probe.py"], "", &[("PYTHONPATH", "")]);
    same(
        &["probe.py"],
        "",
        &[("PYTHONSAFEPATH", "1"), ("PYTHONOPTIMIZE", "2")],
    );
    same(
        &["-c", "import sys; print('sitecustomize' in sys.modules)"],
        "",
        &[],
    );
    let site = "import sys; print(sys.modules.get('sitecustomize'))";
    same(&["-c", site], "", &[("PYTHONPATH", "site")]);
    same(&["-c", site], "", &[("PYTHONPATH", "bad-site")]);
}

#[test]
fn endings() {
    same(&["fails.py"], "", &[]);
    same(&["wrong.py"], "", &[]);
    same(&["-m", "no_such_module"], "", &[]);
    same(&["-c", "import sys; sys.exit(7)"], "", &[]);
    same(&["-c", "import sys; sys.exit('a text')"], "", &[]);
    same(
        &[
            "-c",
            "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
        ],
        "",
        &[],
    );
    same(&["-c", "import os; os.abort()"], "", &[]);
    same(&["-c", "raise KeyboardInterrupt"], "", &[]);
}

#[test]
fn a_missing_script_ends_with_code_2() {
    same(&["not-there.py"], "", &[]);
    let outcome = run(&mut serigraph(&["not-there.py"]), "");
    assert_eq!(outcome.status.and_then(|status| status.code()), Some(2));
    assert!(
        outcome.stderr.contains("not-there.py"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn closed_streams_stay_closed() {
    for interpreter in interpreters() {
        for mode in [Mode::Plain, Mode::Off] {
            let inner = interpreter.command(mode);
            let mut command = Command::new("sh");
            command.args(["-c", r#""$@" -c 'import sys; print(sys.stdin)' <&-"#, "sh"]);
            command.arg(inner.get_program()).args(inner.get_args());
            assert_eq!(run(&mut command, "").stdout, "None\n", "{mode}");
        }
    }
}

/// Children are plain, unless the user set SERIGRAPH=1.
#[test]
fn children() {
    let code = "import subprocess, sys; subprocess.run([sys.executable, '-c', \
                'import sys, os; print(any(\"serigraph\" in m for m in sys.modules), \
                any(\"serigraph\" in p for p in sys.path))'])";
    for interpreter in interpreters() {
        let mut command = interpreter.command(Mode::On(None));
        command.args(["-c", code]);
        assert_eq!(run(&mut command, "").stdout, "False False\n");
        command.env("SERIGRAPH", "1");
        assert_eq!(run(&mut command, "").stdout, "True False\n");
    }
}

/// Checks that nothing ran, the exit code is 2, and the message says what it should.
fn refused(command: &mut Command, says: &[&str]) {
    let outcome = run(command, "print('ran')\n");
    assert_eq!(outcome.stdout, "", "{command:?}");
    let code = outcome.status.and_then(|status| status.code());
    assert_eq!(code, Some(2), "{command:?}: {}", outcome.stderr);
    for text in says {
        let said = &outcome.stderr;
        assert!(said.contains(text), "{command:?}: no {text:?} in {said}");
    }
}

#[test]
fn bad_command_lines() {
    refused(
        &mut serigraph(&["--fast", "x.py"]),
        &["unknown option: --fast"],
    );
    refused(&mut serigraph(&["-Z", "x.py"]), &["unknown option: -Z"]);
    refused(
        &mut serigraph(&["--threshold"]),
        &["--threshold needs an argument"],
    );
    refused(
        &mut serigraph(&["-c"]),
        &["argument expected for the -c option"],
    );
    refused(&mut serigraph(&["-I", "-c", "print(1)"]), &["-I"]);
    for wrong in ["0", "-1", "many", "", "1.5", "99999999999999999999999"] {
        let mut command = serigraph(&["--threshold", wrong, "-c", "print(1)"]);
        refused(&mut command, &["--threshold must be an integer"]);
    }
    let mut command = serigraph(&["--python", "/no/such/python", "-c", "print(1)"]);
    refused(&mut command, &["--python", "/no/such/python"]);
}

#[test]
fn bad_variables() {
    for (name, value) in [
        ("SERIGRAPH_THRESHOLD", "0"),
        ("SERIGRAPH_THRESHOLD", "soon"),
        ("SERIGRAPH_STATS", "yes"),
        ("SERIGRAPH_LOG", "loud"),
        ("SERIGRAPH_DUMP", "record,bytes"),
        ("SERIGRAPH_OPT", "cse"),
        ("SERIGRAPH_ONLY", "first"),
        ("SERIGRAPH_RANDOM_RA", "-1"),
        ("SERIGRAPH_CODE_LIMIT", "64M"),
        ("SERIGRAPH_FALLBACK", "maybe"),
        ("SERIGRAPH_TRESHOLD", "2"),
        ("SERIGRAPH", "on"),
    ] {
        refused(serigraph(&["-c", "print(1)"]).env(name, value), &[name]);
    }
}

/// A program that answers the question for what it is as another interpreter would.
fn pretender(folder: &Path, name: &str, what: &str, supported: &str) -> PathBuf {
    let program = folder.join(name);
    let text = format!("#!/bin/sh\nprintf 'serigraph\\037%s\\037{what}\\037{supported}' \"$0\"\n");
    fs::write(&program, text).expect("a file");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a program");
    program
}

#[test]
fn unsupported_interpreters_are_named() {
    let folder = Scratch::new("pretend").expect("a folder");
    for what in [
        "CPython 3.11.7",
        "CPython 3.14.0",
        "CPython 3.13.0, debug build",
        "CPython 3.13.0, free-threaded build",
        "PyPy 3.10.14",
    ] {
        let program = pretender(folder.path(), "python3", what, "False");
        let program = program.to_str().expect("a name");
        let mut command = serigraph(&["--python", program, "-c", "print('ran')"]);
        refused(
            &mut command,
            &[what, "supported are", "CPython 3.13 and 3.12"],
        );
        let mut command = serigraph(&["-c", "print('ran')"]);
        refused(
            command.env("SERIGRAPH_PYTHON", program),
            &[what, "SERIGRAPH_PYTHON"],
        );
    }
}

/// Real interpreters that are not supported refuse themselves from inside.
#[test]
fn unsupported_interpreters_run_nothing() {
    let listed = run(
        serigraph(&["--interpreters"]).env("SERIGRAPH_PYTHON", ""),
        "",
    );
    for line in listed
        .stdout
        .lines()
        .filter(|line| line.starts_with("unsupported"))
    {
        let fields: Vec<&str> = line.split('\t').collect();
        let mut command = serigraph(&["--python", fields[1], "-c", "print('ran')", "a", "b c"]);
        refused(&mut command, &[fields[2]]);
        let outcome = run(command.env("SERIGRAPH_FALLBACK", "1"), "");
        assert_eq!(outcome.stdout, "ran\n", "{line}: {}", outcome.stderr);
    }
}

#[test]
fn when_there_is_none_all_are_listed() {
    let folder = Scratch::new("none").expect("a folder");
    pretender(
        folder.path(),
        "python3.13",
        "CPython 3.13.0, debug build",
        "False",
    );
    let broken = folder.path().join("python3.12");
    fs::write(
        &broken,
        "#!/bin/sh\necho 'this one is broken' >&2\nexit 3\n",
    )
    .expect("a file");
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o755)).expect("a program");
    let mut command = serigraph(&["-c", "print('ran')"]);
    command.env("HOME", folder.path());
    for variable in ["PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME"] {
        command.env_remove(variable);
    }
    // The shell is needed for the pretender, by its full name.
    command.env("PATH", folder.path());
    let says = [
        "no supported Python found",
        "debug build",
        "this one is broken",
        "exit status: 3",
    ];
    refused(&mut command, &says);
    command.env("PATH", "");
    refused(&mut command, &["no Python found"]);
}

/// PATH goes before what pyenv and uv installed, and 3.13 before 3.12.
#[test]
fn order_of_search() {
    let folder = Scratch::new("order").expect("a folder");
    let uv = folder.path().join(".local/share/uv/python");
    let pyenv = folder.path().join(".pyenv/versions");
    let on_path = folder.path().join("bin");
    let which = |path: &Path| -> String {
        let mut command = serigraph(&["-c", "import sys; print(sys.executable)"]);
        for variable in ["PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME"] {
            command.env_remove(variable);
        }
        let outcome = run(command.env("HOME", folder.path()).env("PATH", path), "");
        assert!(outcome.succeeded(), "{}", outcome.stderr);
        outcome.stdout.trim().into()
    };
    for interpreter in interpreters() {
        let home = interpreter
            .path
            .parent()
            .and_then(Path::parent)
            .expect("a home");
        let name = interpreter.path.file_name().expect("a name").to_owned();
        let link = |folder: &Path| {
            fs::create_dir_all(folder).expect("a folder");
            let _ = fs::remove_file(folder.join("python-home"));
            std::os::unix::fs::symlink(home, folder.join("python-home")).expect("a link");
        };
        let installed = |folder: &Path, name: &OsStr| folder.join("python-home/bin").join(name);
        link(&uv);
        assert_eq!(
            which(Path::new("")),
            installed(&uv, &name).display().to_string()
        );
        link(&pyenv);
        assert_eq!(
            which(Path::new("")),
            installed(&pyenv, &name).display().to_string()
        );
        link(&on_path);
        let path = on_path.join("python-home/bin");
        assert_eq!(which(&path), path.join(&name).display().to_string());
        for folder in [&uv, &pyenv, &on_path] {
            fs::remove_dir_all(folder).expect("it was there");
        }
    }
}

#[test]
fn statistics_at_exit() {
    for interpreter in interpreters() {
        let code = "t = 0\nfor i in range(100000): t += i\nprint(t)";
        let mut command = interpreter.command(Mode::On(None));
        let outcome = run(command.args(["--stats", "-c", code]), "");
        assert_eq!(outcome.stdout, "4999950000\n");
        for word in ["serigraph:", "aborts:", "exits:", "traces: "] {
            assert!(outcome.stderr.contains(word), "{word}: {}", outcome.stderr);
        }
        let mut command = interpreter.command(Mode::Off);
        let outcome = run(command.args(["--stats", "-c", code]), "");
        assert_eq!(outcome.stderr, "serigraph: off\n");
    }
}

/// The settings in the documentation are those of the table in the Python package.
#[test]
fn settings_are_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = interpreters()[0].command(Mode::Plain);
    command.args([
        "-c",
        "from serigraph import _options; print(_options.documentation(), end='')",
    ]);
    let table = run(command.env("PYTHONPATH", root.join("python")), "");
    assert!(table.succeeded(), "{}", table.stderr);
    let page = fs::read_to_string(root.join("docs/debugging.md")).expect("the page is there");
    assert!(
        page.contains(&table.stdout),
        "docs/debugging.md lacks:\n{}",
        table.stdout
    );
}

#[test]
fn help_and_version() {
    let outcome = run(&mut serigraph(&["--help"]), "");
    assert!(outcome.succeeded() && outcome.stdout.starts_with("usage: serigraph"));
    let outcome = run(&mut serigraph(&["--version"]), "");
    assert_eq!(
        outcome.stdout,
        format!("serigraph {}\n", env!("CARGO_PKG_VERSION"))
    );
}
