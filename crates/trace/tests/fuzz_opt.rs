//! Random programs, run by the interpreter alone and with their loop as an evaluated trace: naive, optimised, and with each
//! pass of the optimiser switched off.
//!
//! `FUZZ_SECONDS=60` runs for longer, `FUZZ_SEED=n` runs one seed and shows everything.

use serigraph_trace::eval::{Stop, run};
use serigraph_trace::exit::plan_exits;
use serigraph_trace::ir::Trace;
use serigraph_trace::mini::engine::{self, Entry};
use serigraph_trace::mini::program::Program;
use serigraph_trace::opt::{Pass, Passes, optimise_loop};
use serigraph_trace::random::Random;
use serigraph_trace::testhost::{TestHost, functions};
use serigraph_trace::verify::verify;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// What a test run found out.
#[derive(Default, Debug)]
struct Counts {
    programs: u32,
    compiled: u32,
    entered: u32,
    iterations: u64,
}

/// An entry that evaluates the trace.
fn entry<'a>(trace: Trace, polls: Option<u64>, iterations: &'a mut u64) -> Entry<'a> {
    let exits = plan_exits(&trace).unwrap_or_else(|e| panic!("{e}\n{trace}"));
    Box::new(move |host: &mut TestHost, _: &[u64]| {
        host.polls = polls;
        let outcome = run(&trace, host, &[], 1000);
        host.polls = None;
        *iterations += outcome.iterations;
        host.leave(&trace, &exits, &outcome);
        assert!(outcome.iterations < 1000, "the trace does not end\n{trace}");
        matches!(outcome.stop, Stop::Exit { raised: true, .. })
    })
}

fn check(
    program: &Program,
    polls: Option<u64>,
    passes: Option<Passes>,
    shown: bool,
    counts: &mut Counts,
) -> Result<(), String> {
    let expected = engine::run(program, None);
    // A list that holds itself is never freed.
    if expected
        .errors
        .iter()
        .any(|error| !error.ends_with("has leaked"))
    {
        return Err(format!("the interpreter alone: {:?}", expected.errors));
    }
    let mut optimised = String::new();
    let mut iterations = 0;
    let mut compiled = 0;
    let actual = {
        let iterations = &mut iterations;
        let mut iterations = Some(iterations);
        engine::run(
            program,
            Some(&mut |host, naive| {
                verify(&naive).unwrap_or_else(|e| panic!("the recording: {e}\n{naive}"));
                let trace = match passes {
                    None => naive,
                    Some(passes) => {
                        let types = functions::host_types(host);
                        let text = naive.to_string();
                        let result = host.with_current(|| optimise_loop(naive, &types, passes));
                        let trace = result.ok()?;
                        verify(&trace).unwrap_or_else(|e| panic!("{e}\n{trace}\nmade of\n{text}"));
                        if shown {
                            println!("{text}\nbecame\n{trace}");
                        }
                        trace
                    }
                };
                optimised = trace.to_string();
                compiled += 1;
                iterations
                    .take()
                    .map(|iterations| entry(trace, polls, iterations))
            }),
        )
    };
    counts.compiled += compiled;
    counts.entered += actual.entered;
    counts.iterations += iterations;
    if actual.state != expected.state || actual.errors != expected.errors {
        return Err(format!(
            "expected\n{}actual\n{}{:?}\ntrace\n{optimised}",
            expected.state, actual.state, actual.errors
        ));
    }
    Ok(())
}

fn fuzz(seed: u64, variants: &[Option<Passes>], shown: bool, counts: &mut Counts) {
    let mut random = Random::new(seed);
    let program = Program::random(&mut random);
    let polls = if random.one_in(3) {
        Some(u64::from(random.below(6)))
    } else {
        None
    };
    counts.programs += 1;
    for &passes in variants {
        let result = catch_unwind(AssertUnwindSafe(|| {
            check(&program, polls, passes, shown, counts)
        }));
        let failure = match result {
            Ok(Ok(())) => continue,
            Ok(Err(failure)) => failure,
            Err(panic) => panic
                .downcast_ref::<String>()
                .cloned()
                .unwrap_or_else(|| "a panic".into()),
        };
        panic!("FUZZ_SEED={seed} passes {passes:?} polls {polls:?}\n{program}\n{failure}");
    }
}

fn run_for_a_while(variants: &[Option<Passes>]) -> Counts {
    let mut counts = Counts::default();
    if let Some(seed) = std::env::var("FUZZ_SEED").ok().and_then(|s| s.parse().ok()) {
        fuzz(seed, variants, true, &mut counts);
        return counts;
    }
    let seconds = std::env::var("FUZZ_SECONDS")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(1.0);
    let time = Duration::from_secs_f64(seconds);
    let start = Instant::now();
    // Another part of the seeds each day would make a failure of the check depend on the date; so they are always the same.
    let mut seed = std::env::var("FUZZ_START")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(0);
    while start.elapsed() < time {
        fuzz(seed, variants, false, &mut counts);
        seed += 1;
    }
    counts
}

#[test]
fn naive_traces_do_what_the_program_does() {
    let counts = run_for_a_while(&[None]);
    println!("{counts:?}");
    assert!(
        counts.compiled > 0 && counts.entered > counts.compiled,
        "{counts:?}"
    );
}

#[test]
fn optimised_traces_do_what_the_program_does() {
    let mut variants = vec![Some(Passes::ALL)];
    variants.extend(
        Pass::ALL
            .iter()
            .map(|pass| Some(Passes::ALL.without(*pass))),
    );
    variants.push(Some(Passes::parse("none").unwrap()));
    let counts = run_for_a_while(&variants);
    println!("{counts:?}");
    assert!(counts.compiled > 0 && counts.iterations > 0, "{counts:?}");
}
