//! Parallel moves: several values change places at once; found here is an order, with scratch registers for cycles.
//!
//! Laws: (1) every source is read before any move overwrites it, (2) no emitted move goes from slot to slot or changes the
//! class of register, (3) moves that form a cycle cost one more move, through a scratch register if the cycle is of
//! registers of one class, otherwise through a scratch slot, (4) constants, which read nothing, come last.

use super::{Edit, Place, Reg};
use serigraph_uops::Kind;

/// Where a parallel move takes its value from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// A register or slot.
    Place(Place),
    /// A constant.
    Constant(Kind, u64),
}

/// Collects moves that happen at once, then puts them in order. Keeps its buffers.
#[derive(Default, Debug)]
pub struct ParallelMoves {
    pending: Vec<(Place, Place)>,
    constants: Vec<(Kind, u64, Place)>,
}

impl ParallelMoves {
    /// Adds a move; one to itself is dropped. No two moves may have the same destination.
    pub fn add(&mut self, from: Source, to: Place) {
        match from {
            Source::Place(from) if from == to => {}
            Source::Place(from) => self.pending.push((from, to)),
            Source::Constant(kind, bits) => self.constants.push((kind, bits, to)),
        }
    }

    /// Appends the moves to `out` in an order that does what they do at once, and forgets them.
    pub fn resolve(&mut self, out: &mut Vec<Edit>) {
        let mut moves = std::mem::take(&mut self.pending);
        // Lists are short (a handful of phis), so looking for readers in the list beats keeping counts.
        while !moves.is_empty() {
            let mut progress = false;
            let mut i = 0;
            while i < moves.len() {
                let (from, to) = moves[i];
                if moves.iter().any(|m| m.0 == to) {
                    i += 1;
                } else {
                    emit(from, to, out);
                    moves.swap_remove(i);
                    progress = true;
                }
            }
            if !progress {
                // Only cycles are left, and each place is read once: keep one source aside.
                let scratch = cycle_scratch(&moves);
                emit(moves[0].0, scratch, out);
                moves[0].0 = scratch;
                while let Some(ready) =
                    (0..moves.len()).find(|&i| !moves.iter().any(|m| m.0 == moves[i].1))
                {
                    let (from, to) = moves.swap_remove(ready);
                    emit(from, to, out);
                }
            }
        }
        self.pending = moves;
        for (kind, bits, to) in self.constants.drain(..) {
            if let Place::Reg(to) = to {
                out.push(Edit::Constant { kind, bits, to });
            } else {
                let through = Reg::general(0);
                out.push(Edit::Move {
                    from: Place::Reg(through),
                    to: Place::ScratchGeneral,
                });
                out.push(Edit::Constant {
                    kind: Kind::Int,
                    bits,
                    to: through,
                });
                out.push(Edit::Move {
                    from: Place::Reg(through),
                    to,
                });
                out.push(Edit::Move {
                    from: Place::ScratchGeneral,
                    to: Place::Reg(through),
                });
            }
        }
    }
}

/// The place to keep a value of the first cycle in.
fn cycle_scratch(moves: &[(Place, Place)]) -> Place {
    let class = |p: Place| match p {
        Place::Reg(r) => Some(r.is_float()),
        _ => None,
    };
    let (start, mut to) = moves[0];
    let mut classes = class(start);
    while to != start && classes.is_some() {
        if class(to) != classes {
            classes = None;
        }
        to = moves.iter().find(|m| m.0 == to).map_or(start, |m| m.1);
    }
    match classes {
        Some(false) => Place::ScratchGeneral,
        Some(true) => Place::ScratchFloat,
        None => Place::ScratchSlot,
    }
}

fn emit(from: Place, to: Place, out: &mut Vec<Edit>) {
    let is_slot = |p: Place| matches!(p, Place::Slot(_) | Place::ScratchSlot);
    if is_slot(from) && is_slot(to) {
        out.push(Edit::Move {
            from,
            to: Place::ScratchGeneral,
        });
        out.push(Edit::Move {
            from: Place::ScratchGeneral,
            to,
        });
    } else {
        out.push(Edit::Move { from, to });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::regalloc::Reg;
    use std::collections::HashMap;

    /// Runs random parallel moves on a symbolic machine and compares with doing them at once.
    #[test]
    fn does_what_moving_at_once_does() {
        for seed in 0..3000 {
            let mut random = Random::new(seed);
            let place = |random: &mut Random, float: bool| match random.below(3) {
                0 => Place::Slot(random.below(4) as u16 + if float { 4 } else { 0 }),
                _ if float => Place::Reg(Reg::float(random.below(4) as usize)),
                _ => Place::Reg(Reg::general(random.below(4) as usize)),
            };
            let mut moves = ParallelMoves::default();
            let mut expected: HashMap<Place, String> = HashMap::new();
            for _ in 0..random.below(10) {
                let float = random.below(2) == 0;
                let to = place(&mut random, float);
                if expected.contains_key(&to) {
                    continue;
                }
                if random.below(6) == 0 {
                    let kind = if float { Kind::Float } else { Kind::Int };
                    moves.add(Source::Constant(kind, 7), to);
                    expected.insert(to, "7".to_string());
                } else {
                    let from = place(&mut random, float);
                    moves.add(Source::Place(from), to);
                    expected.insert(to, from.to_string());
                }
            }
            let mut edits = Vec::new();
            moves.resolve(&mut edits);
            let mut state: HashMap<Place, String> = HashMap::new();
            let general = |p: Place| {
                matches!(p, Place::ScratchGeneral) || matches!(p, Place::Reg(r) if !r.is_float())
            };
            let is_slot = |p: Place| matches!(p, Place::Slot(_) | Place::ScratchSlot);
            for edit in edits {
                let (to, value) = match edit {
                    Edit::Move { from, to } => {
                        assert!(!(is_slot(from) && is_slot(to)), "slot to slot, seed {seed}");
                        let same_class =
                            is_slot(from) || is_slot(to) || general(from) == general(to);
                        assert!(same_class, "{from} to {to}, seed {seed}");
                        (
                            to,
                            state
                                .get(&from)
                                .cloned()
                                .unwrap_or_else(|| from.to_string()),
                        )
                    }
                    Edit::Constant { bits, to, .. } => (Place::Reg(to), bits.to_string()),
                };
                state.insert(to, value);
            }
            for (to, value) in expected {
                let found = state.get(&to).cloned().unwrap_or_else(|| to.to_string());
                assert_eq!(found, value, "{to}, seed {seed}");
            }
        }
    }
}
