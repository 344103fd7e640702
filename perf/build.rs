//! Compiles the shim around ipsec-mb's job interface, which is made of C macros.

fn main() {
    println!("cargo:rerun-if-changed=src/systems/ipsec_mb.c");
    cc::Build::new()
        .file("src/systems/ipsec_mb.c")
        .warnings(true)
        .opt_level(2)
        .compile("kaname_perf_ipsec_mb");
    println!("cargo:rustc-link-lib=IPSec_MB");
}
