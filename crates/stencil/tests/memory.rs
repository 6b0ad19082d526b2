//! Code memory: never writable and executable, bounded, refusals are values, exits can be linked, a fork is independent.

mod support;

use std::ops::Range;

use serigraph_stencil::{
    Assembler, CodeError, CodeMemory, Context, Gp, PollWord, Register, StencilTable, TraceCode,
    enter,
};
use serigraph_uops::Uop;
use support::{gp, helpers, symbols};

fn memory(limit: usize) -> CodeMemory {
    CodeMemory::new(limit, &symbols(), &helpers()).unwrap()
}

/// A trace that leaves by exit number `number` if r13 is not `wanted`, and by `number + 1` otherwise; its exits.
fn guarded(
    memory: &mut CodeMemory,
    number: u32,
    wanted: u64,
) -> (
    TraceCode,
    serigraph_stencil::ExitLabel,
    serigraph_stencil::ExitLabel,
) {
    let mut assembler = Assembler::new(StencilTable::select());
    let (guard, end) = (assembler.exit(number), assembler.exit(number + 1));
    assembler.uop(
        Uop::GuardIntEqImm,
        &[gp(0)],
        Register::NONE,
        wanted,
        Some(guard),
    );
    assembler.jump_exit(end);
    (assembler.finish(memory).unwrap(), guard, end)
}

/// A trace that puts a value in r13 and jumps on.
fn start(memory: &mut CodeMemory, value: u64, to: &TraceCode) -> TraceCode {
    let mut assembler = Assembler::new(StencilTable::select());
    assembler.constant_gp(Gp::new(0), value);
    assembler.jump_to(to.entry());
    assembler.finish(memory).unwrap()
}

fn run(code: &TraceCode) -> u64 {
    let word = 0u64;
    let poll = PollWord {
        word: (&raw const word).cast(),
        expected: 0,
    };
    // SAFETY: these traces touch no memory.
    unsafe {
        enter(
            code.entry(),
            std::ptr::null_mut(),
            &Context::new([poll; 2]),
            |activation| activation.exit,
        )
    }
}

/// The process's mappings: the addresses and the protection of each.
fn mappings() -> Vec<(Range<usize>, String)> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines()
        .filter_map(|line| {
            let (range, rest) = line.split_once(' ')?;
            let (start, end) = range.split_once('-')?;
            let start = usize::from_str_radix(start, 16).ok()?;
            let end = usize::from_str_radix(end, 16).ok()?;
            Some((start..end, rest[..4].to_string()))
        })
        .collect()
}

/// The protections of the mappings that overlap the memory.
fn protections(memory: &CodeMemory) -> Vec<String> {
    mappings()
        .into_iter()
        .filter(|(range, _)| memory.contains(range.start) || memory.contains(range.end - 1))
        .map(|(_, protection)| protection)
        .collect()
}

#[test]
fn the_tables_of_the_build_cannot_be_changed() {
    let mappings = mappings();
    let is_constant = |bytes: Range<*const u8>| {
        let (start, end) = (bytes.start.addr(), bytes.end.addr());
        start == end
            || mappings.iter().any(|(range, protection)| {
                range.contains(&start) && end <= range.end && protection.starts_with("r-")
            })
    };
    for table in StencilTable::all() {
        let features = table.features;
        assert!(
            is_constant(bytes_of(std::slice::from_ref(table))),
            "{features}"
        );
        assert!(is_constant(bytes_of(table.stencils)), "{features}");
        for stencil in table.stencils {
            let name = stencil.name;
            for code in [&stencil.hot, &stencil.cold] {
                assert!(is_constant(code.padded.as_ptr_range()), "{name}");
                assert!(is_constant(bytes_of(code.registers)), "{name}");
            }
            assert!(is_constant(bytes_of(stencil.holes)), "{name}");
        }
    }
}

/// Where a slice lies.
fn bytes_of<T>(slice: &[T]) -> Range<*const u8> {
    let range = slice.as_ptr_range();
    range.start.cast()..range.end.cast()
}

#[test]
fn no_page_is_writable_and_executable() {
    let mut memory = memory(1 << 20);
    for round in 0..50 {
        let (code, guard, _) = guarded(&mut memory, 1, 7);
        let (side, ..) = guarded(&mut memory, 10, 9);
        code.link(&mut memory, guard, side.entry()).unwrap();
        let found = protections(&memory);
        assert!(
            found.iter().all(|p| p == "r-xp" || p == "---p"),
            "round {round}: {found:?}"
        );
        assert!(found.contains(&"r-xp".to_string()));
    }
}

#[test]
fn a_side_trace_and_its_link_share_one_pair_of_protection_changes() {
    let mut memory = memory(1 << 20);
    let (code, guard, _) = guarded(&mut memory, 1, 7);
    let eight = start(&mut memory, 8, &code);
    let far = memory.used() + 3 * 4096;
    while memory.used() < far {
        guarded(&mut memory, 1, 7);
    }
    let (block, sealed) = (code.block(), vec!["r-xp".to_string(), "---p".to_string()]);
    let made = memory.together(block, |memory| {
        let (side, ..) = guarded(memory, 10, 9);
        // Both ends of the range, and all between, are open, and none of it can run.
        assert_eq!(protections(memory)[0], "rw-p");
        code.link(memory, guard, side.entry())?;
        assert_eq!(protections(memory), ["rw-p", "---p"]);
        Ok(())
    });
    assert!(made.is_ok());
    assert_eq!(protections(&memory), sealed);
    assert_eq!(run(&eight), 10);

    let failed: Result<(), CodeError> = memory.together(block, |memory| {
        guarded(memory, 20, 9);
        Err(CodeError::Distance)
    });
    assert!(failed.is_err());
    assert_eq!(protections(&memory), sealed);
    assert_eq!(run(&eight), 10);
}

#[test]
fn exits_are_linked_and_unlinked() {
    let mut memory = memory(1 << 20);
    let (code, guard, end) = guarded(&mut memory, 1, 7);
    let (side, side_guard, _) = guarded(&mut memory, 10, 9);
    let seven = start(&mut memory, 7, &code);
    let eight = start(&mut memory, 8, &code);
    let nine = start(&mut memory, 9, &code);
    assert_eq!((run(&seven), run(&eight), run(&nine)), (2, 1, 1));
    code.link(&mut memory, guard, side.entry()).unwrap();
    assert_eq!((run(&seven), run(&eight), run(&nine)), (2, 10, 11));
    code.link(&mut memory, end, side.entry()).unwrap();
    assert_eq!(run(&seven), 10);
    let (third, ..) = guarded(&mut memory, 20, 8);
    side.link(&mut memory, side_guard, third.entry()).unwrap();
    assert_eq!((run(&seven), run(&eight)), (20, 21));
    code.unlink(&mut memory, guard).unwrap();
    code.unlink(&mut memory, end).unwrap();
    assert_eq!((run(&seven), run(&eight), run(&nine)), (2, 1, 1));
}

#[test]
fn loops_run() {
    let mut memory = memory(1 << 20);
    for table in support::tables() {
        let mut assembler = Assembler::new(table);
        let (done, overflow) = (assembler.exit(1), assembler.exit(2));
        let (sum, i, product, next) = (Gp::new(0), Gp::new(1), Gp::new(4), Gp::new(5));
        assembler.constant_gp(sum, 0);
        assembler.constant_gp(i, 0);
        assembler.align_loop();
        let head = assembler.label();
        assembler.bind(head);
        let (s, n, p, t) = (sum.into(), i.into(), product.into(), next.into());
        assembler.uop(Uop::GuardIntLtImm, &[n], Register::NONE, 1000, Some(done));
        assembler.uop(Uop::IntMul, &[n, n], p, 0, Some(overflow));
        assembler.uop(Uop::IntAdd, &[s, p], t, 0, Some(overflow));
        assembler.move_gp(sum, next);
        assembler.uop(Uop::IntAddImm, &[n], t, 1, Some(overflow));
        assembler.move_gp(i, next);
        assembler.jump(head);
        let code = assembler.finish(&mut memory).unwrap();
        assert_eq!(code.label(head).unwrap().get() % 64, 0);
        let poll = PollWord {
            word: std::ptr::null(),
            expected: 0,
        };
        // SAFETY: the loop touches no memory.
        let (exit, result) = unsafe {
            enter(
                code.entry(),
                std::ptr::null_mut(),
                &Context::new([poll; 2]),
                |a| (a.exit, a.gp(Gp::new(0))),
            )
        };
        assert_eq!((exit, result), (1, (0..1000).map(|i| i * i).sum()));
    }
}

#[test]
fn memory_is_bounded_and_reused() {
    let mut memory = memory(8192);
    let used = memory.used();
    let mut traces = Vec::new();
    let refusal = loop {
        let mut assembler = Assembler::new(StencilTable::select());
        let exit = assembler.exit(1);
        (0..10).for_each(|_| assembler.constant_gp(Gp::new(0), u64::MAX >> 1));
        assembler.jump_exit(exit);
        match assembler.finish(&mut memory) {
            Ok(code) => traces.push(code),
            Err(error) => break error,
        }
    };
    assert!(matches!(refusal, CodeError::Full(_)), "{refusal}");
    assert!(traces.len() > 40 && memory.used() <= memory.limit());
    // Free every second one, then the others, in an order that joins ranges on both sides.
    let count = traces.len();
    for (index, code) in traces.iter().enumerate().filter(|(i, _)| i % 2 == 0) {
        assert_eq!(run(code), 1, "{index}");
        memory.free(code.block());
    }
    for code in traces.iter().skip(1).step_by(2) {
        assert_eq!(run(code), 1);
        memory.free(code.block());
    }
    assert_eq!(memory.used(), used);
    for _ in 0..count {
        let (code, ..) = guarded(&mut memory, 1, 7);
        memory.free(code.block());
    }
}

#[test]
fn mistakes_are_errors() {
    let mut memory = memory(1 << 16);
    let mut assembler = Assembler::new(StencilTable::select());
    let used = memory.used();
    let exit = assembler.exit(1);
    assembler.uop(Uop::IntAddImm, &[gp(0)], gp(1), 1 << 40, Some(exit));
    assert_eq!(
        assembler.finish(&mut memory).unwrap_err(),
        CodeError::Immediate(Uop::IntAddImm, 1 << 40)
    );
    assembler.uop(Uop::IntAdd, &[gp(0), gp(1)], gp(2), 0, None);
    assert_eq!(
        assembler.finish(&mut memory).unwrap_err(),
        CodeError::NoExit(Uop::IntAdd)
    );
    assembler.uop(Uop::IntAnd, &[gp(0), support::fp(1)], gp(2), 0, None);
    assert_eq!(
        assembler.finish(&mut memory).unwrap_err(),
        CodeError::Operand(Uop::IntAnd)
    );
    let label = assembler.label();
    assembler.jump(label);
    assert_eq!(
        assembler.finish(&mut memory).unwrap_err(),
        CodeError::UnboundLabel
    );
    let exit = assembler.exit(1);
    assembler.uop(Uop::CallObject1, &[gp(0)], gp(1), 99, Some(exit));
    assert_eq!(
        assembler.finish(&mut memory).unwrap_err(),
        CodeError::Helper(99)
    );
    assembler.uop(Uop::PushArg, &[gp(0)], Register::NONE, 32, None);
    assert_eq!(
        assembler.finish(&mut memory).unwrap_err(),
        CodeError::Immediate(Uop::PushArg, 32)
    );
    assembler.uop(Uop::Nop, &[], Register::NONE, 0, None);
    assert_eq!(
        assembler.finish(&mut memory).unwrap_err(),
        CodeError::NoStencil(Uop::Nop)
    );
    assert_eq!(memory.used(), used);
}

/// What a child process reports by its exit status.
fn in_child(body: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child only runs `body`, which needs no other thread, and leaves without returning.
    let child = unsafe { libc_fork() };
    if child == 0 {
        let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or(101);
        std::process::exit(code);
    }
    let pid = rustix::process::Pid::from_raw(child).unwrap();
    let (_, status) = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty())
        .unwrap()
        .unwrap();
    status.exit_status().unwrap_or(102)
}

unsafe extern "C" {
    #[link_name = "fork"]
    fn libc_fork() -> i32;
}

#[test]
fn a_refused_reservation_is_an_error() {
    let status = in_child(|| {
        let limit = rustix::process::Rlimit {
            current: Some(64 << 20),
            maximum: Some(64 << 20),
        };
        rustix::process::setrlimit(rustix::process::Resource::As, limit).unwrap();
        match CodeMemory::new(512 << 20, &symbols(), &[]) {
            Err(CodeError::Reserve(_)) => 0,
            _ => 1,
        }
    });
    assert_eq!(status, 0);
}

#[test]
fn a_refused_protection_change_is_an_error() {
    let mut memory = memory(1 << 20);
    let used = memory.used();
    let status = in_child(|| {
        let mut assembler = Assembler::new(StencilTable::select());
        let exit = assembler.exit(1);
        // More code than the page that is already there has room for.
        (0..1000).for_each(|_| assembler.constant_gp(Gp::new(0), u64::MAX >> 1));
        assembler.jump_exit(exit);
        let limit = rustix::process::Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        rustix::process::setrlimit(rustix::process::Resource::Data, limit).unwrap();
        let refused = matches!(assembler.finish(&mut memory), Err(CodeError::Unseal(_)));
        if refused && memory.is_usable() && memory.used() == used {
            0
        } else {
            1
        }
    });
    assert_eq!(status, 0);
}

#[test]
fn a_fork_is_independent() {
    let mut memory = memory(1 << 20);
    let (code, guard, _) = guarded(&mut memory, 1, 7);
    let (side, ..) = guarded(&mut memory, 10, 9);
    let eight = start(&mut memory, 8, &code);
    let status = in_child(|| {
        code.link(&mut memory, guard, side.entry()).unwrap();
        if run(&eight) == 10 { 0 } else { 1 }
    });
    assert_eq!(status, 0);
    assert_eq!(run(&eight), 1);
}

#[cfg(feature = "disassembly")]
#[test]
fn disassembly_is_for_people() {
    let mut memory = memory(1 << 16);
    let mut assembler = Assembler::new(StencilTable::select());
    let exit = assembler.exit(3);
    assembler.uop(Uop::GuardIntLtImm, &[gp(2)], Register::NONE, 5, Some(exit));
    assembler.uop(Uop::CallObject1, &[gp(1)], gp(0), 2, Some(exit));
    assembler.jump_exit(exit);
    let code = assembler.finish(&mut memory).unwrap();
    let text = serigraph_stencil::disassemble(&memory, &code);
    let lines: Vec<&str> = text.lines().filter_map(|line| line.get(32..)).collect();
    let wanted = [
        "cmp r15, 5",
        "jge +30",
        "mov rdi, r14",
        "call helper_2",
        "test rax, rax",
        "je +30",
        "mov r13, rax",
        "jmp +30",
        "mov eax, 3",
        "jmp leave",
    ];
    assert_eq!(lines, wanted, "{text}");
}

#[test]
fn the_back_edge_turns_the_last_exit_round() {
    let mut memory = memory(1 << 16);
    let poll = PollWord {
        word: std::ptr::null(),
        expected: 0,
    };
    // Count down from 5; leave by exit 1 when the guard at the end fails. With two jumps to the exit, the last is turned.
    for last in [Uop::GuardTrue, Uop::GuardIntGtImm] {
        let mut assembler = Assembler::new(StencilTable::select());
        let exit = assembler.exit(1);
        assembler.constant_gp(Gp::new(0), 5);
        assembler.constant_gp(Gp::new(1), 0);
        let head = assembler.label();
        assembler.bind(head);
        assembler.uop(Uop::IntAddWrapImm, &[gp(1)], gp(1), 10, None);
        assembler.uop(Uop::IntAddWrapImm, &[gp(0)], gp(0), -1i64 as u64, None);
        let before = assembler.position();
        assembler.uop(last, &[gp(0)], Register::NONE, 0, Some(exit));
        let guard = assembler.position() - before;
        assembler.jump_back(head);
        assert_eq!(assembler.position(), before + guard + 5);
        let code = assembler.finish(&mut memory).unwrap();
        // SAFETY: the loop touches no memory.
        let (left, count) = unsafe {
            enter(
                code.entry(),
                std::ptr::null_mut(),
                &Context::new([poll; 2]),
                |a| (a.exit, a.gp(Gp::new(1))),
            )
        };
        assert_eq!((left, count), (1, 50));
        let bytes = memory.code(code.block());
        let end = before as usize + guard as usize;
        assert_eq!((bytes[end - 6], bytes[end]), (0x0f, 0xe9));
        let back = i32::from_le_bytes(bytes[end - 4..end].try_into().unwrap());
        assert_eq!(
            end as i64 + back as i64,
            code.label(head).unwrap().get() as i64 - code.entry().get() as i64
        );
    }
}
