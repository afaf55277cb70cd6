//! The driver, with small shell processes of its own.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use chat_loadgen::cli::block_on;
use chat_loadgen::drive::{DrivePlan, DriveSubject, Driver, ProcessFault, ReadinessUrl};
use chat_loadgen::error::LoadError;

use crate::load::{json_of, loadgen};
use crate::service::{FakeService, Misbehaviour};

/// Writes a line with its process id at each start, one at SIGTERM, and lives until it is ended.
fn shell(dir: &Path) -> Vec<String> {
    let script = format!(
        "echo started $$ >> {0}/log; trap 'echo ended >> {0}/log; exit 0' TERM; \
         while :; do sleep 0.05 & wait $!; done",
        dir.display()
    );
    ["sh", "-c", &script].map(str::to_owned).to_vec()
}

fn plan(subject: DriveSubject, fault: ProcessFault, times: u32, service: &FakeService) -> DrivePlan {
    DrivePlan {
        subject,
        fault,
        // Long enough for the shell to have set its trap, which has no signal to wait for.
        every: Duration::from_millis(300),
        times,
        ready: Some(ReadinessUrl::parse(&format!("{}/readyz", service.url())).unwrap()),
        ready_timeout: Duration::from_secs(10),
    }
}

fn lives(process: u32) -> bool {
    // A zombie that was not waited for has no command line.
    fs::read(format!("/proc/{process}/cmdline")).is_ok_and(|line| !line.is_empty())
}

fn log(dir: &Path) -> String {
    fs::read_to_string(dir.join("log")).unwrap_or_default()
}

#[test]
fn a_process_is_killed_and_started_again_and_ended_at_the_end() {
    let (service, dir) = (FakeService::start(Misbehaviour::default()), tempfile::tempdir().unwrap());
    let (rounds, ids) = block_on(async {
        let mut driver =
            Driver::start(plan(DriveSubject::Start(shell(dir.path())), ProcessFault::Kill, 3, &service)).await.unwrap();
        let mut ids = vec![driver.process_id()];
        let rounds = driver.run(|_| {}).await.unwrap();
        ids.push(driver.process_id());
        driver.end().await.unwrap();
        Ok((rounds, ids))
    })
    .unwrap();
    assert_eq!(
        rounds.iter().map(|round| (round.round, round.fault)).collect::<Vec<_>>(),
        [(1, "kill"), (2, "kill"), (3, "kill")]
    );
    assert_ne!(ids[0], ids[1]);
    assert!(ids.iter().all(|id| !lives(*id)));
    let log = log(dir.path());
    assert!(log.starts_with(&format!("started {}\n", ids[0])), "{log}");
    assert!(log.matches("started").count() >= 3, "{log}");
}

#[test]
fn a_process_is_terminated_and_started_again() {
    let (service, dir) = (FakeService::start(Misbehaviour::default()), tempfile::tempdir().unwrap());
    block_on(async {
        let mut driver =
            Driver::start(plan(DriveSubject::Start(shell(dir.path())), ProcessFault::Term, 2, &service)).await?;
        driver.run(|_| {}).await?;
        driver.end().await
    })
    .unwrap();
    assert!(log(dir.path()).matches("ended").count() >= 2, "{}", log(dir.path()));
}

#[test]
fn a_stopped_process_goes_on_as_the_same() {
    let (service, dir) = (FakeService::start(Misbehaviour::default()), tempfile::tempdir().unwrap());
    let mut child = Command::new("sh").args(&shell(dir.path())[1..]).spawn().unwrap();
    let pause = Duration::from_millis(200);
    let rounds = block_on(async {
        let mut driver =
            Driver::start(plan(DriveSubject::Process(child.id()), ProcessFault::Stop(pause), 2, &service)).await?;
        let rounds = driver.run(|_| {}).await?;
        driver.end().await?;
        Ok(rounds)
    })
    .unwrap();
    assert!(rounds.iter().all(|round| round.down_ms >= 200), "{rounds:?}");
    assert!(lives(child.id()), "a foreign process is left alone");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_process_that_ends_without_a_signal_is_an_error() {
    let service = FakeService::start(Misbehaviour::default());
    let subject = DriveSubject::Start(["sh", "-c", "exit 3"].map(str::to_owned).to_vec());
    let result = block_on(async {
        let mut driver = Driver::start(plan(subject, ProcessFault::Kill, 1, &service)).await?;
        driver.run(|_| {}).await.map(drop)
    });
    assert!(matches!(&result, Err(LoadError::Setup(text)) if text.contains("ended by itself")), "{result:?}");
}

#[test]
fn a_started_process_does_not_inherit_the_settings_of_the_tool() {
    let service = FakeService::start(Misbehaviour::default());
    let never = format!("{}/nowhere", service.url());
    let script = "[ -z \"${CHAT_LOADGEN_TOKEN+x}${CHAT_LOADGEN_SECRET+x}\" ] && exit 7; exit 8";
    let output = Command::new(env!("CARGO_BIN_EXE_chat-loadgen"))
        .args(["drive", "--ready-url", &never, "--", "sh", "-c", script])
        .env("CHAT_LOADGEN_TOKEN", "T")
        .env("CHAT_LOADGEN_SECRET", "S")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("ended by itself: exit status: 7"), "{text}");
}

#[test]
fn a_foreign_process_is_not_restarted() {
    let service = FakeService::start(Misbehaviour::default());
    let plan = plan(DriveSubject::Process(std::process::id()), ProcessFault::Kill, 2, &service);
    let result = block_on(async { Driver::start(plan).await.map(drop) });
    assert!(matches!(&result, Err(LoadError::Setup(text)) if text.contains("--pid")), "{result:?}");
}

#[test]
fn a_service_that_never_gets_ready_is_an_error() {
    let (service, dir) = (FakeService::start(Misbehaviour::default()), tempfile::tempdir().unwrap());
    let mut plan = plan(DriveSubject::Start(shell(dir.path())), ProcessFault::Kill, 1, &service);
    plan.ready = Some(ReadinessUrl::parse(&format!("{}/nowhere", service.url())).unwrap());
    plan.ready_timeout = Duration::from_millis(100);
    let result = block_on(async { Driver::start(plan).await.map(drop) });
    assert!(matches!(&result, Err(LoadError::Setup(text)) if text.contains("was not ready")), "{result:?}");
}

#[test]
fn a_check_drives_what_stands_after_the_dashes() {
    let (service, dir) = (FakeService::start(Misbehaviour::default()), tempfile::tempdir().unwrap());
    let command = shell(dir.path());
    let url = service.url();
    let fixed = [
        "check",
        "--url",
        &url,
        "--token",
        "T",
        "--sessions",
        "1",
        "--writers",
        "1",
        "--readers",
        "1",
        "--duration",
        "100ms",
        "--every",
        "100ms",
        "--times",
        "2",
        "--json",
        "--",
    ];
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let output = loadgen(&[&fixed, command.as_slice()].concat());
    let verdict = json_of(&output);
    assert_eq!(output.status.code(), Some(0), "{verdict}");
    assert_eq!(verdict["rounds"].as_array().unwrap().len(), 2);
}

#[test]
fn the_command_prints_a_line_for_each_round() {
    let dir = tempfile::tempdir().unwrap();
    let command = shell(dir.path());
    let fixed = ["drive", "--every", "50ms", "--times", "2", "--json", "--"];
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let output = loadgen(&[&fixed, command.as_slice()].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let rounds: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rounds.len(), 2);
    assert_eq!((&rounds[1]["round"], &rounds[1]["fault"]), (&2.into(), &"kill".into()));
    assert!(rounds[1]["downMs"].is_u64());
}
