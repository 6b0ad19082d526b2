//! The kernels with other ways to make Python fast: PyPy, Numba, Cython, and other builds of CPython.
//!
//! Each runs the kernel as it is. Numba and Cython are meant for code that is written for them, so
//! that what they do not take, or take for something else, says nothing against them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::kernels::{Sample, sample, sample_with, wanted};
use super::statistics::{geometric_mean, median};
use super::{Measured, Options, Setup};
use crate::environment::{Environment, Versions, last_lines};
use crate::interpreters::{Interpreter, Mode};
use crate::process;

/// Calls of a kernel in one process; the usual one is what counts.
const CALLS: usize = 4;

/// What is installed for the peers that are packages.
pub const PACKAGES: &[(&str, &str)] = &[
    ("numba", "numba==0.68.1"),
    // Cython needs setuptools to build with.
    ("cython", "cython==3.3.1 setuptools==79.0.1"),
];

/// Another way to run a kernel.
enum Peer {
    /// An interpreter, and what it says of itself.
    Program(PathBuf, String),
    /// A package that compiles; the driver knows how.
    Package(Environment, &'static str),
}

impl Peer {
    fn sample(&self, kernel: &Path) -> Result<Sample, String> {
        let (command, variable) = match self {
            Self::Program(path, _) => (Command::new(path), ""),
            Self::Package(environment, name) => (environment.command(false), *name),
        };
        let mut command = command;
        command.env("BENCH_COMPILER", variable);
        sample_with(command, kernel, CALLS)
    }

    /// What it is, with its version.
    fn description(&self) -> Result<String, String> {
        match self {
            Self::Program(_, version) => Ok(version.clone()),
            Self::Package(environment, name) => {
                let packages = environment.packages()?;
                let is_it = |package: &&String| {
                    let (other, _) = package.split_once("==").unwrap_or((package, ""));
                    other.eq_ignore_ascii_case(name)
                };
                let found = packages.iter().find(is_it);
                found
                    .cloned()
                    .ok_or_else(|| format!("{name} is not installed"))
            }
        }
    }
}

/// What a program says of itself: it has to be a Python interpreter that can run the kernels' driver.
fn version(program: &Path) -> Result<String, String> {
    const ASK: &str = "import sys; print(' '.join(sys.version.split()))";
    let mut command = Command::new(program);
    let outcome = process::run(command.args(["-c", ASK]), "", Duration::from_secs(60));
    match outcome {
        Ok(outcome) if outcome.succeeded() => Ok(outcome.stdout.trim().into()),
        Ok(outcome) => Err(format!("{}: {}", outcome.ending(), last_lines(&outcome, 2))),
        Err(error) => Err(error.to_string()),
    }
}

/// Measures with one interpreter and prints a line for each kernel.
pub fn measure(
    setup: &Setup,
    interpreter: &Interpreter,
    options: &Options,
) -> Result<Measured, String> {
    let peers = peers(setup, interpreter, options)?;
    let mut versions = serde_json::Map::new();
    for (name, peer) in &peers {
        let description = peer.description()?;
        println!("{name}: {description}");
        versions.insert(name.clone(), json!(description));
    }
    print!("{:<17} {:>12}", "times as fast as", interpreter.version());
    print!("{:>12}", "serigraph");
    for (name, _) in &peers {
        print!("{name:>12}");
    }
    println!();
    let mut results = serde_json::Map::new();
    let mut ratios: Vec<Vec<f64>> = vec![Vec::new(); peers.len() + 1];
    for (name, kernel) in wanted(setup, options)? {
        let mut samples: Vec<Vec<Result<Sample, String>>> =
            (0..peers.len() + 2).map(|_| Vec::new()).collect();
        for _ in 0..options.rounds(3) {
            samples[0].push(sample(interpreter, Mode::Off, &kernel, CALLS));
            samples[1].push(sample(
                interpreter,
                Mode::On(options.threshold),
                &kernel,
                CALLS,
            ));
            for ((_, peer), samples) in peers.iter().zip(&mut samples[2..]) {
                // What does not run once is not tried again.
                if !samples.last().is_some_and(Result::is_err) {
                    samples.push(peer.sample(&kernel));
                }
            }
        }
        let figures: Vec<Result<f64, String>> =
            samples.iter().map(|samples| steady(samples)).collect();
        let expected = samples[0][0].as_ref().map(|sample| sample.result.clone())?;
        print!(
            "{name:<17} {:>12}",
            figures[0]
                .as_ref()
                .map_or("-".into(), |time| super::time(*time))
        );
        let off = figures[0].clone()?;
        let mut line = serde_json::Map::new();
        line.insert(
            "interpreter".into(),
            json!({"seconds": off, "turns": turns(&samples[0])}),
        );
        let names = ["serigraph"]
            .into_iter()
            .chain(peers.iter().map(|(name, _)| name.as_str()));
        for (at, who) in names.enumerate() {
            let same = samples[at + 1]
                .iter()
                .flatten()
                .all(|sample| sample.result == expected);
            let said = match &figures[at + 1] {
                Ok(time) if same => {
                    ratios[at].push(off / time);
                    print!("{:>12}", format!("{:.2} x", off / time));
                    json!({"seconds": time, "turns": turns(&samples[at + 1])})
                }
                Ok(_) => {
                    print!("{:>12}", "other result");
                    json!({"fault": "another result"})
                }
                Err(cause) => {
                    print!("{:>12}", "-");
                    json!({"fault": "does not run", "cause": cause})
                }
            };
            line.insert(who.into(), said);
        }
        println!();
        results.insert(name, Value::Object(line));
    }
    print!("{:<17} {:>12}", "geometric mean", "");
    for ratios in &ratios {
        print!(
            "{:>12}",
            format!("{:.2} x / {}", geometric_mean(ratios), ratios.len())
        );
    }
    println!();
    Ok(json!({"peers": versions, "kernels": results}).into())
}

/// The times of the calls of each turn.
fn turns(samples: &[Result<Sample, String>]) -> Vec<&[f64]> {
    samples.iter().flatten().map(|one| &one.times[..]).collect()
}

/// The usual call over all turns.
fn steady(samples: &[Result<Sample, String>]) -> Result<f64, String> {
    let times: Result<Vec<f64>, String> = samples
        .iter()
        .map(|sample| sample.as_ref().map(Sample::steady).map_err(Clone::clone))
        .collect();
    times.map(|times| median(&times))
}

/// The peers that are here or can be had. One that was asked for has to run.
fn peers(
    setup: &Setup,
    interpreter: &Interpreter,
    options: &Options,
) -> Result<Vec<(String, Peer)>, String> {
    let mut peers: Vec<(String, Peer)> = Vec::new();
    match version(Path::new("pypy3")) {
        Ok(version) => peers.push(("pypy".into(), Peer::Program("pypy3".into(), version))),
        Err(cause) => println!("pypy is not here (Debian: pypy3): {cause}"),
    }
    for &(name, packages) in PACKAGES {
        let packages: Vec<String> = packages.split(' ').map(str::to_owned).collect();
        let environment = setup
            .environment(name, interpreter)
            .and_then(|environment| {
                environment.install(&packages, Versions::Pinned)?;
                Ok(environment)
            });
        match environment {
            Ok(environment) => peers.push((name.into(), Peer::Package(environment, name))),
            Err(cause) => println!("{name} cannot be installed: {cause}"),
        }
    }
    peers.extend(given(&options.peers)?);
    Ok(peers)
}

/// The peers that were asked for by name and program.
fn given(peers: &[(String, PathBuf)]) -> Result<Vec<(String, Peer)>, String> {
    let peer = |(name, path): &(String, PathBuf)| {
        let version =
            version(path).map_err(|cause| format!("--peer {name}={}: {cause}", path.display()))?;
        Ok((name.clone(), Peer::Program(path.clone(), version)))
    };
    peers.iter().map(peer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_is_no_python_is_refused() {
        for (program, cause) in [("/nowhere/python", "No such file"), ("/bin/false", "exit")] {
            let fault = given(&[("other".into(), program.into())])
                .err()
                .expect("an error");
            assert!(
                fault.starts_with(&format!("--peer other={program}: ")) && fault.contains(cause),
                "{fault}"
            );
        }
    }
}
