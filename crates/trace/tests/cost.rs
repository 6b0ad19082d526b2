//! What checking, planning and evaluating cost a uop. Run by hand: `cargo test --release --test cost -- --ignored --nocapture`.

use serigraph_trace::eval::{Step, evaluate};
use serigraph_trace::exit::plan_exits;
use serigraph_trace::ir::Trace;
use serigraph_trace::mini::interpret::Position;
use serigraph_trace::mini::program::Program;
use serigraph_trace::mini::record::record;
use serigraph_trace::opt::{OptOptions, optimise_loop};
use serigraph_trace::random::Random;
use serigraph_trace::testhost::functions;
use serigraph_trace::verify::verify;
use serigraph_uops::Uop;
use std::hint::black_box;
use std::time::{Duration, Instant};

#[test]
#[ignore = "a measurement"]
fn cost() {
    let mut naive = Vec::new();
    let mut optimised = Vec::new();
    for seed in 0..3000 {
        let program = Program::random(&mut Random::new(seed));
        let (mut host, constants) = program.start();
        let recording = record(
            &program,
            &constants,
            &mut host,
            Position {
                ip: 0,
                top: program.top(),
            },
        );
        if !recording.complete {
            continue;
        }
        let types = functions::host_types(&host);
        let made = host.with_current(|| {
            optimise_loop(recording.trace.clone(), &types, &OptOptions::default())
        });
        naive.push(recording.trace);
        optimised.extend(made.ok());
    }
    for (name, traces) in [("naive", &naive), ("optimised", &optimised)] {
        let uops: usize = traces.iter().map(|t| t.insts.len()).sum();
        println!("{name}: {} traces, {uops} uops", traces.len());
        // The best of many short runs of each trace: what others run on the machine does not count.
        let time = |what: &str, run: &dyn Fn(&Trace)| {
            let best = |trace: &Trace| {
                let once = |_| {
                    let start = Instant::now();
                    run(black_box(trace));
                    start.elapsed()
                };
                (0..30).map(once).min().expect("thirty")
            };
            let total: Duration = traces.iter().map(best).sum();
            println!(
                "  {what}: {:.1} ns a uop",
                total.as_nanos() as f64 / uops as f64
            );
        };
        time("verify", &|t| {
            verify(t).unwrap_or_else(|e| panic!("{e}\n{t}"))
        });
        time("plan exits", &|t| assert!(plan_exits(t).is_ok()));
    }
    let (mut host, _) = Program::random(&mut Random::new(1)).start();
    let mut sum = 0;
    let once = |_| {
        let start = Instant::now();
        for i in 0..1000_u64 {
            if let Step::Next(value) = evaluate(
                &mut host,
                black_box(Uop::IntAddImm),
                3,
                [black_box(i), 0, 0],
            ) {
                sum ^= value;
            }
        }
        start.elapsed()
    };
    let best = (0..1000).map(once).min().expect("a thousand");
    println!(
        "evaluate: {:.2} ns a uop ({sum})",
        best.as_nanos() as f64 / 1000.0
    );
}
