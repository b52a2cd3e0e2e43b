//! The checks of a built agent, shown on made-up and real files.

use super::elf::has_interpreter;
use super::executable_in;

/// A minimal ELF header followed by one program header of each given type.
fn elf(kinds: &[u32]) -> Vec<u8> {
    let mut image = vec![0u8; 64];
    image[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1]);
    image[32..40].copy_from_slice(&64u64.to_le_bytes());
    image[54..56].copy_from_slice(&56u16.to_le_bytes());
    image[56..58].copy_from_slice(&u16::try_from(kinds.len()).unwrap().to_le_bytes());
    for kind in kinds {
        let mut header = vec![0u8; 56];
        header[..4].copy_from_slice(&kind.to_le_bytes());
        image.extend(header);
    }
    image
}

#[test]
fn a_loader_header_means_dynamic() {
    assert!(!has_interpreter(&elf(&[1, 1, 4])).unwrap());
    assert!(has_interpreter(&elf(&[6, 3, 1])).unwrap());
}

#[test]
fn this_test_program_is_dynamic() {
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    assert!(has_interpreter(&own).unwrap());
}

#[test]
fn a_cut_or_foreign_file_is_an_error() {
    assert!(has_interpreter(b"#!/bin/sh\n").is_err());
    let mut cut = elf(&[1, 1]);
    cut.truncate(100);
    assert!(has_interpreter(&cut).is_err());
    let mut far = elf(&[1]);
    far[32..40].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(has_interpreter(&far).is_err());
}

#[test]
fn the_executable_is_read_from_cargos_messages() {
    let messages = concat!(
        "{\"reason\":\"compiler-artifact\",\"executable\":null}\n",
        "{\"reason\":\"compiler-artifact\",\"executable\":\"t/agent/build-script\"}\n",
        "not json\n",
        "{\"reason\":\"compiler-artifact\",\"executable\":\"t/agent/pointsman-agent\"}\n",
    );
    assert_eq!(executable_in(messages).unwrap(), std::path::Path::new("t/agent/pointsman-agent"));
    assert!(executable_in("{\"reason\":\"build-finished\"}").is_none());
}
