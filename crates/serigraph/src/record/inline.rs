//! Following calls inside: Python functions, bound methods, and classes whose `__init__` is a Python function.
//!
//! The arguments move from the caller's stack to the callee's locals, as the interpreter moves them. When a class is called, the
//! new object is on the caller's stack while its `__init__` runs, whose result is dropped.

use std::sync::Arc;

use serigraph_cpython::bytecode::{Opcode, ValidatedCode};
use serigraph_cpython::code::flags;
use serigraph_cpython::layout;
use serigraph_cpython::version::Minor;
use serigraph_trace::ir::{FrameId, InlinedFrame, InlinedKind, ValueId};
use serigraph_uops::{Reason, Uop};

use super::call::Call;
use super::frame::{Frame, Place, Release, Slot};
use super::request::Dependency;
use super::{Recorder, Stop};
use crate::host::helpers::Helper;
use crate::host::object::{self, Function};
use crate::host::{hold, known};

/// Recursion levels that must be left when a function is inlined.
const SPARE_RECURSION: i32 = 32;

/// Where a parameter of an inlined function gets its value from.
#[derive(Clone, Copy)]
enum Source {
    /// An argument, by its place among all.
    Given(usize),
    /// A default: the value, and its place among the defaults.
    Default(u64, usize),
    /// The tuple of the positional arguments that are left over.
    Rest,
    /// An empty dict.
    NoKeywords,
}

/// A function that can be followed inside, and how it gets its arguments.
struct Followed {
    address: u64,
    function: Function,
    /// One for each parameter, in the order of the locals.
    sources: Vec<Source>,
    /// The arguments left over: from, to.
    rest: (usize, usize),
}

/// What is called, if it is not the function itself that is on the stack.
enum Through {
    /// The function is the callable.
    Nothing,
    /// A bound method: its self.
    Method(ValueId),
    /// A class: the new object.
    Class(ValueId),
}

impl Recorder<'_> {
    /// Follows a call inside; false: it cannot be followed, and nothing has been done.
    pub(super) fn follow(&mut self, call: &Call) -> Result<bool, Stop> {
        let callable = self.bits(call.callable);
        let exact = self.type_of(call.callable);
        let given = call.args.len();
        if exact == self.types.function {
            if !self.fact(call.callable).constant && self.is_passing(callable) {
                return Ok(false);
            }
            let Some(followed) = self.followed(callable, given, call.names) else {
                return Ok(false);
            };
            self.guard_identity(call.callable)?;
            self.guard_evaluator()?;
            return self.inline(call, followed, Through::Nothing);
        }
        if exact == self.types.method {
            return self.follow_method(call);
        }
        if object::is_plain_class(callable) {
            return self.follow_class(call);
        }
        Ok(false)
    }

    /// Whether a function may be one of many that come and go, each with things of its own: a trace must not rely on it.
    fn is_passing(&self, function: u64) -> bool {
        // A variable and the operand stack hold it. At a side exit it may have been made before.
        const FEW: u64 = 2;
        self.made_functions.contains(&function)
            || self.world.comes_and_goes(Function::of(function).code)
            || (self.header.is_none() && object::references(function) <= FEW)
    }

    fn follow_method(&mut self, call: &Call) -> Result<bool, Stop> {
        let method = self.bits(call.callable);
        let fields = &layout().method;
        let function = object::word(method, fields.function);
        if object::type_address(function) != self.types.function || self.is_passing(function) {
            return Ok(false);
        }
        let Some(followed) = self.followed(function, call.args.len() + 1, call.names) else {
            return Ok(false);
        };
        self.guard_type(call.callable, self.types.method)?;
        let bound = self.emit(Uop::LoadObject, &[call.callable], fields.function as u64)?;
        self.guard_identity(bound)?;
        self.guard_evaluator()?;
        let own = self.emit(Uop::LoadObject, &[call.callable], fields.self_object as u64)?;
        self.fact_mut(own).not_null = true;
        self.inline(call, followed, Through::Method(own))
    }

    /// A class of the ordinary kind: `object.__new__`, then a Python `__init__` or none.
    fn follow_class(&mut self, call: &Call) -> Result<bool, Stop> {
        let class = self.bits(call.callable);
        let Some((version, init)) = object::simple_class(class) else {
            return Ok(false);
        };
        let followed = if init == 0 {
            if !call.args.is_empty() {
                return Ok(false);
            }
            None
        } else {
            if object::type_address(init) != self.types.function {
                return Ok(false);
            }
            let followed = self.followed(init, call.args.len() + 1, call.names);
            if followed.is_none() {
                return Ok(false);
            }
            followed
        };
        if init != 0 {
            self.depend_on_special(class, c"__init__")?;
        }
        self.guard_identity(call.callable)?;
        self.guard_version(class, version)?;
        let Some(followed) = followed else {
            let kinds = self.release_list(call.operands)?;
            let made = self.leaf(Uop::LeafObject1, Helper::NewInstance, &[call.callable])?;
            self.fact_mut(made).not_null = true;
            self.pop_release(&kinds)?;
            self.push(made);
            self.next()?;
            return Ok(true);
        };
        self.guard_evaluator()?;
        let made = self.leaf(Uop::LeafObject1, Helper::NewInstance, &[call.callable])?;
        self.fact_mut(made).not_null = true;
        self.inline(call, followed, Through::Class(made))
    }

    /// Whether a function can be followed inside when it is called with so many arguments.
    pub(super) fn is_followed(&mut self, function: u64, given: usize) -> bool {
        self.followed(function, given, 0).is_some()
    }

    /// Whether a function can be followed inside when it is called with so many arguments, the last with these names.
    fn followed(&mut self, address: u64, given: usize, names: u64) -> Option<Followed> {
        const REFUSED: u32 = flags::ANY_GENERATOR | flags::ITERABLE_COROUTINE;
        const NEEDED: u32 = flags::OPTIMIZED | flags::NEWLOCALS;
        let function = Function::of(address);
        let code = function.code;
        if code.flags() & REFUSED != 0
            || code.flags() & NEEDED != NEEDED
            || Some(function.vectorcall) != known::function_entry()
            || !self.world.may_inline(code)
        {
            return None;
        }
        if self.frames.iter().any(|frame| frame.code == code)
            || self.frames.len() > self.max_inline_depth
            || !self.has_room_for(code.frame_size() as usize)
            || self.thread.py_recursion_remaining() < SPARE_RECURSION
        {
            return None;
        }
        let units = self.world.validated(code)?;
        let is_cold = !self.follow_unspecialised && code.is_warming_up(&units);
        if is_cold || !units.headers().is_empty() {
            return None;
        }
        let (sources, rest) = sources(&function, given, names)?;
        Some(Followed {
            address,
            function,
            sources,
            rest,
        })
    }

    /// Before a call is followed: leave if somebody else wants to run the frames (PEP 523).
    fn guard_evaluator(&mut self) -> Result<(), Stop> {
        if self.evaluator_guarded {
            return Ok(());
        }
        let snapshot = self.snapshot_for(Reason::InvalidExit);
        let word = self.thread.foreign_evaluator_address();
        let word = word.expose_provenance() as u64;
        if self
            .attempt_at(Uop::GuardValid, &[], word, snapshot)?
            .is_none()
        {
            return Err(self.abort(Reason::WorldChanged));
        }
        self.evaluator_guarded = true;
        Ok(())
    }

    /// Enters a function. Its identity has been guarded, and that the interpreter itself runs the frames.
    fn inline(&mut self, call: &Call, followed: Followed, through: Through) -> Result<bool, Stop> {
        let Followed {
            address,
            function,
            sources,
            rest,
        } = followed;
        let Some(units) = self.world.validated(function.code) else {
            return Err(self.abort(Reason::BadCode));
        };
        self.rely_on(address, &function);

        // Whatever can fail comes first.
        let first_given = match through {
            Through::Nothing => None,
            Through::Method(own) => Some(own),
            Through::Class(made) => Some(made),
        };
        let mut made = Vec::new();
        for source in &sources {
            made.push(match source {
                Source::Rest => {
                    let all = first_given.iter().chain(&call.args).copied();
                    let values: Vec<ValueId> = all.take(rest.1).skip(rest.0).collect();
                    self.push_args_and_null(&values)?;
                    let tuple = self.emit(Uop::LeafArgs, &[], Helper::BuildTuple.number())?;
                    let fact = self.fact_mut(tuple);
                    fact.not_null = true;
                    self.fact_mut(tuple).exact_type = self.types.tuple;
                    tuple
                }
                Source::NoKeywords => {
                    self.push_args_and_null(&[])?;
                    let dict = self.emit(Uop::LeafArgs, &[], Helper::BuildMap.number())?;
                    self.fact_mut(dict).not_null = true;
                    self.fact_mut(dict).exact_type = self.types.dict;
                    dict
                }
                &Source::Default(value, _) if hold::is_data(value) => self.kept_constant(value)?,
                &Source::Default(_, place) => {
                    // The function holds it, and would tell if it got other defaults.
                    let owner = match through {
                        Through::Nothing => call.callable,
                        _ => self.kept_constant(address)?,
                    };
                    let offset = layout().function.defaults as u64;
                    let defaults = self.emit(Uop::LoadObject, &[owner], offset)?;
                    let value = self.emit(Uop::TupleItemImm, &[defaults], place as u64)?;
                    self.fact_mut(value).not_null = true;
                    value
                }
                Source::Given(_) => ValueId::NONE,
            });
        }
        let caller = self.innermost();
        let first = self.frames[caller].top - call.operands;
        let callable_kind = match through {
            Through::Nothing => Release::Nothing,
            _ => self.release_kind(call.callable, (caller, first, first + 1))?,
        };
        self.take_from_memory(first)?;
        self.committed = true;
        // Taking the stack out of memory gives the values new names.
        let frame = &self.frames[caller];
        let stack: Vec<ValueId> = frame.slots[first as usize..frame.top as usize]
            .iter()
            .map(|slot| slot.value)
            .collect();
        self.frames[caller].top = first;
        let (callable, own) = match self.minor {
            Minor::V312 if self.bits(stack[0]) == 0 => (stack[1], None),
            Minor::V312 => (stack[0], Some(stack[1])),
            Minor::V313 => (stack[0], Some(stack[1]).filter(|&own| self.bits(own) != 0)),
        };
        let count = call.args.len() - usize::from(own.is_some());
        let mut args: Vec<ValueId> = Vec::with_capacity(count + 2);
        let callee_function = match through {
            Through::Nothing => callable,
            Through::Method(own) => {
                self.take_reference(own)?;
                args.push(own);
                let function = self.passing_constant(address)?;
                self.take_reference(function)?;
                function
            }
            Through::Class(made) => {
                // One reference for the caller's stack, which has the object from now on, and one for `self`.
                self.push(made);
                self.emit(Uop::IncRef, &[made], 0)?;
                args.push(made);
                let function = self.kept_constant(address)?;
                self.take_reference(function)?;
                function
            }
        };
        args.extend(own);
        args.extend(&stack[2..2 + count]);
        // The names of arguments, and what the callee's tuple holds now.
        for &names in &stack[2 + count..] {
            if !self.fact(names).immortal {
                self.emit(Uop::DecRefPlain, &[names], 0)?;
            }
        }
        for &left_over in &args[rest.0..rest.1] {
            if !self.fact(left_over).immortal {
                self.emit(Uop::DecRefPlain, &[left_over], 0)?;
            }
        }
        self.release(callable, callable_kind)?;

        let mut slots = Vec::with_capacity(sources.len());
        for (source, made) in sources.into_iter().zip(made) {
            slots.push(match source {
                Source::Given(i) => args[i],
                Source::Default(..) => {
                    self.take_reference(made)?;
                    made
                }
                Source::Rest | Source::NoKeywords => made,
            });
        }
        let kind = match through {
            Through::Class(_) => InlinedKind::Init,
            _ => InlinedKind::Call,
        };
        self.enter_frame(function, units, callee_function, &slots, kind);
        Ok(true)
    }

    /// Begins the frame of an inlined function: its first locals, with their references, and its function, with one.
    fn enter_frame(
        &mut self,
        function: Function,
        units: Arc<ValidatedCode>,
        value: ValueId,
        locals: &[ValueId],
        kind: InlinedKind,
    ) {
        let id = FrameId(self.trace.inlined.len() as u32 + 1);
        let mut callee = Frame::new(function.code, units, id);
        callee.function = value;
        callee.globals = function.globals;
        callee.builtins = function.builtins;
        callee.kind = kind;
        for (slot, &value) in callee.slots.iter_mut().zip(locals) {
            *slot = Slot {
                value,
                place: Place::Trace,
            };
        }
        self.trace.inlined.push(InlinedFrame {
            caller: self.frames[self.innermost()].id,
            function: value,
            code: object::address(function.code.as_ptr()),
            return_ip: self.instruction.next,
            kind,
        });
        self.frames.push(callee);
    }

    /// What an inlined function relies on: its code, and its defaults.
    fn rely_on(&mut self, address: u64, function: &Function) {
        self.keep(object::address(function.code.as_ptr()));
        self.keep(function.defaults);
        self.depend(Dependency::Function {
            function: object::pointer(address),
            code: function.code,
            defaults: object::pointer(function.defaults),
        });
    }

    /// Follows a method inside that an instruction calls, with those of its operands, which are on top of the stack and stay
    /// there; the method is a constant, which has been guarded. False: it cannot be followed.
    pub(super) fn follow_special(
        &mut self,
        method: u64,
        args: &[ValueId],
        kind: InlinedKind,
    ) -> Result<bool, Stop> {
        let Some(followed) = self.followed(method, args.len(), 0) else {
            return Ok(false);
        };
        let is_simple = followed.sources.len() == args.len()
            && followed
                .sources
                .iter()
                .all(|source| matches!(source, Source::Given(_)));
        let function = followed.function;
        let Some(units) = self.world.validated(function.code).filter(|_| is_simple) else {
            return Ok(false);
        };
        self.rely_on(method, &function);
        self.guard_evaluator()?;
        self.committed = true;
        let value = self.kept_constant(method)?;
        self.take_reference(value)?;
        for &arg in args {
            self.take_reference(arg)?;
        }
        self.enter_frame(function, units, value, args, kind);
        Ok(true)
    }

    /// Makes a cell of a local of an inlined function; f0 has begun long before.
    pub(super) fn make_cell(&mut self, slot: u32) -> Result<(), Stop> {
        let frame = self.innermost();
        if frame == 0 {
            return Err(self.abort(Reason::UnsupportedOpcode));
        }
        let initial = match self.read(slot)? {
            Some(value) => value,
            None => self.constant(0)?,
        };
        let cell = self.leaf(Uop::LeafObject1, Helper::NewCell, &[initial])?;
        self.fact_mut(cell).not_null = true;
        self.fact_mut(cell).exact_type = self.types.cell;
        self.committed = true;
        self.frames[frame].slots[slot as usize] = Slot {
            value: cell,
            place: Place::Trace,
        };
        // The cell holds it now.
        if !self.fact(initial).immortal && self.bits(initial) != 0 {
            self.emit(Uop::DecRefPlain, &[initial], 0)?;
        }
        self.next()
    }

    // --- Returning.

    pub(super) fn return_value(&mut self) -> Result<(), Stop> {
        if self.innermost() == 0 {
            return Err(self.abort(Reason::LeftTheFrame));
        }
        let value = self.peek(0)?;
        let bits = self.bits(value);
        match self.frames[self.innermost()].kind {
            InlinedKind::Call | InlinedKind::GetItem => {}
            kind @ (InlinedKind::Init | InlinedKind::SetItem) => {
                if bits != object::none() {
                    // The one raises, of the other anything is dropped.
                    return Err(self.abort(match kind {
                        InlinedKind::Init => Reason::ExceptionRaised,
                        _ => Reason::UnsupportedOperands,
                    }));
                }
                if !self.fact(value).constant {
                    self.emit(Uop::GuardIs, &[value], bits)?;
                }
            }
            InlinedKind::Operator => {
                if bits == object::not_implemented() {
                    return Err(self.abort(Reason::ExceptionRaised));
                }
                if !self.fact(value).constant && self.fact(value).exact_type == 0 {
                    self.emit(Uop::GuardIsNot, &[value], object::not_implemented())?;
                }
            }
        }
        let kinds = self.local_releases()?;
        let value = self.pop()?;
        self.leave(value, &kinds)
    }

    pub(super) fn return_const(&mut self, index: u32) -> Result<(), Stop> {
        if self.innermost() == 0 {
            return Err(self.abort(Reason::LeftTheFrame));
        }
        let constant = object::address(self.frames[self.innermost()].code.constant(index));
        let is_fine = match self.frames[self.innermost()].kind {
            InlinedKind::Call | InlinedKind::GetItem => true,
            InlinedKind::Init | InlinedKind::SetItem => constant == object::none(),
            InlinedKind::Operator => constant != object::not_implemented(),
        };
        if !is_fine {
            return Err(self.abort(Reason::ExceptionRaised));
        }
        let kinds = self.local_releases()?;
        let address = object::address(self.frames[self.innermost()].code.constant(index));
        let value = self.constant(address)?;
        self.take_reference(value)?;
        self.leave(value, &kinds)
    }

    /// How to release the locals of the innermost frame, and last its function.
    fn local_releases(&mut self) -> Result<Vec<(ValueId, Release)>, Stop> {
        let frame = self.innermost();
        let mut kinds: Vec<(ValueId, Release)> = Vec::new();
        for slot in 0..self.frames[frame].locals {
            let value = self.frames[frame].slots[slot as usize].value;
            if value.is_some() && self.bits(value) != 0 {
                let kind = self.release_kind(value, (frame, 0, slot))?;
                let twin = |&(other, _): &(ValueId, Release)| {
                    other != value && self.bits(other) == self.bits(value)
                };
                if kind == Release::Plain
                    && !self.types.is_plain(self.fact(value).exact_type)
                    && kinds.iter().any(twin)
                {
                    return Err(self.unsupported());
                }
                kinds.push((value, kind));
            }
        }
        // The frame's own reference is no reason why it should not be the last.
        let function = std::mem::replace(&mut self.frames[frame].function, ValueId::NONE);
        let kind = self.release_kind(function, (frame, 0, self.frames[frame].locals));
        self.frames[frame].function = function;
        let kind = kind?;
        let twin = |&(other, _): &(ValueId, Release)| self.bits(other) == self.bits(function);
        if kind == Release::Plain && !self.fact(function).is_held() && kinds.iter().any(twin) {
            return Err(self.unsupported());
        }
        kinds.push((function, kind));
        Ok(kinds)
    }

    /// Returns from the innermost frame.
    fn leave(&mut self, value: ValueId, kinds: &[(ValueId, Release)]) -> Result<(), Stop> {
        let kind = self
            .frames
            .pop()
            .map_or(InlinedKind::Call, |frame| frame.kind);
        self.committed = true;
        let caller = &self.frames[self.innermost()];
        let call = caller.units.at(caller.ip).copied();
        let call = match call {
            // 3.12's KW_NAMES and the call are one.
            Some(names) if names.opcode == Opcode::KwNames => caller.units.at(names.next).copied(),
            call => call,
        };
        let Some(call) = call else {
            return Err(self.abort(Reason::BadCode));
        };
        self.instruction = call;
        for &(local, kind) in kinds {
            self.release(local, kind)?;
        }
        match kind {
            InlinedKind::Call => self.push(value),
            _ => {
                // `None`, which is immortal, need not be released; otherwise it is known from a guard.
                if !kind.has_result() && !self.fact(value).immortal {
                    self.emit(Uop::DecRefPlain, &[value], 0)?;
                }
                let operands = kind.operands();
                if operands > 0 {
                    let kinds = self.special_releases(operands)?;
                    self.pop_release(&kinds)?;
                }
                if kind.has_result() {
                    self.push(value);
                }
            }
        }
        self.next()
    }
}

/// How the parameters of a function get their values from so many arguments, the last with these names (a tuple, or 0), and which
/// positional arguments are left over. `None`: the call fails, or is not that simple.
fn sources(function: &Function, given: usize, names: u64) -> Option<(Vec<Source>, (usize, usize))> {
    let code = function.code;
    let named = if names == 0 {
        0
    } else {
        object::size(names) as usize
    };
    let positional = given.checked_sub(named)?;
    let parameters = code.arg_count() as usize;
    let all = parameters + code.kwonly_arg_count() as usize;
    let takes_rest = code.flags() & flags::VARARGS != 0;
    if positional > parameters && !takes_rest {
        return None;
    }
    let mut sources: Vec<Option<Source>> = vec![None; all];
    for (i, source) in sources
        .iter_mut()
        .enumerate()
        .take(positional.min(parameters))
    {
        *source = Some(Source::Given(i));
    }
    let parameter_names = object::address(code.localsplus_names());
    for i in 0..named {
        let name = object::tuple_item(names, i);
        let first = code.posonly_arg_count() as usize;
        let slot = (first..all).find(|&n| object::tuple_item(parameter_names, n) == name)?;
        if sources[slot].is_some() {
            return None;
        }
        sources[slot] = Some(Source::Given(positional + i));
    }
    if function.defaults != 0 {
        let defaults = object::size(function.defaults) as usize;
        for i in 0..defaults.min(parameters) {
            let slot = parameters - 1 - i;
            let place = defaults - 1 - i;
            let value = object::tuple_item(function.defaults, place);
            sources[slot].get_or_insert(Source::Default(value, place));
        }
    }
    let mut sources: Vec<Source> = sources.into_iter().collect::<Option<_>>()?;
    if takes_rest {
        sources.push(Source::Rest);
    }
    if code.flags() & flags::VARKEYWORDS != 0 {
        sources.push(Source::NoKeywords);
    }
    let rest = (parameters.min(positional), positional);
    Some((sources, if takes_rest { rest } else { (0, 0) }))
}
