//! A tree of traces in the miniature: a root trace, and side traces for its exits (and theirs), which link back into the
//! root's loop or enter the root again. All of them are evaluated.

use super::engine::Finished;
use super::interpret::{Position, Ran, step as interpret};
use super::program::Program;
use super::record::{Recording, record, record_side};
use crate::enter::enter;
use crate::eval::{Step, step};
use crate::exit::{Exits, PlanId, Scratch, plan_exit_at, plan_exits, restore};
use crate::ir::{End, Trace, ValueId};
use crate::opt::{Passes, link, optimise_linear, optimise_loop, side_entry};
use crate::ownership::SlotMemory;
use crate::testhost::{TestHost, functions};
use crate::verify::verify;
use serigraph_uops::Uop;
use std::collections::HashMap;

/// One trace of the tree.
struct Member {
    trace: Trace,
    exits: Exits,
    /// For a side trace: the parent's values that its params are.
    params: Vec<ValueId>,
}

/// What became of an exit.
enum Side {
    /// It was left by that often.
    Cold(u32),
    /// Its side trace.
    Member(usize),
    /// It will not get one.
    Never,
}

/// The traces of a program's loop.
struct Tree<'a> {
    program: &'a Program,
    passes: Passes,
    polls: Option<u64>,
    members: Vec<Member>,
    sides: HashMap<(usize, ValueId), Side>,
    turns: u64,
    linked: u32,
}

/// What came of a program.
pub struct Ended {
    /// Its end.
    pub finished: Finished,
    /// How often traces were linked.
    pub linked: u32,
    /// All traces.
    pub text: String,
}

/// How often an exit is left by before it gets a side trace.
const WARM: u32 = 2;

/// Runs a program with a tree of traces.
pub fn run(program: &Program, passes: Passes, polls: Option<u64>) -> Ended {
    let (mut host, constants) = program.start();
    let mut at = Position {
        ip: 0,
        top: program.top(),
    };
    let mut tree = Tree {
        program,
        passes,
        polls,
        members: Vec::new(),
        sides: HashMap::new(),
        turns: 0,
        linked: 0,
    };
    let (mut visits, mut entered) = (0, 0);
    let mut left_here = false;
    loop {
        if at.ip == 0 && !left_here {
            visits += 1;
            left_here = true;
            if !tree.members.is_empty() {
                entered += 1;
                at = tree.enter(&mut host, &constants);
                if host.raised {
                    break;
                }
                continue;
            }
            if visits == 2 {
                let recording = record(program, &constants, &mut host, at);
                at = leave(&mut host, &recording);
                if host.raised {
                    break;
                }
                if recording.complete {
                    tree.compile_root(&mut host, recording.trace);
                }
                left_here = tree.members.is_empty() && at.ip == 0;
                continue;
            }
        }
        left_here = false;
        match interpret(program, &constants, &mut host, &mut at) {
            Ran::On => {}
            Ran::Ended => break,
            Ran::Raised => {
                host.raised = true;
                break;
            }
        }
    }
    host.set_position(at.ip, at.top);
    let state = host.describe();
    for constant in constants.into_iter().filter(|c| *c != 0) {
        host.heap.decref(constant);
    }
    let errors = host.finish();
    let texts: Vec<String> = tree.members.iter().map(|m| m.trace.to_string()).collect();
    Ended {
        finished: Finished {
            state,
            errors,
            entered,
        },
        linked: tree.linked,
        text: texts.join("\n"),
    }
}

/// Leaves a recording by its end.
fn leave(host: &mut TestHost, recording: &Recording) -> Position {
    let End::Exit(snapshot) = recording.trace.end else {
        unreachable!("recordings end with an exit")
    };
    host.raised = recording.raised;
    let plans = plan_exit_at(&recording.trace, recording.trace.insts.len(), snapshot)
        .unwrap_or_else(|e| panic!("the recording cannot be left: {e}\n{}", recording.trace));
    let mut leaving = host.leaving(|value: ValueId| recording.values[value.index()]);
    restore(plans.plan(PlanId(0)), &mut leaving, &mut Scratch::default());
    let (ip, top) = host.position();
    Position { ip, top }
}

/// How the traces were left.
struct Left {
    member: usize,
    at: ValueId,
    values: Vec<u64>,
    raised: bool,
}

/// No program turns so often.
const MANY: u64 = 2000;

impl<'a> Tree<'a> {
    fn add(&mut self, trace: Trace, params: Vec<ValueId>) -> usize {
        verify(&trace).unwrap_or_else(|e| panic!("{e}\n{trace}"));
        let exits = plan_exits(&trace).unwrap_or_else(|e| panic!("{e}\n{trace}"));
        self.members.push(Member {
            trace,
            exits,
            params,
        });
        self.members.len() - 1
    }

    fn compile_root(&mut self, host: &mut TestHost, naive: Trace) {
        verify(&naive).unwrap_or_else(|e| panic!("the recording: {e}\n{naive}"));
        let types = functions::host_types(host);
        if let Ok(trace) = host.with_current(|| optimise_loop(naive, &types, self.passes)) {
            self.add(trace, Vec::new());
        }
    }

    /// Enters the loop at its header, and goes on until the traces are left for good.
    fn enter(&mut self, host: &mut TestHost, constants: &[u64]) -> Position {
        let mut member = 0;
        let mut params: Vec<u64> = Vec::new();
        let entered = self.turns;
        loop {
            host.polls = self.polls;
            let left = self.run_from(host, member, &params, entered);
            host.polls = None;
            let key = (left.member, left.at);
            if !left.raised {
                match self.sides.entry(key).or_insert(Side::Cold(0)) {
                    Side::Member(side) => {
                        member = *side;
                        let parents = &self.members[member].params;
                        params = parents.iter().map(|p| left.values[p.index()]).collect();
                        continue;
                    }
                    Side::Cold(count) => {
                        *count += 1;
                        if *count == WARM {
                            self.sides.insert(key, Side::Never);
                            return self.record(host, constants, &left);
                        }
                    }
                    Side::Never => {}
                }
            }
            let Member { exits, trace, .. } = &self.members[left.member];
            let plan = exits.exits.iter().find(|(exit, _)| *exit == left.at);
            let &(_, plan) = plan.unwrap_or_else(|| panic!("{} is no exit\n{trace}", left.at));
            let mut leaving = host.leaving(|value: ValueId| left.values[value.index()]);
            restore(
                exits.plans.plan(plan),
                &mut leaving,
                &mut Scratch::default(),
            );
            host.raised = left.raised;
            let (ip, top) = host.position();
            return Position { ip, top };
        }
    }

    /// Records and compiles the side trace of the exit that was just taken.
    fn record(&mut self, host: &mut TestHost, constants: &[u64], left: &Left) -> Position {
        let parent = &self.members[left.member].trace;
        let entry = side_entry(parent, left.member as u32, left.at)
            .unwrap_or_else(|r| panic!("{}\n{parent}", r.name()));
        let params: Vec<u64> = entry
            .params
            .iter()
            .map(|p| left.values[p.index()])
            .collect();
        let parents = entry.params.clone();
        let recording = record_side(self.program, constants, host, entry, &params);
        verify(&recording.trace)
            .unwrap_or_else(|e| panic!("the recording: {e}\n{}\nof\n{parent}", recording.trace));
        let at = leave(host, &recording);
        if !recording.complete {
            return at;
        }
        let types = functions::host_types(host);
        let root = &self.members[0].trace;
        let mut trace = recording.trace;
        let enters = self.members.len() % 3 == 2;
        let made = host.with_current(|| {
            let tree = (trace.tree == 0).then_some(root);
            let mut linking = trace.clone();
            if !enters && link(&mut linking, 0, root, &types).is_ok() {
                verify(&linking)
                    .unwrap_or_else(|e| panic!("after link: {e}\n{linking}\nto\n{root}"));
                return optimise_linear(linking, tree, Some(root), &types, self.passes);
            }
            enter(&mut trace, 0, root)?;
            verify(&trace).unwrap_or_else(|e| panic!("after enter: {e}\n{trace}\nto\n{root}"));
            optimise_linear(trace, tree, None, &types, self.passes)
        });
        if let Ok(trace) = made {
            let side = self.add(trace, parents);
            self.check_contract(side);
            self.sides
                .insert((left.member, left.at), Side::Member(side));
        }
        at
    }

    /// A trace that links to the root owns nothing at its end; one that enters it has written all slots.
    fn check_contract(&self, member: usize) {
        let Member { trace, exits, .. } = &self.members[member];
        let null = |v: ValueId| trace.inst(v).uop == Uop::ConstObject && trace.inst(v).imm == 0;
        let owned: Vec<_> = exits
            .end
            .clone()
            .all_owned()
            .filter(|(v, n)| *n > 0 && !null(*v))
            .collect();
        assert!(owned.is_empty(), "owned at the link: {owned:?}\n{trace}");
        if matches!(trace.end, End::Enter { .. }) {
            let stale = (0..trace.locals).find(|&s| exits.end.slot(s) == SlotMemory::Stale);
            assert!(stale.is_none(), "stale at the entry: {stale:?}\n{trace}");
        }
    }

    /// Evaluates, through back edges and links, until an exit.
    fn run_from(
        &mut self,
        host: &mut TestHost,
        mut member: usize,
        params: &[u64],
        entered: u64,
    ) -> Left {
        let mut values = vec![0; self.members[member].trace.insts.len()];
        values[..params.len()].copy_from_slice(params);
        let mut at = 0;
        loop {
            let trace = &self.members[member].trace;
            if let Some(inst) = trace.insts.get(at) {
                if inst.uop != Uop::Param && !inst.sunk {
                    let next = step(host, inst, at, &mut values);
                    if !matches!(next, Step::Next(_)) {
                        return Left {
                            member,
                            at: ValueId(at as u32),
                            values,
                            raised: next == Step::Raised,
                        };
                    }
                }
                at += 1;
                continue;
            }
            self.turns += 1;
            assert!(
                self.turns - entered < MANY,
                "the traces do not end\n{trace}"
            );
            let root = &self.members[0].trace;
            let bits: Vec<u64> = trace
                .end_args()
                .iter()
                .map(|arg| values[arg.index()])
                .collect();
            match &trace.end {
                End::Loop(_) => {
                    for (phi, bits) in root.phis().zip(bits) {
                        values[phi.index()] = bits;
                    }
                }
                End::Link { .. } => {
                    self.linked += 1;
                    values = vec![0; root.insts.len()];
                    for (param, bits) in root.loop_params.iter().zip(bits) {
                        values[param.value.index()] = bits;
                    }
                }
                End::Enter { .. } => {
                    self.linked += 1;
                    values = vec![0; root.insts.len()];
                    (member, at) = (0, 0);
                    continue;
                }
                End::Exit(_) => {
                    return Left {
                        member,
                        at: ValueId(at as u32),
                        values,
                        raised: false,
                    };
                }
            }
            member = 0;
            at = root
                .phis()
                .last()
                .or(root.loop_start)
                .map_or(0, |last| last.index() + 1);
        }
    }
}
