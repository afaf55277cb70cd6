//! How long messages take to those who read while others, in the same session, have stopped to read.

use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use super::crowd::{Crowd, report};
use crate::chat::Chat;
use crate::figures::{Figures, Goal};
use crate::load::Load;

const READERS: usize = 900;
const STALLED: usize = 100;
const RATE: &str = "20";
const CONNECTIONS: usize = 4;
/// Sockets open in this time.
const MARGIN: Duration = Duration::from_secs(2);
/// At the rate, enough messages for a percentile; and those who stall are still there, as they are given up after 20 s.
const LENGTH: Duration = Duration::from_secs(10);
const SLOWER_BY_MS: f64 = 20.0;

/// A round of it, in the only session of the file.
pub(super) fn measure(figures: &mut Figures, chat: &Chat, data: &Path, session: &Path) -> anyhow::Result<()> {
    let crowd = Crowd::of_chat(chat, data).in_sessions(session);
    for stalled in [0, STALLED] {
        let mut stall = crowd.start("hold", stalled, LENGTH + 2 * MARGIN);
        // Other people: one socket more of a person in a session would replace the first.
        stall.args(["--reading", "nothing", "--sub", "load-staller"]).stdout(Stdio::null()).stderr(Stdio::null());
        let others = (stalled > 0).then(|| stall.spawn()).transpose()?;
        let mut readers = crowd.start("hold", READERS, LENGTH + 2 * MARGIN);
        let readers = readers.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        thread::sleep(MARGIN);
        Load::sending(chat, session).at_rate(RATE).run(CONNECTIONS, LENGTH)?;
        let received = report(&readers.wait_with_output()?)?;
        figures.record(p99(stalled), "ms", received.number("/deliveryUs/p99")? / 1_000.0);
        if let Some(mut others) = others {
            // Whether they were given up in time is what a test looks at.
            others.kill()?;
            others.wait()?;
        }
    }
    Ok(())
}

/// The difference, when all rounds are done.
pub(super) fn conclude(figures: &mut Figures) -> anyhow::Result<()> {
    let more = figures.median(&p99(STALLED))? - figures.median(&p99(0))?;
    let name = format!("p99 of who reads while {STALLED} do not, above that without them");
    figures.add(name, "ms", more, Some(Goal::AtMost(SLOWER_BY_MS)));
    Ok(())
}

fn p99(stalled: usize) -> String {
    format!("{RATE} messages a second to {READERS} readers beside {stalled} that stall, p99")
}
