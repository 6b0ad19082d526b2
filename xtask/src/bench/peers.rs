//! The kernels with other ways to make Python fast: PyPy, Numba, Cython, and other builds of CPython.
//!
//! Each runs the kernel as it is. Numba and Cython are meant for code that is written for them, so
//! that what they do not take, or take for something else, says nothing against them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::environment::Environment;
use super::kernels::{Sample, sample, sample_with, wanted};
use super::statistics::{geometric_mean, median};
use super::{Measured, Options, Setup};
use crate::interpreters::{Interpreter, Mode};

/// Calls of a kernel in one process; the usual one is what counts.
const CALLS: usize = 4;

/// What is installed for the peers that are packages.
const PACKAGES: &[(&str, &str)] = &[
    ("numba", "numba"),
    // Cython needs setuptools to build with.
    ("cython", "cython setuptools"),
];

/// Another way to run a kernel.
enum Peer {
    /// An interpreter.
    Program(PathBuf),
    /// A package that compiles; the driver knows how.
    Package(Environment, &'static str),
}

impl Peer {
    fn sample(&self, kernel: &Path) -> Result<Sample, String> {
        let (command, variable) = match self {
            Self::Program(path) => (Command::new(path), ""),
            Self::Package(environment, name) => (environment.command(false), *name),
        };
        let mut command = command;
        command.env("BENCH_COMPILER", variable);
        sample_with(command, kernel, CALLS)
    }
}

/// Measures with one interpreter and prints a line for each kernel.
pub fn measure(
    setup: &Setup,
    interpreter: &Interpreter,
    options: &Options,
) -> Result<Measured, String> {
    let peers = peers(setup, interpreter, options);
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
        line.insert("interpreter".into(), json!(off));
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
                    json!(time)
                }
                Ok(_) => {
                    print!("{:>12}", "other result");
                    json!("another result")
                }
                Err(cause) => {
                    print!("{:>12}", "-");
                    json!({"does not run": cause})
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
    Ok(Value::Object(results).into())
}

/// The usual call over all turns.
fn steady(samples: &[Result<Sample, String>]) -> Result<f64, String> {
    let times: Result<Vec<f64>, String> = samples
        .iter()
        .map(|sample| sample.as_ref().map(Sample::steady).map_err(Clone::clone))
        .collect();
    times.map(|times| median(&times))
}

/// The peers that are here or can be had.
fn peers(setup: &Setup, interpreter: &Interpreter, options: &Options) -> Vec<(String, Peer)> {
    let mut peers: Vec<(String, Peer)> = Vec::new();
    let runs = |path: &str| Command::new(path).arg("--version").output().is_ok();
    match runs("pypy3") {
        true => peers.push(("pypy".into(), Peer::Program("pypy3".into()))),
        false => println!("pypy is not installed (Debian: pypy3)"),
    }
    for &(name, packages) in PACKAGES {
        let packages: Vec<String> = packages.split(' ').map(str::to_owned).collect();
        let environment = Environment::of(&setup.bench, name, interpreter)
            .and_then(|environment| environment.install(&packages, false).map(|()| environment));
        match environment {
            Ok(environment) => peers.push((name.into(), Peer::Package(environment, name))),
            Err(cause) => println!("{name} cannot be installed: {cause}"),
        }
    }
    let given = options.peers.iter();
    peers.extend(given.map(|(name, path)| (name.clone(), Peer::Program(path.clone()))));
    peers
}
