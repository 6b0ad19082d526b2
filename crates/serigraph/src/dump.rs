//! The stages of traces as text: kept for `dump()`, and written out as they are made for `SERIGRAPH_DUMP`.

use std::fs::File;
use std::io::Write;

/// A stage of a trace that has a text form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Stage {
    /// As the recorder made it.
    Record,
    /// As the optimiser left it.
    Opt,
    /// With registers.
    Regalloc,
    /// The machine code.
    Asm,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Stage; 4] = [Stage::Record, Stage::Opt, Stage::Regalloc, Stage::Asm];

    /// Its name in options.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Record => "record",
            Stage::Opt => "opt",
            Stage::Regalloc => "regalloc",
            Stage::Asm => "asm",
        }
    }

    /// The stage of that name.
    pub fn from_name(name: &str) -> Option<Stage> {
        Stage::ALL.into_iter().find(|stage| stage.name() == name)
    }
}

/// A set of stages, and where their text goes.
#[derive(Debug, Default)]
pub struct Dump {
    wanted: [bool; 4],
    file: Option<File>,
}

impl Dump {
    /// Dumps these stages to a file (`None`: stderr).
    pub fn new(stages: &[Stage], file: Option<File>) -> Dump {
        let mut wanted = [false; 4];
        for &stage in stages {
            wanted[stage as usize] = true;
        }
        Dump { wanted, file }
    }

    /// Whether a stage is to be written.
    pub fn wants(&self, stage: Stage) -> bool {
        self.wanted[stage as usize]
    }

    /// Writes one stage of a trace. A dump that cannot be written is no reason to stop the program.
    pub fn write(&mut self, trace: u32, place: &str, stage: Stage, text: &str) {
        let text = format!("# trace {trace} at {place}: {}\n{text}\n", stage.name());
        let written = match self.file.as_mut() {
            Some(file) => file.write_all(text.as_bytes()),
            None => std::io::stderr().write_all(text.as_bytes()),
        };
        drop(written);
    }
}
