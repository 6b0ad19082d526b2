//! Lays the blocks out as hot and cold code and encodes the jumps between them.
//!
//! The hot code ends where the next stencil begins, so the last jump there is dropped; a branch whose fall-through is not the
//! following block is inverted or followed by a jump.

use std::collections::HashMap;

use iced_x86::ConditionCode;

use crate::code::{Graph, Inst, Target, Terminator};
use crate::error::BuildError;
use crate::holes::{self, Hole, Value};
use crate::registers::{self, RegisterHole};
use crate::signature::Signature;

/// Code with holes.
#[derive(Debug, Default)]
pub struct Section {
    pub bytes: Vec<u8>,
    pub registers: Vec<RegisterHole>,
    pub holes: Vec<Hole>,
}

/// A stencil's code. Register fields hold the canonical registers.
#[derive(Debug)]
pub struct Placed {
    pub hot: Section,
    pub cold: Section,
    /// The hot code ends with a conditional jump to the exit, and there is no other way to its end than past that jump.
    pub ends_with_exit: bool,
}

/// The largest offset a hole may have.
const MAX_SIZE: usize = 255;

/// A jump that is still to be encoded.
#[derive(Clone, Copy)]
struct Jump {
    condition: Option<ConditionCode>,
    target: Target,
}

/// What a section consists of, in order.
enum Item {
    BlockStart(usize),
    Inst(Inst),
    Jump(Jump),
}

/// Lays a graph out.
pub fn place(graph: &Graph, signature: &Signature) -> Result<Placed, BuildError> {
    let canonical = signature.canonical();
    let reachable = graph.reachable();
    let order = |cold: bool| -> Vec<usize> {
        (0..graph.blocks.len())
            .filter(|&i| reachable[i] && graph.blocks[i].cold == cold)
            .collect()
    };
    let mut hot = items(graph, &order(false), Some(Target::Next));
    let mut cold = items(graph, &order(true), None);
    for item in hot.iter_mut().chain(&mut cold) {
        if let Item::Inst(inst) = item {
            registers::make_room(inst, &canonical)?;
        }
    }
    let (hot_size, hot_long) = sizes(&hot, true);
    let (_, cold_long) = sizes(&cold, false);
    let starts = |items: &[Item], long: &[bool]| block_starts(items, long);
    let hot_starts = starts(&hot, &hot_long);
    let cold_starts = starts(&cold, &cold_long);
    let encode = |items: &[Item], long: &[bool], in_cold: bool| -> Result<Section, BuildError> {
        let mut section = Section::default();
        for (index, item) in items.iter().enumerate() {
            let at = section.bytes.len();
            match item {
                Item::BlockStart(_) => {}
                Item::Inst(inst) => {
                    section.bytes.extend_from_slice(&inst.bytes);
                    let found = registers::holes(inst, &canonical)?;
                    section
                        .registers
                        .extend(found.into_iter().map(|h| RegisterHole {
                            offset: h.offset + at,
                            ..h
                        }));
                    for relocation in &inst.relocations {
                        section
                            .holes
                            .push(holes::of_relocation(relocation, inst, at)?);
                    }
                }
                Item::Jump(jump) => {
                    let (own, other) = if in_cold {
                        (&cold_starts, &hot_starts)
                    } else {
                        (&hot_starts, &cold_starts)
                    };
                    let elsewhere = |offset| {
                        if in_cold {
                            Value::Hot(offset)
                        } else {
                            Value::Cold(offset)
                        }
                    };
                    let destination = match jump.target {
                        Target::Next if !in_cold => Ok(hot_size),
                        Target::Next => Err(Value::Hot(hot_size)),
                        Target::Exit => Err(Value::Exit),
                        Target::Block(block) => match own.get(&block) {
                            Some(&offset) => Ok(offset),
                            None => Err(elsewhere(other[&block])),
                        },
                    };
                    encode_jump(&mut section, jump.condition, long[index], destination);
                }
            }
        }
        if section.bytes.len() > MAX_SIZE {
            return Err(BuildError::new(format!(
                "its code is longer than {MAX_SIZE} bytes"
            )));
        }
        Ok(section)
    };
    let goes_on = |item: &&Item| {
        matches!(
            item,
            Item::Jump(Jump {
                target: Target::Next,
                ..
            })
        )
    };
    let last = hot.last();
    Ok(Placed {
        ends_with_exit: matches!(
            last,
            Some(Item::Jump(Jump {
                condition: Some(_),
                target: Target::Exit
            }))
        ) && !hot.iter().chain(&cold).any(|item| goes_on(&item)),
        hot: encode(&hot, &hot_long, false)?,
        cold: encode(&cold, &cold_long, true)?,
    })
}

/// The items of a section, with the jumps that its order of blocks makes necessary. `after` is what follows its end.
fn items(graph: &Graph, order: &[usize], after: Option<Target>) -> Vec<Item> {
    let mut items = Vec::new();
    for (position, &index) in order.iter().enumerate() {
        let block = &graph.blocks[index];
        let following = order
            .get(position + 1)
            .map(|&next| Target::Block(next))
            .or(after);
        items.push(Item::BlockStart(index));
        items.extend(block.insts.iter().cloned().map(Item::Inst));
        let mut jump = |condition, target| items.push(Item::Jump(Jump { condition, target }));
        match block.end {
            Terminator::Jump(target) if Some(target) == following => {}
            Terminator::Jump(target) => jump(None, target),
            Terminator::Branch(condition, taken, other) if Some(taken) == following => {
                jump(Some(negate(condition)), other);
            }
            Terminator::Branch(condition, taken, other) => {
                jump(Some(condition), taken);
                if Some(other) != following {
                    jump(None, other);
                }
            }
        }
    }
    items
}

fn jump_size(jump: &Jump, long: bool) -> usize {
    match (jump.condition.is_some(), long) {
        (_, false) => 2,
        (true, true) => 6,
        (false, true) => 5,
    }
}

/// The offset of each item, and at the end the size.
fn offsets(items: &[Item], long: &[bool]) -> Vec<usize> {
    let mut at = 0;
    let mut offsets = Vec::with_capacity(items.len() + 1);
    for (item, &long) in items.iter().zip(long) {
        offsets.push(at);
        at += match item {
            Item::BlockStart(_) => 0,
            Item::Inst(inst) => inst.bytes.len(),
            Item::Jump(jump) => jump_size(jump, long),
        };
    }
    offsets.push(at);
    offsets
}

fn block_starts(items: &[Item], long: &[bool]) -> HashMap<usize, usize> {
    let offsets = offsets(items, long);
    let start = |(item, offset): (&Item, usize)| match item {
        Item::BlockStart(block) => Some((*block, offset)),
        _ => None,
    };
    items.iter().zip(offsets).filter_map(start).collect()
}

/// The size of a section, and which of its jumps need 32 bits: those that leave it, and those whose target is too far away.
fn sizes(items: &[Item], is_hot: bool) -> (usize, Vec<bool>) {
    let mut long = vec![false; items.len()];
    loop {
        let offsets = offsets(items, &long);
        let size = offsets[items.len()];
        let starts = block_starts(items, &long);
        let mut changed = false;
        for (index, item) in items.iter().enumerate() {
            let Item::Jump(jump) = item else { continue };
            let target = match jump.target {
                Target::Next if is_hot => Some(size),
                Target::Block(block) => starts.get(&block).copied(),
                _ => None,
            };
            let end = offsets[index + 1] as i64;
            let near = target.is_some_and(|target| i8::try_from(target as i64 - end).is_ok());
            if !near && !long[index] {
                long[index] = true;
                changed = true;
            }
        }
        if !changed {
            return (size, long);
        }
    }
}

/// Appends a jump to an offset of the same section, or with a hole.
fn encode_jump(
    section: &mut Section,
    condition: Option<ConditionCode>,
    long: bool,
    destination: Result<usize, Value>,
) {
    let bytes = &mut section.bytes;
    match (condition, long) {
        (Some(condition), true) => bytes.extend_from_slice(&[0x0f, 0x80 | nibble(condition)]),
        (Some(condition), false) => bytes.push(0x70 | nibble(condition)),
        (None, true) => bytes.push(0xe9),
        (None, false) => bytes.push(0xeb),
    }
    let at = bytes.len();
    let width = if long { 4 } else { 1 };
    let distance = match destination {
        Ok(offset) => offset as i64 - (at + width) as i64,
        Err(value) => {
            section.holes.push(Hole {
                offset: at,
                width: holes::Width::Relative32,
                value,
                addend: -4,
            });
            0
        }
    };
    section
        .bytes
        .extend_from_slice(&distance.to_le_bytes()[..width]);
}

/// The four bits of a condition in jump instructions.
fn nibble(condition: ConditionCode) -> u8 {
    use ConditionCode as C;
    match condition {
        C::o => 0,
        C::no => 1,
        C::b => 2,
        C::ae => 3,
        C::e => 4,
        C::ne => 5,
        C::be => 6,
        C::a => 7,
        C::s => 8,
        C::ns => 9,
        C::p => 10,
        C::np => 11,
        C::l => 12,
        C::ge => 13,
        C::le => 14,
        C::g => 15,
        C::None => unreachable!("conditional jumps have a condition"),
    }
}

fn negate(condition: ConditionCode) -> ConditionCode {
    use ConditionCode as C;
    match condition {
        C::o => C::no,
        C::no => C::o,
        C::b => C::ae,
        C::ae => C::b,
        C::e => C::ne,
        C::ne => C::e,
        C::be => C::a,
        C::a => C::be,
        C::s => C::ns,
        C::ns => C::s,
        C::p => C::np,
        C::np => C::p,
        C::l => C::ge,
        C::ge => C::l,
        C::le => C::g,
        C::g => C::le,
        C::None => C::None,
    }
}
