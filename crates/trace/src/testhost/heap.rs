//! The objects of the test host: real memory, laid out as CPython's, with exact reference counts.
//!
//! Freed memory is kept and poisoned until the heap is dropped, so that a use after free is found instead of crashing.

use serigraph_uops::layout;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The reference count of an object that never dies.
const IMMORTAL: u64 = 0xffff_ffff;
/// The reference count of freed objects: not immortal, and not zero for long time to come.
const FREED: u64 = 0x3dea_d000;
/// What the rest of freed memory is filled with.
const POISON: u64 = 0x5a5a_5a5a_5a5a_5a5a;

/// What an object is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    /// A type object; all of them are of this type.
    Type,
    /// An exact int.
    Int,
    /// An exact float.
    Float,
    /// True or False.
    Bool,
    /// None.
    None,
    /// A list.
    List,
    /// A tuple.
    Tuple,
    /// A range iterator.
    RangeIterator,
    /// A list iterator.
    ListIterator,
    /// An object whose death is written to the log, as a finaliser would.
    Noisy,
    /// Memory that is no object.
    Memory,
}

const TYPES: [Type; 10] = [
    Type::Type,
    Type::Int,
    Type::Float,
    Type::Bool,
    Type::None,
    Type::List,
    Type::Tuple,
    Type::RangeIterator,
    Type::ListIterator,
    Type::Noisy,
];

struct Block {
    words: usize,
    is: Type,
    freed: bool,
}

/// All objects of a test.
pub struct Heap {
    blocks: BTreeMap<u64, Block>,
    types: [u64; TYPES.len()],
    small_ints: u64,
    none: u64,
    bool_table: u64,
    /// What happened that a program could see, in order.
    pub log: Vec<String>,
    /// What went wrong: double frees, accesses outside of objects.
    pub errors: Vec<String>,
}

impl Default for Heap {
    fn default() -> Self {
        Heap::new()
    }
}

impl Heap {
    /// A heap with the types, small ints, bools and None.
    pub fn new() -> Heap {
        let mut heap = Heap {
            blocks: BTreeMap::new(),
            types: [0; TYPES.len()],
            small_ints: 0,
            none: 0,
            bool_table: 0,
            log: Vec::new(),
            errors: Vec::new(),
        };
        for i in 0..TYPES.len() {
            heap.types[i] = heap.memory(4);
        }
        for address in heap.types {
            heap.poke(address, IMMORTAL);
            heap.poke(address + 8, heap.types[0]);
        }
        heap.small_ints =
            heap.memory(layout::SMALL_INT_COUNT as usize * layout::SMALL_INT_STRIDE / 8);
        for i in 0..layout::SMALL_INT_COUNT {
            let address = heap.small_ints + i * layout::SMALL_INT_STRIDE as u64;
            heap.fill_int(
                address,
                i128::from(layout::SMALL_INT_MIN + i as i64),
                Type::Int,
            );
            heap.poke(address, IMMORTAL);
        }
        heap.none = heap.object(Type::None, 2);
        heap.poke(heap.none, IMMORTAL);
        heap.bool_table = heap.memory(2);
        for i in 0..2 {
            let address = heap.object(Type::Bool, 4);
            heap.fill_int(address, i.into(), Type::Bool);
            heap.poke(address, IMMORTAL);
            heap.poke(heap.bool_table + 8 * i, address);
        }
        heap
    }

    /// Zeroed memory that is no object.
    pub fn memory(&mut self, words: usize) -> u64 {
        let layout = Layout::array::<u64>(words.max(1)).expect("small");
        // SAFETY: the layout is not empty.
        let pointer = unsafe { alloc_zeroed(layout) };
        if pointer.is_null() {
            handle_alloc_error(layout);
        }
        let address = pointer as u64;
        self.blocks.insert(
            address,
            Block {
                words: words.max(1),
                is: Type::Memory,
                freed: false,
            },
        );
        address
    }

    fn object(&mut self, is: Type, words: usize) -> u64 {
        let address = self.memory(words);
        if let Some(block) = self.blocks.get_mut(&address) {
            block.is = is;
        }
        self.poke(address, 1);
        self.poke(address + 8, self.type_address(is));
        address
    }

    fn fill_int(&mut self, address: u64, value: i128, is: Type) {
        let mut magnitude = value.unsigned_abs();
        let mut digits = 0;
        let mut words = [0_u64; 3];
        while magnitude != 0 {
            let digit = magnitude as u64 & 0x3fff_ffff;
            words[digits / 2] |= digit << (32 * (digits % 2));
            magnitude >>= 30;
            digits += 1;
        }
        let sign = if value == 0 {
            1
        } else if value < 0 {
            2
        } else {
            0
        };
        self.poke(address + 8, self.type_address(is));
        self.poke(
            address + layout::INT_TAG as u64,
            (digits as u64) << 3 | sign,
        );
        for (i, word) in words.iter().enumerate().take(digits.div_ceil(2).max(1)) {
            self.poke(address + layout::INT_DIGITS as u64 + 8 * i as u64, *word);
        }
    }

    /// The address of a type.
    pub fn type_address(&self, is: Type) -> u64 {
        TYPES
            .iter()
            .position(|t| *t == is)
            .map_or(0, |i| self.types[i])
    }
    /// The address of the object for -5.
    pub fn small_ints(&self) -> u64 {
        self.small_ints
    }
    /// None.
    pub fn none(&self) -> u64 {
        self.none
    }
    /// The address of the table {False, True}.
    pub fn bool_table(&self) -> u64 {
        self.bool_table
    }
    /// True or False.
    pub fn bool(&self, value: bool) -> u64 {
        self.peek(self.bool_table + 8 * u64::from(value))
    }
    /// An int: a small one is immortal, others are new.
    pub fn int(&mut self, value: i64) -> u64 {
        let index = value.wrapping_sub(layout::SMALL_INT_MIN) as u64;
        if index < layout::SMALL_INT_COUNT {
            return self.small_ints + index * layout::SMALL_INT_STRIDE as u64;
        }
        self.big_int(value.into())
    }
    /// An int of up to four digits: a small one is immortal, others are new.
    pub fn any_int(&mut self, value: i128) -> u64 {
        match i64::try_from(value) {
            Ok(value) => self.int(value),
            Err(_) => self.big_int(value),
        }
    }
    /// A new int of up to four digits.
    pub fn big_int(&mut self, value: i128) -> u64 {
        let address = self.object(Type::Int, 6);
        self.fill_int(address, value, Type::Int);
        address
    }
    /// A new float.
    pub fn float(&mut self, value: f64) -> u64 {
        let address = self.object(Type::Float, 3);
        self.poke(address + layout::FLOAT_VALUE as u64, value.to_bits());
        address
    }
    /// A new list; takes over the references.
    pub fn list(&mut self, items: &[u64]) -> u64 {
        let address = self.object(Type::List, 5);
        let memory = self.memory(items.len());
        self.poke(address + layout::VAR_SIZE as u64, items.len() as u64);
        self.poke(address + layout::LIST_ITEMS as u64, memory);
        self.poke(address + 32, items.len() as u64);
        for (i, item) in items.iter().enumerate() {
            self.poke(memory + 8 * i as u64, *item);
        }
        address
    }
    /// A new tuple; takes over the references.
    pub fn tuple(&mut self, items: &[u64]) -> u64 {
        let address = self.object(Type::Tuple, 3 + items.len());
        self.poke(address + layout::VAR_SIZE as u64, items.len() as u64);
        for (i, item) in items.iter().enumerate() {
            self.poke(address + layout::TUPLE_ITEMS as u64 + 8 * i as u64, *item);
        }
        address
    }
    /// A new range iterator.
    pub fn range_iterator(&mut self, start: i64, step: i64, length: i64) -> u64 {
        let address = self.object(Type::RangeIterator, 5);
        self.poke(address + layout::RANGE_ITER_START as u64, start as u64);
        self.poke(address + layout::RANGE_ITER_STEP as u64, step as u64);
        self.poke(address + layout::RANGE_ITER_LENGTH as u64, length as u64);
        address
    }
    /// A new list iterator; takes over the reference.
    pub fn list_iterator(&mut self, list: u64) -> u64 {
        let address = self.object(Type::ListIterator, 4);
        self.poke(address + layout::SEQUENCE_ITER_SEQUENCE as u64, list);
        address
    }
    /// A new object with a number, whose death is logged.
    pub fn noisy(&mut self, number: u64) -> u64 {
        let address = self.object(Type::Noisy, 3);
        self.poke(address + 16, number);
        address
    }

    /// What an object is, if it is one and alive.
    pub fn type_of(&self, object: u64) -> Option<Type> {
        if self.is_small_int(object) {
            return Some(Type::Int);
        }
        self.blocks
            .get(&object)
            .filter(|b| !b.freed && b.is != Type::Memory)
            .map(|b| b.is)
    }
    fn is_small_int(&self, object: u64) -> bool {
        object.wrapping_sub(self.small_ints)
            < layout::SMALL_INT_COUNT * layout::SMALL_INT_STRIDE as u64
    }

    /// Whether the 64-bit word at an address is in memory that is in use.
    fn valid(&self, address: u64) -> bool {
        let block = self.blocks.range(..=address).next_back();
        address.is_multiple_of(4)
            && block.is_some_and(|(start, b)| !b.freed && address - start + 8 <= 8 * b.words as u64)
    }
    /// Reads a word; an address outside of memory in use is an error of the test, and reads as poison.
    pub fn load64(&self, address: u64) -> u64 {
        if self.valid(address) {
            self.peek(address)
        } else {
            POISON
        }
    }
    /// Writes a word; an address outside of memory in use is noted as an error.
    pub fn store64(&mut self, address: u64, value: u64) {
        if self.valid(address) {
            self.poke(address, value);
        } else {
            self.errors.push("a store outside of memory in use".into());
        }
    }
    fn peek(&self, address: u64) -> u64 {
        // SAFETY: the callers pass addresses inside blocks, which live as long as the heap.
        unsafe { (address as *const u64).read_unaligned() }
    }
    fn poke(&mut self, address: u64, value: u64) {
        // SAFETY: as above; nobody holds Rust references into blocks.
        unsafe { (address as *mut u64).write_unaligned(value) }
    }

    /// The reference count of an object; `None` if immortal.
    pub fn count(&self, object: u64) -> Option<u64> {
        let count = self.load64(object);
        (count as i32 >= 0).then_some(count)
    }
    /// One more reference.
    pub fn incref(&mut self, object: u64) {
        match self.type_of(object) {
            None => self.errors.push("incref of what is no object".into()),
            Some(_) => {
                if let Some(count) = self.count(object) {
                    self.poke(object, count + 1);
                }
            }
        }
    }
    /// One reference less; the last frees the object.
    pub fn decref(&mut self, object: u64) {
        let Some(is) = self.type_of(object) else {
            return self.errors.push("decref of what is no object".into());
        };
        let Some(count) = self.count(object) else {
            return;
        };
        self.poke(object, count.wrapping_sub(1));
        match count {
            0 => self
                .errors
                .push(format!("decref of a {is:?} with no references")),
            1 => self.free(object),
            _ => {}
        }
    }
    /// Frees an object whose count has become 0.
    pub fn free(&mut self, object: u64) {
        let Some(is) = self.type_of(object) else {
            return self.errors.push("a free of what is no object".into());
        };
        let mut items = Vec::new();
        self.children(object, is, &mut items);
        if is == Type::Noisy {
            self.log
                .push(format!("death of noisy {}", self.peek(object + 16)));
        }
        if is == Type::List {
            self.free_block(self.peek(object + layout::LIST_ITEMS as u64));
        }
        self.free_block(object);
        for item in items {
            self.decref(item);
        }
    }
    fn free_block(&mut self, address: u64) {
        let Some(block) = self.blocks.get_mut(&address).filter(|b| !b.freed) else {
            return self.errors.push("a free of what is no memory".into());
        };
        block.freed = true;
        let words = block.words as u64;
        self.poke(address, FREED);
        for i in 1..words {
            self.poke(address + 8 * i, POISON);
        }
    }
    fn children(&self, object: u64, is: Type, out: &mut Vec<u64>) {
        let length = |at| self.load64(at).min(1 << 20);
        let from = match is {
            Type::List => self.load64(object + layout::LIST_ITEMS as u64),
            Type::Tuple => object + layout::TUPLE_ITEMS as u64,
            Type::ListIterator => {
                out.push(self.load64(object + layout::SEQUENCE_ITER_SEQUENCE as u64));
                out.retain(|o| *o != 0);
                return;
            }
            _ => return,
        };
        out.extend(
            (0..length(object + layout::VAR_SIZE as u64)).map(|i| self.load64(from + 8 * i)),
        );
    }

    /// Objects that are alive and not immortal.
    pub fn alive(&self) -> impl Iterator<Item = (u64, Type)> + '_ {
        self.blocks
            .iter()
            .filter(|(address, b)| {
                !b.freed && b.is != Type::Memory && self.count(**address).is_some()
            })
            .map(|(address, b)| (*address, b.is))
    }
    /// Finds writes to freed objects (reference counts changed after the end).
    pub fn check_freed(&mut self) {
        let touched: Vec<Type> = (self.blocks.iter())
            .filter(|(address, b)| b.freed && self.peek(**address) != FREED)
            .map(|(_, b)| b.is)
            .collect();
        for is in touched {
            self.errors
                .push(format!("a {is:?} was used after it was freed"));
        }
    }

    /// The value of an int, of up to four digits.
    pub fn int_value(&self, object: u64) -> i128 {
        let tag = self.load64(object + layout::INT_TAG as u64);
        let digit = |i| {
            u128::from(
                self.load64(object + layout::INT_DIGITS as u64 + 8 * (i / 2))
                    >> (32 * (i % 2)) as u32
                    & 0x3fff_ffff,
            )
        };
        let magnitude: u128 = (0..tag >> 3).map(|i| digit(i) << (30 * i)).sum();
        (1 - (tag & layout::INT_SIGN_MASK) as i128) * magnitude as i128
    }
    /// The value of a float.
    pub fn float_value(&self, object: u64) -> f64 {
        f64::from_bits(self.load64(object + layout::FLOAT_VALUE as u64))
    }

    /// An object as text, with its reference count, and a number by which it is recognised when seen again. Two heaps in
    /// the same state give the same text.
    pub fn describe(&self, object: u64, seen: &mut Vec<u64>) -> String {
        self.describe_with(object, seen, true)
    }
    /// An object as text, without reference counts.
    pub fn describe_value(&self, object: u64) -> String {
        self.describe_with(object, &mut Vec::new(), false)
    }
    fn describe_with(&self, object: u64, seen: &mut Vec<u64>, counts: bool) -> String {
        let Some(is) = self.type_of(object) else {
            return if object == 0 {
                "null".into()
            } else {
                "garbage".into()
            };
        };
        let mut text = match is {
            Type::None => return "None".into(),
            Type::Type => return "type".into(),
            Type::Bool => return format!("{}", self.int_value(object) != 0),
            Type::Int if self.count(object).is_none() => {
                return format!("{}", self.int_value(object));
            }
            _ => match seen.iter().position(|o| *o == object) {
                Some(number) => return format!("#{number}"),
                None if counts => format!("#{}*{}=", seen.len(), self.load64(object)),
                None => format!("#{}=", seen.len()),
            },
        };
        seen.push(object);
        let field = |offset: usize| self.load64(object + offset as u64) as i64;
        let result = match is {
            Type::Int => write!(text, "{}", self.int_value(object)),
            Type::Float => {
                let value = self.float_value(object);
                if value.is_nan() {
                    write!(text, "nan")
                } else {
                    write!(text, "{value:?}")
                }
            }
            Type::RangeIterator => write!(
                text,
                "range({}, {}, {})",
                field(layout::RANGE_ITER_START),
                field(layout::RANGE_ITER_STEP),
                field(layout::RANGE_ITER_LENGTH)
            ),
            Type::ListIterator => {
                let sequence =
                    self.describe_with(field(layout::SEQUENCE_ITER_SEQUENCE) as u64, seen, counts);
                write!(
                    text,
                    "iter({}, {sequence})",
                    field(layout::SEQUENCE_ITER_INDEX)
                )
            }
            Type::Noisy => write!(text, "noisy {}", field(16)),
            _ => {
                let mut items = Vec::new();
                self.children(object, is, &mut items);
                let items: Vec<String> = items
                    .into_iter()
                    .map(|item| self.describe_with(item, seen, counts))
                    .collect();
                let (open, close) = if is == Type::List {
                    ('[', ']')
                } else {
                    ('(', ')')
                };
                write!(text, "{open}{}{close}", items.join(", "))
            }
        };
        result.expect("writing to a string");
        text
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        for (address, block) in &self.blocks {
            let layout = Layout::array::<u64>(block.words).expect("as allocated");
            // SAFETY: allocated with this layout, and not freed before.
            unsafe { dealloc(*address as *mut u8, layout) };
        }
    }
}
