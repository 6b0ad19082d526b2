//! Writes the functions that become stencils: each takes the machine state in registers, calls its body, and goes on to the next
//! stencil or the exit with the state as it then is.

use std::fmt::Write as _;

use serigraph_uops::Kind;

use crate::signature::{Form, OUTPUT, Reg, Signature};

/// The general registers of the calling convention after the frame, in order. Only those that may hold values have a name.
const GP: [Option<u8>; 11] = [
    Some(13),
    Some(14),
    Some(15),
    None,
    None,
    None,
    None,
    Some(8),
    Some(9),
    Some(11),
    None,
];

/// The text of the wrappers.
pub fn generate(signatures: &[Signature]) -> String {
    let mut text = String::new();
    for signature in signatures {
        wrapper(&mut text, signature);
    }
    text
}

fn wrapper(text: &mut String, signature: &Signature) {
    let canonical = signature.canonical();
    let mut arguments: Vec<String> = signature
        .frame
        .then(|| "frame".to_string())
        .into_iter()
        .collect();
    for (kind, register) in signature.inputs.iter().zip(canonical) {
        let cast = if *kind == Kind::Object {
            " as Object"
        } else {
            ""
        };
        arguments.push(match register {
            Some(Reg::Gp(n)) => format!("r{n}.assume_init(){cast}"),
            Some(Reg::Fp(n)) => format!("x{n}.assume_init()"),
            None => String::new(),
        });
    }
    let value = match signature.output {
        Some(Kind::Float) => "Double::new(value)",
        Some(Kind::Int | Kind::Object) => "Word::new(value as i64)",
        None => "",
    };
    let next = jump(
        "hole_next",
        signature,
        canonical[OUTPUT].map(|register| (register, value)),
    );
    let lost = canonical[OUTPUT].filter(|_| signature.result_before_exit);
    let exit = jump("hole_exit", signature, lost.map(|register| (register, "")));
    let call = format!("{}({})", signature.name, arguments.join(", "));
    let parameters: String = GP
        .iter()
        .map(|register| register.map_or("_: Word, ".to_string(), |n| format!("r{n}: Word, ")))
        .chain((0..8).map(|n| format!("x{n}: Double, ")))
        .collect();
    let name = &signature.name;
    let body = if signature.form == Form::Tied {
        let first = canonical[0].map(|register| (register, "Word::new(value)"));
        let (next, exit) = (
            jump("hole_next", signature, first),
            jump("hole_exit", signature, first),
        );
        format!("match {call} {{ Ok(value) => {next}, Err(value) => {exit} }}")
    } else if signature.has_exit {
        format!(
            "match {call} {{ Some(value) => {next}, None => {{ core::intrinsics::cold_path(); {exit} }} }}"
        )
    } else {
        format!("let value = {call}; {next}")
    };
    let _ = writeln!(
        text,
        "#[unsafe(export_name = \"stencil_{name}\")]\n\
         unsafe extern \"rust-preserve-none\" fn stencil_{name}(frame: *mut u8, {parameters}) {{ unsafe {{ {body} }} }}"
    );
}

/// A tail call that passes every value register on, but for the output (if `output` has a text, that is its new content), and for
/// those that do not survive a C call.
fn jump(to: &str, signature: &Signature, output: Option<(Reg, &str)>) -> String {
    let content = |register: Reg, unchanged: String, nothing: &str, survives: bool| match output {
        Some((r, "")) if r == register => nothing.to_string(),
        Some((r, new)) if r == register => new.to_string(),
        _ if signature.calls && !survives => nothing.to_string(),
        _ => unchanged,
    };
    let gp = GP.iter().map(|register| match *register {
        Some(n) => content(Reg::Gp(n), format!("r{n}"), "NO_WORD", n >= 13),
        None => "NO_WORD".to_string(),
    });
    let fp = (0..8).map(|n| content(Reg::Fp(n), format!("x{n}"), "NO_DOUBLE", false));
    let arguments: Vec<String> = gp.chain(fp).collect();
    format!("become {to}(frame, {})", arguments.join(", "))
}
