//! Uops that touch memory or call C, in many placements.

mod support;

use serigraph_stencil::{Gp, Register, StencilTable};
use serigraph_uops::{Uop, layout};
use support::{
    END, FLOAT_TYPE, GUARD, Left, Machine, Random, Registers, SMALL_INTS, calls, fp, gp, symbols,
    tables,
};

const IMMORTAL: u64 = 0xffff_ffff;

/// A fake object: count, type, then four words.
type Object = Box<[u64; 6]>;

fn object(words: [u64; 6]) -> Object {
    Box::new(words)
}
fn address(object: &[u64; 6]) -> u64 {
    object.as_ptr() as u64
}

/// Runs a uop in 60 random placements; `check` gets each run. Inputs have these bits; the result avoids the inputs unless the table
/// allows otherwise.
fn placements(
    table: &'static StencilTable,
    machine: &mut Machine,
    uop: Uop,
    imm: u64,
    prepare: impl Fn(&mut Machine) -> Vec<u64>,
    check: impl Fn(&mut Machine, Left, Option<u64>),
) {
    let mut random = Random(uop as u64 + 77);
    let constraints = table.constraints(uop);
    for _ in 0..60 {
        let bits = prepare(machine);
        let mut pick = |class| match class {
            serigraph_stencil::Class::Gp => gp(random.below(7) as u8),
            serigraph_stencil::Class::Fp => fp(random.below(8) as u8),
        };
        let inputs: Vec<Register> = constraints
            .inputs
            .iter()
            .flatten()
            .map(|&c| pick(c))
            .collect();
        let mut output = constraints.output.map_or(Register::NONE, &mut pick);
        while inputs
            .iter()
            .enumerate()
            .any(|(i, &r)| r == output && constraints.output_may_alias >> i & 1 == 0)
        {
            output = pick(constraints.output.unwrap());
        }
        let mut before = random.registers();
        for (&input, &value) in inputs.iter().zip(&bits) {
            before.set(input, value);
        }
        // Inputs with different values cannot share a register.
        if inputs
            .iter()
            .zip(&bits)
            .any(|(&input, &value)| before.get(input) != value)
        {
            continue;
        }
        let left = machine.run(&before, |assembler, exit| {
            assembler.uop(
                uop,
                &inputs,
                output,
                imm,
                constraints.has_exit.then_some(exit),
            );
        });
        let result = (output != Register::NONE).then(|| left.registers.get(output));
        intact(
            uop,
            constraints.clobbers_caller_saved,
            &before,
            &left,
            output,
        );
        check(machine, left, result);
    }
}

/// All registers but the result are as before (but for those that a C call may change).
fn intact(uop: Uop, calls_c: bool, before: &Registers, left: &Left, output: Register) {
    let survivors = if calls_c { 4 } else { 7 };
    for index in 0..survivors {
        if gp(index) != output {
            assert_eq!(
                left.registers.get(gp(index)),
                before.get(gp(index)),
                "{} changed {index}",
                uop.name()
            );
        }
    }
    for index in (0..8).filter(|_| !calls_c) {
        if fp(index) != output {
            assert_eq!(
                left.registers.get(fp(index)),
                before.get(fp(index)),
                "{} changed xmm{index}",
                uop.name()
            );
        }
    }
}

#[test]
fn loads_and_stores() {
    for table in tables() {
        let mut machine = Machine::new(table);
        let words = object([2, 0x7777, 0x1111, 0xffff_ffff_0000_0003, 0x3333, 0x4444]);
        let base = address(&words);
        let loads = [
            (Uop::LoadType, 0, 0x7777),
            (Uop::ListLen, 0, 0x1111),
            (Uop::TupleLen, 0, 0x1111),
            (Uop::ListItems, 0, 0xffff_ffff_0000_0003),
            (Uop::UnboxBool, 0, 3),
            (Uop::TupleItemImm, 1, 0x3333),
            (Uop::LoadObject, 16, 0x1111),
            (Uop::LoadInt, 40, 0x4444),
            (Uop::LoadInt32, 24, 3),
            (Uop::IterLoad, 32, 0x3333),
            (Uop::IterSequence, 24, 0xffff_ffff_0000_0003),
            (Uop::UnboxFloat, 0, 0x1111),
        ];
        for (uop, imm, wanted) in loads {
            placements(
                table,
                &mut machine,
                uop,
                imm,
                |_| vec![base],
                |_, left, result| {
                    assert_eq!((left.exit, result), (END, Some(wanted)), "{}", uop.name());
                },
            );
        }
        placements(
            table,
            &mut machine,
            Uop::ItemAt,
            0,
            |_| vec![base, 5],
            |_, _, result| {
                assert_eq!(result, Some(0x4444));
            },
        );
        placements(
            table,
            &mut machine,
            Uop::TupleItem,
            0,
            |_| vec![base, 2],
            |_, _, result| {
                assert_eq!(result, Some(0x4444));
            },
        );
        let mut target = object([0; 6]);
        let stored = target.as_mut_ptr();
        for (uop, imm, index) in [
            (Uop::StoreObject, 24, 3),
            (Uop::StoreVia, 32, 4),
            (Uop::IterStore, 32, 4),
        ] {
            // SAFETY: words of `target`, which outlives the runs.
            let read = move || unsafe { stored.add(index).replace(0) };
            placements(
                table,
                &mut machine,
                uop,
                imm,
                |_| {
                    let old = (uop != Uop::IterStore).then_some(98);
                    [stored as u64, 99].into_iter().chain(old).collect()
                },
                |_, _, _| assert_eq!(read(), 99),
            );
        }
        let exchanged = |_: &mut Machine| {
            // SAFETY: as above.
            unsafe { stored.add(2).write(55) };
            vec![stored as u64, 2, 66]
        };
        placements(
            table,
            &mut machine,
            Uop::ListExchange,
            0,
            exchanged,
            |_, _, result| {
                // SAFETY: as above.
                assert_eq!((result, unsafe { stored.add(2).read() }), (Some(55), 66));
            },
        );
        let booleans = [0xf0u64, 0xf1];
        for truth in 0..2 {
            let imm = booleans.as_ptr() as u64;
            placements(
                table,
                &mut machine,
                Uop::BoxBool,
                imm,
                |_| vec![truth],
                |_, _, result| {
                    assert_eq!(result, Some(0xf0 + truth));
                },
            );
        }
    }
}

#[test]
fn guards_on_objects() {
    for table in tables() {
        let mut machine = Machine::new(table);
        let wide = 0x1234_5678_9abc;
        for (kind, imm, exit) in [
            (wide, wide, END),
            (wide, 5, GUARD),
            (5, 5, END),
            (wide, wide - 1, GUARD),
        ] {
            let words = object([1, kind, 0, 0, 0, 0]);
            placements(
                table,
                &mut machine,
                Uop::GuardType,
                imm,
                |_| vec![address(&words)],
                |_, left, _| {
                    assert_eq!(left.exit, exit);
                },
            );
        }
        for (count, unshared, shared) in [(1, END, GUARD), (2, GUARD, END), (IMMORTAL, GUARD, END)]
        {
            let words = object([count, 0, 0, 0, 0, 0]);
            for (uop, exit) in [(Uop::GuardUnshared, unshared), (Uop::GuardShared, shared)] {
                placements(
                    table,
                    &mut machine,
                    uop,
                    0,
                    |_| vec![address(&words)],
                    |_, left, _| {
                        assert_eq!(left.exit, exit);
                    },
                );
            }
        }
        for (word, exit) in [(0u64, END), (1, GUARD), (1 << 32, END)] {
            placements(
                table,
                &mut machine,
                Uop::GuardValid,
                &raw const word as u64,
                |_| vec![],
                |_, left, _| {
                    assert_eq!(left.exit, exit);
                },
            );
        }
        for (word32, word64, exit32, exit64) in
            [(32, 64, END, END), (33, 64 + (1 << 40), GUARD, GUARD)]
        {
            *machine.poll32 = word32;
            *machine.poll64 = word64;
            placements(
                table,
                &mut machine,
                Uop::PollWord32,
                0,
                |_| vec![],
                |_, left, _| assert_eq!(left.exit, exit32),
            );
            placements(
                table,
                &mut machine,
                Uop::PollWord64,
                0,
                |_| vec![],
                |_, left, _| assert_eq!(left.exit, exit64),
            );
        }
    }
}

#[test]
fn ints_are_unboxed_and_boxed() {
    for table in tables() {
        let mut machine = Machine::new(table);
        // Tag, digits, value; 666 stands for an int that does not fit.
        let ints: [(u64, u64, Option<i64>); 6] = [
            (8, 5, Some(5)),
            (8, (1 << 30) - 1, Some((1 << 30) - 1)),
            (8 | 2, 7, Some(-7)),
            (1, 0, Some(0)),
            (16, i64::MIN as u64, Some(i64::MIN)),
            (24, 666, None),
        ];
        for (tag, digits, value) in ints {
            let words = object([1, 0, tag, digits, 0, 0]);
            placements(
                table,
                &mut machine,
                Uop::UnboxInt,
                0,
                |_| vec![address(&words)],
                |_, left, result| match value {
                    Some(value) => assert_eq!((left.exit, result), (END, Some(value as u64))),
                    None => assert_eq!(left.exit, GUARD),
                },
            );
        }
        calls::take();
        for value in [-6i64, -5, 0, 1, 256, 257, 666, i64::MIN, i64::MAX] {
            placements(
                table,
                &mut machine,
                Uop::BoxInt,
                0,
                |_| vec![value as u64],
                |_, left, result| {
                    let calls = calls::take();
                    if (-5..=256).contains(&value) {
                        let wanted = SMALL_INTS as i64 + 32 * (value + 5);
                        assert_eq!((left.exit, result), (END, Some(wanted as u64)));
                        assert!(calls.is_empty());
                    } else {
                        assert_eq!(calls, [format!("box_int {value} true")]);
                        match value {
                            666 => assert_eq!(left.exit, GUARD),
                            _ => assert_eq!((left.exit, result), (END, Some(0x1000))),
                        }
                    }
                },
            );
        }
    }
}

/// An int of one digit that dies is the next one that is made; others are left to the host, and so is what is one too many.
#[test]
fn ints_come_from_those_that_died() {
    const INT_TYPE: u64 = 0x7000;
    const RUNS: usize = 60;
    const KEPT: usize = 64;
    for table in tables() {
        let with_ints = serigraph_stencil::RuntimeSymbols {
            int_type: INT_TYPE as usize,
            ..symbols()
        };
        let mut machine = Machine::with(table, &with_ints);
        let mut objects: Vec<Object> = (0..2 * RUNS)
            .map(|_| object([1, INT_TYPE, 8, 0, 0, 0]))
            .collect();
        let addresses: Vec<*mut u64> = objects.iter_mut().map(|o| o.as_mut_ptr()).collect();
        let next = std::cell::Cell::new(0);
        let dying = |_: &mut Machine| {
            next.set(next.get() + 1);
            vec![addresses[next.get() - 1] as u64]
        };
        calls::take();
        for _ in 0..2 {
            placements(
                table,
                &mut machine,
                Uop::DecRefPlain,
                0,
                dying,
                |_, left, _| {
                    assert_eq!(left.exit, END);
                    assert_eq!(calls::take().len(), usize::from(next.get() > KEPT));
                },
            );
        }
        let left = std::cell::Cell::new(KEPT);
        for (value, tag) in [(12345i64, 8), (-(1 << 30) + 1, 10)] {
            let box_value = |_: &mut Machine| vec![value as u64];
            placements(
                table,
                &mut machine,
                Uop::BoxInt,
                0,
                box_value,
                |_, end, result| {
                    assert_eq!(end.exit, END);
                    if left.get() == 0 {
                        assert_eq!(calls::take(), [format!("box_int {value} true")]);
                        return;
                    }
                    left.set(left.get() - 1);
                    assert!(calls::take().is_empty());
                    let made = addresses[left.get()];
                    assert_eq!(result, Some(made as u64));
                    // SAFETY: `objects` outlives the runs.
                    let words =
                        unsafe { [made, made.add(1), made.add(2), made.add(3)].map(|w| w.read()) };
                    assert_eq!(words, [1, INT_TYPE, tag, value.unsigned_abs()]);
                },
            );
        }
        // Objects of other types, and ints of more digits, die; large ints are made by the host.
        for words in [[1, INT_TYPE + 16, 8, 1, 0, 0], [1, INT_TYPE, 16, 1, 1, 0]] {
            let mut dead = object(words);
            let dead = dead.as_mut_ptr();
            let prepare = |_: &mut Machine| {
                // SAFETY: `dead` outlives the runs.
                unsafe { dead.write(1) };
                vec![dead as u64]
            };
            placements(table, &mut machine, Uop::DecRef, 0, prepare, |_, _, _| {
                assert_eq!(calls::take().len(), 1)
            });
        }
        for value in [1i64 << 30, -(1 << 30), i64::MIN] {
            let box_value = |_: &mut Machine| vec![value as u64];
            placements(table, &mut machine, Uop::BoxInt, 0, box_value, |_, _, _| {
                assert_eq!(calls::take(), [format!("box_int {value} true")])
            });
        }
    }
}

#[test]
fn floats_come_from_the_free_list() {
    for table in tables() {
        let mut machine = Machine::new(table);
        calls::take();
        for value in [1.5f64, 666.0] {
            placements(
                table,
                &mut machine,
                Uop::BoxFloat,
                0,
                |_| vec![value.to_bits()],
                |_, left, result| {
                    assert_eq!(calls::take(), [format!("box_float {value} true")]);
                    match value {
                        666.0 => assert_eq!(left.exit, GUARD),
                        _ => assert_eq!((left.exit, result), (END, Some(0x2000))),
                    }
                },
            );
        }
        let mut list = Box::new([0u64; 2]);
        let (head, count) = (list.as_mut_ptr(), list.as_mut_ptr().wrapping_add(1));
        let with_list = serigraph_stencil::RuntimeSymbols {
            float_free_list: head as usize,
            float_free_count: count as usize,
            ..symbols()
        };
        let mut machine = Machine::with(table, &with_list);
        let mut free = object([0, 0xbeef, 0, 0, 0, 0]);
        let free = free.as_mut_ptr();
        let fill = move |_: &mut Machine| {
            // SAFETY: `list` and `free` outlive the runs.
            unsafe {
                head.write(free as u64);
                count.write((77 << 32) | 3);
                free.add(1).write(0xbeef);
            }
            vec![2.5f64.to_bits()]
        };
        placements(
            table,
            &mut machine,
            Uop::BoxFloat,
            0,
            fill,
            move |_, left, result| {
                assert_eq!((left.exit, result), (END, Some(free as u64)));
                // SAFETY: as above.
                unsafe {
                    assert_eq!((head.read(), count.read()), (0xbeef, (77 << 32) | 2));
                    assert_eq!(
                        (free.read(), free.add(1).read(), free.add(2).read()),
                        (1, FLOAT_TYPE as u64, 2.5f64.to_bits())
                    );
                }
            },
        );
    }
}

/// A float in a list: its box is overwritten if the list alone has it, else there is a new one.
#[test]
fn floats_are_replaced() {
    for table in tables() {
        let mut list = Box::new([0u64; 2]);
        let (head, count) = (list.as_mut_ptr(), list.as_mut_ptr().wrapping_add(1));
        let with_list = serigraph_stencil::RuntimeSymbols {
            float_free_list: head as usize,
            float_free_count: count as usize,
            ..symbols()
        };
        let mut machine = Machine::with(table, &with_list);
        let mut words = object([0; 6]);
        let old = words.as_mut_ptr();
        let mut free = object([0; 6]);
        let free = free.as_mut_ptr();
        let mut place = object([0; 6]);
        let items = place.as_mut_ptr();
        const LISTED: (u64, u64) = (0, 2);
        const MADE: (u64, u64) = (0x2000, 3);
        // The old count; whether there is a free box; the new value; what happens.
        let cases = [
            (1, true, 2.5f64),
            (1, false, 666.0),
            (2, true, 2.5),
            (2, false, 2.5),
            (IMMORTAL, true, 2.5),
            (IMMORTAL, false, 2.5),
            (1 << 32 | 1, true, 2.5),
            (2, false, 666.0),
        ];
        for (references, is_free, value) in cases {
            let prepare = move |_: &mut Machine| {
                // SAFETY: all outlives the runs.
                unsafe {
                    old.write(references);
                    old.add(2).write(7);
                    items.add(3).write(old as u64);
                    head.write(if is_free { free as u64 } else { 0 });
                    count.write(3);
                    free.add(1).write(0);
                }
                calls::take();
                vec![items as u64, 3, value.to_bits()]
            };
            let check = move |_: &mut Machine, left: Left, _: Option<u64>| {
                // SAFETY: as above.
                let (item, old_count, old_value, list) = unsafe {
                    let list = (head.read(), count.read());
                    (items.add(3).read(), old.read(), old.add(2).read(), list)
                };
                let fails = references != 1 && !is_free && value == 666.0;
                assert_eq!(left.exit, if fails { GUARD } else { END });
                let wanted = match (references, is_free) {
                    (1, _) => (old as u64, 1, value.to_bits()),
                    _ if fails => (old as u64, references, 7),
                    (IMMORTAL, false) => (MADE.0, IMMORTAL, 7),
                    (IMMORTAL, true) => (free as u64, IMMORTAL, 7),
                    (_, false) => (MADE.0, references - 1, 7),
                    (_, true) => (free as u64, references - 1, 7),
                };
                assert_eq!((item, old_count, old_value), wanted, "{references}");
                match (references, is_free) {
                    (1, true) => assert_eq!(list, (free as u64, MADE.1)),
                    (_, true) => assert_eq!(list, LISTED),
                    _ => assert_eq!(list, (0, MADE.1)),
                }
                let called = references != 1 && !is_free;
                assert_eq!(calls::take().len(), called.into());
            };
            placements(table, &mut machine, Uop::ListSetFloat, 0, prepare, check);
            for uop in [Uop::FieldSetFloat, Uop::ViaSetFloat] {
                let at_offset = move |machine: &mut Machine| {
                    let mut words = prepare(machine);
                    words.remove(1);
                    words
                };
                placements(table, &mut machine, uop, 24, at_offset, check);
            }
        }
    }
}

#[test]
fn reference_counts() {
    for table in tables() {
        let mut machine = Machine::new(table);
        calls::take();
        let mut words = object([0; 6]);
        let counted = words.as_mut_ptr();
        let cases = [
            (Uop::IncRef, 1, 2, false),
            (Uop::IncRef, IMMORTAL, IMMORTAL, false),
            (Uop::DecRef, 2, 1, false),
            (Uop::DecRef, 1, 0, true),
            (Uop::DecRef, IMMORTAL, IMMORTAL, false),
            (Uop::DecRefPlain, 1, 0, true),
            (Uop::DecRefPlain, 3, 2, false),
            (Uop::XDecRef, 1, 0, true),
            (Uop::XDecRef, 5, 4, false),
        ];
        for (uop, before, after, dies) in cases {
            let prepare = |_: &mut Machine| {
                // SAFETY: `words` outlives the runs.
                unsafe { counted.write(before) };
                vec![counted as u64]
            };
            placements(table, &mut machine, uop, 0, prepare, |_, left, _| {
                // SAFETY: as above.
                let count = unsafe { counted.read() };
                assert_eq!((left.exit, count), (END, after), "{}", uop.name());
                let wanted = dies.then(|| format!("dealloc {:#x} true true", counted as u64));
                assert_eq!(calls::take(), wanted.into_iter().collect::<Vec<_>>());
            });
        }
        placements(
            table,
            &mut machine,
            Uop::XDecRef,
            0,
            |_| vec![0],
            |_, left, _| assert_eq!(left.exit, END),
        );
    }
}

#[test]
fn the_frame() {
    for table in tables() {
        let mut machine = Machine::new(table);
        calls::take();
        let slot = 7;
        let index = layout::FRAME_LOCALS / 8 + slot;
        for uop in [Uop::LoadSlot, Uop::TakeSlot] {
            machine.frame[index] = 0xabcd;
            placements(
                table,
                &mut machine,
                uop,
                slot as u64,
                |_| vec![],
                |_, _, result| {
                    assert_eq!(result, Some(0xabcd));
                },
            );
        }
        let check = |machine: &mut Machine, _: Left, _: Option<u64>| {
            assert_eq!(std::mem::take(&mut machine.frame[index]), 0x51);
        };
        placements(
            table,
            &mut machine,
            Uop::StoreSlot,
            slot as u64,
            |_| vec![0x51, 0x52],
            check,
        );
        let mut words = object([0; 6]);
        let old = words.as_mut_ptr();
        for (count, after, dies) in [
            (3, 2, false),
            (1, 0, true),
            (IMMORTAL, IMMORTAL, false),
            (0, 0, false),
        ] {
            let prepare = |machine: &mut Machine| {
                // SAFETY: `words` outlives the runs.
                unsafe { old.write(count) };
                machine.frame[index] = if count == 0 { 0 } else { old as u64 };
                vec![0x61]
            };
            placements(
                table,
                &mut machine,
                Uop::SyncSlot,
                slot as u64,
                prepare,
                |machine, _, _| {
                    // SAFETY: as above.
                    assert_eq!((machine.frame[index], unsafe { old.read() }), (0x61, after));
                    assert_eq!(calls::take().len(), dies as usize);
                },
            );
        }
        let ip = 0x1122_3344_5566_7788;
        placements(
            table,
            &mut machine,
            Uop::SetIp,
            ip,
            |_| vec![],
            |machine, _, _| {
                assert_eq!(
                    std::mem::take(&mut machine.frame[layout::FRAME_INSTRUCTION / 8]),
                    ip
                );
            },
        );
        for (word, exit) in [(0, END), (1 << 40, GUARD)] {
            machine.frame[layout::FRAME_OBJECT / 8] = word;
            placements(
                table,
                &mut machine,
                Uop::GuardNoFrameObject,
                0,
                |_| vec![],
                |_, left, _| {
                    assert_eq!(left.exit, exit);
                },
            );
        }
    }
}

#[test]
fn calls_of_helpers() {
    for table in tables() {
        let mut machine = Machine::new(table);
        let object_calls: [(Uop, u64, Vec<u64>, u64); 10] = [
            (Uop::MakeRangeIterator, 2, vec![6, 2, 3], 326),
            (Uop::MakeRangeIterator, 2, vec![0, 0, 0], 0),
            (Uop::CallObject1, 0, vec![6], 42),
            (Uop::CallObject1, 0, vec![0], 0),
            (Uop::CallObject2, 1, vec![6, 2], 26),
            (Uop::CallObject3, 2, vec![6, 2, 3], 326),
            (Uop::LeafObject1, 0, vec![6], 42),
            (Uop::LeafObject2, 1, vec![0, 0], 0),
            (Uop::LeafObject2, 1, vec![1, 2], 21),
            (Uop::CallObject3, 2, vec![0, 0, 0], 0),
        ];
        for (uop, helper, arguments, wanted) in object_calls {
            placements(
                table,
                &mut machine,
                uop,
                helper,
                |_| arguments.clone(),
                |_, left, result| match wanted {
                    0 => assert_eq!(left.exit, GUARD, "{}", uop.name()),
                    _ => assert_eq!((left.exit, result), (END, Some(wanted)), "{}", uop.name()),
                },
            );
        }
        let status_calls: [(Uop, u64, Vec<u64>, i64); 8] = [
            (Uop::CallStatus1, 3, vec![3], 3),
            (Uop::CallStatus1, 3, vec![0xffff_ffff], -1),
            (Uop::CallStatus2, 4, vec![9, 2], 7),
            (Uop::CallStatus2, 4, vec![2, 9], -7),
            (Uop::CallStatus3, 5, vec![9, 2, 1], 8),
            (Uop::LeafStatus1, 3, vec![0], 0),
            (Uop::LeafStatus2, 4, vec![1, 2], -1),
            (Uop::LeafStatus3, 5, vec![9, 2, 1], 8),
        ];
        for (uop, helper, arguments, wanted) in status_calls {
            placements(
                table,
                &mut machine,
                uop,
                helper,
                |_| arguments.clone(),
                |_, left, result| match wanted {
                    ..0 => assert_eq!(left.exit, GUARD, "{}", uop.name()),
                    _ => assert_eq!(
                        (left.exit, result),
                        (END, Some(wanted as u64)),
                        "{}",
                        uop.name()
                    ),
                },
            );
        }
        let (x, y) = (5.5f64, 2.25f64);
        placements(
            table,
            &mut machine,
            Uop::LeafFloat1,
            7,
            |_| vec![x.to_bits()],
            |_, _, result| {
                assert_eq!(result, Some(16.5f64.to_bits()));
            },
        );
        placements(
            table,
            &mut machine,
            Uop::LeafFloat2,
            8,
            |_| vec![x.to_bits(), y.to_bits()],
            |_, _, result| {
                assert_eq!(result, Some(3.25f64.to_bits()));
            },
        );
    }
}

#[test]
fn calls_with_outgoing_arguments() {
    let mut random = Random(5);
    for table in tables() {
        let mut machine = Machine::new(table);
        calls::take();
        for _ in 0..40 {
            let mut before = random.registers();
            let (a, b, callable, result) = (
                gp(0),
                gp(6),
                gp(random.below(7) as u8),
                gp(random.below(7) as u8),
            );
            before.set(a, 30);
            before.set(b, 12);
            if callable != a && callable != b {
                before.set(callable, random.pick(&[0x500, 666]));
            }
            let callee = before.get(callable);
            for uop in [Uop::Vectorcall, Uop::LeafVectorcall] {
                let left = machine.run(&before, |assembler, exit| {
                    assembler.uop(Uop::PushArg, &[a], Register::NONE, 1, None);
                    assembler.uop(Uop::PushArg, &[b], Register::NONE, 2, None);
                    assembler.uop(uop, &[callable], result, 2, Some(exit));
                });
                assert_eq!(calls::take(), [format!("vectorcall {callee} 2 42 1 0")]);
                match callee {
                    666 => assert_eq!(left.exit, GUARD),
                    _ => assert_eq!((left.exit, left.registers.get(result)), (END, 0x3000)),
                }
            }
            for uop in [Uop::CallArgs, Uop::LeafArgs] {
                let left = machine.run(&before, |assembler, exit| {
                    assembler.uop(Uop::PushArg, &[a], Register::NONE, 0, None);
                    assembler.uop(Uop::PushArg, &[b], Register::NONE, 1, None);
                    assembler.uop(uop, &[], result, 6, Some(exit));
                });
                assert_eq!((left.exit, left.registers.get(result)), (END, 150));
            }
        }
    }
}

/// Frames of inlined functions are made in the activation and taken down.
#[test]
fn frames_stand_and_go() {
    const ROOM: u64 = 20;
    for table in tables() {
        let mut machine = Machine::new(table);
        let mut image: [u64; layout::FRAME_IMAGE_WORDS] = std::array::from_fn(|i| 100 + i as u64);
        image[layout::FRAME_HEAD_WORDS] = ROOM;
        let image_at = (&raw const image).addr() as u64;
        let f0 = machine.frame.as_mut_ptr().cast::<u8>();
        let registers = Registers {
            gp: [3; Gp::COUNT],
            fp: [4; _],
        };
        let seen = ROOM + layout::FRAME_OBJECT as u64 / 8;
        for (object, pops, exit) in [(0, true, END), (0, false, END), (9, false, GUARD)] {
            *machine.thread = (f0, 50);
            let left = machine.run(&registers, |assembler, guard| {
                let value = gp(2);
                assembler.constant_gp(Gp::new(2), 77);
                assembler.uop(Uop::PushFrame, &[], Register::NONE, image_at, None);
                assembler.uop(Uop::FrameSlot, &[value], Register::NONE, ROOM + 9, None);
                assembler.constant_gp(Gp::new(2), object);
                assembler.uop(Uop::FrameSlot, &[value], Register::NONE, seen, None);
                assembler.uop(
                    Uop::GuardFrameUnseen,
                    &[],
                    Register::NONE,
                    seen,
                    Some(guard),
                );
                if pops {
                    assembler.uop(Uop::PopFrames, &[], Register::NONE, 1, None);
                }
            });
            let first = ROOM as usize;
            let frame = left.frames_at + 8 * first;
            assert_eq!(left.exit, exit);
            assert_eq!(machine.thread.1, if pops { 50 } else { 49 });
            let current = machine.thread.0.addr();
            assert_eq!(current, if pops { f0.addr() } else { frame });
            let words = &left.frames[first..first + 10];
            assert_eq!(words[0], 100);
            assert_eq!(words[1], f0.addr() as u64, "the frame that called it");
            assert_eq!(words[2..6], [102, 103, 104, 105]);
            assert_eq!(words[6..10], [object, 107, 108, 77]);
        }
    }
}
