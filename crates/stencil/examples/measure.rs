//! Measures copying and patching, and small loops: `cargo run --release -p serigraph-stencil --example measure`.

use std::hint::black_box;
use std::time::Instant;

use serigraph_stencil::{
    Assembler, CodeMemory, Context, Gp, PollWord, Register, RuntimeSymbols, StencilTable,
    TraceCode, enter,
};
use serigraph_uops::Uop;

fn gp(index: u8) -> Register {
    Gp::new(index).into()
}

fn best(rounds: usize, mut body: impl FnMut()) -> f64 {
    let time = |_| {
        let start = Instant::now();
        body();
        start.elapsed().as_nanos() as f64
    };
    (0..rounds).map(time).fold(f64::INFINITY, f64::min)
}

fn run(code: &TraceCode) -> u64 {
    let poll = PollWord {
        word: std::ptr::null(),
        expected: 0,
    };
    // SAFETY: the loops here touch no memory.
    unsafe {
        enter(
            code.entry(),
            std::ptr::null_mut(),
            &Context::new([poll; 2]),
            |a| a.gp(Gp::new(0)),
        )
    }
}

/// A loop of a million steps; `step` is given the counter in r14 and may use the sum in r13 and the divisor in r15.
fn measure_loop(
    memory: &mut CodeMemory,
    name: &str,
    step: impl Fn(&mut Assembler, serigraph_stencil::ExitLabel),
) {
    const STEPS: u64 = 1_000_000;
    let mut assembler = Assembler::new(StencilTable::select());
    let exit = assembler.exit(0);
    assembler.constant_gp(Gp::new(0), 0);
    assembler.constant_gp(Gp::new(1), 1);
    assembler.constant_gp(Gp::new(2), 7);
    assembler.align_loop();
    let head = assembler.label();
    assembler.bind(head);
    step(&mut assembler, exit);
    assembler.uop(Uop::IntAddImm, &[gp(1)], gp(1), 1, Some(exit));
    assembler.uop(
        Uop::GuardIntLtImm,
        &[gp(1)],
        Register::NONE,
        STEPS,
        Some(exit),
    );
    assembler.jump(head);
    let code = assembler.finish(memory).expect("there is room");
    let time = best(20, || {
        black_box(run(&code));
    });
    println!("{name:40} {:6.2} ns a step", time / STEPS as f64);
}

fn main() {
    let symbols = RuntimeSymbols {
        box_int: 0,
        box_float: 0,
        unbox_big_int: 0,
        dealloc: 0,
        vectorcall: 0,
        small_ints: 0,
        int_type: 0,
        float_type: 0,
        float_free_list: 0,
        float_free_count: 0,
    };
    let mut memory =
        CodeMemory::new(1 << 24, &symbols, &[]).expect("the system gives address space");

    const UOPS: usize = 200;
    let mut assembler = Assembler::new(StencilTable::select());
    let fill = |assembler: &mut Assembler| {
        for index in 0..UOPS / 4 {
            let exit = assembler.exit(index as u32);
            let (a, b, d) = (
                gp(index as u8 % 7),
                gp((index as u8 + 1) % 7),
                gp((index as u8 + 2) % 7),
            );
            assembler.uop(
                Uop::GuardType,
                &[a],
                Register::NONE,
                0x7f12_3456_7890,
                Some(exit),
            );
            assembler.uop(Uop::UnboxInt, &[a], d, 0, Some(exit));
            assembler.uop(Uop::IntAdd, &[d, b], a, 0, Some(exit));
            assembler.uop(Uop::IncRef, &[b], Register::NONE, 0, None);
        }
    };
    let copying = best(2000, || {
        fill(&mut assembler);
        assembler.clear();
    });
    println!(
        "copy and patch                           {:6.2} ns a uop",
        copying / UOPS as f64
    );
    let all = best(2000, || {
        fill(&mut assembler);
        let code = assembler.finish(&mut memory).expect("there is room");
        memory.free(code.block());
    });
    println!(
        "and place and publish ({UOPS} uops)          {:6.2} us",
        all / 1000.0
    );

    let poll = PollWord {
        word: std::ptr::null(),
        expected: 0,
    };
    let exit = assembler.exit(0);
    assembler.jump_exit(exit);
    let empty = assembler.finish(&mut memory).expect("there is room");
    let entering = best(1000, || {
        for _ in 0..1000 {
            // SAFETY: the trace leaves at once.
            black_box(unsafe {
                enter(
                    empty.entry(),
                    std::ptr::null_mut(),
                    &Context::new([poll; 2]),
                    |a| a.exit,
                )
            });
        }
    });
    println!(
        "enter and leave                          {:6.2} ns",
        entering / 1000.0
    );

    measure_loop(&mut memory, "empty", |_, _| {});
    measure_loop(&mut memory, "sum of squares", |assembler, exit| {
        assembler.uop(Uop::IntMul, &[gp(1), gp(1)], gp(4), 0, Some(exit));
        assembler.uop(Uop::IntAdd, &[gp(0), gp(4)], gp(0), 0, Some(exit));
    });
    for (name, uop) in [
        ("sum of i // 7, constant", Uop::IntFloorDivImm),
        ("sum of i % 7, constant", Uop::IntModImm),
    ] {
        measure_loop(&mut memory, name, |assembler, exit| {
            assembler.uop(uop, &[gp(1)], gp(4), 7, None);
            assembler.uop(Uop::IntAdd, &[gp(0), gp(4)], gp(0), 0, Some(exit));
        });
    }
    for (name, uop) in [
        ("sum of i // 7", Uop::IntFloorDiv),
        ("sum of i % 7", Uop::IntMod),
    ] {
        measure_loop(&mut memory, name, |assembler, exit| {
            assembler.uop(uop, &[gp(1), gp(2)], gp(4), 0, Some(exit));
            assembler.uop(Uop::IntAdd, &[gp(0), gp(4)], gp(0), 0, Some(exit));
        });
        let negative = format!("{name}, of -i");
        measure_loop(&mut memory, &negative, |assembler, exit| {
            assembler.uop(Uop::IntNeg, &[gp(1)], gp(3), 0, Some(exit));
            assembler.uop(uop, &[gp(3), gp(2)], gp(4), 0, Some(exit));
            assembler.uop(Uop::IntAdd, &[gp(0), gp(4)], gp(0), 0, Some(exit));
        });
    }
}
