//! Times of machine code and of making it: `cargo run --release -p serigraph-emit --example loops [asm] [compile]`.
//!
//! Prints ns per iteration of two loops, as stencils and as native code, and ns per uop of register allocation and emission.

use serigraph_emit::{EmitContext, Emitter, MAX_SLOTS, StencilTarget, dump};
use serigraph_stencil::{CodeMemory, Context, PollWord, RuntimeSymbols, StencilTable, enter};
use serigraph_trace::eval::Host;
use serigraph_trace::ir::Trace;
use serigraph_trace::mini::interpret::Position;
use serigraph_trace::mini::program::Program;
use serigraph_trace::mini::record::record;
use serigraph_trace::opt::{Passes, optimise_loop};
use serigraph_trace::parse::parse;
use serigraph_trace::random::Random;
use serigraph_trace::regalloc::liveness::is_emitted;
use serigraph_trace::regalloc::{Allocator, Request};
use serigraph_trace::testhost::{TestHost, Type, functions};
use std::hint::black_box;
use std::time::Instant;

/// Few enough that the sum of squares fits 64 bits.
const ITERATIONS: i64 = 2_000_000;

/// `for i in range(n): s += i * i`.
const INT_SUM: &str = "
trace root locals 3 top 3
  v0: object = load_slot 2
  v1: int = unbox_int v0 @s0
  v2: int = const_int 0
  loop
  v3: int = phi v2
  v4: int = phi v2
  v5: object = sunk box_int v3
  v6: object = sunk box_int v4
  guard_int_lt v3, v1 @s1
  v7: int = int_mul v3, v3 @s1
  v8: int = int_add v4, v7 @s1
  v9: int = int_add_wrap_imm v3, 1
  v10: object = sunk box_int v9
  v11: object = sunk box_int v8
  poll_word32 @s2
end loop v9, v8
s0: [f0 ip=1 top=3 2=v0]
s1: [f0 ip=2 top=3 0=v5 1=v6 2=v0]
s2: [f0 ip=2 top=3 0=v10 1=v11 2=v0]
";

/// `for i in range(n): x = r * x * (1.0 - x)`.
const LOGISTIC: &str = "
trace root locals 3 top 3
  v0: object = load_slot 2
  v1: int = unbox_int v0 @s0
  v2: int = const_int 0
  v3: float = const_float 0.5
  v4: float = const_float 1.0
  v5: float = const_float 3.7
  loop
  v6: int = phi v2
  v7: float = phi v3
  v8: object = sunk box_int v6
  v9: object = sunk box_float v7
  guard_int_lt v6, v1 @s1
  v10: float = float_mul v5, v7
  v11: float = float_sub v4, v7
  v12: float = float_mul v10, v11
  v13: int = int_add_wrap_imm v6, 1
  v14: object = sunk box_int v13
  v15: object = sunk box_float v12
  poll_word32 @s2
end loop v13, v12
s0: [f0 ip=1 top=3 2=v0]
s1: [f0 ip=2 top=3 0=v8 1=v9 2=v0]
s2: [f0 ip=2 top=3 0=v14 1=v15 2=v0]
";

fn code_memory(host: &TestHost) -> CodeMemory {
    let runtime = RuntimeSymbols {
        box_int: functions::box_int as *const () as usize,
        box_float: functions::box_float as *const () as usize,
        unbox_big_int: functions::unbox_big_int as *const () as usize,
        dealloc: functions::dealloc as *const () as usize,
        vectorcall: functions::vectorcall as *const () as usize,
        small_ints: host.heap.small_ints() as usize,
        int_type: 0,
        float_type: host.heap.type_address(Type::Float) as usize,
        float_free_list: 0,
        float_free_count: 0,
    };
    let helpers: Vec<usize> = (0..).map_while(functions::helper_address).collect();
    CodeMemory::new(1 << 26, &runtime, &helpers).expect("memory for code")
}

/// Best time of some runs, in ns per iteration.
fn best(mut run: impl FnMut()) -> f64 {
    let time = |_| {
        let start = Instant::now();
        run();
        start.elapsed().as_nanos() as f64 / ITERATIONS as f64
    };
    (0..20).map(time).fold(f64::INFINITY, f64::min)
}

fn time_loop(name: &str, text: &str, table: &'static StencilTable, native: impl Fn()) {
    let trace = parse(text).expect("a trace");
    let mut host = TestHost::new(3);
    let n = host.heap.int(ITERATIONS);
    host.set_slot(2, n);
    let mut memory = code_memory(&host);
    let request = Request {
        entry: &[],
        link: None,
        max_slots: MAX_SLOTS,
        random_seed: None,
    };
    let allocation = Allocator::new()
        .run(&trace, &request, &StencilTarget::new(table))
        .expect("registers");
    let context = EmitContext {
        remember_uops: true,
        ..EmitContext::default()
    };
    let compiled = Emitter::new(table)
        .emit(&trace, &allocation, &context, &mut memory)
        .expect("code");
    if std::env::args().any(|a| a == "asm") {
        println!(
            "{}\n{}",
            serigraph_trace::regalloc::dump(&trace, &allocation),
            dump(&trace, &compiled, &memory)
        );
    }
    let poll = PollWord {
        word: host.poll_word() as *const u8,
        expected: 0,
    };
    let frame = host.frame() as *mut u8;
    let stencils = best(|| {
        // SAFETY: the code was made for this host, whose frame and poll word are real memory.
        host.with_current(|| unsafe {
            enter(compiled.entry(), frame, &Context::new([poll, poll]), |a| {
                black_box(a.exit)
            })
        });
    });
    println!(
        "{name}: {stencils:.3} ns per iteration, native {:.3} ({})",
        best(native),
        table.features
    );
}

fn native_int_sum() {
    let (mut s, mut i) = (0_i64, 0_i64);
    while i < black_box(ITERATIONS) {
        let sum = i.checked_mul(i).and_then(|square| s.checked_add(square));
        let Some(sum) = sum else { break };
        s = sum;
        i += 1;
    }
    black_box(s);
}

fn native_logistic() {
    let (mut x, mut i) = (0.5, 0_i64);
    while i < black_box(ITERATIONS) {
        x = 3.7 * x * (1.0 - x);
        i += 1;
    }
    black_box(x);
}

/// Optimised traces of random programs, and how many uops were recorded for them.
fn traces() -> (Vec<Trace>, usize) {
    let (mut traces, mut recorded) = (Vec::new(), 0);
    for seed in 0..300 {
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
        let uops = recording.trace.insts.len();
        let types = functions::host_types(&host);
        let make = || optimise_loop(recording.trace, &types, Passes::ALL);
        if let (true, Ok(trace)) = (recording.complete, host.with_current(make)) {
            traces.push(trace);
            recorded += uops;
        }
    }
    (traces, recorded)
}

fn time_compiling(table: &'static StencilTable) {
    let (traces, recorded) = traces();
    let host = TestHost::new(1);
    let mut memory = code_memory(&host);
    let (mut allocator, mut emitter) = (Allocator::new(), Emitter::new(table));
    let target = StencilTarget::new(table);
    let request = Request {
        entry: &[],
        link: None,
        max_slots: MAX_SLOTS,
        random_seed: None,
    };
    let small =
        parse("trace root locals 1 top 1\nend exit s0\ns0: [f0 ip=1 top=1]").expect("a trace");
    let small_allocation = allocator.run(&small, &request, &target).expect("registers");
    let context = EmitContext::default();
    let (mut emitted, mut exits, mut values, mut moves) = (0, 0, 0, 0);
    let (mut allocating, mut emitting, mut publishing) = (0, 0, 0);
    for trace in &traces {
        let mut best = [u128::MAX; 3];
        for _ in 0..30 {
            let start = Instant::now();
            let allocation = allocator.run(trace, &request, &target).expect("registers");
            let allocated = Instant::now();
            let compiled = emitter
                .emit(trace, &allocation, &context, &mut memory)
                .expect("code");
            let finished = Instant::now();
            let empty = emitter
                .emit(&small, &small_allocation, &context, &mut memory)
                .expect("code");
            let times = [allocated - start, finished - allocated, finished.elapsed()];
            for (best, time) in best.iter_mut().zip(times) {
                *best = time.as_nanos().min(*best);
            }
            memory.free(compiled.code.block());
            memory.free(empty.code.block());
        }
        let allocation = allocator.run(trace, &request, &target).expect("registers");
        emitted += trace.insts.iter().filter(|i| is_emitted(i)).count();
        exits += allocation.exits.len();
        values += allocation.exit_values.len();
        moves += allocation.edits.len() + allocation.end_edits.len();
        allocating += best[0];
        emitting += best[1].saturating_sub(best[2]);
        publishing += best[2];
    }
    println!(
        "{} traces, {recorded} uops recorded, {emitted} emitted, {exits} exits, {values} values in them, {moves} moves",
        traces.len()
    );
    let each = |ns: u128, uops: usize| ns as f64 / uops as f64;
    for (name, uops) in [("recorded", recorded), ("emitted", emitted)] {
        println!(
            "per uop {name}: {:.1} ns allocation, {:.1} ns emission",
            each(allocating, uops),
            each(emitting, uops)
        );
    }
    println!(
        "an empty trace (with its system calls): {:.0} ns",
        each(publishing, traces.len())
    );
}

fn main() {
    let best = StencilTable::select();
    let loops = std::env::args().all(|a| a != "compile");
    for table in StencilTable::all() {
        if loops && (std::ptr::eq(table, best) || table.features == "SSE2") {
            time_loop("int sum", INT_SUM, table, native_int_sum);
            time_loop("logistic map", LOGISTIC, table, native_logistic);
        }
    }
    time_compiling(best);
}
