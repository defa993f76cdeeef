//! What `ordermesh load` says when it cannot do what it was told.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::process::{Command, Output};

fn load(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ordermesh"))
        .arg("load")
        .args(arguments)
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_system_of_others_is_left_alone() {
    let output = load(&["--target", "192.0.2.1:3000"]);
    assert_eq!(output.status.code(), Some(2));
    let told = told(&output);
    assert!(told.contains("192.0.2.1"), "{told}");
    assert!(told.contains("--i-own-this-target"), "{told}");
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    for arguments in [
        &["--clients", "4", "--rate", "10"][..],
        &["--clients", "4", "--connections", "5"],
        &["--for", "2h"],
        &["--for", "30"],
        &["--repeat", "95%"],
        &["--target", "localhost"],
    ] {
        let output = load(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn machines_are_told_in_json_when_nobody_answers() {
    // Port 1 (tcpmux) has no server, and none is given to programs.
    let output = load(&["--json", "--target", "127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(1));
    let told: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    let error = told["error"].as_str().unwrap();
    assert!(error.contains("is the system up?"), "{error}");
}
