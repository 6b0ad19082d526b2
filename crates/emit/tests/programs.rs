//! Random programs of the miniature (`serigraph_trace::mini`), run by its interpreter alone and with their loops as machine
//! code: root traces, side traces of the exits that are left, links back into the loop. Every object, count, identity and
//! side effect has to be the same at the end.
//!
//! One second in `cargo test`, more with `SERIGRAPH_FUZZ_SECONDS`; `SERIGRAPH_FUZZ_SEED` is where to begin.

#[allow(dead_code, reason = "each test uses a part of it")]
mod common;

use common::{code_memory_of, compile, leave_machine, run_machine};
use serigraph_emit::Compiled;
use serigraph_stencil::{CodeMemory, StencilTable};
use serigraph_trace::ir::{Trace, ValueId};
use serigraph_trace::link::link;
use serigraph_trace::mini::engine::{self, leave_recording};
use serigraph_trace::mini::program::Program;
use serigraph_trace::mini::record::record_side;
use serigraph_trace::opt::{Passes, optimise_linear, optimise_loop};
use serigraph_trace::random::Random;
use serigraph_trace::regalloc::{Location, dump};
use serigraph_trace::side::side_entry;
use serigraph_trace::testhost::{TestHost, functions};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Exit numbers of one trace.
const NUMBERS: u32 = 10_000;
/// Traces past this make no more side traces.
const MOST: usize = 8;

/// The traces of a program's loop.
struct Machine<'a> {
    program: &'a Program,
    table: &'static StencilTable,
    memory: CodeMemory,
    /// The trace, its code, and its exits that are linked, or should not be.
    members: Vec<(Trace, Compiled, Vec<usize>)>,
    registers: Option<u64>,
    texts: &'a RefCell<Vec<String>>,
}

impl Machine<'_> {
    fn add(&mut self, trace: Trace, entry: &[Location]) -> bool {
        let first = self.members.len() as u32 * NUMBERS;
        let link = self
            .members
            .first()
            .and_then(|root| root.1.loop_entry.clone());
        let link = link.as_ref().filter(|_| first > 0);
        self.texts.borrow_mut().push(format!(
            "{trace}entered with {entry:?}, linked to {link:?}\n"
        ));
        let made = compile(
            &trace,
            self.table,
            &mut self.memory,
            first,
            entry,
            link,
            self.registers,
        );
        let Some((allocation, compiled)) = made else {
            return false;
        };
        self.texts.borrow_mut().pop();
        self.texts
            .borrow_mut()
            .push(format!("{trace}\n{}", dump(&trace, &allocation)));
        self.members.push((trace, compiled, Vec::new()));
        true
    }

    /// Enters at the loop header; gives whether an exception is set when the code is left.
    fn enter(&mut self, host: &mut TestHost, constants: &[u64]) -> bool {
        let left = run_machine(host, self.members[0].1.entry());
        let member = (left.exit / NUMBERS) as usize;
        let index = (left.exit % NUMBERS) as usize;
        let many = self.members.len() >= MOST;
        let (trace, compiled, tried) = &mut self.members[member];
        let exit = compiled.exits[index];
        if exit.error || many || tried.contains(&index) {
            leave_machine(host, trace, compiled, index, &left);
            return exit.error;
        }
        tried.push(index);
        let values = compiled.exit_values(index);
        let located = side_entry(trace, member as u32, exit.inst)
            .ok()
            .and_then(|begun| {
                let locate = |param: &ValueId| values.iter().find(|v| v.0 == *param).map(|v| v.1);
                let entry: Option<Vec<Location>> = begun.params.iter().map(locate).collect();
                entry.map(|entry| (begun, entry))
            });
        let Some((begun, entry)) = located else {
            leave_machine(host, trace, compiled, index, &left);
            return false;
        };
        let bits: Vec<u64> = entry.iter().map(|location| left.read(*location)).collect();
        let recording = record_side(self.program, constants, host, begun, &bits);
        leave_recording(host, &recording);
        if recording.complete {
            self.branch(host, recording.trace, member, index, &entry);
        }
        recording.raised
    }

    /// Compiles a side trace and links it.
    fn branch(
        &mut self,
        host: &mut TestHost,
        mut trace: Trace,
        parent: usize,
        index: usize,
        entry: &[Location],
    ) {
        let types = functions::host_types(host);
        let root = &self.members[0].0;
        let made = host.with_current(|| {
            link(&mut trace, 0, root, &types)?;
            let tree = (trace.tree == 0).then_some(root);
            optimise_linear(trace, tree, Some(root), &types, Passes::ALL)
        });
        if let Ok(trace) = made
            && self.add(trace, entry)
        {
            let target = self.members[self.members.len() - 1].1.entry();
            self.members[parent]
                .1
                .link_exit(&mut self.memory, index, target)
                .expect("code memory is there");
        }
    }
}

/// Runs one program both ways; gives how many traces there were.
fn check(seed: u64, tables: &[&'static StencilTable]) -> usize {
    let mut random = Random::new(seed);
    let program = Program::random(&mut random);
    let table = random.pick(tables);
    let registers = random.one_in(2).then_some(seed);
    let expected = engine::run(&program, None);
    let texts = RefCell::new(Vec::new());
    let result = catch_unwind(AssertUnwindSafe(|| {
        engine::run(
            &program,
            Some(&mut |host, naive| {
                let types = functions::host_types(host);
                let trace = host
                    .with_current(|| optimise_loop(naive, &types, Passes::ALL))
                    .ok()?;
                let memory = code_memory_of(host);
                let program = &program;
                let mut machine = Machine {
                    program,
                    table,
                    memory,
                    members: Vec::new(),
                    registers,
                    texts: &texts,
                };
                machine.add(trace, &[]).then_some(())?;
                Some(Box::new(move |host, constants| {
                    machine.enter(host, constants)
                }))
            }),
        )
    }));
    let texts = texts.into_inner();
    match result {
        Ok(actual) if (&actual.state, &actual.errors) == (&expected.state, &expected.errors) => {
            return texts.len();
        }
        Ok(actual) => eprintln!(
            "expected\n{}actual\n{}{:?}",
            expected.state, actual.state, actual.errors
        ),
        Err(_) => {}
    }
    panic!(
        "SERIGRAPH_FUZZ_SEED={seed}\n{program}\n{}",
        texts.join("\n")
    );
}

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(default)
}

#[test]
fn programs_as_machine_code() {
    let best = StencilTable::select();
    let tables: Vec<&'static StencilTable> = StencilTable::all()
        .into_iter()
        .filter(|t| std::ptr::eq(*t, best) || t.features == "SSE2")
        .collect();
    let time = Duration::from_secs(from_env("SERIGRAPH_FUZZ_SECONDS", 1));
    let first = from_env("SERIGRAPH_FUZZ_SEED", 0);
    let (start, mut seed) = (Instant::now(), first);
    let (mut loops, mut sides) = (0, 0);
    while start.elapsed() < time {
        let traces = check(seed, &tables);
        loops += usize::from(traces > 0);
        sides += traces.saturating_sub(1);
        seed += 1;
    }
    println!(
        "{} programs, {loops} loops, {sides} side traces",
        seed - first
    );
    assert!(loops > 0 && (sides > 0 || seed - first < 20));
}
