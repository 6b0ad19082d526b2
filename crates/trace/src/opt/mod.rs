//! The optimiser: makes of a naive recording a trace in which only the work is left.
//!
//! ```text
//! refcount   pairs of incref and decref that nothing can see
//! forward    types, ranges, constants, common subexpressions, loads, unboxing: one pass ([`forward`], [`fold`])
//! peel       the same pass twice: a preamble and a loop
//! sink       boxes, slot stores and iterator stores that only exits need, are left to the exits
//! reuse      a float goes into a list in the box that it displaces
//! lower      immediate forms
//! derive     numbers that differ from others by a constant are added up by the exits
//! dead       what is not used; numbering
//! ```
//!
//! Passes ask the uop table for effects and ownership, never a list of their own. [`Passes`] switches each of them; a
//! callback sees the trace and the time after each.

mod cse;
mod dead;
mod derive;
mod facts;
mod fold;
mod forward;
mod inherit;
mod lower;
mod memory;
mod params;
mod peel;
mod rebuild;
mod refcount;
mod reuse;
mod sink;
mod snapshots;
mod survey;
mod types;

pub use crate::link::link;
pub use crate::side::{SideEntry, SideFrameState, side_entry};
pub(crate) use derive::difference;
pub use types::HostTypes;

use crate::ir::{End, Trace};
use crate::ownership::comes_round;
use forward::Forward;
use serigraph_uops::Reason;
use survey::Survey;

macro_rules! passes {
    ($( $variant:ident $name:literal $doc:literal; )*) => {
        /// A pass or a part of one, as a switch.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum Pass { $( #[doc = $doc] $variant ),* }

        impl Pass {
            /// Every pass.
            pub const ALL: &'static [Pass] = &[ $( Pass::$variant ),* ];
            /// The name used in `SERIGRAPH_OPT`.
            pub const fn name(self) -> &'static str {
                match self { $( Pass::$variant => $name ),* }
            }
        }
    };
}

passes! {
    Refcount "refcount" "Pairs of incref and decref that nothing can see.";
    Guards "guards" "Guards that are known to hold.";
    Fold "fold" "Constants and algebra.";
    Unbox "unbox" "The raw value of a box is what was boxed.";
    Cse "cse" "Common subexpressions.";
    Memory "memory" "Loads from fields, items and iterators that are known.";
    Peel "peel" "What the loop does not change is done before it.";
    Sink "sink" "Boxes and stores that only exits need.";
    Reuse "reuse" "Float boxes that nobody else has are overwritten.";
    Lower "lower" "Immediate forms.";
    Derive "derive" "Numbers that exits can add up.";
    Dead "dead" "What is not used.";
}

/// Which passes run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Passes(u16);

impl Passes {
    /// All of them.
    pub const ALL: Passes = Passes((1 << Pass::ALL.len()) - 1);

    /// Whether a pass runs.
    #[inline]
    pub const fn has(self, pass: Pass) -> bool {
        self.0 & 1 << pass as u8 != 0
    }

    /// All but one.
    pub const fn without(self, pass: Pass) -> Passes {
        Passes(self.0 & !(1 << pass as u8))
    }

    /// Reads a list like `-cse,-peel`. `none` switches off everything, `+name` switches on. The error is for people.
    pub fn parse(text: &str) -> Result<Passes, String> {
        let mut passes = Passes::ALL;
        for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            let find = |name: &str| {
                Pass::ALL.iter().find(|p| p.name() == name).ok_or_else(|| {
                    let names: Vec<&str> = Pass::ALL.iter().map(|p| p.name()).collect();
                    format!("there is no pass `{name}`; there are {}", names.join(", "))
                })
            };
            if let Some(name) = word.strip_prefix('-') {
                passes.0 &= !(1 << *find(name)? as u8);
            } else if let Some(name) = word.strip_prefix('+') {
                passes.0 |= 1 << *find(name)? as u8;
            } else if word == "none" {
                passes.0 = 0;
            } else if word != "all" {
                return Err(format!(
                    "`{word}` should be `-pass`, `+pass`, `all` or `none`"
                ));
            }
        }
        Ok(passes)
    }
}

/// A trace with what later passes need to know about its values.
pub(crate) struct Work {
    trace: Trace,
    /// What each phi carries, in order.
    carried: Vec<peel::Carried>,
    /// Slots whose number needs no phi, and the sunk sum that it is.
    derived: Vec<(u32, crate::ir::ValueId)>,
    facts: Vec<facts::Fact>,
    /// For each value before the loop: the loop does not change it. Empty without a loop.
    invariant: Vec<bool>,
}

impl Trace {
    /// Makes room for so many copies of another trace's instructions and snapshots, and some.
    fn reserve_like(&mut self, other: &Trace, copies: usize) {
        self.insts.reserve(other.insts.len() * copies + 16);
        self.snapshots.reserve(other.snapshots.len() * copies);
        self.frame_states.reserve(other.frame_states.len() * copies);
        self.slot_values
            .reserve(other.slot_values.len() * copies + 8 * other.snapshots.len());
        self.pending_stores
            .reserve(other.pending_stores.len() * copies + 2 * other.snapshots.len());
    }
}

/// Runs one pass, which is verified in debug builds.
fn run_pass(
    name: &'static str,
    work: &mut Work,
    pass: impl FnOnce(&mut Work),
) -> Result<(), Reason> {
    pass(work);
    checked(name, &work.trace)
}

/// In debug builds: whether a pass has left a trace that is well formed.
fn checked(name: &'static str, trace: &Trace) -> Result<(), Reason> {
    if cfg!(debug_assertions)
        && let Err(error) = crate::verify::verify(trace)
    {
        debug_assert!(false, "after {name}: {error}\n{trace}");
        return Err(Reason::VerifierFailed);
    }
    Ok(())
}

/// Makes a loop of the recording of one iteration, from a loop header to the same header, whose state at the end is the
/// snapshot of its [`End::Exit`]. It [comes round](comes_round).
pub fn optimise_loop(mut trace: Trace, types: &HostTypes, passes: Passes) -> Result<Trace, Reason> {
    let End::Exit(header) = trace.end else {
        return Err(Reason::NotLooping);
    };
    if header.is_none() {
        return Err(Reason::NotLooping);
    }
    debug_assert_eq!(comes_round(&trace, header), Ok(()), "{trace}");
    if passes.has(Pass::Refcount) {
        refcount::run(&mut trace, types);
        checked("refcount", &trace)?;
    }
    let survey = Survey::new(&trace, header, types);
    let make = |more| {
        let forward = Forward::new(&trace, types, passes, Some(&survey));
        peel::run(&trace, &survey, forward, more)
    };
    let wanted = [Pass::Peel, Pass::Unbox, Pass::Sink];
    let more = match wanted.into_iter().all(|pass| passes.has(pass)) {
        true => peel::more_iterations(&trace, &survey),
        false => 0,
    };
    let mut work = match make(more) {
        Err(_) if more > 0 => make(0)?,
        made => made?,
    };
    checked("peel", &work.trace)?;
    finish(&mut work, types, passes, None)?;
    Ok(work.trace)
}

/// Optimises a trace without a loop: a side trace, or one that links to another loop. `tree` is the trace whose loop the
/// inherited values belong to, `target` the one that its end links to.
pub fn optimise_linear(
    mut trace: Trace,
    tree: Option<&Trace>,
    target: Option<&Trace>,
    types: &HostTypes,
    passes: Passes,
) -> Result<Trace, Reason> {
    if trace.loop_start.is_some() {
        return Err(Reason::NotLooping);
    }
    if passes.has(Pass::Refcount) {
        refcount::run(&mut trace, types);
        checked("refcount", &trace)?;
    }
    let mut forward = Forward::new(&trace, types, passes, None);
    forward.tree = tree;
    let mut work = forward.linear().map_err(|_| Reason::TypesUnstable)?;
    checked("forward", &work.trace)?;
    finish(&mut work, types, passes, target)?;
    Ok(work.trace)
}

/// The passes that follow the forward pass.
fn finish(
    work: &mut Work,
    types: &HostTypes,
    passes: Passes,
    target: Option<&Trace>,
) -> Result<(), Reason> {
    run_pass("sink", work, |work| {
        sink::run(work, types, target, passes.has(Pass::Sink))
    })?;
    if passes.has(Pass::Refcount) {
        run_pass("refcount", work, |work| {
            refcount::run(&mut work.trace, types)
        })?;
    }
    if passes.has(Pass::Reuse) {
        run_pass("reuse", work, |work| reuse::run(work, types))?;
    }
    if passes.has(Pass::Lower) {
        run_pass("lower", work, |work| lower::run(&mut work.trace))?;
    }
    if passes.has(Pass::Derive) && passes.has(Pass::Sink) {
        run_pass("derive", work, derive::run)?;
    }
    run_pass("dead", work, |work| dead::run(work, passes.has(Pass::Dead)))?;
    if work.trace.loop_start.is_some() && !params::run(work) {
        return Err(Reason::NotLooping);
    }
    Ok(())
}
