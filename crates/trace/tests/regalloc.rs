//! Random traces through the register allocator: the checker proves each allocation, with results sharing registers or not,
//! with chosen and with random registers, with few spill slots and many. One second in `cargo test`; more with
//! `SERIGRAPH_FUZZ_SECONDS`.

use serigraph_trace::generate::{Branch, Size, SlotKind, World, root, side};
use serigraph_trace::ir::{Trace, ValueId};
use serigraph_trace::random::Random;
use serigraph_trace::regalloc::checker::check;
use serigraph_trace::regalloc::{
    Allocation, Allocator, Location, LoopEntry, Request, Target, dump,
};
use serigraph_trace::verify::verify;
use serigraph_uops::{Reason, Uop};
use std::time::{Duration, Instant};

struct TestTarget {
    alias: bool,
    before_exit: bool,
    kept_by_boxes: bool,
}

impl Target for TestTarget {
    fn may_alias(&self, uop: Uop, input: usize) -> bool {
        self.alias && (uop as usize + input).is_multiple_of(2)
    }
    fn writes_before_exit(&self, uop: Uop) -> bool {
        self.before_exit || uop.info().calls
    }
    fn clobbers(&self, uop: Uop) -> bool {
        uop.info().calls && !(self.kept_by_boxes && uop == Uop::BoxFloat)
    }
    fn reads(&self, uop: Uop, input: usize) -> bool {
        !(uop == Uop::StoreSlot && input == 1)
    }
}

fn world() -> World {
    use SlotKind::*;
    World {
        slots: vec![
            Int(3),
            Int(-1000),
            Float(0.5),
            Float(1e10),
            List,
            Tuple,
            RangeIterator,
            Int(i64::MAX),
            Float(-2.0),
        ],
        types: [0x1000, 0x2000, 0x3000, 0x4000, 0x5000],
        objects: vec![0x10000, 0x10040, 0x10080],
        bool_table: 0x6000,
        valid_word: 0x7000,
        counter: 0x7100,
        helpers: [vec![0], vec![1], vec![2], vec![3], vec![4]],
    }
}

fn allocate(
    allocator: &mut Allocator,
    trace: &Trace,
    request: &Request<'_>,
    target: &TestTarget,
) -> Option<Allocation> {
    let allocation = match allocator.run(trace, request, target) {
        Ok(allocation) => allocation,
        Err(reason) => {
            assert_eq!(reason, Reason::TooManyValues, "{trace}");
            return None;
        }
    };
    if let Err(fault) = check(trace, &allocation, request, target) {
        panic!("{fault}\n{trace}\n{}", dump(trace, &allocation));
    }
    Some(allocation)
}

fn one(allocator: &mut Allocator, seed: u64) {
    let mut random = Random::new(seed);
    let world = world();
    let body = if random.one_in(3) {
        0
    } else {
        3 + random.below(60)
    };
    let size = Size {
        preamble: random.below(40),
        body,
    };
    let target = TestTarget {
        alias: random.one_in(2),
        before_exit: random.one_in(2),
        kept_by_boxes: random.one_in(2),
    };
    let trace = root(&mut random, &world, size);
    if let Err(error) = verify(&trace) {
        panic!("seed {seed}: {error}\n{trace}");
    }
    let max_slots = if random.one_in(4) {
        3 + random.below(12) as u16
    } else {
        200
    };
    let random_seed = random.one_in(2).then_some(seed);
    let request = Request {
        entry: &[],
        link: None,
        max_slots,
        random_seed,
    };
    let Some(allocation) = allocate(allocator, &trace, &request, &target) else {
        return;
    };
    if allocation.exits.is_empty() {
        return;
    }
    let exit = allocation.exits[random.below(allocation.exits.len() as u32) as usize];
    let kept = allocation.exit_values(&exit);
    let values: Vec<ValueId> = kept.iter().map(|k| k.0).collect();
    let entry: Vec<Location> = kept.iter().map(|k| k.1).collect();
    let loop_entry: Option<&LoopEntry> = allocation.loop_entry.as_ref();
    let in_loop = trace.loop_start.is_some_and(|l| exit.inst > l);
    assert!(
        trace.loop_start.is_none() || loop_entry.is_some(),
        "seed {seed}: nobody can link to\n{trace}"
    );
    let link = (in_loop && !random.one_in(3)).then_some(&trace);
    let branch = Branch {
        parent: &trace,
        at: exit.inst,
        snapshot: exit.snapshot,
        values: &values,
        link,
    };
    let size = Size {
        preamble: random.below(40),
        body: 0,
    };
    let branch_trace = side(&mut random, &world, size, &branch);
    if let Err(error) = verify(&branch_trace) {
        panic!("seed {seed}: {error}\n{trace}\n{branch_trace}");
    }
    let request = Request {
        entry: &entry,
        link: link.and(loop_entry),
        max_slots,
        random_seed,
    };
    allocate(allocator, &branch_trace, &request, &target);
}

#[test]
fn random_traces() {
    let seconds = std::env::var("SERIGRAPH_FUZZ_SECONDS")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(1);
    let first = std::env::var("SERIGRAPH_FUZZ_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(0);
    let (start, mut seed) = (Instant::now(), first);
    let mut allocator = Allocator::new();
    while start.elapsed() < Duration::from_secs(seconds) {
        one(&mut allocator, seed);
        seed += 1;
    }
    assert!(seed - first > 50, "only {} traces", seed - first);
}

/// The checker has to find what is wrong: every change of a register or slot in a right allocation is a fault, or changes
/// nothing that is read.
#[test]
fn the_checker_sees_faults() {
    let mut random = Random::new(7);
    let (mut found, mut tried) = (0, 0);
    for seed in 0..60 {
        let trace = root(
            &mut Random::new(seed),
            &world(),
            Size {
                preamble: 12,
                body: 12,
            },
        );
        let target = TestTarget {
            alias: true,
            before_exit: false,
            kept_by_boxes: false,
        };
        let request = Request {
            entry: &[],
            link: None,
            max_slots: 100,
            random_seed: None,
        };
        let Some(right) = allocate(&mut Allocator::new(), &trace, &request, &target) else {
            continue;
        };
        for _ in 0..20 {
            let mut wrong = right.clone();
            let used: Vec<usize> = (0..wrong.regs.len())
                .filter(|&i| wrong.regs[i].inputs[0].is_some())
                .collect();
            match random.below(3) {
                0 => wrong.regs[random.pick(&used)].inputs[0].0 ^= 1,
                1 if !wrong.edits.is_empty() => drop(
                    wrong
                        .edits
                        .remove(random.below(wrong.edits.len() as u32) as usize),
                ),
                _ => {
                    let k = random.below(wrong.exit_values.len() as u32) as usize;
                    wrong.exit_values[k].1.reg.0 ^= 2;
                }
            }
            tried += 1;
            found += u32::from(check(&trace, &wrong, &request, &target).is_err());
        }
    }
    assert!(found * 10 > tried * 9, "{found} of {tried}");
}
