//! The recorder: recording is evaluation.
//!
//! [`record`] walks the bytecode of the running frame, emits the uops that mean the same, and evaluates each at once on the
//! program's real objects ([`crate::host::Interpreter`]). So when it stops, for whatever reason, the program is as far as the
//! recording, and the engine leaves by the exit of the last snapshot, as it would leave machine code.
//!
//! ```text
//! LOAD_FAST x        v0: object = load_slot 0
//!                    incref v0
//! LOAD_CONST 1       v2: object = const_object 0x7f..
//! BINARY_OP +        guard_type v0, int @s0         s0: [f0 ip=12 top=4 0=v0 2=v0 3=v2]
//!                    v4: int = unbox_int v0 @s0
//!                    v5: int = const_int 1
//!                    v6: int = int_add v4, v5 @s0
//!                    v7: object = box_int v6 @s0
//!                    decref_plain v0
//! STORE_FAST x       store_slot v7, v0, 0
//!                    decref_plain v0
//! ```
//!
//! What is recorded is naive and faithful: references are counted as CPython's own handlers do (`Python/bytecodes.c`);
//! everything clever is the optimiser's. The laws the recorder keeps:
//!
//! * Each handler emits its guards and whatever can raise first, and its effects after, so one snapshot an instruction is
//!   enough, and no effect stands between it and a guard.
//! * Whatever may run unknown code runs with the instruction pointer stored, the slots in memory, and a frame for each inlined
//!   function (`show.rs`); the next instruction begins with a check that the world is as before.
//! * A reference whose release could run a finaliser is released by `decref`, which counts as unknown code; `decref_plain` is
//!   for plain objects and for those that somebody else holds.

mod arith;
mod attribute;
mod branch;
mod build;
mod call;
mod compare;
mod emit;
mod frame;
mod function;
mod generic;
mod global;
mod hand_over;
mod inline;
mod iter;
mod locals;
mod operator;
mod range;
mod request;
mod show;
mod stack;
mod subscript;
mod unpack;

use serigraph_cpython::Owned;
use serigraph_cpython::bytecode::{Instruction, Opcode};
use serigraph_cpython::code::CodeRef;
use serigraph_cpython::frame::{FramePtr, Owner};
use serigraph_cpython::minor;
use serigraph_cpython::threads::Thread;
use serigraph_cpython::version::Minor;
use serigraph_trace::eval::{Step, step};
use serigraph_trace::ir::{End, FrameId, SnapshotId, Trace, ValueId};
use serigraph_uops::{Reason, Uop};

use crate::host::object::{self, Types};
use crate::host::{FrameImage, Interpreter, known};
use crate::payoff::Work;
use frame::{Fact, Frame, Place, Release, Slot};

pub use operator::operator_name;
pub use request::{
    Abort, Dependency, Outcome, Recording, Request, Side, SideFrame, Start, Turns, World,
};

/// Why a handler does not go on.
enum Stop {
    /// The recording ends; the state is the one before the current instruction.
    Abort(Reason, CodeRef, u32),
    /// The instruction has raised an exception, which is pending.
    Raised,
}

/// A recording being made.
struct Recorder<'a> {
    thread: Thread,
    frame: FramePtr,
    world: &'a dyn World,
    valid_word: *const u32,
    turns: Option<Turns>,
    max_uops: usize,
    max_inline_depth: usize,
    follow_unspecialised: bool,
    minor: Minor,
    types: Types,
    host: Interpreter,
    trace: Trace,
    /// The bits of each value of the trace.
    values: Vec<u64>,
    /// What is known of each value of the trace.
    facts: Vec<Fact>,
    /// f0, and the functions inlined inside one another.
    frames: Vec<Frame>,
    /// The header where the recording began.
    header: Option<u32>,
    /// Headers of outer loops that the recording has come round to.
    passed: Vec<u32>,
    instruction: Instruction,
    /// The snapshot of the state before the current instruction, if one was needed.
    current: SnapshotId,
    /// The current instruction has begun to change the frames.
    committed: bool,
    /// The current instruction (or the one before, at a boundary) may have run unknown code.
    escaped: bool,
    /// No unknown code has run since it was guarded that the interpreter itself runs the frames.
    evaluator_guarded: bool,
    /// A back edge has been taken.
    poll_due: bool,
    /// Counts changes to containers.
    epoch: u32,
    dependencies: Vec<Dependency>,
    constants: Vec<Owned>,
    /// Functions (addresses) that others hold until they tell that they let go of them.
    held: Vec<u64>,
    /// Heads of frames.
    images: Vec<FrameImage>,
    /// Inlined frames stand for others to see: what their locals hold there, outermost first.
    standing: Vec<Vec<ValueId>>,
    /// Functions made by the recording (addresses).
    made_functions: Vec<u64>,
    /// Calls of Python functions that were not followed inside.
    calls_through_c: u32,
}

/// Most recordings have fewer.
const USUAL_UOPS: usize = 512;

/// Records from where the frame stands until the loop comes round, a linkable header is reached, or something cannot be
/// recorded. Whatever the outcome, the caller has to leave by the exit of the recording's snapshot.
///
/// # Safety
/// The GIL is held by the request's thread, no exception is pending, the frame is the thread's running one and stands where
/// the request says, its slots hold what the bytecode there expects, and the monitoring callback has been left
/// ([`Thread::leave_callback`]).
pub unsafe fn record(request: Request<'_>) -> Recording {
    let Request {
        thread,
        frame,
        code,
        units,
        start,
        max_uops,
        max_inline_depth,
        follow_unspecialised,
        valid_word,
        turns,
        world,
        stop_after,
    } = request;
    let types = Types::new();
    known::prepare(&types);
    let mut recorder = Recorder {
        thread,
        frame,
        world,
        valid_word,
        turns,
        max_uops,
        max_inline_depth,
        follow_unspecialised,
        minor: minor(),
        types,
        host: Interpreter::new(thread, frame),
        trace: Trace::new(code.nlocalsplus(), code.nlocalsplus()),
        values: Vec::with_capacity(USUAL_UOPS),
        facts: Vec::with_capacity(USUAL_UOPS),
        frames: Vec::with_capacity(4),
        header: None,
        passed: Vec::new(),
        instruction: Instruction {
            opcode: Opcode::Nop,
            oparg: 0,
            start: 0,
            op_at: 0,
            next: 0,
        },
        current: SnapshotId::NONE,
        committed: false,
        escaped: false,
        evaluator_guarded: false,
        poll_due: false,
        epoch: 0,
        dependencies: Vec::new(),
        constants: Vec::new(),
        held: Vec::new(),
        images: Vec::new(),
        standing: Vec::new(),
        made_functions: Vec::new(),
        calls_through_c: 0,
    };
    recorder.trace.reserve(USUAL_UOPS);
    let mut f0 = Frame::new(code, units, FrameId(0));
    f0.globals = object::address(frame.globals());
    f0.builtins = object::address(frame.builtins());
    f0.namespace = object::address(frame.locals());
    f0.slots.fill(Slot::UNREAD);
    let begun = match start {
        Start::Header(ip) => {
            recorder.header = Some(ip);
            f0.ip = ip;
            f0.top = f0.locals + f0.units.depth_at(ip).unwrap_or(0);
            recorder.trace.entry_top = f0.top;
            recorder.frames.push(f0);
            Ok(())
        }
        Start::Side(side) => recorder.begin_side(f0, side),
    };
    recorder.run(begun, stop_after)
}

impl Recorder<'_> {
    /// Takes over a side trace's beginning.
    fn begin_side(&mut self, mut f0: Frame, side: Side) -> Result<(), Stop> {
        let Side {
            parent: _,
            trace,
            params,
            ip,
            top,
            inlined,
        } = side;
        self.trace = trace;
        f0.ip = ip;
        f0.top = top;
        for entry in &self.trace.entry_slots {
            let place = if entry.synced {
                Place::Memory
            } else {
                Place::Trace
            };
            f0.slots[entry.slot as usize] = Slot {
                value: entry.value,
                place,
            };
        }
        let mut is_bad = false;
        let mut frames = vec![f0];
        for (number, side) in inlined.into_iter().enumerate() {
            let units = self.world.validated(side.code);
            is_bad |= units.is_none();
            let units = units.unwrap_or_else(|| frames[0].units.clone());
            let mut frame = Frame::new(side.code, units, FrameId(number as u32 + 1));
            frame.function = self.trace.inlined[number].function;
            frame.kind = self.trace.inlined[number].kind;
            frame.ip = side.ip;
            frame.top = side.top;
            for (slot, value) in side.slots {
                frame.slots[slot as usize] = Slot {
                    value,
                    place: Place::Trace,
                };
            }
            frames.push(frame);
        }
        self.frames = frames;
        self.evaluate_beginning(params)?;
        if is_bad {
            return Err(self.abort(Reason::BadCode));
        }
        for number in 1..self.frames.len() {
            let function = object::Function::of(self.bits(self.frames[number].function));
            self.frames[number].globals = function.globals;
            self.frames[number].builtins = function.builtins;
        }
        self.balance_entry()
    }

    /// Makes the values that a side trace's beginning consists of.
    fn evaluate_beginning(&mut self, params: Vec<u64>) -> Result<(), Stop> {
        let mut params = params.into_iter();
        self.values.resize(self.trace.insts.len(), 0);
        self.facts.resize(self.trace.insts.len(), Fact::NOTHING);
        for i in 0..self.trace.insts.len() {
            let inst = self.trace.insts[i];
            if inst.uop == Uop::Param {
                self.values[i] = params.next().unwrap_or(0);
                continue;
            }
            if inst.sunk {
                // What an exit at the very start would make.
                continue;
            }
            if !matches!(
                step(&mut self.host, &inst, i, &mut self.values),
                Step::Next(_)
            ) {
                // No memory for a box: leave as the parent would have left.
                self.trace.insts.truncate(i);
                self.values.truncate(i);
                self.facts.truncate(i);
                self.current = inst.snapshot;
                return Err(Stop::Raised);
            }
            self.learn(ValueId(i as u32));
        }
        Ok(())
    }

    /// What is known of a value of a side trace's beginning from the uop that made it.
    fn learn(&mut self, value: ValueId) {
        let inst = *self.trace.inst(value);
        let bits = self.bits(value);
        let fact = &mut self.facts[value.index()];
        fact.not_null = true;
        match inst.uop {
            Uop::BoxInt => (fact.exact_type, fact.raw) = (self.types.int, inst.args[0]),
            Uop::BoxFloat => (fact.exact_type, fact.raw) = (self.types.float, inst.args[0]),
            Uop::BoxBool => {
                (fact.exact_type, fact.raw, fact.immortal) = (self.types.bool, inst.args[0], true)
            }
            Uop::ConstObject => {
                fact.constant = true;
                fact.not_null = bits != 0;
                fact.immortal = bits == 0 || object::immortal(bits);
                let exact = if bits == 0 {
                    0
                } else {
                    object::type_address(bits)
                };
                fact.exact_type = if self.types.is_known(exact) { exact } else { 0 };
                fact.passing = exact == self.types.function && !self.world.is_held(bits);
            }
            _ => fact.not_null = false,
        }
    }

    /// The recorder counts one reference for each slot that the trace has to fill, and one for each inlined function; what
    /// the parent's trace really owned may be less (or more): takes (or drops) the difference.
    fn balance_entry(&mut self) -> Result<(), Stop> {
        let frame = &self.frames[self.innermost()];
        if let Some(&instruction) = frame.units.at(frame.ip) {
            self.instruction = instruction;
        }
        let mut needed: Vec<i64> = vec![0; self.values.len()];
        for frame in &self.frames {
            if frame.function.is_some() {
                needed[frame.function.index()] += 1;
            }
            for content in &frame.slots[..frame.top as usize] {
                if content.place == Place::Trace && content.value.is_some() {
                    needed[content.value.index()] += 1;
                }
            }
        }
        for (i, needed) in needed.into_iter().enumerate() {
            let value = ValueId(i as u32);
            let inst = *self.trace.inst(value);
            let is_object =
                inst.kind == serigraph_uops::Kind::Object && inst.has_value() && !inst.sunk;
            if !is_object || self.facts[i].immortal || self.values[i] == 0 {
                continue;
            }
            let owned: i64 = self
                .trace
                .entry_owned
                .iter()
                .filter(|(v, _)| *v == value)
                .map(|(_, n)| i64::from(*n))
                .sum();
            let owned = owned + i64::from(inst.uop.info().ownership.output_owned);
            for _ in owned..needed {
                self.emit(Uop::IncRef, &[value], 0)?;
            }
            for _ in needed..owned {
                let exact = object::type_address(self.values[i]);
                let kind = if self.types.is_plain(exact) {
                    self.guard_type(value, exact)?;
                    Release::Plain
                } else {
                    Release::Escaping
                };
                self.release(value, kind)?;
            }
        }
        Ok(())
    }

    // --- The run.

    fn run(mut self, begun: Result<(), Stop>, stop_after: Option<u32>) -> Recording {
        let mut instructions = 0;
        let outcome = match begun {
            Err(stop) => self.stopped(stop),
            Ok(()) => loop {
                match self.boundary(instructions) {
                    Err(stop) => break self.stopped(stop),
                    Ok(Some(Outcome::Loop)) if !self.is_worth_it(instructions) => {
                        break self.stopped(self.abort(Reason::CallsCostMore));
                    }
                    Ok(Some(outcome)) => break outcome,
                    Ok(None) => {}
                }
                if stop_after.is_some_and(|limit| instructions >= limit) {
                    break self.stopped(self.abort(Reason::TraceEnd));
                }
                if self.trace.insts.len() >= self.max_uops {
                    break self.stopped(self.abort(Reason::TraceTooLong));
                }
                if let Err(stop) = self.instruction() {
                    break self.stopped(stop);
                }
                instructions += 1;
            },
        };
        let is_whole = !matches!(outcome, Outcome::Aborted(_));
        let snapshot = if is_whole {
            self.snapshot_for(Reason::TraceEnd)
        } else {
            self.stop_snapshot()
        };
        self.trace.end = End::Exit(snapshot);
        Recording {
            outcome,
            trace: self.trace,
            snapshot,
            values: self.values,
            dependencies: self.dependencies,
            constants: self.constants,
            held: self.held,
            images: self.images,
            room: self.host.into_room(),
        }
    }

    /// Whether a loop of so many instructions gains more than its calls through C lose: the interpreter enters a Python function
    /// without leaving its own loop.
    fn is_worth_it(&self, instructions: u32) -> bool {
        const INSTRUCTIONS_A_CALL: u32 = 12;
        instructions >= INSTRUCTIONS_A_CALL * self.calls_through_c
    }

    /// The snapshot of the state before the instruction that stopped the recording.
    fn stop_snapshot(&mut self) -> SnapshotId {
        debug_assert!(
            !self.committed || self.current.is_some(),
            "stopped in the middle of an instruction"
        );
        self.committed = false;
        self.snapshot()
    }

    fn stopped(&self, stop: Stop) -> Outcome {
        let frame = &self.frames[self.frames.len() - 1];
        Outcome::Aborted(match stop {
            Stop::Abort(reason, code, ip) => Abort {
                reason,
                code,
                ip,
                raised: false,
            },
            Stop::Raised => Abort {
                reason: Reason::ExceptionRaised,
                code: frame.code,
                ip: frame.ip,
                raised: true,
            },
        })
    }

    /// A reason to stop at the current instruction.
    fn abort(&self, reason: Reason) -> Stop {
        let frame = &self.frames[self.frames.len() - 1];
        Stop::Abort(reason, frame.code, frame.ip)
    }

    fn unsupported(&self) -> Stop {
        self.abort(Reason::UnsupportedOperands)
    }

    /// Between two instructions: checks after unknown code, polls after a back edge, and sees where the recording stands.
    fn boundary(&mut self, instructions: u32) -> Result<Option<Outcome>, Stop> {
        self.current = SnapshotId::NONE;
        self.committed = false;
        if self.escaped {
            self.escaped = false;
            self.after_escape()?;
        }
        if self.poll_due {
            self.poll_due = false;
            let snapshot = self.snapshot_for(Reason::PollExit);
            // Not evaluated: a recording is short, and what is wanted of the thread can wait for its end. 3.13 has one word for
            // all, 3.12 an eval breaker and, apart from it, the version of the monitoring events.
            if self.minor == Minor::V312 {
                self.emit_silently(Uop::PollWord32, 0, snapshot);
            }
            self.emit_silently(Uop::PollWord64, 0, snapshot);
            if let Some(turns) = self.turns
                && let [f0] = &self.frames[..]
                && f0.ip == turns.header
                && !(turns.if_it_calls && Work::of(&self.trace).is_pure())
            {
                let word = turns.word.expose_provenance() as u64;
                self.emit_silently(Uop::CountTurn, word, SnapshotId::NONE);
            }
        }
        let [f0] = &self.frames[..] else {
            return Ok(None);
        };
        if !f0.units.headers().contains(&f0.ip) {
            return Ok(None);
        }
        if instructions == 0 {
            return Ok(None);
        }
        Ok(if self.header == Some(f0.ip) {
            Some(Outcome::Loop)
        } else if self.is_reachable(f0.ip) {
            Some(Outcome::Reached(f0.ip))
        } else {
            None
        })
    }

    /// Whether this header of f0 has a trace that takes what the slots hold now.
    fn is_reachable(&self, header: u32) -> bool {
        let f0 = &self.frames[0];
        let slots = |slot: u32| match f0.slots[slot as usize] {
            Slot { value, .. } if value.is_some() => self.bits(value),
            Slot {
                place: Place::Memory,
                ..
            } => {
                // SAFETY: a slot that has not been looked at is in the running frame, which has it.
                unsafe { object::address(*self.frame.slot(slot)) }
            }
            Slot { .. } => 0,
        };
        self.world.is_reachable(f0.code, header, &slots)
    }

    /// Records one instruction.
    fn instruction(&mut self) -> Result<(), Stop> {
        let frame = &self.frames[self.frames.len() - 1];
        let Some(&instruction) = frame.units.at(frame.ip) else {
            return Err(self.abort(Reason::BadCode));
        };
        if instruction.start != frame.ip {
            return Err(self.abort(Reason::BadCode));
        }
        if frame.id.0 == 0 && self.frame.owner() != Owner::Thread {
            return Err(self.abort(Reason::GeneratorFrame));
        }
        self.instruction = instruction;
        self.dispatch(instruction)
    }

    /// Goes on at the next instruction.
    fn next(&mut self) -> Result<(), Stop> {
        self.go_to(self.instruction.next)
    }

    fn go_to(&mut self, ip: u32) -> Result<(), Stop> {
        self.committed = true;
        let frame = self.frames.last_mut().expect("there is always f0");
        frame.ip = ip;
        Ok(())
    }

    fn dispatch(&mut self, instruction: Instruction) -> Result<(), Stop> {
        use Opcode::*;
        let oparg = instruction.oparg;
        match instruction.opcode {
            Nop | Resume => self.next(),
            ExtendedArg | Cache => Err(self.abort(Reason::BadCode)),

            LoadFast | LoadFastCheck | LoadClosure => self.load_fast(&[oparg]),
            LoadFastLoadFast => self.load_fast(&[oparg >> 4, oparg & 15]),
            LoadFastAndClear => self.load_fast_and_clear(oparg),
            LoadConst => self.load_const(oparg),
            StoreFast => self.store_fast(oparg),
            StoreFastStoreFast => self.store_fast_store_fast(oparg >> 4, oparg & 15),
            StoreFastLoadFast => self.store_fast_load_fast(oparg >> 4, oparg & 15),
            DeleteFast => self.delete_fast(oparg),
            PopTop => self.pop_top(),
            PushNull => self.push_null(),
            Copy => self.copy(oparg),
            Swap => self.swap(oparg),
            EndFor => self.end_for(),
            LoadDeref => self.load_deref(oparg),
            StoreDeref => self.store_deref(oparg),
            CopyFreeVars => self.copy_free_vars(oparg),
            MakeCell => self.make_cell(oparg),
            MakeFunction => self.make_function(oparg),
            SetFunctionAttribute => self.set_function_attribute(oparg),
            BeforeWith => self.before_with(),

            BinaryOp => self.binary_op(oparg),
            UnaryNegative => self.unary_negative(),
            UnaryInvert => self.unary_invert(),
            UnaryNot => self.unary_not(),
            CompareOp => self.compare_op(oparg),
            IsOp => self.is_op(oparg),
            ContainsOp => self.contains_op(oparg),
            ToBool => self.replace_by_truth(),

            PopJumpIfTrue => self.pop_jump(true),
            PopJumpIfFalse => self.pop_jump(false),
            PopJumpIfNone => self.pop_jump_none(true),
            PopJumpIfNotNone => self.pop_jump_none(false),
            JumpForward => self.jump(false),
            JumpBackward => self.jump(true),

            GetIter => self.get_iter(),
            ForIter => self.for_iter(),

            BinarySubscr => self.binary_subscr(),
            StoreSubscr => self.store_subscr(),
            UnpackSequence => self.unpack_sequence(oparg),
            UnpackEx => self.unpack_ex(oparg),

            BuildTuple | BuildList | BuildSet | BuildMap | BuildString | BuildSlice
            | BuildConstKeyMap => self.build(instruction.opcode, oparg),
            ListAppend => self.list_append(oparg),
            SetAdd | MapAdd | ListExtend | SetUpdate | DictUpdate => {
                self.add_to(instruction.opcode, oparg)
            }
            DictMerge => self.dict_merge(oparg),
            FormatSimple => self.format_simple(),
            FormatValue | FormatWithSpec | ConvertValue => self.format(instruction.opcode, oparg),

            LoadGlobal => self.load_global(oparg),
            LoadName => self.load_name(oparg),
            StoreName | StoreGlobal => self.store_name(instruction.opcode, oparg),

            Call => self.call(oparg),
            KwNames => self.kw_names(oparg),
            CallKw => self.call_kw(oparg),
            CallFunctionEx => self.call_function_ex(oparg),
            CallIntrinsic1 => self.call_intrinsic_1(oparg),
            ReturnValue => self.return_value(),
            ReturnConst => self.return_const(oparg),

            LoadAttr | StoreAttr | DeleteAttr | LoadSuperAttr => {
                self.attribute(instruction.opcode, oparg)
            }
            DeleteSubscr | BinarySlice | StoreSlice => self.generic(instruction.opcode),
            LoadAssertionError | GetLen | MatchMapping | MatchSequence => {
                self.simple(instruction.opcode)
            }

            PushExcInfo | PopExcept | CheckExcMatch | CheckEgMatch | Reraise | WithExceptStart
            | CleanupThrow | EndAsyncFor => Err(self.abort(Reason::InsideHandler)),
            RaiseVarargs => Err(self.abort(Reason::ExceptionRaised)),
            YieldValue
            | Send
            | ReturnGenerator
            | GetAwaitable
            | GetYieldFromIter
            | EndSend
            | GetAiter
            | GetAnext
            | JumpBackwardNoInterrupt => Err(self.abort(Reason::GeneratorFrame)),
            BeforeAsyncWith
            | CallIntrinsic2
            | DeleteDeref
            | DeleteGlobal
            | DeleteName
            | ExitInitCheck
            | ImportFrom
            | ImportName
            | InterpreterExit
            | LoadBuildClass
            | LoadFromDictOrDeref
            | LoadFromDictOrGlobals
            | LoadLocals
            | MatchClass
            | MatchKeys
            | SetupAnnotations => Err(self.abort(Reason::UnsupportedOpcode)),
        }
    }

    /// Whether everything taken for constant still is, after unknown code has run.
    fn dependencies_hold(&self) -> bool {
        self.dependencies
            .iter()
            .all(|dependency| match *dependency {
                Dependency::Item { dict, key, value } => {
                    object::find_value(object::address(dict), object::address(key))
                        == Ok(object::address(value))
                }
                Dependency::Function {
                    function,
                    code,
                    defaults,
                } => {
                    let now = object::Function::of(object::address(function));
                    now.code == code && now.defaults == object::address(defaults)
                }
            })
    }

    fn depend(&mut self, dependency: Dependency) {
        if !self.dependencies.contains(&dependency) {
            self.dependencies.push(dependency);
        }
    }
}
