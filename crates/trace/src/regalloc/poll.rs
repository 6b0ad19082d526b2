//! The moves of the back edge go before the guard that ends the loop, if that one reads no values (as a poll does not).
//!
//! ```text
//!   poll_word64 @s1         ; exit v5=r0 v7=r2              r0 -> r4
//!         r0 -> r4                                          r2 -> r0
//!         r2 -> r0                                  =>      poll_word64 @s1         ; exit v5=r4 v7=r0
//!   end loop v5, v7                                         end loop v5, v7
//! ```
//!
//! Then the guard's own jump can be the back edge, and the loop has one jump less. Its exit finds the values where the moves
//! have put them.

use super::liveness::is_emitted;
use super::{Allocation, Edit, Location, Place, Reg};
use crate::ir::{Trace, ValueId};
use serigraph_uops::Exit;

/// Does so, if every value of the exit is still somewhere after the moves.
pub(super) fn move_before_last_guard(trace: &Trace, out: &mut Allocation) {
    let Some(last) = trace.insts.iter().rposition(is_emitted) else {
        return;
    };
    let info = trace.insts[last].uop.info();
    let in_loop = trace.loop_start.is_some_and(|start| start.index() < last);
    let plain = info.inputs.is_empty() && info.output.is_none() && info.exit == Exit::Guard;
    let free = out.edits.last().is_none_or(|e| e.0 as usize <= last);
    if out.end_edits.is_empty() || !in_loop || !plain || !free {
        return;
    }
    let Some(&site) = out.exits.last().filter(|e| e.inst == ValueId(last as u32)) else {
        return;
    };
    let values = site.first as usize..(site.first + site.count) as usize;
    let mut moved = Vec::with_capacity(values.len());
    for (_, location) in &out.exit_values[values.clone()] {
        match after(&out.end_edits, *location) {
            Some(location) => moved.push(location),
            None => return,
        }
    }
    for (value, location) in out.exit_values[values].iter_mut().zip(moved) {
        value.1 = location;
    }
    out.edits
        .extend(out.end_edits.drain(..).map(|edit| (last as u32, edit)));
}

/// Where a value is after the moves; `None` if nowhere.
fn after(edits: &[Edit], location: Location) -> Option<Location> {
    let mut places: Vec<Place> = Vec::with_capacity(4);
    places.extend(location.reg.is_some().then_some(Place::Reg(location.reg)));
    places.extend(location.has_slot().then_some(Place::Slot(location.slot)));
    for edit in edits {
        let (found, to) = match *edit {
            Edit::Move { from, to } => (places.contains(&from), to),
            Edit::Constant { to, .. } => (false, Place::Reg(to)),
        };
        places.retain(|place| *place != to);
        if found {
            places.push(to);
        }
    }
    let reg = places.iter().find_map(|p| {
        if let Place::Reg(r) = p {
            Some(*r)
        } else {
            None
        }
    });
    let slot = places.iter().find_map(|p| {
        if let Place::Slot(s) = p {
            Some(*s)
        } else {
            None
        }
    });
    let location = Location {
        reg: reg.unwrap_or(Reg::NONE),
        slot: slot.unwrap_or(Location::NO_SLOT),
    };
    (!location.is_none()).then_some(location)
}
