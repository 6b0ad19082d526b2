//! Machine code against the evaluator, on generated traces: the input chooses the seed, the size and the table.
#![no_main]

#[path = "../../crates/emit/tests/common/mod.rs"]
#[allow(dead_code, reason = "shared with the tests, which use more of it")]
mod common;

use libfuzzer_sys::fuzz_target;
use serigraph_stencil::StencilTable;
use serigraph_trace::generate::{Size, root};
use serigraph_trace::random::Random;

fuzz_target!(|input: (u64, u8, u8, bool, bool)| {
    let (seed, preamble, body, random, oldest) = input;
    let size = Size {
        preamble: u32::from(preamble % 40),
        body: u32::from(body % 60),
    };
    let table = if oldest {
        StencilTable::all()
            .into_iter()
            .find(|t| t.features == "SSE2")
    } else {
        None
    };
    let table = table.unwrap_or_else(StencilTable::select);
    let make = |world: &_| root(&mut Random::new(seed), world, size);
    common::check_root(make, table, random.then_some(seed));
});
