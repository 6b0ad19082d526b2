//! Random traces: the evaluator on one host, machine code on another; exits, values, memory and reference counts have to
//! agree. One second in `cargo test`, more with `SERIGRAPH_FUZZ_SECONDS`; `SERIGRAPH_FUZZ_SEED` is where to begin.

mod common;

use common::{
    Chain, check_root, code_memory_of, compare_values, compile, host, leave_machine, left_at,
    run_machine,
};
use serigraph_stencil::StencilTable;
use serigraph_trace::eval::run;
use serigraph_trace::exit::{Scratch, plan_exits, restore};
use serigraph_trace::generate::{Branch, Size, root, side};
use serigraph_trace::ir::ValueId;
use serigraph_trace::random::Random;
use std::time::{Duration, Instant};

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(default)
}

fn tables() -> Vec<&'static StencilTable> {
    let best = StencilTable::select();
    StencilTable::all()
        .into_iter()
        .filter(|t| std::ptr::eq(*t, best) || t.features == "SSE2")
        .collect()
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
        let body = if random.one_in(3) {
            0
        } else {
            3 + random.below(50)
        };
        let size = Size {
            preamble: random.below(40),
            body,
        };
        let table = random.pick(&tables);
        let registers = random.one_in(2).then_some(seed);
        let make = |world: &_| root(&mut Random::new(seed ^ 0x5eed), world, size);
        check_root(make, table, registers);
    });
}

/// A side trace at the exit that the root trace takes: it finds its params where the exit left them, and either leaves, or
/// jumps back into the loop.
#[test]
fn side_traces() {
    let tables = tables();
    for_seeds(|seed| {
        let mut random = Random::new(seed ^ 0x51de);
        let body = if random.one_in(5) {
            0
        } else {
            3 + random.below(40)
        };
        let size = Size {
            preamble: random.below(30),
            body,
        };
        let table = random.pick(&tables);
        let registers = random.one_in(2).then_some(seed);
        let make = |world: &_| root(&mut Random::new(seed), world, size);
        // Which exit the root trace takes.
        let (mut scout, world) = host();
        let trace = make(&world);
        let at = left_at(&trace, &run(&trace, &mut scout, &[], 1000));

        let ((mut host_a, world_a), (mut host_b, world_b)) = (host(), host());
        let (root_a, root_b) = (make(&world_a), make(&world_b));
        let mut memory = code_memory_of(&host_b);
        let Some((_, root_code)) = compile(&root_b, table, &mut memory, 0, &[], None, registers)
        else {
            return;
        };
        let index = root_code
            .exits
            .iter()
            .position(|e| e.inst == at)
            .expect("the exit taken");
        let exit = root_code.exits[index];
        if exit.error {
            return;
        }
        let values: Vec<ValueId> = root_code.exit_values(index).iter().map(|v| v.0).collect();
        let entry: Vec<_> = root_code.exit_values(index).iter().map(|v| v.1).collect();
        let linked = root_b.loop_start.is_some_and(|l| at > l) && !random.one_in(4);
        let side_size = Size {
            preamble: random.below(30),
            body: 0,
        };
        let side_seed = random.bits();
        let make_side = |parent: &_, world: &_| {
            let link = linked.then_some(parent);
            let branch = Branch {
                parent,
                at,
                snapshot: exit.snapshot,
                values: &values,
                link,
            };
            side(&mut Random::new(side_seed), world, side_size, &branch)
        };
        let (side_a, side_b) = (make_side(&root_a, &world_a), make_side(&root_b, &world_b));
        let link = root_code.loop_entry.as_ref().filter(|_| linked);
        let Some((_, side_code)) =
            compile(&side_b, table, &mut memory, 5000, &entry, link, registers)
        else {
            return;
        };
        root_code
            .link_exit(&mut memory, index, side_code.entry())
            .unwrap();

        let chain = Chain {
            root: &root_a,
            linked: (at, values.clone()),
            side: &side_a,
        };
        let Some(end) = chain.run(&mut host_a) else {
            return;
        };
        let left = run_machine(&mut host_b, root_code.entry());
        let (trace_a, trace_b, code) = match left.exit >= 5000 {
            true => (&side_a, &side_b, &side_code),
            false => (&root_a, &root_b, &root_code),
        };
        let index = (left.exit - code.first_exit) as usize;
        assert_eq!(
            (left.exit >= 5000, code.exits[index].inst),
            (end.in_side, end.at),
            "{root_b}\n{side_b}"
        );
        compare_values(trace_b, code, index, &left, &end.values, (&host_a, &host_b));
        let exits = plan_exits(trace_a).expect("verified");
        let (_, plan) = exits.exits.iter().find(|e| e.0 == end.at).expect("planned");
        let read = |value: ValueId| end.values[value.index()];
        restore(
            exits.plans.plan(*plan),
            &mut host_a.leaving(read),
            &mut Scratch::default(),
        );
        leave_machine(&mut host_b, trace_b, code, index, &left);
        assert_eq!(host_a.describe(), host_b.describe(), "{root_b}\n{side_b}");
        for errors in [host_a.finish(), host_b.finish()] {
            assert!(errors.is_empty(), "{errors:?}\n{root_b}\n{side_b}");
        }
    });
}
