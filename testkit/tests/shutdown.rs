//! The tear-down, alone in its binary because it spares nothing of the process.

use testkit::process::{Process, Scratch, Spec, shutdown_all};

#[tokio::test]
async fn shutdown_waits_until_everything_is_gone() {
    let scratch = Scratch::new("shutdown").unwrap();
    let spec = Spec::new("sleep", "sleep", scratch.path().join("log")).arg("1000");
    let running = Process::spawn(spec.clone()).await.unwrap();
    let paused = Process::spawn(spec.clone()).await.unwrap();
    paused.pause().unwrap();
    let dropped = Process::spawn(spec).await.unwrap().id();

    shutdown_all().await;
    for process in [running, paused] {
        assert_eq!(process.exit_code(), Some(128 + 9), "{process:?}");
    }
    assert!(!std::path::Path::new(&format!("/proc/{dropped}")).exists());
    assert!(!scratch.path().exists());
}
