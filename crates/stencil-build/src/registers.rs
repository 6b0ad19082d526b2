//! Finds where operands' register numbers stand in instructions, and proves it.

use iced_x86::{Decoder, DecoderOptions, Instruction, OpCodeOperandKind, OpKind, Register};

use crate::code::Inst;
use crate::error::BuildError;
use crate::place::Placed;
use crate::signature::{FP_VALUES, GP_VALUES, OUTPUT, Reg, Signature};

/// A bit field that holds part of a register number; see `RegisterHole` of `serigraph-stencil`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RegisterHole {
    pub offset: usize,
    pub operand: usize,
    pub from: u8,
    pub mask: u8,
    pub shift: u8,
}

/// Where in an instruction a register is named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Field {
    /// ModRM.reg.
    Reg,
    /// ModRM.rm as a register.
    Rm,
    /// The base of a memory operand.
    Base,
    /// The index of a memory operand.
    Index,
    /// VEX.vvvv.
    Vvvv,
    /// The low bits of the opcode.
    Opcode,
}

/// A register as class and number; `None` for what is neither general nor a vector register (rip, flags).
pub fn reg_of(register: Register) -> Option<Reg> {
    if register.is_gpr() {
        Some(Reg::Gp(register.full_register().number() as u8))
    } else if register.is_vector_register() {
        Some(Reg::Fp(register.number() as u8))
    } else {
        None
    }
}

/// The places of an instruction's prefixes, opcode and ModRM byte.
struct Encoding {
    rex: Option<usize>,
    /// The first byte and the length (2 or 3) of a VEX prefix.
    vex: Option<(usize, usize)>,
    /// One past the opcode: where ModRM is, if there is one.
    modrm: usize,
}

fn encoding(bytes: &[u8]) -> Encoding {
    let mut at = 0;
    while matches!(
        bytes[at],
        0x66 | 0xf2 | 0xf3 | 0x2e | 0x36 | 0x3e | 0x26 | 0x64 | 0x65 | 0xf0
    ) {
        at += 1;
    }
    let rex = (bytes[at] & 0xf0 == 0x40).then_some(at);
    at += rex.is_some() as usize;
    match bytes[at] {
        0xc5 => {
            return Encoding {
                rex,
                vex: Some((at, 2)),
                modrm: at + 3,
            };
        }
        0xc4 => {
            return Encoding {
                rex,
                vex: Some((at, 3)),
                modrm: at + 4,
            };
        }
        0x0f if matches!(bytes[at + 1], 0x38 | 0x3a) => at += 3,
        0x0f => at += 2,
        _ => at += 1,
    }
    Encoding {
        rex,
        vex: None,
        modrm: at,
    }
}

/// The registers that an instruction names, and where.
fn named(inst: &Inst) -> Result<Vec<(Reg, Field)>, BuildError> {
    use OpCodeOperandKind as K;
    let decoded = &inst.decoded;
    let mut named = Vec::new();
    for index in 0..decoded.op_count() {
        match decoded.op_kind(index) {
            OpKind::Register => {
                let Some(register) = reg_of(decoded.op_register(index)) else {
                    return Err(BuildError::new(format!(
                        "`{decoded}` uses an unusual register"
                    )));
                };
                let field = match decoded.op_code().op_kind(index) {
                    K::r8_reg | K::r16_reg | K::r32_reg | K::r64_reg | K::xmm_reg => Field::Reg,
                    K::r8_or_mem
                    | K::r16_or_mem
                    | K::r32_or_mem
                    | K::r64_or_mem
                    | K::xmm_or_mem => Field::Rm,
                    K::xmm_rm | K::r32_rm | K::r64_rm => Field::Rm,
                    K::r32_vvvv | K::r64_vvvv | K::xmm_vvvv => Field::Vvvv,
                    K::r8_opcode | K::r16_opcode | K::r32_opcode | K::r64_opcode => Field::Opcode,
                    K::al | K::ax | K::eax | K::rax | K::cl => continue,
                    other => {
                        return Err(BuildError::new(format!(
                            "`{decoded}` has an operand of unknown encoding {other:?}"
                        )));
                    }
                };
                named.push((register, field));
            }
            OpKind::Memory => {
                named.extend(reg_of(decoded.memory_base()).map(|register| (register, Field::Base)));
                named.extend(
                    reg_of(decoded.memory_index()).map(|register| (register, Field::Index)),
                );
            }
            _ => {}
        }
    }
    Ok(named)
}

/// Gives an instruction whose memory base is an operand a displacement byte: r13 cannot be a base without one.
pub fn make_room(inst: &mut Inst, canonical: &[Option<Reg>; 4]) -> Result<(), BuildError> {
    let is_operand = |register: Reg| canonical.contains(&Some(register));
    let needs_room = named(inst)?
        .iter()
        .any(|&(register, field)| field == Field::Base && is_operand(register));
    if !needs_room {
        return Ok(());
    }
    let modrm = encoding(&inst.bytes).modrm;
    if inst.bytes[modrm] >> 6 != 0 {
        return Ok(());
    }
    let has_sib = inst.bytes[modrm] & 7 == 4;
    let at = modrm + 1 + has_sib as usize;
    inst.bytes[modrm] |= 0x40;
    inst.bytes.insert(at, 0);
    for relocation in inst.relocations.iter_mut().filter(|r| r.offset >= at) {
        relocation.offset += 1;
    }
    inst.redecode();
    Ok(())
}

/// The fields of an instruction that hold operands' register numbers. Offsets are in the instruction.
pub fn holes(inst: &Inst, canonical: &[Option<Reg>; 4]) -> Result<Vec<RegisterHole>, BuildError> {
    let encoding = encoding(&inst.bytes);
    let mut holes = Vec::new();
    for (register, field) in named(inst)? {
        let Some(operand) = canonical.iter().position(|&r| r == Some(register)) else {
            continue;
        };
        let cannot = |why: &str| {
            Err(BuildError::new(format!(
                "operand {operand} cannot be placed in `{}`: {why}",
                inst.decoded
            )))
        };
        let mut low = |offset, shift| {
            holes.push(RegisterHole {
                offset,
                operand,
                from: 0,
                mask: 7,
                shift,
            })
        };
        let has_sib = field != Field::Opcode
            && inst
                .bytes
                .get(encoding.modrm)
                .is_some_and(|modrm| modrm >> 6 != 3 && modrm & 7 == 4);
        match (field, encoding.vex) {
            (Field::Reg, _) => low(encoding.modrm, 3),
            (Field::Base, _) if has_sib => low(encoding.modrm + 1, 0),
            (Field::Rm | Field::Base, _) => low(encoding.modrm, 0),
            (Field::Index, _) => low(encoding.modrm + 1, 3),
            (Field::Opcode, _) => low(encoding.modrm - 1, 0),
            // The low three bits; values are never above xmm7, so the fourth stays as it is.
            (Field::Vvvv, Some((start, length))) if matches!(register, Reg::Fp(_)) => {
                low(start + length - 1, 3)
            }
            (Field::Vvvv, Some((start, length))) => {
                holes.push(RegisterHole {
                    offset: start + length - 1,
                    operand,
                    from: 0,
                    mask: 15,
                    shift: 3,
                });
                continue;
            }
            (Field::Vvvv, None) => return cannot("there is no VEX prefix"),
        }
        if matches!(register, Reg::Fp(_)) {
            continue;
        }
        // The fourth bit of a general register, in the prefix.
        let (offset, shift) = match (encoding.vex, encoding.rex) {
            (Some((start, _)), _) if field == Field::Reg => (start + 1, 7),
            (Some((start, 3)), _) => (start + 1, if field == Field::Index { 6 } else { 5 }),
            (None, Some(rex)) => match field {
                Field::Reg => (rex, 2),
                Field::Index => (rex, 1),
                _ => (rex, 0),
            },
            _ => return cannot("there is no prefix for the fourth bit"),
        };
        holes.push(RegisterHole {
            offset,
            operand,
            from: 3,
            mask: 1,
            shift,
        });
    }
    Ok(holes)
}

/// Flips the fields from one set of register numbers to another, or from a number to 0.
pub fn patch(code: &mut [u8], holes: &[RegisterHole], from: &[u8; 4], to: &[u8; 4]) {
    for hole in holes {
        let change = from[hole.operand] ^ to[hole.operand];
        code[hole.offset] ^= ((change >> hole.from) & hole.mask) << hole.shift;
    }
}

/// The number of each operand's register, 0 where there is none.
pub fn numbers(registers: &[Option<Reg>; 4]) -> [u8; 4] {
    registers.map(|register| match register {
        Some(Reg::Gp(number) | Reg::Fp(number)) => number,
        None => 0,
    })
}

/// Proves that patching the register holes means what it should: for every placement of the operands, each instruction
/// decodes to the one that the same substitution in the decoded canonical instruction gives.
pub fn prove(placed: &Placed, signature: &Signature) -> Result<(), BuildError> {
    let canonical = signature.canonical();
    for section in [&placed.hot, &placed.cold] {
        let base = decode_all(&section.bytes);
        for placement in placements(&canonical) {
            let mut bytes = section.bytes.clone();
            patch(
                &mut bytes,
                &section.registers,
                &numbers(&canonical),
                &numbers(&placement),
            );
            let patched = decode_all(&bytes);
            if patched.len() != base.len() {
                return Err(BuildError::new(format!(
                    "in placement {placement:?} it has another number of instructions"
                )));
            }
            for (before, after) in base.iter().zip(&patched) {
                let wanted = substitute(before, &canonical, &placement);
                if wanted != *after || wanted.len() != after.len() {
                    return Err(BuildError::new(format!(
                        "in placement {placement:?} `{before}` becomes `{after}`"
                    )));
                }
            }
        }
    }
    Ok(())
}

fn decode_all(bytes: &[u8]) -> Vec<Instruction> {
    Decoder::new(64, bytes, DecoderOptions::NONE)
        .iter()
        .collect()
}

/// Every choice of a value register for every operand, equal ones too.
fn placements(canonical: &[Option<Reg>; 4]) -> Vec<[Option<Reg>; 4]> {
    let mut all = vec![[None; 4]];
    for operand in 0..=OUTPUT {
        let choices: Vec<Option<Reg>> = match canonical[operand] {
            None => vec![None],
            Some(Reg::Gp(_)) => GP_VALUES.iter().map(|&n| Some(Reg::Gp(n))).collect(),
            Some(Reg::Fp(_)) => FP_VALUES.iter().map(|&n| Some(Reg::Fp(n))).collect(),
        };
        all = all
            .into_iter()
            .flat_map(|placement: [Option<Reg>; 4]| {
                choices.iter().map(move |&choice| {
                    let mut placement = placement;
                    placement[operand] = choice;
                    placement
                })
            })
            .collect();
    }
    all
}

/// The instruction with other registers.
fn substitute(before: &Instruction, from: &[Option<Reg>; 4], to: &[Option<Reg>; 4]) -> Instruction {
    let replace = |register: Register| {
        let number = match reg_of(register)
            .and_then(|r| from.iter().position(|&f| f == Some(r)))
            .map(|i| to[i])
        {
            Some(Some(Reg::Gp(number) | Reg::Fp(number))) => number as u32,
            _ => return register,
        };
        let first = match register {
            r if r.is_gpr64() => Register::RAX,
            r if r.is_gpr32() => Register::EAX,
            r if r.is_gpr16() => Register::AX,
            // With a REX prefix, 8-bit registers 4 to 7 are spl to dil; r8l follows dil.
            r if r.is_gpr8() && number < 4 => Register::AL,
            r if r.is_gpr8() && number < 8 => return Register::SPL + (number - 4),
            r if r.is_gpr8() => return Register::R8L + (number - 8),
            _ => Register::XMM0,
        };
        first + number
    };
    let mut after = *before;
    for index in 0..after.op_count() {
        if after.op_kind(index) == OpKind::Register {
            after.set_op_register(index, replace(after.op_register(index)));
        }
    }
    after.set_memory_base(replace(after.memory_base()));
    after.set_memory_index(replace(after.memory_index()));
    after
}
