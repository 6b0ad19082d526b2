//! The kernels of `benchmarks/kernels` as native code: same work, same result.
//!
//! `native-kernels NAME [ROUNDS]` prints the result and the processor time of each round in seconds.

use std::env;
use std::hint::black_box;
use std::process::ExitCode;

use rustix::time::{ClockId, clock_gettime};

mod lists;
mod numbers;
mod objects;
mod texts;

/// A kernel: its result as text, so that results of any type and size compare.
type Kernel = fn() -> String;

const KERNELS: &[(&str, Kernel)] = &[
    ("attributes", objects::attributes),
    ("calls", numbers::calls),
    ("collatz", numbers::collatz),
    ("dict_counting", objects::dict_counting),
    ("event_simulation", objects::event_simulation),
    ("fannkuch_swap", lists::fannkuch_swap),
    ("fib", numbers::fib),
    ("float_recurrence", numbers::float_recurrence),
    ("gcd", numbers::gcd),
    ("generator_sum", numbers::generator_sum),
    ("int_sum_overflow", numbers::int_sum_overflow),
    ("int_sum_squares", numbers::int_sum_squares),
    ("levenshtein", lists::levenshtein),
    ("mandelbrot", numbers::mandelbrot),
    ("matmul", lists::matmul),
    ("method_calls", objects::method_calls),
    ("nbody", lists::nbody),
    ("sieve", lists::sieve),
    ("sort_key", objects::sort_key),
    ("spectral_norm", lists::spectral_norm),
    ("string_building", texts::string_building),
    ("tokenizer", texts::tokenizer),
    ("tree_walk", objects::tree_walk),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let name = arguments.first().map_or("", String::as_str);
    let rounds = arguments.get(1).map_or(Ok(1), |rounds| rounds.parse());
    let kernel = KERNELS.iter().find(|(known, _)| *known == name);
    let (Some((_, kernel)), Ok(rounds)) = (kernel, rounds) else {
        let known: Vec<&str> = KERNELS.iter().map(|(name, _)| *name).collect();
        eprintln!(
            "usage: native-kernels NAME [ROUNDS]\nkernels: {}",
            known.join(" ")
        );
        return ExitCode::from(2);
    };
    let mut times = Vec::new();
    let mut result = String::new();
    for _ in 0..rounds {
        let started = processor_seconds();
        result = black_box(kernel());
        times.push(format!("{:.9}", processor_seconds() - started));
    }
    println!("{result}\n{}", times.join(" "));
    ExitCode::SUCCESS
}

fn processor_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
