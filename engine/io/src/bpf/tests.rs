//! Against the kernel, where it lets us.
#![allow(clippy::print_stderr, reason = "a test that is not allowed to run says so")]

use super::*;
use Register::{R0, R1, R2, R10};

/// The map, or `None` with a word on why not.
#[expect(clippy::print_stderr, reason = "a test that proves nothing here says so")]
fn map() -> Option<Map> {
    match Map::create(MapKind::LruHash, 4, 4, 16, "kn_test") {
        Ok(map) => Some(map),
        Err(BpfError::Forbidden | BpfError::Unsupported) => {
            eprintln!("skipped: eBPF is not allowed here");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_map_keeps_what_it_is_given() {
    let Some(map) = map() else { return };
    let mut value = [0; 4];
    assert!(!map.lookup(&[1; 4], &mut value).expect("a lookup"));
    map.update(&[1; 4], &[7, 0, 0, 9]).expect("room");
    assert!(map.lookup(&[1; 4], &mut value).expect("a lookup"));
    assert_eq!(value, [7, 0, 0, 9]);
    assert!(map.delete(&[1; 4]).expect("a deletion"));
    assert!(!map.delete(&[1; 4]).expect("a deletion"));
}

#[test]
fn a_program_with_a_map_and_a_jump_is_accepted() {
    let Some(map) = map() else { return };
    let mut code = Assembler::new();
    let done = code.label();
    code.store_value(Width::Word, R10, -4, 5)
        .load_map(R1, &map)
        .alu_register(Operation::Set, R2, R10)
        .alu(Operation::Add, R2, -4)
        .call(Helper::MapLookup)
        .jump_if(R0, Condition::Equal, 0, done)
        .load(Width::Word, R0, R0, 0)
        .place(done)
        .alu(Operation::Set, R0, 1)
        .exit();
    let code = code.finish().expect("labels are placed");
    Program::load(ProgramKind::SkReuseport, &code, "kn_test").expect("verified");
}

#[test]
fn the_verifier_is_quoted() {
    if map().is_none() {
        return;
    }
    // Reads a register that was never written.
    let mut code = Assembler::new();
    code.alu_register(Operation::Set, R0, R2).exit();
    let code = code.finish().expect("no labels");
    let error = Program::load(ProgramKind::SkReuseport, &code, "kn_bad").expect_err("unverifiable");
    let text = error.to_string();
    assert!(matches!(error, BpfError::Refused { .. }), "{text}");
    assert!(text.contains("kn_bad") && text.contains("R2 !read_ok"), "{text}");
}

#[test]
fn a_label_that_stands_nowhere_is_refused() {
    let mut code = Assembler::new();
    let nowhere = code.label();
    code.jump(nowhere);
    assert!(matches!(code.finish(), Err(BpfError::Label)));
}
