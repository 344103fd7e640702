//! A program in C against the library: the whole public interface, the layout of its structures, its symbols.

mod kit;

use std::collections::BTreeSet;
use std::fs;
use std::mem::offset_of;
use std::process::Command;

use kaname_srtp_capi::{srtp_crypto_policy_t, srtp_event_data_t, srtp_master_key_t, srtp_policy_t};
use kit::{compile, folder, good};

const HEADER: &str = "/usr/include/srtp2/srtp.h";

#[test]
fn the_whole_interface_in_c() {
    let folder = folder("interface");
    let program = folder.join("interface");
    compile("tests/c/interface.c", &folder, &program);
    // The same program passes on libsrtp2 itself, so what it expects is what libsrtp2 does.
    assert_eq!(good(&mut Command::new(&program)), "all passed\n");
    for disabled in ["", "vaes512", "vaes512,vaes256", "vaes512,vaes256,aesni"] {
        let ours = |argument: &[&str]| {
            good(
                Command::new(&program)
                    .args(argument)
                    .env("LD_LIBRARY_PATH", &folder)
                    .env("KANAME_CPU_DISABLE", disabled),
            )
        };
        assert_eq!(ours(&[]), "all passed\n");
        assert_eq!(ours(&["kaname"]), "all passed\n");
    }
}

#[test]
#[ignore = "full suite: needs valgrind"]
fn the_whole_interface_under_valgrind() {
    let folder = folder("valgrind");
    let program = folder.join("interface");
    compile("tests/c/interface.c", &folder, &program);
    good(
        Command::new("valgrind")
            .args(["--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite", "-q"])
            .arg(&program)
            .arg("kaname")
            .env("LD_LIBRARY_PATH", &folder)
            // valgrind 3.19 has no AVX-512.
            .env("KANAME_CPU_DISABLE", "vaes512,vaes256,aesni"),
    );
}

#[test]
fn structures_are_laid_out_as_in_the_header() {
    let folder = folder("layout");
    let program = folder.join("layout");
    compile("tests/c/interface.c", &folder, &program);
    let theirs = good(Command::new(&program).arg("layout").env("LD_LIBRARY_PATH", &folder));
    let mut ours = String::new();
    let mut line = |name: &str, value: usize| ours += &format!("{name} {value}\n");
    line("srtp_policy_t", size_of::<srtp_policy_t>());
    line("srtp_crypto_policy_t", size_of::<srtp_crypto_policy_t>());
    line("srtp_master_key_t", size_of::<srtp_master_key_t>());
    line("srtp_event_data_t", size_of::<srtp_event_data_t>());
    macro_rules! fields {
        ($type:ident: $($field:ident)*) => {
            $(line(concat!(stringify!($type), ".", stringify!($field)), offset_of!($type, $field));)*
        };
    }
    fields!(srtp_policy_t: ssrc rtp rtcp key keys num_master_keys deprecated_ekt window_size allow_repeat_tx
        enc_xtn_hdr enc_xtn_hdr_count next);
    fields!(srtp_crypto_policy_t: cipher_type cipher_key_len auth_type auth_key_len auth_tag_len sec_serv);
    fields!(srtp_master_key_t: key mki_id mki_size);
    fields!(srtp_event_data_t: session ssrc event);
    assert_eq!(ours, theirs);
}

#[test]
fn every_function_of_the_header_is_there() {
    let folder = folder("symbols");
    let library = folder.join("libsrtp2.so.1");
    let listed = good(Command::new("nm").args(["-D", "--defined-only"]).arg(&library));
    let ours: BTreeSet<&str> = listed.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    let text = fs::read_to_string(HEADER).expect("Debian's libsrtp2-dev is installed");
    // Comments and types speak of functions, too; libsrtp2's own symbols tell which names are functions.
    let theirs =
        good(Command::new("nm").args(["-D", "--defined-only", "/usr/lib/x86_64-linux-gnu/libsrtp2.so.1"]));
    let public: BTreeSet<&str> = theirs
        .lines()
        .filter_map(|line| line.split(' ').nth(2))
        .filter(|name| name.starts_with("srtp_") && text.contains(&format!("{name}(")))
        .collect();
    assert!(public.len() > 50, "{public:?}");
    let missing: Vec<_> = public.difference(&ours).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let more: Vec<_> = ours.difference(&public).filter(|name| !name.starts_with("kaname_srtp_")).collect();
    assert!(more.is_empty(), "{more:?}");
    let dynamic = good(Command::new("objdump").arg("-p").arg(&library));
    assert!(dynamic.lines().any(|line| line.split_whitespace().eq(["SONAME", "libsrtp2.so.1"])), "{dynamic}");
}

#[test]
fn the_example_of_batches_runs() {
    let folder = folder("example");
    let program = folder.join("fan_out");
    compile("examples/fan_out.c", &folder, &program);
    let said = good(Command::new(&program).env("LD_LIBRARY_PATH", &folder));
    assert!(said.contains("ns a packet in batches"), "{said}");
}
