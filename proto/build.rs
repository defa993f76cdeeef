//! Compiles the `.proto` files with protox, so that no protoc is needed.

use std::{env, error::Error, fs, path::PathBuf};

/// Messages that carry an address or a token. prost's derived `Debug` would
/// print them, so these get a masking one in `src/redact.rs`.
const SENSITIVE: &[&str] = &[
    "ordermesh.events.v1.OrderPlaced",
    "ordermesh.orders.v1.PlaceOrderRequest",
    "ordermesh.notifier.v1.Notification",
];

const FILES: &[&str] = &[
    "ordermesh/analytics/v1/analytics.proto",
    "ordermesh/events/v1/events.proto",
    "ordermesh/history/v1/history.proto",
    "ordermesh/notifier/v1/notifier.proto",
    "ordermesh/orders/v1/orders.proto",
    "ordermesh/payments/v1/payments.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=ordermesh");
    let mut compiler = protox::Compiler::new(["."])?;
    compiler
        .include_source_info(true)
        .include_imports(true)
        .open_files(FILES)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // Encoded by the compiler itself: prost's own types would drop options that
    // they do not know, `debug_redact` among them.
    fs::write(
        out.join("descriptors.bin"),
        compiler.encode_file_descriptor_set(),
    )?;
    let descriptors = compiler.file_descriptor_set();
    // `prost::Name` is how a record's `ce_type` is told without a second list.
    let mut names = tonic_prost_build::Config::new();
    names.enable_type_names();
    tonic_prost_build::configure()
        .include_file("ordermesh.rs")
        .skip_debug(SENSITIVE)
        .compile_fds_with_config(descriptors, names)?;
    Ok(())
}
