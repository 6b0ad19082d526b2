//! Runs the text tests in `tests/filetests`. A command for each stage; `BLESS=1 cargo test` accepts new output.

use serigraph_trace::exit::plan_exits;
use serigraph_trace::filetest::{Command, run_folder};
use serigraph_trace::ir::Trace;
use serigraph_trace::parse::parse;
use serigraph_trace::regalloc::checker::check;
use serigraph_trace::regalloc::{Request, Target, allocate, dump};
use serigraph_trace::verify::verify;
use serigraph_uops::Uop;
use std::fmt::Write;
use std::path::Path;

/// The stages: the name on the `test` line, and what it does with the words after it and the input.
const COMMANDS: &[(&str, Command)] = &[
    ("print", print),
    ("verify", verify_only),
    ("exits", exits),
    ("regalloc", regalloc),
];

#[test]
fn filetests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/filetests");
    match run_folder(&folder, COMMANDS) {
        Ok(count) => assert!(count > 0),
        Err(failures) => panic!("{failures}"),
    }
}

/// A well-formed trace, or the output that says why it is not.
fn read(input: &str) -> Result<Trace, String> {
    let trace = parse(input).map_err(|e| format!("parse: {e}"))?;
    verify(&trace).map_err(|e| format!("verify: {e}"))?;
    Ok(trace)
}

fn print(_words: &[&str], input: &str) -> String {
    parse(input).map_or_else(|e| format!("parse: {e}"), |trace| trace.to_string())
}

fn verify_only(_words: &[&str], input: &str) -> String {
    match parse(input) {
        Err(error) => format!("parse: {error}"),
        Ok(trace) => verify(&trace).map_or_else(|e| e.to_string(), |()| "well formed".into()),
    }
}

fn exits(_words: &[&str], input: &str) -> String {
    let trace = match read(input) {
        Ok(trace) => trace,
        Err(output) => return output,
    };
    let exits = plan_exits(&trace).expect("verified");
    let mut text = String::new();
    let mut last = None;
    for &(value, plan) in &exits.exits {
        if last == Some(plan) {
            writeln!(text, "{value}: the same").expect("a string");
        } else {
            let plan = exits.plans.plan(plan);
            write!(text, "{value}: {}\n{plan}", plan.snapshot).expect("a string");
        }
        last = Some(plan);
    }
    text
}

/// Registers and moves, proved by the checker. Words: `alias` (results may share registers with inputs), `slots N`.
fn regalloc(words: &[&str], input: &str) -> String {
    let trace = match read(input) {
        Ok(trace) => trace,
        Err(output) => return output,
    };
    let slots = words
        .iter()
        .position(|w| *w == "slots")
        .and_then(|i| words.get(i + 1)?.parse().ok());
    let target = AliasTarget(words.contains(&"alias"));
    let request = Request {
        entry: &[],
        link: None,
        max_slots: slots.unwrap_or(16),
        random_seed: None,
    };
    match allocate(&trace, &request, &target) {
        Ok(allocation) => match check(&trace, &allocation, &request, &target) {
            Ok(()) => dump(&trace, &allocation),
            Err(fault) => format!("wrong: {fault}\n{}", dump(&trace, &allocation)),
        },
        Err(reason) => format!("refused: {}", reason.name()),
    }
}

/// A target where results may share registers with inputs, if they are written only when nothing can go wrong any more.
struct AliasTarget(bool);

impl Target for AliasTarget {
    fn may_alias(&self, _uop: Uop, _input: usize) -> bool {
        self.0
    }
    fn writes_before_exit(&self, uop: Uop) -> bool {
        !self.0 || uop.info().calls
    }
}
