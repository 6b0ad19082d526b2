//! Code that could look: the frames are brought up to date before it, and checked after it.
//!
//! An inlined function has no frame until something could look for it. Before a call that could, the frames of all inlined
//! functions are made in the activation and linked, with their locals and instruction pointers; after it they are taken
//! down again, or, if a frame object was made of one of them, or a dict of its locals, the trace is left and they go on as they
//! stand.
//!
//! ```text
//! set_ip 0x7f..                      # f0 is calling
//! frame_slot v3, 9                   # the locals of f1
//! frame_slot v8, 10
//! push_frame 0x7f..                  # its head; it is the current frame
//! v9: object = call_object_1 v8, 41 @s5
//! guard_valid 0x7f.. @s6
//! guard_no_frame_object @s6
//! guard_frame_unseen 6 @s6
//! pop_frames 1
//! ```
//!
//! A standing frame owns nothing while the trace runs: its slots hold the references that the trace owns for them.

use serigraph_cpython::frame::{self, FramePtr};
use serigraph_cpython::layout as frame_layout;
use serigraph_cpython::version::Minor;
use serigraph_trace::ir::ValueId;
use serigraph_uops::{Reason, Uop, layout};

use super::frame::Place;
use super::{Recorder, Stop};
use crate::host::FrameImage;
use crate::host::object;

impl Recorder<'_> {
    /// To be called before a uop that may run any code: whoever looks finds every frame.
    pub(super) fn before_escape(&mut self) -> Result<(), Stop> {
        self.sync_slots()?;
        if self.escaped {
            return self.sync_standing();
        }
        self.escaped = true;
        let at = self.instruction_address(0);
        self.emit(Uop::SetIp, &[], at)?;
        for number in 1..self.frames.len() {
            self.show(number)?;
        }
        Ok(())
    }

    /// Where others see a frame: at the current instruction, or at the call that it is in.
    fn instruction_address(&self, number: usize) -> u64 {
        let frame = &self.frames[number];
        let call = frame.units.at(frame.ip).map_or(frame.ip, |i| i.op_at);
        let at = match self.frames.get(number + 1) {
            None => frame.code.unit_address(self.instruction.op_at),
            // The interpreter calls it from C.
            Some(callee) if callee.kind.operands() > 0 => frame.code.unit_address(call),
            Some(callee) => {
                let next = self.trace.inlined[callee.id.index() - 1].return_ip;
                FramePtr::calling_address(frame.code, call, next)
            }
        };
        at.expose_provenance() as u64
    }

    /// The first word of an inlined frame in the activation's room.
    fn room(&self, number: usize) -> usize {
        self.frames[1..number]
            .iter()
            .map(|frame| frame.code.frame_size() as usize)
            .sum()
    }

    /// Whether there is room for the frame of one more inlined function.
    pub(super) fn has_room_for(&self, words: usize) -> bool {
        self.room(self.frames.len()) + words <= layout::FRAME_WORDS
    }

    /// Makes an inlined frame stand.
    fn show(&mut self, number: usize) -> Result<(), Stop> {
        let room = self.room(number);
        self.standing.push(Vec::new());
        self.sync_standing()?;
        let frame = &self.frames[number];
        let function = object::pointer(self.bits(frame.function));
        let at = std::ptr::with_exposed_provenance_mut(self.instruction_address(number) as usize);
        // SAFETY: the function that is inlined, with its code.
        let head = unsafe { frame::head_words(function, frame.code, at) };
        let mut image = FrameImage::new([room as u64; layout::FRAME_IMAGE_WORDS]);
        image[..layout::FRAME_HEAD_WORDS].copy_from_slice(&head);
        let address = std::ptr::from_ref(&*image).expose_provenance() as u64;
        self.images.push(image);
        self.emit(Uop::PushFrame, &[], address)?;
        Ok(())
    }

    /// Brings the locals of the standing frames up to date.
    fn sync_standing(&mut self) -> Result<(), Stop> {
        for number in 1..=self.standing.len() {
            let first = self.room(number) + layout::FRAME_HEAD_WORDS;
            for slot in 0..self.frames[number].locals as usize {
                let value = self.frames[number].slots[slot].value;
                let shown = self.standing[number - 1].get(slot).copied();
                if shown == Some(value) {
                    continue;
                }
                let bits = match value {
                    ValueId::NONE => self.constant(0)?,
                    value => value,
                };
                self.emit(Uop::FrameSlot, &[bits], (first + slot) as u64)?;
                match self.standing[number - 1].get_mut(slot) {
                    Some(place) => *place = value,
                    None => self.standing[number - 1].push(value),
                }
            }
        }
        Ok(())
    }

    /// Brings the locals of f0 in memory up to date.
    fn sync_slots(&mut self) -> Result<(), Stop> {
        for slot in 0..self.frames[0].locals {
            let content = self.frames[0].slots[slot as usize];
            if content.place == Place::Trace {
                self.own(content.value)?;
                self.emit(Uop::SyncSlot, &[content.value], slot.into())?;
                self.frames[0].slots[slot as usize].place = Place::Memory;
            }
        }
        Ok(())
    }

    /// At the beginning of the instruction after one that escaped: leave if the world has changed. Standing frames are taken down.
    pub(super) fn after_escape(&mut self) -> Result<(), Stop> {
        self.sync_standing()?;
        if !self.world.is_unchanged()
            || !self.dependencies_hold()
            || !self.frame.frame_object().is_null()
        {
            return Err(self.abort(Reason::WorldChanged));
        }
        self.evaluator_guarded = false;
        let snapshot = self.snapshot_for(Reason::InvalidExit);
        let word = self.valid_word.expose_provenance() as u64;
        let mut guards = vec![(Uop::GuardValid, word), (Uop::GuardNoFrameObject, 0)];
        for number in 1..=self.standing.len() {
            let unseen = self.room(number) + layout::FRAME_OBJECT / 8;
            guards.push((Uop::GuardFrameUnseen, unseen as u64));
            if self.minor == Minor::V312 {
                // `locals()` makes a dict there without a frame object: the frame's own, until it ends.
                let locals = self.room(number) + frame_layout().frame.locals / 8;
                guards.push((Uop::GuardFrameUnseen, locals as u64));
            }
        }
        for (guard, imm) in guards {
            if self.attempt_at(guard, &[], imm, snapshot)?.is_none() {
                return Err(self.abort(Reason::WorldChanged));
            }
        }
        let count = self.standing.len() as u64;
        self.standing.clear();
        if count > 0 {
            self.emit(Uop::PopFrames, &[], count)?;
        }
        Ok(())
    }
}
