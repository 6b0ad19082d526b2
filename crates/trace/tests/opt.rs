//! The optimiser on text: `tests/opt/*.trace`.

use serigraph_trace::enter::enter;
use serigraph_trace::filetest::{Command, run_folder};
use serigraph_trace::ir::{Trace, ValueId};
use serigraph_trace::opt::{HostTypes, Passes, link, optimise_linear, optimise_loop, side_entry};
use serigraph_trace::parse::parse;
use serigraph_trace::verify::verify;
use std::path::Path;

/// Types have small addresses; small ints lie at 0x10000 + 32 * (value + 5), floats at 0x20000 + 2 * value, large ints at
/// 0x30000 + value, None, True and False at 0x100, 0x110 and 0x120.
fn types() -> HostTypes {
    fn type_of(object: u64) -> u64 {
        match object {
            0x100 => 0xa4,
            0x110 | 0x120 => 0xa3,
            0x1_0000..0x2_0000 | 0x3_0000..0x4_0000 => 0xa1,
            0x2_0000..0x3_0000 => 0xa2,
            _ => 0xaf,
        }
    }
    fn int_value(object: u64) -> Option<i64> {
        match object {
            0x1_0000..0x2_0000 => Some((object as i64 - 0x1_0000) / 32 - 5),
            0x3_0000..0x4_0000 => Some(object as i64 - 0x3_0000),
            _ => None,
        }
    }
    HostTypes {
        int: 0xa1,
        float: 0xa2,
        bool_: 0xa3,
        none_type: 0xa4,
        str_: 0xa5,
        list: 0xa6,
        tuple: 0xa7,
        range: 0xa8,
        range_iterator: 0xa9,
        list_iterator: 0xaa,
        tuple_iterator: 0xab,
        none: 0x100,
        true_: 0x110,
        false_: 0x120,
        bool_table: 0x130,
        type_of,
        int_value,
        float_value: |object| (object as f64 - 131_072.0) / 2.0,
        small_int: |value| {
            (-5..=256)
                .contains(&value)
                .then_some(0x1_0000 + 32 * (value + 5) as u64)
        },
        is_immortal: |object| object < 0x2_0000,
    }
}

fn passes(words: &[&str]) -> Result<Passes, String> {
    Passes::parse(&words.join(","))
}

fn shown(result: Result<Trace, serigraph_uops::Reason>) -> String {
    match result {
        Ok(trace) => match verify(&trace) {
            Ok(()) => trace.to_string(),
            Err(error) => format!("not well formed: {error}\n{trace}"),
        },
        Err(reason) => format!("no trace: {}", reason.name()),
    }
}

fn read(text: &str) -> Result<Trace, String> {
    let trace = parse(text).map_err(|e| format!("cannot be read: {e}"))?;
    match verify(&trace) {
        Ok(()) => Ok(trace),
        Err(error) => Err(format!("input not well formed: {error}")),
    }
}

/// `test loop [passes]`: a recorded iteration becomes a loop.
fn loop_command(words: &[&str], input: &str) -> String {
    let run = || -> Result<String, String> {
        Ok(shown(optimise_loop(read(input)?, &types(), passes(words)?)))
    };
    run().unwrap_or_else(|e| e)
}

/// `test linear [passes]`: a trace without a loop.
fn linear_command(words: &[&str], input: &str) -> String {
    let run = || -> Result<String, String> {
        Ok(shown(optimise_linear(
            read(input)?,
            None,
            None,
            &types(),
            passes(words)?,
        )))
    };
    run().unwrap_or_else(|e| e)
}

/// `test side N`: the beginning of the side trace of the exit of instruction N, of trace number 7.
fn side_command(words: &[&str], input: &str) -> String {
    let run = || -> Result<String, String> {
        let exit: u32 = words
            .first()
            .and_then(|w| w.parse().ok())
            .ok_or("which instruction?")?;
        let entry =
            side_entry(&read(input)?, 7, ValueId(exit)).map_err(|r| r.name().to_string())?;
        let params: Vec<String> = entry.params.iter().map(ToString::to_string).collect();
        Ok(format!("from {}\n{}", params.join(", "), entry.trace))
    };
    run().unwrap_or_else(|e| e)
}

/// `test link [passes]`: a recorded trace that has come to the header of an optimised one, number 7, which follows after `into`.
fn link_command(words: &[&str], input: &str) -> String {
    let run = || -> Result<String, String> {
        let (recorded, target) = input.split_once("into\n").ok_or("into what?")?;
        let target = read(target)?;
        let mut trace = parse(recorded).map_err(|e| format!("cannot be read: {e}"))?;
        if let Err(reason) = link(&mut trace, 7, &target, &types()) {
            return Ok(format!("no link: {}", reason.name()));
        }
        let tree = (trace.tree == 7).then_some(&target);
        Ok(shown(optimise_linear(
            trace,
            tree,
            Some(&target),
            &types(),
            passes(words)?,
        )))
    };
    run().unwrap_or_else(|e| e)
}

/// `test enter [passes]`: a recorded trace that has come to the header where another begins, number 7, which follows after `into`.
fn enter_command(words: &[&str], input: &str) -> String {
    let run = || -> Result<String, String> {
        let (recorded, target) = input.split_once("into\n").ok_or("into what?")?;
        let target = read(target)?;
        let mut trace = parse(recorded).map_err(|e| format!("cannot be read: {e}"))?;
        if let Err(reason) = enter(&mut trace, 7, &target) {
            return Ok(format!("cannot enter: {}", reason.name()));
        }
        Ok(shown(optimise_linear(
            trace,
            None,
            None,
            &types(),
            passes(words)?,
        )))
    };
    run().unwrap_or_else(|e| e)
}

#[test]
fn texts() {
    let commands: [(&str, Command); 5] = [
        ("loop", loop_command),
        ("linear", linear_command),
        ("side", side_command),
        ("link", link_command),
        ("enter", enter_command),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/opt");
    if let Err(failures) = run_folder(&folder, &commands) {
        panic!("{failures}");
    }
}
