//! What the check of a download ticket costs, beside that of a token.

use serde_json::Value;

use super::transfer::{Connection, Service, TransferTarget};
use super::{BenchRun, Place};
use crate::figures::Figures;
use crate::load::Load;
use anyhow::Context;

const CONNECTIONS: usize = 8;
const BYTES: usize = 1_000;

pub(super) fn measure(run: &BenchRun, figures: &mut Figures) -> anyhow::Result<()> {
    let chat = Place::Disk.start(run, "tickets")?;
    let service = Service::of(&chat)?;
    let mut connection = Connection::to(service.address())?;
    let path = service.send(&mut connection, &[7; BYTES])?;
    let answer = connection.call("POST", "/api/chat/download-ticket", &service.headers(), &[])?;
    let answer: Value = serde_json::from_slice(&answer)?;
    let ticket = answer.get("ticket").and_then(Value::as_str).context("no ticket")?;
    let with_token = Load::getting(&chat, &path);
    let with_ticket = Load::getting(&chat, &format!("{path}?ticket={ticket}")).without_token();
    for _ in run.rounds("download tickets") {
        with_token.run(CONNECTIONS, run.length)?.record(figures, "download of 1 KB with a token");
        with_ticket.run(CONNECTIONS, run.length)?.record(figures, "download of 1 KB with a ticket");
    }
    Ok(())
}
