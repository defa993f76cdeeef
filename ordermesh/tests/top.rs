//! What `ordermesh top` says when there is nothing to show.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::process::{Command, Output};

fn top(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ordermesh"))
        .arg("top")
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn where_nobody_answers_it_says_so() {
    // Port 1 (tcpmux) has no server, and none is given to programs.
    let output = top(&["--once", "--json", "--address", "127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(1));
    let told: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    let error = told["error"].as_str().unwrap();
    assert!(error.contains("is the system up?"), "{error}");
}

#[test]
fn an_address_has_a_host_and_a_port() {
    for wrong in [
        "localhost",
        "localhost:",
        "https://localhost:3000",
        "localhost:3000/x",
    ] {
        let output = top(&["--once", "--address", wrong]);
        assert_eq!(output.status.code(), Some(2), "{wrong}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("write host:port"), "{told}");
    }
}
