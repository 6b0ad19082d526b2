//! Handmade functions: what the gates let through, what they refuse and why, and how code is laid out.

use crate::object_file::{Function, Relocation, Symbol};
use crate::registers::RegisterHole;
use crate::signature::{self, Signature};
use crate::{BuildError, Finished, finish, registers};

const PC32: u32 = 2;
const PLT32: u32 = 4;
const ABS32: u32 = 10;

/// Instructions, and jumps or calls to symbols.
enum Part<'a> {
    Code(&'a [u8]),
    /// An opcode and a 32-bit hole for a symbol, with this type of relocation.
    To(&'a [u8], &'a str, u32),
}
use Part::{Code, To};

const NEXT: Part<'static> = To(&[0xe9], "hole_next", PLT32);
/// `mov r8, r13`
const COPY: Part<'static> = Code(&[0x4d, 0x89, 0xe8]);

fn signature(name: &str) -> Signature {
    signature::all()
        .into_iter()
        .find(|s| s.name == name)
        .unwrap()
}

fn function(parts: &[Part<'_>]) -> Function {
    let mut function = Function {
        name: String::new(),
        code: Vec::new(),
        relocations: Vec::new(),
    };
    for part in parts {
        match *part {
            Code(bytes) => function.code.extend_from_slice(bytes),
            To(opcode, symbol, kind) => {
                function.code.extend_from_slice(opcode);
                function.relocations.push(Relocation {
                    offset: function.code.len(),
                    kind,
                    symbol: Symbol::Named(symbol.to_string()),
                    addend: -4,
                });
                function.code.extend_from_slice(&[0; 4]);
            }
        }
    }
    function
}

fn make(name: &str, parts: &[Part<'_>]) -> Result<Finished, BuildError> {
    finish(&function(parts), &signature(name))
}

#[track_caller]
fn refused(name: &str, parts: &[Part<'_>], why: &str) {
    match make(name, parts) {
        Ok(_) => panic!("it was let through instead of: {why}"),
        Err(error) => assert!(error.to_string().contains(why), "{error}"),
    }
}

#[test]
fn a_plain_stencil() {
    let invert = make("int_invert", &[COPY, Code(&[0x49, 0xf7, 0xd0]), NEXT]).unwrap();
    assert_eq!(
        invert.placed.hot.bytes,
        [0x4d, 0x89, 0xe8, 0x49, 0xf7, 0xd0]
    );
    assert!(invert.placed.cold.bytes.is_empty() && invert.placed.hot.holes.is_empty());
    assert_eq!(invert.facts.output_may_alias, 1);
    assert_eq!(invert.placed.hot.registers.len(), 6);
}

#[test]
fn the_result_is_kept_from_inputs_that_are_read_after_it_is_written() {
    // mov r8, r13; and r8, r14
    let and = make("int_and", &[COPY, Code(&[0x4d, 0x21, 0xf0]), NEXT]).unwrap();
    assert_eq!(and.facts.output_may_alias, 0b01);
    // lea r8, [r14+r13] reads both before it writes.
    let add = make(
        "int_add_wrap",
        &[Code(&[0x4f, 0x8d, 0x44, 0x2e, 0x00]), NEXT],
    )
    .unwrap();
    assert_eq!(add.facts.output_may_alias, 0b11);
    // xor r8d, r8d; cmp r13, r14; setl r8b
    let compare = [
        Code(&[0x45, 0x31, 0xc0, 0x4d, 0x39, 0xf5, 0x41, 0x0f, 0x9c, 0xc0]),
        NEXT,
    ];
    assert_eq!(make("int_lt", &compare).unwrap().facts.output_may_alias, 0);
}

#[test]
fn branches_are_turned_round() {
    // test r13, r13; jne next; jmp exit  becomes  test r13, r13; je exit
    let test = [0x4d, 0x85, 0xed];
    let parts = [
        Code(&test),
        To(&[0x0f, 0x85], "hole_next", PLT32),
        To(&[0xe9], "hole_exit", PLT32),
    ];
    let guard = make("guard_true", &parts).unwrap();
    assert_eq!(
        guard.placed.hot.bytes,
        [0x4d, 0x85, 0xed, 0x0f, 0x84, 0, 0, 0, 0]
    );
    // je .exit; jmp next; .exit: jmp exit  goes straight to the exit
    let parts = [
        Code(&test),
        Code(&[0x74, 0x05]),
        NEXT,
        To(&[0xe9], "hole_exit", PLT32),
    ];
    let guard = make("guard_true", &parts).unwrap();
    assert_eq!(
        guard.placed.hot.bytes,
        [0x4d, 0x85, 0xed, 0x0f, 0x84, 0, 0, 0, 0]
    );
    assert!(guard.placed.cold.bytes.is_empty());
}

#[test]
fn marked_blocks_go_to_the_cold_area() {
    // test r13, r13; je .cold; jmp next; .cold: <marker> cmp r13, 1; jne exit; jmp next
    let parts = [
        Code(&[0x4d, 0x85, 0xed, 0x74, 0x05]),
        NEXT,
        To(&[0xe8], "hole_cold_marker", PLT32),
        Code(&[0x49, 0x83, 0xfd, 0x01]),
        To(&[0x0f, 0x85], "hole_exit", PLT32),
        NEXT,
    ];
    let guard = make("guard_true", &parts).unwrap();
    assert_eq!(
        guard.placed.hot.bytes,
        [0x4d, 0x85, 0xed, 0x0f, 0x84, 0, 0, 0, 0]
    );
    assert_eq!(
        guard.placed.cold.bytes,
        [
            0x49, 0x83, 0xfd, 0x01, 0x0f, 0x85, 0, 0, 0, 0, 0xe9, 0, 0, 0, 0
        ]
    );
}

#[test]
fn a_base_register_gets_room_for_r13() {
    // mov r8, [r14]; mov r8, [r8+r13*8]
    let parts = [Code(&[0x4d, 0x8b, 0x06, 0x4f, 0x8b, 0x04, 0xe8]), NEXT];
    let load = make("item_at", &parts).unwrap();
    assert_eq!(
        load.placed.hot.bytes,
        [0x4d, 0x8b, 0x46, 0x00, 0x4f, 0x8b, 0x44, 0xe8, 0x00]
    );
}

#[test]
fn what_is_refused() {
    let not_r13 = Code(&[0x49, 0xf7, 0xd5]);
    refused("int_invert", &[not_r13, COPY, NEXT], "changes an input");
    refused(
        "int_invert",
        &[COPY, Code(&[0xc3])],
        "returns instead of ending with a tail jump",
    );
    refused("int_invert", &[COPY], "does not end with a tail jump");
    refused("int_invert", &[NEXT], "without having written its result");
    refused(
        "int_invert",
        &[Code(&[0x50]), COPY, NEXT],
        "moves the stack pointer",
    );
    refused(
        "int_invert",
        &[Code(&[0x4d, 0x89, 0xec]), COPY, NEXT],
        "changes the frame register",
    );
    refused(
        "int_invert",
        &[Code(&[0x4d, 0x89, 0xe1]), COPY, NEXT],
        "uses the frame",
    );
    refused(
        "int_invert",
        &[Code(&[0x4d, 0x89, 0xe9]), COPY, NEXT],
        "a register that belongs to others",
    );
    refused(
        "int_invert",
        &[Code(&[0x4c, 0x89, 0xeb]), COPY, NEXT],
        "a register that belongs to others",
    );
    refused(
        "int_invert",
        &[Code(&[0x49, 0x89, 0xc0]), NEXT],
        "that nothing has written",
    );
    refused(
        "int_invert",
        &[COPY, Code(&[0xe8, 0, 0, 0, 0]), NEXT],
        "calls something that is no hole",
    );
    refused(
        "int_invert",
        &[COPY, To(&[0xe8], "hole_helper", PLT32), NEXT],
        "calls C, but the table does not say so",
    );
    refused(
        "int_invert",
        &[COPY, To(&[0xe8], "malloc", PLT32), NEXT],
        "calls C",
    );
    refused(
        "int_invert",
        &[COPY, To(&[0xe9], "memcpy", PLT32)],
        "jumps to",
    );
    refused(
        "int_invert",
        &[COPY, Code(&[0x74, 0x01]), NEXT],
        "middle of an instruction",
    );
    refused(
        "int_invert",
        &[COPY, Code(&[0x06]), NEXT],
        "cannot be decoded",
    );
    refused("int_add", &[COPY, NEXT], "whether it can leave the trace");
    refused(
        "call_object_1",
        &[COPY, NEXT],
        "whether it can leave the trace",
    );
    refused(
        "leaf_float_1",
        &[Code(&[0x0f, 0x28, 0xd3]), NEXT],
        "whether it calls C",
    );
    // cmp r13, r14; mov r8, r13; jl exit; jmp next: the result is written, but the uop is not listed for that.
    let early = [
        Code(&[0x4d, 0x39, 0xf5]),
        COPY,
        To(&[0x0f, 0x8c], "hole_exit", PLT32),
        NEXT,
    ];
    refused("int_shl", &early, "not as it was when the exit is taken");
    // mov r8d, imm32 would zero-extend the immediate.
    refused(
        "int_and_imm",
        &[To(&[0x41, 0xb8], "hole_imm32", ABS32), NEXT],
        "does not suit",
    );
    refused(
        "int_and_imm",
        &[COPY, NEXT],
        "whether it uses an immediate operand",
    );
    refused(
        "int_invert",
        &[To(&[0x4c, 0x8b, 0x05], "hole_pool", PC32), NEXT],
        "the immediate operand is None",
    );
    // mov rdi, r13; call; mov r8, r13: the input may be in a register that the call has changed.
    let after_call = [
        Code(&[0x4c, 0x89, 0xef]),
        To(&[0xe8], "hole_helper", PLT32),
        Code(&[0x48, 0x85, 0xc0]),
        To(&[0x0f, 0x84], "hole_exit", PLT32),
        COPY,
        NEXT,
    ];
    refused("call_object_1", &after_call, "reads an input after a call");
    let many: Vec<u8> = [0x49, 0xf7, 0xd0].repeat(90);
    refused("int_invert", &[COPY, Code(&many), NEXT], "longer than");
}

#[test]
fn a_wrong_register_field_is_found() {
    let parts = [COPY, Code(&[0x49, 0xf7, 0xd0]), NEXT];
    let signature = signature("int_invert");
    let mut finished = make("int_invert", &parts).unwrap();
    registers::prove(&finished.placed, &signature).unwrap();
    let fields = finished.placed.hot.registers.clone();
    for missing in 0..fields.len() {
        finished.placed.hot.registers = fields.clone();
        finished.placed.hot.registers.remove(missing);
        assert!(
            registers::prove(&finished.placed, &signature).is_err(),
            "without field {missing}"
        );
        let shifted = RegisterHole {
            shift: fields[missing].shift ^ 1,
            ..fields[missing]
        };
        finished.placed.hot.registers.push(shifted);
        assert!(
            registers::prove(&finished.placed, &signature).is_err(),
            "with field {missing} moved"
        );
    }
}
