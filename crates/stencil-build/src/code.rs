//! Decodes a function into basic blocks.

use iced_x86::{Code, ConditionCode, Decoder, DecoderOptions, FlowControl, Instruction};

use crate::error::BuildError;
use crate::object_file::{Function, Relocation, Symbol};

/// An instruction that is not a jump.
#[derive(Clone, Debug)]
pub struct Inst {
    pub bytes: Vec<u8>,
    /// Decoded at address 0.
    pub decoded: Instruction,
    /// Offsets are in the instruction.
    pub relocations: Vec<Relocation>,
}

/// Where control goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// A block of the function.
    Block(usize),
    /// The next stencil.
    Next,
    /// The exit.
    Exit,
}

/// The end of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Terminator {
    Jump(Target),
    /// On the condition to the first target, otherwise to the second.
    Branch(ConditionCode, Target, Target),
}

impl Terminator {
    /// Where it may go.
    pub fn targets(&self) -> impl Iterator<Item = Target> {
        let (first, second) = match *self {
            Terminator::Jump(target) => (target, None),
            Terminator::Branch(_, taken, other) => (taken, Some(other)),
        };
        std::iter::once(first).chain(second)
    }
}

/// Instructions that run one after the other.
#[derive(Clone, Debug)]
pub struct Block {
    pub insts: Vec<Inst>,
    pub end: Terminator,
    /// It seldom runs: its code goes to the cold area.
    pub cold: bool,
}

/// The control flow of a stencil. The first block is the entry; blocks are in LLVM's order.
#[derive(Debug)]
pub struct Graph {
    pub blocks: Vec<Block>,
}

const COLD_MARKER: &str = "hole_cold_marker";

/// Whether a function does not change value registers, and is called on cold paths only.
pub fn is_thunk(symbol: &str) -> bool {
    symbol.ends_with("_thunk")
}

impl Inst {
    /// Decodes the bytes again, at address 0.
    pub fn redecode(&mut self) {
        self.decoded = Decoder::new(64, &self.bytes, DecoderOptions::NONE).decode();
    }
    /// The function it calls, if it is a call.
    pub fn callee(&self) -> Option<&str> {
        match (self.decoded.flow_control(), self.relocations.first()) {
            (
                FlowControl::Call,
                Some(Relocation {
                    symbol: Symbol::Named(name),
                    ..
                }),
            ) => Some(name),
            _ => None,
        }
    }
}

/// A decoded instruction of the whole function.
struct Raw {
    offset: usize,
    inst: Inst,
}

impl Graph {
    /// Decodes a function.
    pub fn decode(function: &Function) -> Result<Graph, BuildError> {
        let raw = decode_all(function)?;
        let mut starts = vec![0];
        for (index, Raw { inst, .. }) in raw.iter().enumerate() {
            if is_jump(inst) {
                starts.push(
                    raw.get(index + 1)
                        .map_or(function.code.len(), |next| next.offset),
                );
                if inst.relocations.is_empty() {
                    starts.push(inst.decoded.near_branch_target() as usize);
                }
            }
        }
        starts.sort_unstable();
        starts.dedup();
        starts.retain(|&start| start < function.code.len());
        if starts
            .iter()
            .any(|start| raw.binary_search_by_key(start, |r| r.offset).is_err())
        {
            return Err(BuildError::new(
                "a jump goes into the middle of an instruction",
            ));
        }
        let block_at = |offset: usize| {
            let block = starts.binary_search(&offset).map(Target::Block);
            block.map_err(|_| BuildError::new("a jump goes out of the function"))
        };

        let mut blocks: Vec<Block> = Vec::new();
        let mut insts: Vec<Inst> = Vec::new();
        let mut cold = false;
        for (index, Raw { offset, inst }) in raw.iter().enumerate() {
            let following = offset + inst.bytes.len();
            let is_last = index + 1 == raw.len();
            let end = if is_jump(inst) {
                let target = match inst.relocations.first() {
                    Some(relocation) => continuation(relocation, inst)?,
                    None => block_at(inst.decoded.near_branch_target() as usize)?,
                };
                match inst.decoded.flow_control() {
                    FlowControl::UnconditionalBranch => Some(Terminator::Jump(target)),
                    _ if is_last => {
                        return Err(BuildError::new("it does not end with a tail jump"));
                    }
                    _ => Some(Terminator::Branch(
                        inst.decoded.condition_code(),
                        target,
                        block_at(following)?,
                    )),
                }
            } else {
                check_flow(inst)?;
                if inst.callee() == Some(COLD_MARKER) {
                    cold = true;
                } else {
                    insts.push(inst.clone());
                }
                if is_last {
                    return Err(BuildError::new("it does not end with a tail jump"));
                }
                starts
                    .binary_search(&following)
                    .ok()
                    .map(|block| Terminator::Jump(Target::Block(block)))
            };
            if let Some(end) = end {
                blocks.push(Block {
                    insts: std::mem::take(&mut insts),
                    end,
                    cold: std::mem::take(&mut cold),
                });
            }
        }
        let mut graph = Graph { blocks };
        graph.thread_jumps();
        graph.spread_cold();
        Ok(graph)
    }

    /// Jumps to a block that only jumps go where that goes.
    fn thread_jumps(&mut self) {
        // A chain of jumps is at most as long as there are blocks.
        for _ in 0..self.blocks.len() {
            let forward: Vec<Option<Target>> = self
                .blocks
                .iter()
                .map(|block| match block.end {
                    Terminator::Jump(target) if block.insts.is_empty() => Some(target),
                    _ => None,
                })
                .collect();
            let through = |target: Target| match target {
                Target::Block(index) => forward[index].unwrap_or(target),
                _ => target,
            };
            for block in &mut self.blocks {
                block.end = match block.end {
                    Terminator::Jump(target) => Terminator::Jump(through(target)),
                    Terminator::Branch(condition, taken, other) => {
                        Terminator::Branch(condition, through(taken), through(other))
                    }
                };
            }
        }
    }

    /// A block is cold if it is marked, if it calls a thunk, if every way on from it leaves the trace or is cold, or if it is only
    /// reached from cold blocks.
    fn spread_cold(&mut self) {
        for block in &mut self.blocks {
            block.cold |= block
                .insts
                .iter()
                .any(|inst| inst.callee().is_some_and(is_thunk));
        }
        loop {
            let is_cold = |target: Target| match target {
                Target::Block(index) => self.blocks[index].cold,
                Target::Exit => true,
                Target::Next => false,
            };
            let reachable = self.reachable();
            let found = (1..self.blocks.len()).find(|&index| {
                let block = &self.blocks[index];
                let goes_on = block.end.targets().any(|target| !is_cold(target));
                let from_hot = self.blocks.iter().enumerate().any(|(i, b)| {
                    reachable[i] && !b.cold && b.end.targets().any(|t| t == Target::Block(index))
                });
                !block.cold && (!goes_on || !from_hot)
            });
            match found {
                Some(index) => self.blocks[index].cold = true,
                None => return,
            }
        }
    }

    /// Which blocks can be reached from the entry.
    pub fn reachable(&self) -> Vec<bool> {
        let mut reachable = vec![false; self.blocks.len()];
        let mut work = vec![0];
        while let Some(index) = work.pop() {
            if !std::mem::replace(&mut reachable[index], true) {
                work.extend(
                    self.blocks[index]
                        .end
                        .targets()
                        .filter_map(|target| match target {
                            Target::Block(next) => Some(next),
                            _ => None,
                        }),
                );
            }
        }
        reachable
    }
}

fn decode_all(function: &Function) -> Result<Vec<Raw>, BuildError> {
    let mut raw = Vec::new();
    let mut decoder = Decoder::with_ip(64, &function.code, 0, DecoderOptions::NONE);
    while decoder.can_decode() {
        let offset = decoder.position();
        let decoded = decoder.decode();
        if decoded.is_invalid() {
            return Err(BuildError::new(format!(
                "the code at {offset:#x} cannot be decoded"
            )));
        }
        let range = offset..offset + decoded.len();
        let relocations = function
            .relocations
            .iter()
            .filter(|r| range.contains(&r.offset))
            .map(|r| Relocation {
                offset: r.offset - offset,
                ..r.clone()
            })
            .collect();
        let mut inst = Inst {
            bytes: function.code[range].to_vec(),
            decoded,
            relocations,
        };
        if !is_jump(&inst) {
            inst.redecode();
        }
        raw.push(Raw { offset, inst });
    }
    Ok(raw)
}

fn is_jump(inst: &Inst) -> bool {
    matches!(
        inst.decoded.flow_control(),
        FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch
    )
}

/// Where a jump with a relocation goes.
fn continuation(relocation: &Relocation, inst: &Inst) -> Result<Target, BuildError> {
    match &relocation.symbol {
        Symbol::Named(name) if name == "hole_next" => Ok(Target::Next),
        Symbol::Named(name) if name == "hole_exit" => Ok(Target::Exit),
        other => Err(BuildError::new(format!(
            "`{}` jumps to {other:?}",
            inst.decoded
        ))),
    }
}

/// Instructions other than jumps must go on to the following one.
fn check_flow(inst: &Inst) -> Result<(), BuildError> {
    match inst.decoded.flow_control() {
        FlowControl::Next => Ok(()),
        FlowControl::Call
            if inst.decoded.code() == Code::Call_rel32_64 && inst.callee().is_some() =>
        {
            Ok(())
        }
        FlowControl::Call => Err(BuildError::new(format!(
            "`{}` calls something that is no hole",
            inst.decoded
        ))),
        FlowControl::Return => Err(BuildError::new(
            "it returns instead of ending with a tail jump",
        )),
        _ => Err(BuildError::new(format!(
            "`{}` goes elsewhere",
            inst.decoded
        ))),
    }
}
