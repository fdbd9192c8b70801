//! Quoted lines against a real `sh`: the same arguments come out, byte for byte.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use flinkproc_ssh::{LocalShell, RemoteCommand, RemoteShell};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, any, prop_oneof, proptest};
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Text made of what shells care about, or of anything but NUL.
fn argument() -> impl Strategy<Value = String> {
    let pieces = [
        " ", "'", "\"", "\\", "$", "$(id)", "`id`", "${HOME}", "\n", "\r", "\t", "*", "?", "[a]",
        "~", "!", "!!", "#", "&", "&&", "|", ";", ">", "<", "(", ")", "{a,b}", "-", "--", "=",
        "A=b", "%s", "ü", "🦀", "\u{7f}", "\u{1}", "a", "x", "'\\''", "EOF",
    ];
    let shellish = vec(proptest::sample::select(pieces.to_vec()), 0..8).prop_map(|p| p.concat());
    let anything = vec(any::<char>().prop_filter("no NUL", |c| *c != '\0'), 0..12)
        .prop_map(|characters| characters.into_iter().collect());
    prop_oneof![shellish, anything]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_real_sh_gives_back_the_same_arguments(arguments in vec(argument(), 0..6), value in argument()) {
        let command = RemoteCommand::new("sh")
            .args(["-c", "printf '%s\\0' \"$VALUE\" \"$@\"", "sh"])
            .args(arguments.clone())
            .env("VALUE", value.clone());
        let output = runtime().block_on(LocalShell::new("/").run(&command)).expect("ran");
        let expected: Vec<u8> = std::iter::once(&value)
            .chain(&arguments)
            .flat_map(|text| text.bytes().chain([0]))
            .collect();
        assert_eq!(output.stdout, expected);
    }

    #[test]
    fn a_program_is_looked_up_whatever_its_name(name in argument()) {
        proptest::prop_assume!(!name.is_empty() && !name.contains('/') && name.len() < 200);
        let dir = tempfile::tempdir().expect("dir");
        let program = dir.path().join(&name);
        // `.` and `..` are folders in every folder.
        proptest::prop_assume!(name != "." && name != "..");
        std::os::unix::fs::symlink("/bin/echo", &program).expect("linked");
        let command = RemoteCommand::new(format!("./{name}")).arg("ran");
        let output = runtime().block_on(LocalShell::new(dir.path()).run(&command)).expect("ran");
        assert_eq!(output.stdout, "ran\n");
    }
}
