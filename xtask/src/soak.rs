//! `cargo xtask soak`: a program that makes and drops code for ever must not grow for ever.

use std::path::Path;
use std::time::Duration;

use crate::Ending;
use crate::interpreters::{self, Interpreter, Mode};
use crate::process;

/// Memory by which a run may grow from its second quarter to its last: what allocators do.
const ALLOWANCE: u64 = 6 << 20;

/// A limit on code memory that the program reaches at once.
const SMALL_LIMIT: u64 = 256 << 10;

/// Runs the program with each interpreter for so many minutes, half of them with little code memory.
pub fn run(built: &Path, python: Option<&Path>, minutes: f64) -> Result<Ending, String> {
    let mut growing = Vec::new();
    for interpreter in interpreters::supported(&built.join("serigraph"), python)? {
        for limit in [None, Some(SMALL_LIMIT)] {
            let time = Duration::from_secs_f64(minutes * 30.0);
            let rounds = soak(&interpreter, limit, time)?;
            let what = match limit {
                None => format!("{interpreter}"),
                Some(limit) => format!("{interpreter}, {} KiB of code", limit >> 10),
            };
            let (early, late) = (median(&rounds, 1), median(&rounds, 3));
            let (_, traces, code) = rounds.last().copied().unwrap_or_default();
            println!(
                "{what}: {} rounds, memory {:.1} MiB, then {:.1} MiB; {traces} traces, {} KiB of code at the end",
                rounds.len(),
                mebibytes(early),
                mebibytes(late),
                code >> 10,
            );
            if late > early + ALLOWANCE {
                growing.push(what);
            }
        }
    }
    match growing.is_empty() {
        true => Ok(Ending::Same),
        false => Ok(Ending::Different(format!(
            "memory grows: {}",
            growing.join("; ")
        ))),
    }
}

/// Memory, traces and bytes of code after each round.
fn soak(
    interpreter: &Interpreter,
    limit: Option<u64>,
    time: Duration,
) -> Result<Vec<(u64, u64, u64)>, String> {
    let mut command = interpreter.command(Mode::On(Some(8)));
    if let Some(limit) = limit {
        command.env("SERIGRAPH_CODE_LIMIT", limit.to_string());
    }
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/soak.py"))
        .arg(time.as_secs_f64().to_string());
    let outcome = process::run(&mut command, "", time * 2 + Duration::from_secs(120))
        .map_err(|error| error.to_string())?;
    if !outcome.succeeded() {
        return Err(format!(
            "{interpreter}: {}\n{}",
            outcome.ending(),
            outcome.stderr
        ));
    }
    let rounds = outcome.stdout.lines().map(|line| {
        let mut numbers = line.split(' ').map(|word| word.parse().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        (next(), next(), next())
    });
    let rounds: Vec<_> = rounds.collect();
    match rounds.len() {
        0..8 => Err(format!(
            "{interpreter}: {} rounds say nothing",
            rounds.len()
        )),
        _ => Ok(rounds),
    }
}

/// The median of memory in a quarter of the rounds.
fn median(rounds: &[(u64, u64, u64)], quarter: usize) -> u64 {
    let part = rounds.len() / 4;
    let mut memory: Vec<u64> = rounds[quarter * part..(quarter + 1) * part]
        .iter()
        .map(|round| round.0)
        .collect();
    memory.sort_unstable();
    memory[memory.len() / 2]
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quarters_are_compared() {
        let rounds: Vec<_> = (0..8).map(|n| (n, 0, 0)).collect();
        assert_eq!((median(&rounds, 1), median(&rounds, 3)), (3, 7));
    }
}
