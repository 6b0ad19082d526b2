//! Runs one trace twice: by the evaluator on one test host, as machine code on another, and compares everything.

use serigraph_emit::{Compiled, EmitContext, Emitter, MAX_SLOTS, StencilTarget, dump as dump_code};
use serigraph_stencil::{
    Activation, CodeAddress, CodeMemory, Context, PollWord, RuntimeSymbols, StencilTable, enter,
};
use serigraph_trace::eval::{Host, Outcome, Step, Stop, run, step};
use serigraph_trace::exit::{Scratch, plan_exits, restore};
use serigraph_trace::generate::{SlotKind, World};
use serigraph_trace::ir::{End, Trace, ValueId};
use serigraph_trace::regalloc::{Allocation, Location, LoopEntry, Request, allocate, dump};
use serigraph_trace::testhost::{TestHost, Type, functions};
use serigraph_uops::{Kind, Reason, Uop};

/// A code memory for the traces of one host, whose small ints and types it knows.
pub fn code_memory_of(host: &TestHost) -> CodeMemory {
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
    let helpers: Vec<usize> = (0..functions::HELPERS.len() as u64)
        .map(|n| functions::helper_address(n).unwrap())
        .collect();
    CodeMemory::new(1 << 22, &runtime, &helpers).unwrap()
}

/// A host with a frame as [`world`] describes it. Two of them differ in addresses only.
pub fn host() -> (TestHost, World) {
    use SlotKind::*;
    let slots = vec![
        Int(3),
        Int(-1000),
        Float(0.5),
        Float(1e10),
        List,
        Tuple,
        RangeIterator,
        Int(i64::MAX),
        Float(-2.0),
    ];
    let mut host = TestHost::new(slots.len() as u32);
    for (slot, kind) in slots.iter().enumerate() {
        let heap = &mut host.heap;
        let object = match *kind {
            Int(value) => heap.int(value),
            Float(value) => heap.float(value),
            List => {
                let items: Vec<u64> = (0..8).map(|i| heap.int((i - 3) << (7 * i))).collect();
                heap.list(&items)
            }
            Tuple => {
                let items: Vec<u64> = (0..8).map(|i| heap.int((5 - i) << (8 * i))).collect();
                heap.tuple(&items)
            }
            RangeIterator => heap.range_iterator(2, 3, 100),
        };
        host.set_slot(slot as u32, object);
    }
    let heap = &host.heap;
    let types = [
        Type::Int,
        Type::Float,
        Type::List,
        Type::Tuple,
        Type::RangeIterator,
    ]
    .map(|t| heap.type_address(t));
    let world = World {
        slots,
        types,
        objects: vec![
            heap.none(),
            heap.bool(true),
            heap.small_ints(),
            heap.small_ints() + 3200,
        ],
        bool_table: heap.bool_table(),
        valid_word: host.zero_word(),
        counter: host.counter(),
        helpers: [
            vec![functions::HALF],
            vec![functions::HYPOTENUSE],
            vec![functions::SAME, functions::NEGATIVE],
            vec![functions::RANGE_ITERATOR],
            vec![functions::ADD],
        ],
    };
    (host, world)
}

/// Allocates and emits a trace.
pub fn compile(
    trace: &Trace,
    table: &'static StencilTable,
    memory: &mut CodeMemory,
    first_exit: u32,
    entry: &[Location],
    link: Option<&(CodeAddress, LoopEntry)>,
    seed: Option<u64>,
) -> Option<(Allocation, Compiled)> {
    let request = Request {
        entry,
        link: link.map(|l| &l.1),
        max_slots: MAX_SLOTS,
        random_seed: seed,
    };
    let allocation = match allocate(trace, &request, &StencilTarget::new(table)) {
        Ok(allocation) => allocation,
        Err(reason) => {
            assert_eq!(reason, Reason::TooManyValues, "{trace}");
            return None;
        }
    };
    let context = EmitContext {
        first_exit,
        link: link.map(|l| l.0),
        remember_uops: true,
    };
    match Emitter::new(table).emit(trace, &allocation, &context, memory) {
        Ok(compiled) => Some((allocation, compiled)),
        Err(error) => panic!("{error}\n{}", dump(trace, &allocation)),
    }
}

/// The state in which machine code left.
pub struct Left {
    /// The number of the exit.
    pub exit: u32,
    gp: [u64; 8],
    fp: [f64; 8],
    spills: Vec<u64>,
}

impl Left {
    /// The bits of a value.
    pub fn read(&self, location: Location) -> u64 {
        let from_reg = location
            .reg
            .is_some()
            .then(|| match location.reg.is_float() {
                true => self.fp[location.reg.index()].to_bits(),
                false => self.gp[location.reg.index()],
            });
        let from_slot = location
            .has_slot()
            .then(|| self.spills[location.slot as usize]);
        if let (Some(a), Some(b)) = (from_reg, from_slot) {
            assert_eq!(a, b, "register and slot differ: {location}");
        }
        from_reg.or(from_slot).expect("a location")
    }
}

/// Runs machine code on a host.
pub fn run_machine(host: &mut TestHost, entry: CodeAddress) -> Left {
    let frame = host.frame() as *mut u8;
    let poll = PollWord {
        word: host.poll_word() as *const u8,
        expected: 0,
    };
    let left = |a: &mut Activation| Left {
        exit: a.exit as u32,
        gp: a.gp,
        fp: a.fp,
        spills: a.spills.to_vec(),
    };
    // SAFETY: the code was made for this host, whose frame and poll word are real memory.
    host.with_current(|| unsafe { enter(entry, frame, &Context::new([poll, poll]), left) })
}

/// Compares the values of an exit; the texts of the two hosts' objects stand for the objects.
pub fn compare_values(
    trace: &Trace,
    compiled: &Compiled,
    index: usize,
    left: &Left,
    expected: &[u64],
    hosts: (&TestHost, &TestHost),
) {
    for &(value, location) in compiled.exit_values(index) {
        let inst = trace.inst(value);
        let (found, wanted) = (left.read(location), expected[value.index()]);
        let fits = match inst.kind {
            Kind::Int => found == wanted || inst.uop == Uop::ListItems || inst.uop == Uop::Param,
            Kind::Float => {
                found == wanted
                    || (f64::from_bits(found).is_nan() && f64::from_bits(wanted).is_nan())
            }
            Kind::Object => {
                hosts.0.heap.describe_value(wanted) == hosts.1.heap.describe_value(found)
            }
        };
        assert!(
            fits,
            "{value} is {found:#x} in {location}, but should be {wanted:#x}"
        );
    }
}

/// Carries out an exit on the machine's host.
pub fn leave_machine(
    host: &mut TestHost,
    trace: &Trace,
    compiled: &Compiled,
    index: usize,
    left: &Left,
) {
    let exits = plan_exits(trace).expect("verified");
    let inst = compiled.exits[index].inst;
    let (_, plan) = exits.exits.iter().find(|e| e.0 == inst).expect("planned");
    let values = compiled.exit_values(index);
    let read = |value: ValueId| {
        let location = values
            .iter()
            .find(|v| v.0 == value)
            .unwrap_or_else(|| panic!("{value} is not kept"));
        left.read(location.1)
    };
    restore(
        exits.plans.plan(*plan),
        &mut host.leaving(read),
        &mut Scratch::default(),
    );
}

/// At which instruction an evaluation left.
pub fn left_at(trace: &Trace, outcome: &Outcome) -> ValueId {
    match outcome.stop {
        Stop::Exit { at, .. } => at,
        Stop::End => ValueId(trace.insts.len() as u32),
    }
}

/// Runs a root trace (`make` makes the same one for each host) both ways and compares. Gives the final text.
pub fn check_root(
    make: impl Fn(&World) -> Trace,
    table: &'static StencilTable,
    random_registers: Option<u64>,
) -> Option<String> {
    let (mut host_a, world_a) = host();
    let (mut host_b, world_b) = host();
    let (trace_a, trace_b) = (make(&world_a), make(&world_b));
    let outcome = run(&trace_a, &mut host_a, &[], 100_000);
    let mut memory = code_memory_of(&host_b);
    let (allocation, compiled) = compile(
        &trace_b,
        table,
        &mut memory,
        1000,
        &[],
        None,
        random_registers,
    )?;
    let describe = |error: &str| {
        let code = dump_code(&trace_b, &compiled, &memory);
        format!(
            "{error}\n{trace_b}\n{}\n{code}",
            dump(&trace_b, &allocation)
        )
    };
    let left = run_machine(&mut host_b, compiled.entry());
    let index = (left.exit - compiled.first_exit) as usize;
    let wanted = left_at(&trace_a, &outcome);
    let found = compiled.exits[index].inst;
    if found != wanted {
        panic!(
            "{}",
            describe(&format!("left at {found} instead of {wanted}"))
        );
    }
    compare_values(
        &trace_b,
        &compiled,
        index,
        &left,
        &outcome.values,
        (&host_a, &host_b),
    );
    host_a.leave(&trace_a, &plan_exits(&trace_a).expect("verified"), &outcome);
    leave_machine(&mut host_b, &trace_b, &compiled, index, &left);
    let (text_a, text_b) = (host_a.describe(), host_b.describe());
    assert_eq!(text_a, text_b, "{}", describe("the hosts differ"));
    let (errors_a, errors_b) = (host_a.finish(), host_b.finish());
    assert!(errors_a.is_empty(), "{}", describe(&errors_a.join("\n")));
    assert!(errors_b.is_empty(), "{}", describe(&errors_b.join("\n")));
    Some(text_a)
}

/// One evaluation step after the other through a root trace and a side trace of it: what the machine does when it has linked
/// them. `Err` if it takes too long.
pub struct Chain<'a> {
    /// The root trace, its exit that is linked, and the side trace that starts there.
    pub root: &'a Trace,
    /// The values of the linked exit, in the order of the side trace's params, and the instruction that leaves.
    pub linked: (ValueId, Vec<ValueId>),
    /// The side trace.
    pub side: &'a Trace,
}

/// Where a chain ended: in the side trace or not, at which instruction, with which values.
pub struct ChainEnd {
    /// In the side trace.
    pub in_side: bool,
    /// The instruction that left.
    pub at: ValueId,
    /// The bits of all values of that trace.
    pub values: Vec<u64>,
}

impl Chain<'_> {
    /// Runs root and side trace until another exit is taken.
    pub fn run(&self, host: &mut TestHost) -> Option<ChainEnd> {
        let mut outcome = run(self.root, host, &[], 1000);
        for _ in 0..40 {
            let at = left_at(self.root, &outcome);
            if at != self.linked.0 {
                return Some(ChainEnd {
                    in_side: false,
                    at,
                    values: outcome.values,
                });
            }
            let params: Vec<u64> = self
                .linked
                .1
                .iter()
                .map(|v| outcome.values[v.index()])
                .collect();
            let side = run(self.side, host, &params, 0);
            let End::Link { args, .. } = &self.side.end else {
                return Some(ChainEnd {
                    in_side: true,
                    at: left_at(self.side, &side),
                    values: side.values,
                });
            };
            if let Stop::Exit { at, .. } = side.stop {
                return Some(ChainEnd {
                    in_side: true,
                    at,
                    values: side.values,
                });
            }
            // Into the loop, with the values that the link supplies.
            let mut values = vec![0; self.root.insts.len()];
            for (i, inst) in self.root.insts.iter().enumerate() {
                if matches!(inst.uop, Uop::ConstInt | Uop::ConstFloat | Uop::ConstObject) {
                    values[i] = inst.imm;
                }
            }
            for (param, arg) in self.root.loop_params.iter().zip(args) {
                values[param.value.index()] = side.values[arg.index()];
            }
            outcome = run_loop(self.root, host, values)?;
        }
        None
    }
}

/// Runs the loop of a trace from its start, with these values of phis and invariants.
fn run_loop(trace: &Trace, host: &mut TestHost, mut values: Vec<u64>) -> Option<Outcome> {
    let body = trace.phis().last().or(trace.loop_start)?.index() + 1;
    for iterations in 0..1000 {
        for i in body..trace.insts.len() {
            let inst = &trace.insts[i];
            if inst.sunk {
                continue;
            }
            let raised = match step(host, inst, i, &mut values) {
                Step::Next(_) => continue,
                step => step == Step::Raised,
            };
            let stop = Stop::Exit {
                at: ValueId(i as u32),
                snapshot: inst.snapshot,
                raised,
            };
            return Some(Outcome {
                stop,
                values,
                iterations,
            });
        }
        let next: Vec<u64> = trace.end_args().iter().map(|a| values[a.index()]).collect();
        for (phi, value) in trace.phis().zip(next) {
            values[phi.index()] = value;
        }
    }
    None
}
