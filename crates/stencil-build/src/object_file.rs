//! Reads the object file: the code and the relocations of each stencil.

use std::path::Path;

use object::read::elf::ElfFile64;
use object::{
    Object, ObjectSection, ObjectSymbol, RelocationFlags, RelocationTarget, SectionKind, SymbolKind,
};

use crate::error::BuildError;

/// The relocation type for 32 bits relative to the hole.
const R_X86_64_PC32: u32 = 2;

/// What a relocation refers to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Symbol {
    /// An undefined symbol.
    Named(String),
    /// A constant of at most 16 bytes in the object file, padded to 16.
    Constant([u8; 16]),
}

/// A relocation, with the ELF type of x86-64.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relocation {
    /// The offset in the function, or the instruction.
    pub offset: usize,
    /// `R_X86_64_...`.
    pub kind: u32,
    /// What it refers to.
    pub symbol: Symbol,
    /// Added to the symbol's address.
    pub addend: i64,
}

/// A compiled wrapper.
#[derive(Debug)]
pub struct Function {
    /// The name of the stencil.
    pub name: String,
    pub code: Vec<u8>,
    /// By offset.
    pub relocations: Vec<Relocation>,
}

/// All functions of an object file whose name begins with `stencil_`.
pub fn read(path: &Path) -> Result<Vec<Function>, BuildError> {
    let data = std::fs::read(path).map_err(|e| BuildError::io(path, e))?;
    let broken = |e: object::Error| BuildError::new(format!("{}: {e}", path.display()));
    let file: ElfFile64 = ElfFile64::parse(&*data).map_err(broken)?;
    let mut functions = Vec::new();
    for symbol in file
        .symbols()
        .filter(|s| s.kind() == SymbolKind::Text && s.is_definition())
    {
        let Some(name) = symbol.name().map_err(broken)?.strip_prefix("stencil_") else {
            continue;
        };
        let Some(index) = symbol.section_index() else {
            continue;
        };
        let section = file.section_by_index(index).map_err(broken)?;
        if symbol.address() != 0 || symbol.size() != section.size() {
            return Err(BuildError::new("it does not have a section of its own").within(name));
        }
        let mut relocations = Vec::new();
        for (offset, relocation) in section.relocations() {
            relocations
                .push(relocation_of(&file, offset, &relocation).map_err(|e| e.within(name))?);
        }
        relocations.sort_by_key(|r| r.offset);
        let code = section.data().map_err(broken)?.to_vec();
        functions.push(Function {
            name: name.to_string(),
            code,
            relocations,
        });
    }
    Ok(functions)
}

fn relocation_of(
    file: &ElfFile64,
    offset: u64,
    relocation: &object::Relocation,
) -> Result<Relocation, BuildError> {
    let unknown = |text: String| BuildError::new(format!("relocation at {offset:#x}: {text}"));
    let broken = |e: object::Error| unknown(e.to_string());
    let RelocationFlags::Elf {
        r_type: object::elf::RelocationType(r_type),
    } = relocation.flags()
    else {
        return Err(unknown("not of ELF".to_string()));
    };
    let RelocationTarget::Symbol(index) = relocation.target() else {
        return Err(unknown("it refers to no symbol".to_string()));
    };
    let symbol = file.symbol_by_index(index).map_err(broken)?;
    let Some(section) = symbol.section_index() else {
        let name = symbol.name().map_err(broken)?.to_string();
        let kept = Relocation {
            offset: offset as usize,
            kind: r_type,
            symbol: Symbol::Named(name),
            addend: relocation.addend(),
        };
        return Ok(kept);
    };
    // Data of the object file itself: only constants of a known size can come along.
    let section = file.section_by_index(section).map_err(broken)?;
    let name = section.name().map_err(broken)?;
    let size = name
        .strip_prefix(".rodata.cst")
        .and_then(|size| size.parse::<usize>().ok())
        .filter(|&s| s <= 16);
    let (Some(size), SectionKind::ReadOnlyData | SectionKind::ReadOnlyString) =
        (size, section.kind())
    else {
        return Err(unknown(format!("it refers to local data in {name}")));
    };
    if r_type != R_X86_64_PC32 {
        return Err(unknown(format!(
            "the constant in {name} is not reached relative to rip"
        )));
    }
    // Relative to the section, the addend holds the offset; the distance to the end of the instruction is 4.
    let (start, addend) = match symbol.kind() {
        SymbolKind::Section => (relocation.addend() + 4, -4),
        _ => (symbol.address() as i64, relocation.addend()),
    };
    let data = section.data().map_err(broken)?;
    let bytes = usize::try_from(start)
        .ok()
        .and_then(|start| data.get(start..start + size));
    let bytes = bytes.ok_or_else(|| unknown(format!("it points outside {name}")))?;
    let mut constant = [0; 16];
    constant[..size].copy_from_slice(bytes);
    Ok(Relocation {
        offset: offset as usize,
        kind: r_type,
        symbol: Symbol::Constant(constant),
        addend,
    })
}
