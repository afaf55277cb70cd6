//! What `--help` prints: of the server all options, of a command its own.

use crate::support::{chat_server, run};

fn help(arguments: &[&str]) -> String {
    let home = tempfile::tempdir().unwrap();
    let shown = run(chat_server(home.path()).args(arguments).arg("--help"));
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    shown.stdout
}

#[test]
fn the_help_of_the_server_has_all_options() {
    for arguments in [[].as_slice(), &["serve"]] {
        let shown = help(arguments);
        assert!(shown.contains("--database-url") && shown.contains("CHAT_LOG_FORMAT"), "{shown}");
    }
}

#[test]
fn the_help_of_a_command_has_its_own_options_alone() {
    for (arguments, own) in [
        (["migrate"].as_slice(), "down"),
        (&["migrate", "down"], "--steps"),
        (&["token"], "--sub"),
        (&["agents", "add"], "--name"),
        (&["epoch"], "rotate"),
    ] {
        let shown = help(arguments);
        assert!(shown.contains(own) && shown.contains("chat-server --help"), "{shown}");
        assert!(!shown.contains("CHAT_"), "{shown}");
    }
}
