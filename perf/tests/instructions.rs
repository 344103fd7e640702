//! No packet takes more instructions than recorded, on any backend that this machine has in hardware. A debug build has other numbers,
//! so there the test does not exist.
#![cfg(not(debug_assertions))]

use std::process::Command;

use serde_json::Value;

/// What a newer compiler may make worse before somebody must look, as a factor.
const TOLERANCE: f64 = 1.10;

fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
}

#[test]
#[ignore = "full suite: stepping takes a minute"]
fn no_packet_takes_more_instructions_than_recorded() {
    let recorded = rows(include_str!("../record/instructions.jsonl"));
    let mut compared = 0;
    for disabled in ["", "vaes512", "vaes512,vaes256"] {
        let run = Command::new(env!("CARGO_BIN_EXE_instructions"))
            .env("KANAME_CPU_DISABLE", disabled)
            .output()
            .expect("the program runs");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        for row in rows(&String::from_utf8(run.stdout).expect("text")) {
            let same = |other: &&Value| {
                ["backend", "suite", "op", "payload"].iter().all(|key| other[*key] == row[*key])
            };
            let Some(before) = recorded.iter().find(same) else { continue };
            let (now, before) = (row["instructions"].as_f64(), before["instructions"].as_f64());
            let (now, before) = now.zip(before).expect("numbers");
            assert!(now <= before * TOLERANCE, "{row}, recorded {before}");
            compared += 1;
        }
    }
    // A machine with none of the instructions has nothing to compare; one that has them must find its rows.
    let best = kaname_srtp::Backend::best().name();
    assert!(compared > 0 || best == "portable", "no recorded row fits backend {best}");
}
