//! Random traces: the evaluator on one host, machine code on another; exits, values, memory and reference counts have to
//! agree. One second in `cargo test`, more with `SERIGRAPH_FUZZ_SECONDS`; `SERIGRAPH_FUZZ_SEED` is where to begin.

mod common;

use common::check_root;
use serigraph_stencil::StencilTable;
use serigraph_trace::generate::{Size, root};
use serigraph_trace::random::Random;
use std::time::{Duration, Instant};

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|s| s.parse().ok()).unwrap_or(default)
}

fn tables() -> Vec<&'static StencilTable> {
    let best = StencilTable::select();
    StencilTable::all().into_iter().filter(|t| std::ptr::eq(*t, best) || t.features == "sse2").collect()
}

/// Runs `one` with seeds until the time is over; on a failure the seed is shown.
fn for_seeds(one: impl Fn(u64)) {
    let seconds = from_env("SERIGRAPH_FUZZ_SECONDS", 1);
    let first = from_env("SERIGRAPH_FUZZ_SEED", 0);
    let (start, mut seed) = (Instant::now(), first);
    while start.elapsed() < Duration::from_secs(seconds) {
        struct ShowSeed(u64);
        impl Drop for ShowSeed {
            fn drop(&mut self) {
                if std::thread::panicking() {
                    eprintln!("SERIGRAPH_FUZZ_SEED={}", self.0);
                }
            }
        }
        let show = ShowSeed(seed);
        one(seed);
        drop(show);
        seed += 1;
    }
    assert!(seed - first > 10, "only {} traces", seed - first);
}

#[test]
fn root_traces() {
    let tables = tables();
    for_seeds(|seed| {
        let mut random = Random::new(seed);
        let body = if random.one_in(3) { 0 } else { 3 + random.below(50) };
        let size = Size { preamble: random.below(40), body };
        let table = random.pick(&tables);
        let registers = random.one_in(2).then_some(seed);
        let make = |world: &_| root(&mut Random::new(seed ^ 0x5eed), world, size);
        check_root(make, table, registers);
    });
}
