//! The developers' commands: `cargo xtask COMMAND`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lexopt::prelude::*;
use xtask::{Ending, bench, build_release, conformance, fuzz, packages, seeds, soak, tools};

const HELP: &str = "\
usage: cargo xtask COMMAND

  bench [WHAT]   measure pyperformance, kernels, applications, cold programs, and more (bench --help)
  conformance    compare the interpreter's own tests with Serigraph and without
                 (conformance --help)
  fuzz           compare random programs with Serigraph and without
                 [--minutes N] [--seed N] [--jobs N] [--python PATH]
  seeds          write what the fuzz targets of the stages begin with, to fuzz/corpus
  soak           make and drop compiled code: memory has to stay flat
                 [--minutes N] [--python PATH]
  tools          run the tools that people use without Serigraph and with it (tools --help)
  packages       run the own tests of packages without and with Serigraph (packages --help)
  bless          accept what the text tests of the crates print now
  listing        say where the listing of the stencils is

The exit code is 1 where differences are found, 2 where a command cannot be carried out.
";

fn main() -> ExitCode {
    match run() {
        Ok(Ending::Same) => ExitCode::SUCCESS,
        Ok(Ending::Different(text)) => {
            eprintln!("xtask: {text}");
            ExitCode::FAILURE
        }
        Err(text) => {
            eprintln!("xtask: {text}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<Ending, String> {
    let mut arguments = lexopt::Parser::from_env();
    let command = match arguments.next().map_err(text)? {
        Some(Value(command)) => command,
        Some(Long(option)) if option != "help" => {
            return Err(format!("there is no option --{option}\n{HELP}"));
        }
        _ => {
            print!("{HELP}");
            return Ok(Ending::Same);
        }
    };
    match command.to_str().unwrap_or_default() {
        "bench" => bench_command(&mut arguments),
        "conformance" => conformance_command(&mut arguments),
        "fuzz" => fuzz_command(&mut arguments),
        "seeds" => {
            println!("{} traces", seeds::write(root()?)?);
            Ok(Ending::Same)
        }
        "soak" => soak_command(&mut arguments),
        "tools" => tools_command(&mut arguments),
        "packages" => packages_command(&mut arguments),
        "bless" => bless().map(|()| Ending::Same),
        "listing" => listing().map(|()| Ending::Same),
        other => Err(format!("there is no command {other:?}\n{HELP}")),
    }
}

fn bench_command(arguments: &mut lexopt::Parser) -> Result<Ending, String> {
    let mut options = bench::Options::default();
    let mut words: Vec<OsString> = Vec::new();
    while let Some(argument) = arguments.next().map_err(text)? {
        match argument {
            Value(word) => words.push(word),
            Long("python") => options.python = Some(path(arguments)?),
            Long("only") => options.only = names(arguments)?,
            Long("rounds") => options.rounds = Some(number(arguments)?),
            Long("threshold") => options.threshold = Some(number(arguments)?),
            Long("fast") => options.fast = true,
            Long("resume") => options.resume = true,
            Long("peer") => options.peers.push(peer(arguments)?),
            Long("against") => options.against = Some(path(arguments)?),
            Long("help") => {
                print!("{}", bench::HELP);
                return Ok(Ending::Same);
            }
            other => return Err(text(other.unexpected())),
        }
    }
    let word = |at: usize| words.get(at).and_then(|word| word.to_str());
    match (word(0), words.len()) {
        (None, 0) => bench::run("pyperformance", &options),
        (Some("compare"), 3) => {
            print!(
                "{}",
                bench::compare(Path::new(&words[1]), Path::new(&words[2]))?
            );
            Ok(Ending::Same)
        }
        (Some(what), 1) => bench::run(what, &options),
        _ => Err(format!("what is to be measured?\n{}", bench::HELP)),
    }
}

/// The value of `--peer`: NAME=PATH.
fn peer(arguments: &mut lexopt::Parser) -> Result<(String, PathBuf), String> {
    let value = arguments
        .value()
        .and_then(|value| value.string())
        .map_err(text)?;
    match value.split_once('=') {
        Some((name, path)) if !name.is_empty() => Ok((name.to_owned(), path.into())),
        _ => Err(format!("--peer is NAME=PATH, not {value:?}")),
    }
}

/// Compares the interpreter's test suite without and with Serigraph.
fn conformance_command(arguments: &mut lexopt::Parser) -> Result<Ending, String> {
    let mut options = conformance::Options::default();
    while let Some(argument) = arguments.next().map_err(text)? {
        match argument {
            Long("python") => options.python = Some(path(arguments)?),
            Long("only") => options.only = names(arguments)?,
            Long("threshold") => options.thresholds.push(threshold(arguments)?),
            Long("pass-off") => {
                let value = arguments.value().and_then(|value| value.string());
                options.pass_off = Some(value.map_err(text)?);
            }
            Long("random-registers") => options.random_registers = Some(number(arguments)?),
            Long("check-allocator") => options.check_allocator = true,
            Long("leaks") => options.leaks = true,
            Long("jobs") => options.jobs = number(arguments)?,
            Long("limit") => options.limit = Duration::from_secs(number(arguments)?),
            Long("fresh") => options.fresh = true,
            Long("keep") => options.keep = true,
            Long("help") => {
                print!("{}", conformance::HELP);
                return Ok(Ending::Same);
            }
            other => return Err(text(other.unexpected())),
        }
    }
    let (built, target) = built_in_target()?;
    conformance::campaign(&built, &target, &options)
}

/// Builds Serigraph: the folder of the program, and the target folder that it is in.
fn built_in_target() -> Result<(PathBuf, PathBuf), String> {
    let built = build_release(root()?, &["serigraph"])?;
    let target = built
        .parent()
        .ok_or("the programs are in no target folder")?
        .to_owned();
    Ok((built, target))
}

fn fuzz_command(arguments: &mut lexopt::Parser) -> Result<Ending, String> {
    let (mut python, mut minutes, mut seed, mut jobs) = (None, 1, None, None);
    while let Some(argument) = arguments.next().map_err(text)? {
        match argument {
            Long("python") => python = Some(path(arguments)?),
            Long("minutes") => minutes = number(arguments)?,
            Long("seed") => seed = Some(number(arguments)?),
            Long("jobs") => jobs = Some(number(arguments)?),
            Long("help") => {
                println!(
                    "usage: cargo xtask fuzz [--minutes N] [--seed N] [--jobs N] [--python PATH]"
                );
                return Ok(Ending::Same);
            }
            other => return Err(text(other.unexpected())),
        }
    }
    // Other programs on every run, unless asked for the same.
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let options = fuzz::Options {
        python,
        time: Duration::from_secs(minutes * 60),
        seed: seed.unwrap_or(now.map_or(0, |now| now.as_secs() * 1000)),
        jobs: jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)),
    };
    fuzz::run(root()?, &options)
}

/// Makes and drops code and looks at memory.
fn soak_command(arguments: &mut lexopt::Parser) -> Result<Ending, String> {
    let (mut python, mut minutes) = (None, 2.0);
    while let Some(argument) = arguments.next().map_err(text)? {
        match argument {
            Long("python") => python = Some(path(arguments)?),
            Long("minutes") => minutes = number(arguments)?,
            Long("help") => {
                println!("usage: cargo xtask soak [--minutes N] [--python PATH]");
                return Ok(Ending::Same);
            }
            other => return Err(text(other.unexpected())),
        }
    }
    soak::run(
        &build_release(root()?, &["serigraph"])?,
        python.as_deref(),
        minutes,
    )
}

/// Runs other people's tools and packages.
fn tools_command(arguments: &mut lexopt::Parser) -> Result<Ending, String> {
    let (mut python, mut only) = (None, Vec::new());
    while let Some(argument) = arguments.next().map_err(text)? {
        match argument {
            Long("python") => python = Some(path(arguments)?),
            Long("only") => only = names(arguments)?,
            Long("help") => {
                print!("{}", tools::HELP);
                return Ok(Ending::Same);
            }
            other => return Err(text(other.unexpected())),
        }
    }
    let (built, target) = built_in_target()?;
    tools::run(&built, &target, python.as_deref(), &only)
}

/// Runs the own tests of packages.
fn packages_command(arguments: &mut lexopt::Parser) -> Result<Ending, String> {
    let mut options = packages::Options::default();
    while let Some(argument) = arguments.next().map_err(text)? {
        match argument {
            Long("python") => options.python = Some(path(arguments)?),
            Long("only") => options.only = names(arguments)?,
            Long("threshold") => options.thresholds.push(threshold(arguments)?),
            Long("help") => {
                print!("{}", packages::HELP);
                return Ok(Ending::Same);
            }
            other => return Err(text(other.unexpected())),
        }
    }
    let (built, target) = built_in_target()?;
    packages::run(&built, &target, &options)
}

/// Runs the tests with BLESS=1, which makes the text tests rewrite what they expect.
fn bless() -> Result<(), String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args([
            "test",
            "--quiet",
            "-p",
            "serigraph-trace",
            "-p",
            "serigraph-stencil-build",
        ])
        .current_dir(root()?)
        // The one is ours, the other that of the crate `expect-test`.
        .env("BLESS", "1")
        .env("UPDATE_EXPECT", "1");
    match cargo.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cargo test: {status}")),
        Err(error) => Err(format!("cargo cannot be run: {error}")),
    }
}

/// Prints where the build left its listings.
fn listing() -> Result<(), String> {
    let built = build_release(root()?, &["serigraph"])?;
    let folder = built.join("build");
    let entries = folder
        .read_dir()
        .map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .flat_map(|entry| {
            entry
                .path()
                .join("out")
                .read_dir()
                .into_iter()
                .flatten()
                .flatten()
        })
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "lst"))
        .collect();
    found.sort_by_key(|path| path.metadata().and_then(|meta| meta.modified()).ok());
    if found.is_empty() {
        return Err(format!(
            "there is no listing (*.lst) in {}",
            folder.display()
        ));
    }
    for file in found {
        println!("{}", file.display());
    }
    Ok(())
}

fn root() -> Result<&'static Path, String> {
    let parent = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    parent.ok_or_else(|| "xtask is not in a folder of the repository".into())
}

fn path(arguments: &mut lexopt::Parser) -> Result<PathBuf, String> {
    let path: OsString = arguments.value().map_err(text)?;
    Ok(path.into())
}

fn number<T: std::str::FromStr<Err: Into<Box<dyn std::error::Error + Send + Sync>>>>(
    arguments: &mut lexopt::Parser,
) -> Result<T, String> {
    arguments
        .value()
        .and_then(|value| value.parse())
        .map_err(text)
}

/// A threshold; `None` is the shipped one.
fn threshold(arguments: &mut lexopt::Parser) -> Result<Option<u32>, String> {
    let value = arguments.value().map_err(text)?;
    match value.to_str() {
        Some("default") => Ok(None),
        _ => value.parse().map(Some).map_err(text),
    }
}

fn names(arguments: &mut lexopt::Parser) -> Result<Vec<String>, String> {
    let list = arguments
        .value()
        .and_then(|value| value.string())
        .map_err(text)?;
    Ok(list.split(',').map(str::to_owned).collect())
}

fn text(error: lexopt::Error) -> String {
    error.to_string()
}
