//! Random programs, run by the interpreter alone and with their loop as a tree of evaluated traces.
//!
//! `FUZZ_SECONDS=60` runs for longer, `FUZZ_SEED=n` runs one seed, `FUZZ_START=n` begins at another.

use serigraph_trace::mini::engine;
use serigraph_trace::mini::program::Program;
use serigraph_trace::mini::tree;
use serigraph_trace::opt::{Pass, Passes};
use serigraph_trace::random::Random;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|s| s.parse().ok())
}

/// Runs one seed; gives the number of links taken.
fn check(seed: u64) -> u32 {
    let mut random = Random::new(seed);
    let program = Program::random(&mut random);
    let polls = if random.one_in(3) {
        Some(u64::from(random.below(6)))
    } else {
        None
    };
    let passes = if random.one_in(2) {
        Passes::ALL
    } else {
        Passes::ALL.without(random.pick(Pass::ALL))
    };
    let expected = engine::run(&program, None);
    let result = catch_unwind(AssertUnwindSafe(|| tree::run(&program, passes, polls)));
    let failure = match result {
        Ok(tree::Ended {
            finished,
            linked,
            text,
        }) => {
            if (&finished.state, &finished.errors) == (&expected.state, &expected.errors) {
                return linked;
            }
            format!(
                "expected\n{}actual\n{}{:?}\ntraces\n{text}",
                expected.state, finished.state, finished.errors
            )
        }
        Err(panic) => panic
            .downcast_ref::<String>()
            .cloned()
            .unwrap_or_else(|| "a panic".into()),
    };
    panic!("FUZZ_SEED={seed} {passes:?} polls {polls:?}\n{program}\n{failure}");
}

#[test]
fn trees_of_traces_do_what_the_program_does() {
    if let Some(seed) = number("FUZZ_SEED") {
        check(seed);
        return;
    }
    let time = Duration::from_secs(number("FUZZ_SECONDS").unwrap_or(1));
    let start = Instant::now();
    let mut seed = number("FUZZ_START").unwrap_or(0);
    let mut linked = 0;
    while start.elapsed() < time {
        linked += check(seed);
        seed += 1;
    }
    println!("{seed} programs, {linked} links");
    assert!(linked > 0);
}
