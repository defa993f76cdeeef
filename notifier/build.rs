//! Rebuilds when a migration or a template changes: macros embed them, and cargo
//! cannot see into macros.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
    println!("cargo::rerun-if-changed=templates");
}
