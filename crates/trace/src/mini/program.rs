//! Programs in the small bytecode, and random ones.

use crate::random::Random;
use crate::testhost::{TestHost, functions};
use std::fmt::{self, Display, Formatter};

/// An instruction. Jumps name instructions by their index.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Op {
    /// Pushes a local; raises if it is unbound.
    LoadFast(u32),
    /// Pushes a constant.
    LoadConst(u32),
    /// Pops into a local.
    StoreFast(u32),
    /// Pops two numbers, pushes the result; raises for other objects.
    Binary(Operator),
    /// Pops two objects, pushes a bool; raises for what is no number.
    Compare(Comparison),
    /// Pops two objects, pushes whether they are one.
    Is,
    /// Pops a bool, jumps if it is false; raises for other objects.
    JumpIfFalse(u32),
    /// Jumps forward.
    Jump(u32),
    /// Jumps back to a loop header.
    JumpBack(u32),
    /// Pushes the next item of the iterator on top of the stack, or pops that and jumps.
    ForIter(u32),
    /// Pops a list and an index, pushes the item; raises if there is none.
    GetItem,
    /// Pops a value, a list and an index (on top), sets the item; raises if there is none.
    SetItem,
    /// Pops an object, pushes what the helper makes of it. May run anything.
    Call1(u64),
    /// Pops two objects, pushes what the helper makes of them. May run anything.
    Call2(u64),
    /// Pops an object.
    Pop,
    /// The end.
    End,
}

/// Operators on numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Operator {
    Add,
    Sub,
    Mul,
    FloorDiv,
    Mod,
    TrueDiv,
    And,
    Or,
    Xor,
    Shl,
    Shr,
}

/// Comparisons of numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Comparison {
    Lt,
    Le,
    Eq,
    Ne,
}

/// An object that a program begins with.
#[derive(Clone, PartialEq, Debug)]
pub enum Literal {
    /// Null: an unbound local.
    Unbound,
    /// None.
    None,
    /// A bool.
    Bool(bool),
    /// An int.
    Int(i128),
    /// A float.
    Float(f64),
    /// An object whose death is logged.
    Noisy(u64),
    /// A list.
    List(Vec<Literal>),
    /// A range iterator: start, step, length.
    Range(i64, i64, i64),
    /// An iterator over a list.
    ListIterator(Vec<Literal>),
    /// The object of an earlier local.
    SameAs(u32),
}

/// A program.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its instructions.
    pub code: Vec<Op>,
    /// Its constants.
    pub constants: Vec<Literal>,
    /// What the locals hold at the start.
    pub locals: Vec<Literal>,
    /// The iterator on the stack at the start, if any.
    pub iterator: Option<Literal>,
    /// At which visit of the loop header it is recorded.
    pub warm: u32,
}

/// Operand stack entries that any program needs at most.
pub const STACK: u32 = 8;

impl Literal {
    /// Makes the object, a new reference.
    pub fn make(&self, host: &mut TestHost) -> u64 {
        let all = |items: &[Literal], host: &mut TestHost| {
            items.iter().map(|i| i.make(host)).collect::<Vec<_>>()
        };
        match self {
            Literal::Unbound => 0,
            Literal::None => host.heap.none(),
            Literal::Bool(value) => host.heap.bool(*value),
            Literal::Int(value) => host.heap.any_int(*value),
            Literal::Float(value) => host.heap.float(*value),
            Literal::Noisy(number) => host.heap.noisy(*number),
            Literal::List(items) => {
                let items = all(items, host);
                host.heap.list(&items)
            }
            Literal::Range(start, step, length) => host.heap.range_iterator(*start, *step, *length),
            Literal::ListIterator(items) => {
                let items = all(items, host);
                let list = host.heap.list(&items);
                host.heap.list_iterator(list)
            }
            Literal::SameAs(local) => {
                let object = host.slot(*local);
                if object != 0 {
                    host.heap.incref(object);
                }
                object
            }
        }
    }
}

impl Program {
    /// A host with the program's frame, and the program's constants, of which the program has a reference each.
    pub fn start(&self) -> (TestHost, Vec<u64>) {
        let mut host = TestHost::new(self.locals.len() as u32 + STACK);
        for (slot, literal) in self.locals.iter().enumerate() {
            let object = literal.make(&mut host);
            host.set_slot(slot as u32, object);
        }
        if let Some(iterator) = &self.iterator {
            let object = iterator.make(&mut host);
            host.set_slot(self.locals.len() as u32, object);
        }
        let constants = self.constants.iter().map(|c| c.make(&mut host)).collect();
        (host, constants)
    }
    /// The stack top at the start.
    pub fn top(&self) -> u32 {
        self.locals.len() as u32 + u32::from(self.iterator.is_some())
    }

    /// A random program with one loop that ends.
    pub fn random(random: &mut Random) -> Program {
        let locals = 3 + random.below(4);
        let kinds = (0..locals)
            .map(|_| {
                random.pick(&[
                    Kind::Int,
                    Kind::Int,
                    Kind::Float,
                    Kind::Float,
                    Kind::List,
                    Kind::Any,
                ])
            })
            .collect();
        let mut writer = Writer {
            random,
            code: Vec::new(),
            constants: Vec::new(),
            kinds,
            reserved: 0,
        };
        let mut values: Vec<Literal> = Vec::new();
        for slot in 0..locals {
            let same = writer.random.below(slot.max(1));
            let kind = writer.kinds[slot as usize];
            let value =
                if slot > 0 && writer.random.one_in(6) && writer.kinds[same as usize] == kind {
                    Literal::SameAs(same)
                } else if writer.random.one_in(30) {
                    Literal::Unbound
                } else {
                    writer.literal(kind)
                };
            values.push(value);
        }
        let iterator = match writer.random.below(3) {
            0 => None,
            1 => {
                let length = 3 + writer.random.below(20);
                let kind = writer
                    .random
                    .pick(&[Kind::Int, Kind::Float, Kind::Any, Kind::List]);
                writer.kinds[0] = kind;
                Some(Literal::ListIterator(
                    (0..length).map(|_| writer.literal(kind)).collect(),
                ))
            }
            _ => {
                let (start, step) = (
                    writer.random.below(600) as i64 - 20,
                    writer.random.below(5) as i64 - 2,
                );
                writer.kinds[0] = Kind::Int;
                Some(Literal::Range(
                    start,
                    step,
                    3 + i64::from(writer.random.below(30)),
                ))
            }
        };
        let mut exits = Vec::new();
        if iterator.is_some() {
            writer.code.push(Op::ForIter(0));
            exits.push(0);
            writer.code.push(Op::StoreFast(0));
        } else {
            // A counter in local 0, which nothing else writes.
            writer.reserved = 1;
            writer.kinds[0] = Kind::Int;
            let limit = 4 + writer.random.below(30) as i128;
            let near_the_end = writer.random.one_in(4);
            let first = if near_the_end {
                i128::from(i64::MAX) - limit / 2
            } else {
                250
            };
            values[0] = Literal::Int(first);
            let limit = writer.constant(Literal::Int(first + limit));
            writer.code.extend([
                Op::LoadFast(0),
                Op::LoadConst(limit),
                Op::Compare(Comparison::Lt),
            ]);
            exits.push(writer.code.len());
            writer.code.push(Op::JumpIfFalse(0));
        }
        let statements = 1 + writer.random.below(7);
        for _ in 0..statements {
            writer.statement(2);
        }
        if iterator.is_none() {
            let one = writer.constant(Literal::Int(1));
            writer.code.extend([
                Op::LoadFast(0),
                Op::LoadConst(one),
                Op::Binary(Operator::Add),
                Op::StoreFast(0),
            ]);
        }
        writer.code.push(Op::JumpBack(0));
        let end = writer.code.len() as u32;
        writer.code.push(Op::End);
        for at in exits {
            match &mut writer.code[at] {
                Op::ForIter(target) | Op::JumpIfFalse(target) => *target = end,
                _ => {}
            }
        }
        let warm = if writer.random.one_in(3) { 1 } else { 2 };
        Program {
            code: writer.code,
            constants: writer.constants,
            locals: values,
            iterator,
            warm,
        }
    }
}

/// What a local usually holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Int,
    Float,
    List,
    Any,
}

struct Writer<'a> {
    random: &'a mut Random,
    code: Vec<Op>,
    constants: Vec<Literal>,
    kinds: Vec<Kind>,
    /// Locals below this are not written by statements.
    reserved: u32,
}

impl Writer<'_> {
    fn constant(&mut self, literal: Literal) -> u32 {
        self.constants.push(literal);
        self.constants.len() as u32 - 1
    }

    fn int(&mut self) -> i128 {
        let small = i128::from(self.random.below(12)) - 4;
        match self.random.below(40) {
            0 => i128::from(i64::MAX) - i128::from(self.random.below(40)),
            1 => i128::from(i64::MIN) + i128::from(self.random.below(40)),
            2 => 1 << 70,
            3..=12 => 200 + i128::from(self.random.below(100)),
            13 => i128::from(self.random.bits() as i64 >> 20),
            _ => small,
        }
    }

    fn literal(&mut self, kind: Kind) -> Literal {
        match kind {
            Kind::Int if self.random.one_in(12) => Literal::Bool(self.random.one_in(2)),
            Kind::Int => Literal::Int(self.int()),
            Kind::Float => Literal::Float(self.float()),
            Kind::List => {
                let length = 2 + self.random.below(9);
                let kind = self.random.pick(&[Kind::Int, Kind::Float, Kind::Any]);
                Literal::List((0..length).map(|_| self.literal(kind)).collect())
            }
            Kind::Any => match self.random.below(8) {
                0 => Literal::None,
                1 => Literal::Bool(self.random.one_in(2)),
                2 | 3 => Literal::Noisy(self.random.below(100).into()),
                4 => Literal::Float(self.float()),
                _ => Literal::Int(self.int()),
            },
        }
    }

    fn float(&mut self) -> f64 {
        match self.random.below(12) {
            0 => 0.0,
            1 => f64::INFINITY,
            2 => f64::NAN,
            3 => -0.0,
            4 => 1e300,
            _ => f64::from(self.random.below(64)) / 4.0 - 3.0,
        }
    }

    /// A local that usually holds objects of this kind, if there is one.
    fn local(&mut self, kind: Kind) -> Option<u32> {
        let all: Vec<u32> = (0..self.kinds.len() as u32).collect();
        if kind == Kind::Any || self.random.one_in(25) {
            return Some(self.random.pick(&all));
        }
        let fit: Vec<u32> = all
            .into_iter()
            .filter(|local| self.kinds[*local as usize] == kind)
            .collect();
        if fit.is_empty() {
            None
        } else {
            Some(self.random.pick(&fit))
        }
    }

    fn target(&mut self) -> u32 {
        self.reserved + self.random.below(self.kinds.len() as u32 - self.reserved)
    }

    /// Pushes a local or a constant.
    fn value(&mut self, kind: Kind) {
        let local = if self.random.one_in(4) {
            None
        } else {
            self.local(kind)
        };
        match local {
            Some(local) => self.code.push(Op::LoadFast(local)),
            None => {
                let literal = match kind {
                    Kind::Int if self.random.one_in(2) => {
                        Literal::Int(i128::from(self.random.below(7)) - 2)
                    }
                    Kind::Any => {
                        let kind = self.random_kind();
                        self.literal(kind)
                    }
                    _ => self.literal(kind),
                };
                let constant = self.constant(literal);
                self.code.push(Op::LoadConst(constant));
            }
        }
    }

    fn random_kind(&mut self) -> Kind {
        self.random.pick(&[Kind::Int, Kind::Float, Kind::Any])
    }

    fn condition(&mut self) {
        use Comparison::*;
        let kind = self.random.pick(&[Kind::Int, Kind::Int, Kind::Float]);
        self.value(kind);
        if self.random.one_in(6) {
            self.value(Kind::Any);
            self.code.push(Op::Is);
        } else {
            let other = if self.random.one_in(8) {
                Kind::Int
            } else {
                kind
            };
            self.value(other);
            let comparison = self.random.pick(&[Lt, Lt, Le, Eq, Ne]);
            self.code.push(Op::Compare(comparison));
        }
    }

    fn number(&mut self, kind: Kind, depth: u32) {
        if depth == 0 || self.random.one_in(3) {
            return self.value(kind);
        }
        use Operator::*;
        if kind == Kind::Float {
            let left = if self.random.one_in(6) {
                Kind::Int
            } else {
                Kind::Float
            };
            self.number(left, depth - 1);
            self.number(Kind::Float, depth - 1);
            let operator = self.random.pick(&[Add, Add, Sub, Mul, TrueDiv]);
            return self.code.push(Op::Binary(operator));
        }
        self.number(Kind::Int, depth - 1);
        self.number(Kind::Int, depth - 1);
        let operator = self.random.pick(&[
            Add, Add, Add, Sub, Sub, Mul, FloorDiv, Mod, And, And, Or, Xor, Shl, Shr,
        ]);
        self.code.push(Op::Binary(operator));
    }

    fn index(&mut self) {
        if self.random.one_in(3) {
            return self.value(Kind::Int);
        }
        let mask = if self.random.one_in(2) { 1 } else { 3 };
        let mask = self.constant(Literal::Int(mask));
        self.value(Kind::Int);
        self.code
            .extend([Op::LoadConst(mask), Op::Binary(Operator::And)]);
    }

    /// Pushes an object of this kind, usually.
    fn expression(&mut self, kind: Kind) {
        match self.random.below(12) {
            0 | 1 => self.value(kind),
            2 | 3 if kind != Kind::List => {
                self.value(Kind::List);
                self.index();
                self.code.push(Op::GetItem);
            }
            4 if self.random.one_in(3) => {
                self.value(kind);
                self.code.push(Op::Call1(functions::SAME));
            }
            5 if kind != Kind::List && self.random.one_in(3) => {
                self.value(kind);
                self.value(kind);
                self.code.push(Op::Call2(functions::ADD));
            }
            6 if kind == Kind::Any => self.condition(),
            _ if kind == Kind::List => self.value(kind),
            _ => self.number(kind, 2),
        }
    }

    /// Pushes a list and an index that lists have.
    fn element(&mut self, list: Option<u32>) {
        match list {
            Some(list) => self.code.push(Op::LoadFast(list)),
            None => self.value(Kind::List),
        }
        let index = i128::from(self.random.below(2));
        let index = self.constant(Literal::Int(index));
        self.code.push(Op::LoadConst(index));
    }

    /// Elements that are floats change, while others have them too or not.
    fn elements(&mut self) {
        let list = self.local(Kind::List);
        for _ in 0..1 + self.random.below(3) {
            match self.random.below(5) {
                0 => {
                    // A local has it too.
                    self.element(list);
                    let target = self.target();
                    self.code.extend([Op::GetItem, Op::StoreFast(target)]);
                }
                1 => {
                    // Another place has it too.
                    self.element(list);
                    self.code.push(Op::GetItem);
                    self.element(list);
                    self.code.push(Op::SetItem);
                }
                _ => {
                    self.element(list);
                    self.code.push(Op::GetItem);
                    self.value(Kind::Float);
                    let operator = self.random.pick(&[Operator::Add, Operator::Mul]);
                    self.code.push(Op::Binary(operator));
                    self.element(list);
                    self.code.push(Op::SetItem);
                }
            }
        }
    }

    fn statement(&mut self, depth: u32) {
        match self.random.below(13) {
            0 | 1 if depth > 0 => {
                self.condition();
                let branch = self.code.len();
                self.code.push(Op::JumpIfFalse(0));
                self.statement(depth - 1);
                let otherwise = self.random.one_in(2);
                let skip = self.code.len();
                if otherwise {
                    self.code.push(Op::Jump(0));
                }
                self.code[branch] = Op::JumpIfFalse(self.code.len() as u32);
                if otherwise {
                    self.statement(depth - 1);
                    self.code[skip] = Op::Jump(self.code.len() as u32);
                }
            }
            2 => {
                let kind = self.random_kind();
                self.expression(kind);
                self.value(Kind::List);
                self.index();
                self.code.push(Op::SetItem);
            }
            3 => {
                let a = self.target();
                let kind = self.kinds[a as usize];
                let b = self
                    .local(kind)
                    .filter(|b| *b >= self.reserved)
                    .unwrap_or(a);
                self.code.extend([
                    Op::LoadFast(a),
                    Op::LoadFast(b),
                    Op::StoreFast(a),
                    Op::StoreFast(b),
                ]);
            }
            4 => {
                let kind = self.random_kind();
                self.expression(kind);
                self.code.push(Op::Pop);
            }
            5 => self.elements(),
            _ => {
                let target = self.target();
                let kind = if self.random.one_in(25) {
                    self.random_kind()
                } else {
                    self.kinds[target as usize]
                };
                self.expression(kind);
                self.code.push(Op::StoreFast(target));
            }
        }
    }
}

impl Display for Program {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (slot, literal) in self.locals.iter().enumerate() {
            writeln!(f, "local {slot} = {literal:?}")?;
        }
        if let Some(iterator) = &self.iterator {
            writeln!(f, "iterator {iterator:?}")?;
        }
        writeln!(f, "recorded at visit {}", self.warm)?;
        for (ip, op) in self.code.iter().enumerate() {
            match op {
                Op::LoadConst(constant) => writeln!(
                    f,
                    "{ip:3} LoadConst {:?}",
                    self.constants[*constant as usize]
                )?,
                _ => writeln!(f, "{ip:3} {op:?}")?,
            }
        }
        Ok(())
    }
}
