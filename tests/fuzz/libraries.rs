//! Plugin libraries: only read, never opened.

use std::fs;
use std::path::PathBuf;

use haltbench_engine::plugins::elf::{hash_code, read_fingerprint};

use crate::harness::{Target, said};

/// A library of the build.
fn library() -> Vec<u8> {
    let test = std::env::current_exe().unwrap().canonicalize().unwrap();
    let file: PathBuf = test.with_file_name("libhaltbench_task_mano.so");
    fs::read(file).unwrap()
}

/// A small shared object with the program's fingerprint: a header, four sections and their names.
fn small() -> Vec<u8> {
    let name = |text: &str| [text.as_bytes(), &[0]].concat();
    let section = haltbench_sdk::fingerprint::SECTION;
    let names = [name(""), name(".shstrtab"), name(".text"), name(section)].concat();
    let whole = library();
    let mark = haltbench_sdk::fingerprint::MAGIC.as_bytes();
    let place = whole.windows(mark.len()).position(|window| window == mark).unwrap();
    let print = &whole[place..(place + haltbench_sdk::fingerprint::LENGTH).min(whole.len())];
    let code = [0x90; 32];
    let (start, header) = (64_u64, 64_u64);
    let at_names = start + print.len() as u64;
    let at_code = at_names + names.len() as u64;
    let table = at_code + code.len() as u64;
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend([3_u16, 62].iter().flat_map(|value| value.to_le_bytes()));
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend([0, 0, table].iter().flat_map(|value| value.to_le_bytes()));
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend([64_u16, 0, 0, header as u16, 4, 1].iter().flat_map(|value| value.to_le_bytes()));
    bytes.extend(print);
    bytes.extend(&names);
    bytes.extend(code);
    let at = |text: &str| names.windows(text.len()).position(|window| window == text.as_bytes()).unwrap() as u32;
    for (label, kind, flags, offset, size) in [
        (0, 0_u32, 0_u64, 0_u64, 0_u64),
        (at(".shstrtab"), 3, 0, at_names, names.len() as u64),
        (at(".text"), 1, 6, at_code, code.len() as u64),
        (at(section), 1, 2, start, print.len() as u64),
    ] {
        bytes.extend(label.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend([flags, 0, offset, size].iter().flat_map(|value| value.to_le_bytes()));
        bytes.extend([0_u32, 0].iter().flat_map(|value| value.to_le_bytes()));
        bytes.extend([1_u64, 0].iter().flat_map(|value| value.to_le_bytes()));
    }
    bytes
}

#[test]
fn plugin_files() {
    let target = Target { name: "libhaltbench_task_small.so", seeds: vec![small()], cases: 3000 };
    target.fuzz(|_, file| {
        let hashed = hash_code(file).map(drop);
        format!("{}{}", said(read_fingerprint(file)), said(hashed))
    });
}

/// A library of the build with the same kinds of damage.
#[test]
fn whole_libraries() {
    let target = Target { name: "libhaltbench_task_mano.so", seeds: vec![library()], cases: 20 };
    target.fuzz(|_, file| format!("{}{}", said(read_fingerprint(file)), said(hash_code(file))));
}
