//! Links the two Ceph client libraries. The declarations are committed (`src/sys/raw.rs`), so no libclang is needed here.

fn main() {
    println!("cargo::rustc-link-lib=rados");
    println!("cargo::rustc-link-lib=rbd");
    println!("cargo::rerun-if-changed=build.rs");
}
