//! The optimiser on traces that the verifier accepts: it refuses or gives a trace that the verifier accepts too. The first byte
//! says which passes are left out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serigraph_trace::ir::End;
use serigraph_trace::opt::{Passes, optimise_linear, optimise_loop};
use serigraph_trace::ownership::comes_round;
use serigraph_trace::parse::parse;
use serigraph_trace::testhost::TestHost;
use serigraph_trace::testhost::functions::host_types;
use serigraph_trace::verify::verify;

const PASSES: [&str; 8] = [
    "",
    "-refcount",
    "-guards",
    "-fold",
    "-cse",
    "-memory",
    "-sink",
    "-dead",
];

fuzz_target!(|input: (u8, &str)| {
    let (choice, text) = input;
    let Ok(trace) = parse(text) else { return };
    if verify(&trace).is_err() {
        return;
    }
    let mut host = TestHost::new(0);
    let types = host_types(&host);
    let passes = Passes::parse(PASSES[usize::from(choice) % PASSES.len()]).expect("known passes");
    // A loop ends where it began: with as much on the stack, and everything in memory.
    let is_loop = match trace.end {
        End::Exit(header) if !header.is_none() => {
            let frames = trace.frames(header);
            frames.len() == 1
                && frames[0].top == trace.entry_top
                && comes_round(&trace, header).is_ok()
        }
        _ => false,
    };
    let results = host.with_current(|| {
        let looping = is_loop.then(|| optimise_loop(trace.clone(), &types, passes));
        [
            looping.and_then(Result::ok),
            optimise_linear(trace, None, None, &types, passes).ok(),
        ]
    });
    for optimised in results.into_iter().flatten() {
        if let Err(error) = verify(&optimised) {
            panic!("not well formed: {error}\n{optimised}");
        }
    }
});
