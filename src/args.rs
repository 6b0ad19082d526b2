//! The command line: Serigraph's own options, then whatever `python` would be given.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::Failure;

/// Text of `serigraph --help`.
pub const HELP: &str = "\
usage: serigraph [option] ... [-c CODE | -m MODULE | FILE | -] [argument] ...

Runs a Python program as `python` does, with its hot loops as machine code.

  --python PATH    the interpreter to use: a path, or a name on PATH (also SERIGRAPH_PYTHON);
                   by default the first supported one of python3.13, python3.12 and python3 on
                   PATH, and of those that pyenv and uv installed
  --off            run the same interpreter without Serigraph
  --stats          print at exit what was compiled, entered, left and aborted, with reasons
  --threshold N    compile a loop when its back edge has been taken N times (1 or more)
  --interpreters   list the interpreters on this machine and what each is
  --version        print Serigraph's version
  -h, --help       print this text

Python's own options are passed on: -b -B -d -i -O -OO -P -q -R -s -u -v -V -W ARG -x -X OPT and
--check-hash-based-pycs MODE. The options -E, -I and -S are refused: with them the interpreter skips
the start-up step in which Serigraph is switched on.

Settings are read from SERIGRAPH_* variables; docs/debugging.md lists them.
";

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub enum Request {
    /// Print [`HELP`].
    Help,
    /// List the interpreters of the machine, or tell what the named one is.
    Interpreters(Option<OsString>),
    /// Print the version.
    Version,
    /// Run a program.
    Run(Run),
}

/// A program to run and how.
#[derive(Debug, Default, PartialEq)]
pub struct Run {
    /// `--python`.
    pub python: Option<OsString>,
    /// `--interpreters`: not a run, but a list of what there is to run with.
    interpreters: bool,
    /// `--off`.
    pub off: bool,
    /// `--stats`.
    pub stats: bool,
    /// `--threshold`, unchecked: settings are checked in one place, inside the interpreter.
    pub threshold: Option<OsString>,
    /// Arguments of the interpreter, beginning with its own options.
    pub interpreter_args: Vec<OsString>,
}

/// Python's options without an argument that are passed on.
const PYTHON_FLAGS: &[u8] = b"bBdiOPqRsuvVx";

/// Takes a command line (without the program's name) apart, by the rules of Python's own `getopt`:
/// one-letter options may stand together, and the argument of one is the rest of its word, or else
/// the next word.
pub fn parse(arguments: Vec<OsString>) -> Result<Request, Failure> {
    let mut words = arguments.into_iter();
    let mut run = Run::default();
    while let Some(word) = words.next() {
        let bytes = word.as_encoded_bytes();
        if bytes == b"--" {
            run.interpreter_args.push(word);
            break;
        }
        if bytes.len() < 2 || bytes[0] != b'-' {
            // The script, or `-`; what follows belongs to it.
            run.interpreter_args.push(word);
            break;
        }
        let step = if bytes[1] == b'-' {
            long_option(word, &mut words, &mut run)?
        } else {
            short_options(word, &mut words, &mut run)?
        };
        match step {
            Step::Next => {}
            Step::ProgramNamed => break,
            Step::Instead(request) => return Ok(request),
        }
    }
    run.interpreter_args.extend(words);
    if run.interpreters {
        return Ok(Request::Interpreters(run.python));
    }
    Ok(Request::Run(run))
}

/// How to go on after one word of the command line.
enum Step {
    /// Another option may follow.
    Next,
    /// `-c` or `-m` was read: what follows belongs to the program.
    ProgramNamed,
    /// The command line asks for something else than running a program.
    Instead(Request),
}

fn long_option(
    word: OsString,
    words: &mut impl Iterator<Item = OsString>,
    run: &mut Run,
) -> Result<Step, Failure> {
    let bytes = word.as_encoded_bytes();
    let equals = bytes.iter().position(|&byte| byte == b'=');
    let name = String::from_utf8_lossy(&bytes[..equals.unwrap_or(bytes.len())]).into_owned();
    // An attached value starts after an ASCII `=`.
    let attached = equals.map(|at| OsStr::from_bytes(&bytes[at + 1..]).to_owned());
    let takes_value = matches!(
        &*name,
        "--python" | "--threshold" | "--check-hash-based-pycs"
    );
    if attached.is_some() && !takes_value {
        return Err(usage(&format!("unknown option: {}", word.display())));
    }
    let mut value = || {
        attached
            .clone()
            .or_else(|| words.next())
            .ok_or_else(|| usage(&format!("{name} needs an argument")))
    };
    match &*name {
        "--python" => run.python = Some(value()?),
        "--threshold" => run.threshold = Some(value()?),
        "--check-hash-based-pycs" => {
            let mode = value()?;
            run.interpreter_args.extend([OsString::from(&name), mode]);
        }
        "--off" => run.off = true,
        "--stats" => run.stats = true,
        "--interpreters" => run.interpreters = true,
        "--version" => return Ok(Step::Instead(Request::Version)),
        "--help" => return Ok(Step::Instead(Request::Help)),
        _ => return Err(usage(&format!("unknown option: {name}"))),
    }
    Ok(Step::Next)
}

/// Reads one word of one-letter options, which goes on to the interpreter as it is: programs see it
/// in `sys.orig_argv`.
fn short_options(
    word: OsString,
    words: &mut impl Iterator<Item = OsString>,
    run: &mut Run,
) -> Result<Step, Failure> {
    let letters = word.as_encoded_bytes();
    let mut step = Step::Next;
    let mut value = None;
    for (at, &letter) in letters.iter().enumerate().skip(1) {
        let option = char::from(letter);
        match letter {
            b'h' | b'?' => return Ok(Step::Instead(Request::Help)),
            b'E' | b'I' | b'S' => {
                return Err(Failure(format!(
                    "-{option} keeps the interpreter from the start-up step in which Serigraph is \
                     switched on; run `python -{option}` itself instead"
                )));
            }
            b'c' | b'm' | b'W' | b'X' => {
                if matches!(letter, b'c' | b'm') {
                    step = Step::ProgramNamed;
                }
                if at + 1 == letters.len() {
                    let text = format!("argument expected for the -{option} option");
                    value = Some(words.next().ok_or_else(|| usage(&text))?);
                }
                break;
            }
            _ if PYTHON_FLAGS.contains(&letter) => {}
            _ => return Err(usage(&format!("unknown option: -{option}"))),
        }
    }
    run.interpreter_args.push(word);
    run.interpreter_args.extend(value);
    Ok(step)
}

fn usage(text: &str) -> Failure {
    Failure(format!("{text}\ntry `serigraph --help`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Run {
        match parse(line.split_whitespace().map(OsString::from).collect()) {
            Ok(Request::Run(run)) => run,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn refused(line: &str) -> String {
        match parse(line.split_whitespace().map(OsString::from).collect()) {
            Err(Failure(text)) => text,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn own_options_stop_at_the_script() {
        let run = parsed("--off --threshold 3 --python=/x/python a.py --stats -c");
        assert!(run.off && !run.stats);
        assert_eq!(run.threshold, Some("3".into()));
        assert_eq!(run.python, Some("/x/python".into()));
        assert_eq!(run.interpreter_args, ["a.py", "--stats", "-c"]);
    }

    #[test]
    fn python_options_follow_python() {
        let run = parsed("-uO --stats -Werror -X dev -cpass -u --off");
        assert!(run.stats && !run.off);
        let expected = "-uO -Werror -X dev -cpass -u --off";
        assert_eq!(run.interpreter_args.join(OsStr::new(" ")), expected);
        assert_eq!(parsed("-c=1").interpreter_args, ["-c=1"]);
        assert_eq!(parsed("- x").interpreter_args, ["-", "x"]);
        assert_eq!(parsed("-- -x.py").interpreter_args, ["--", "-x.py"]);
        assert_eq!(parsed("").interpreter_args, Vec::<OsString>::new());
    }

    #[test]
    fn bad_command_lines_are_named() {
        assert!(refused("--fast a.py").starts_with("unknown option: --fast"));
        assert!(refused("--off=1 a.py").starts_with("unknown option: --off=1"));
        assert!(refused("-uz a.py").starts_with("unknown option: -z"));
        assert!(refused("--threshold").starts_with("--threshold needs an argument"));
        assert!(refused("-c").starts_with("argument expected for the -c option"));
        assert!(refused("-I a.py").starts_with("-I keeps"));
    }
}
