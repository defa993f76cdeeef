//! What the program says to its allocator.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Command;

// By its name without a prefix, which jemalloc has on Linux.
#[cfg(target_os = "linux")]
#[test]
fn unused_memory_goes_back_at_once() {
    let output = Command::new(env!("CARGO_BIN_EXE_ordermesh"))
        .arg("--version")
        .env("MALLOC_CONF", "confirm_conf:true")
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    let mut settings = told.lines().filter(|line| line.contains("Set conf value"));
    let last = settings.rfind(|line| line.contains("dirty_decay_ms"));
    assert!(last.unwrap().ends_with("dirty_decay_ms:0"), "{told}");
}
