//! The register allocator on traces that the verifier accepts: it refuses, or the checker proves what it did. The first byte
//! seeds its random choices, the second limits the spill slots.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serigraph_trace::parse::parse;
use serigraph_trace::regalloc::checker::check;
use serigraph_trace::regalloc::{Request, StrictTarget, allocate, dump};
use serigraph_trace::verify::verify;

fuzz_target!(|input: (u8, u8, &str)| {
    let (seed, slots, text) = input;
    let Ok(trace) = parse(text) else { return };
    if verify(&trace).is_err()
        || trace
            .insts
            .iter()
            .any(|inst| inst.uop == serigraph_uops::Uop::Param)
    {
        return;
    }
    let request = Request {
        entry: &[],
        link: None,
        max_slots: u16::from(slots % 32),
        random_seed: (seed != 0).then_some(u64::from(seed)),
    };
    if let Ok(allocation) = allocate(&trace, &request, &StrictTarget)
        && let Err(fault) = check(&trace, &allocation, &request, &StrictTarget)
    {
        panic!("{fault}\n{}", dump(&trace, &allocation));
    }
});
