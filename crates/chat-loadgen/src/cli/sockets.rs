//! `chat-loadgen hold`, `fanout`, and the clients that misbehave: `abort`, `flood` and `occupy`.

use std::time::Duration;

use clap::Args;
use tokio::time::sleep;

use super::RunVerdict;
use super::options::{OutputOptions, ServiceOptions, SocketOptions, check_server_pid, run_name};
use crate::abuse::{self, FloodOptions, HeldRequest, OccupyPlan, OccupyProgress, upload_request};
use crate::error::LoadError;
use crate::fanout::{self, FanoutOptions, Publication};
use crate::fleet::{FleetPlan, MultiplexPlan, Reading};
use crate::hold::{self, HoldOptions, long_sessions};
use crate::measure::print_report;
use crate::socket::{ClientSocketMode, MULTIPLEXED_PATH, path};
use crate::token::TokenRole;
use crate::units;

/// What one person may upload at the same time by default.
const UPLOADS_OF_A_PERSON: usize = 8;

/// Hold sockets: what they cost, and when and in what order messages arrive
#[derive(Debug, Args)]
pub(super) struct Hold {
    #[command(flatten)]
    sockets: SocketOptions,
    #[command(flatten)]
    options: HoldOptions,
    /// What becomes of what arrives. Sockets that read are opened again when they are lost; in extended mode they
    /// resume.
    #[arg(long, value_enum, default_value = "events")]
    reading: Reading,
    /// Opens the sessions first, each with so many messages of 10,000 emoji, and lets all sockets ask for all of them
    /// in the name of one person, who may have 50 sockets, and 10 in a session.
    #[arg(long, value_name = "NUMBER", value_parser = units::count)]
    catch_up: Option<usize>,
    /// Holds multiplexed sockets, each with an inbox of these views, such as waiting,assigned, which are those of admins.
    #[arg(long, value_name = "VIEWS", value_delimiter = ',', conflicts_with_all = ["catch_up", "path"])]
    inbox: Vec<String>,
    /// Holds multiplexed sockets, each with so many subscriptions, spread over the sessions.
    #[arg(long, value_name = "NUMBER", value_parser = units::count, conflicts_with_all = ["catch_up", "path"])]
    subscriptions: Option<usize>,
}

impl Hold {
    /// Bad when not all sockets opened in time, one could not resume, or an event came out of order.
    pub(super) async fn run(&self) -> Result<RunVerdict, LoadError> {
        check_server_pid(self.options.server_pid)?;
        let mut fleet = match self.catch_up {
            None if self.is_multiplexed() => self.multiplexed().await?,
            None => self.sockets.fleet().await?,
            Some(messages) => {
                let token = self.sockets.token()?;
                let mut client = self.sockets.service.client(token.clone());
                let paths = long_sessions(&mut client, self.sockets.sessions, messages).await?;
                FleetPlan { tokens: vec![token], ..self.sockets.fleet_at(paths)? }
            }
        };
        fleet.reading = self.reading;
        fleet.acknowledge = true;
        // The query of a socket that catches up stands only for the first one.
        fleet.reopen = self.reading != Reading::Nothing && self.catch_up.is_none();
        let report = hold::hold(fleet, &self.options, self.sockets.output.progress()).await?;
        print_report(&report, self.sockets.output.json)?;
        let is_complete = report.connect_seconds.is_some() && report.not_resumed.is_empty();
        Ok(RunVerdict(is_complete && report.order_faults == 0))
    }

    fn is_multiplexed(&self) -> bool {
        !self.inbox.is_empty() || self.subscriptions.is_some()
    }

    async fn multiplexed(&self) -> Result<FleetPlan, LoadError> {
        if self.sockets.mode == ClientSocketMode::Base || self.reading != Reading::Events {
            return Err(LoadError::setup(
                "--inbox and --subscriptions need sockets that read, in extended mode: use --mode extended and \
                 --reading events",
            ));
        }
        let subscriptions = self.subscriptions.unwrap_or_default();
        let sessions = if subscriptions == 0 { Vec::new() } else { self.sockets.session_ids().await? };
        let fleet = self.sockets.fleet_at(vec![MULTIPLEXED_PATH.to_owned()])?;
        let multiplexed = MultiplexPlan { views: self.inbox.clone(), sessions, subscriptions };
        Ok(FleetPlan { multiplexed: Some(multiplexed), ..fleet })
    }
}

/// Publish to many sockets of one session, as fast as they receive: frames per second
#[derive(Debug, Args)]
pub(super) struct Fanout {
    #[command(flatten)]
    sockets: SocketOptions,
    #[command(flatten)]
    options: FanoutOptions,
    /// Publishes by a POST to this path instead, whose body goes to the sockets of --path as it is.
    #[arg(long, value_name = "PATH", requires = "path")]
    publish_path: Option<String>,
}

impl Fanout {
    /// Bad when a socket missed a message.
    pub(super) async fn run(&self) -> Result<RunVerdict, LoadError> {
        check_server_pid(self.options.server_pid)?;
        let (publication, fleet) = if let Some(path) = self.publish_path.clone() {
            (Publication::Texts { path }, FleetPlan { mode: ClientSocketMode::Base, ..self.sockets.fleet().await? })
        } else {
            let token = self.sockets.token()?;
            let session = self.sockets.service.client(token.clone()).open_session().await?;
            let fleet = self.sockets.fleet_at(vec![path(&session, "")])?;
            (Publication::Messages { session, token, run_name: run_name() }, fleet)
        };
        let fleet = FleetPlan { reading: Reading::Frames, ..fleet };
        let report = fanout::fanout(fleet, publication, &self.options, self.sockets.output.progress()).await?;
        print_report(&report, self.sockets.output.json)?;
        Ok(RunVerdict(report.missing == 0))
    }
}

/// Connect and leave, at every point of the handshake
#[derive(Debug, Args)]
pub(super) struct Abort {
    #[command(flatten)]
    sockets: SocketOptions,
    /// Connections in all; --sockets is how many at the same time.
    #[arg(long, value_name = "NUMBER", default_value = "10000", value_parser = units::count)]
    cycles: usize,
}

impl Abort {
    pub(super) async fn run(&self) -> Result<RunVerdict, LoadError> {
        let fleet = self.sockets.fleet().await?;
        let report = abuse::abort(fleet, self.cycles, self.sockets.output.progress()).await?;
        print_report(&report, self.sockets.output.json)?;
        Ok(RunVerdict(true))
    }
}

/// Send what no service may take
#[derive(Debug, Args)]
pub(super) struct Flood {
    #[command(flatten)]
    sockets: SocketOptions,
    #[command(flatten)]
    options: FloodOptions,
}

impl Flood {
    /// Bad when a socket is still open in the end.
    pub(super) async fn run(&self) -> Result<RunVerdict, LoadError> {
        let report = abuse::flood(self.sockets.fleet().await?, &self.options).await?;
        print_report(&report, self.sockets.output.json)?;
        Ok(RunVerdict(!report.close_reasons.contains_key("survived")))
    }
}

/// Open connections that begin a request or an upload and fall silent
#[derive(Debug, Args)]
pub(super) struct Occupy {
    #[command(flatten)]
    service: ServiceOptions,
    /// Connections at the same time.
    #[arg(long, value_name = "NUMBER", default_value = "1100", value_parser = units::count)]
    connections: usize,
    /// What they send first.
    #[arg(long, value_enum, default_value = "chunked-body")]
    what: HeldRequest,
    /// People that uploads belong to; one for each eight unless it is given. More than one needs a secret.
    #[arg(long, value_name = "NUMBER", value_parser = units::count)]
    people: Option<usize>,
    /// Bytes of its file that each upload sends.
    #[arg(long, value_name = "NUMBER", default_value = "300000", value_parser = units::count)]
    bytes: usize,
    /// How long they are held. The service ends an upload that sends nothing for 30 seconds.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = units::duration)]
    duration: Duration,
    /// The service's process: its descriptors and its memory are reported.
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    #[command(flatten)]
    output: OutputOptions,
}

impl Occupy {
    /// Bad when the service does not respond to `/healthz` in the end.
    pub(super) async fn run(&self) -> Result<RunVerdict, LoadError> {
        check_server_pid(self.server_pid)?;
        let requests = match self.what {
            HeldRequest::Upload => self.uploads().await?,
            what => vec![what.bytes(&self.service.url)],
        };
        let plan = OccupyPlan {
            target: self.service.url.clone(),
            connections: self.connections,
            requests,
            patience: self.service.timeout,
            server: self.server_pid,
        };
        let mut each_second = self.output.progress();
        let stay = async |progress: OccupyProgress| {
            let started = tokio::time::Instant::now();
            while let Some(left) = self.duration.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
                sleep(left.min(Duration::from_secs(1))).await;
                each_second(started.elapsed(), format!("{:>7} open", progress.open()));
            }
        };
        let report = abuse::occupy(plan, stay).await?;
        print_report(&report, self.output.json)?;
        Ok(RunVerdict(report.health_seconds.is_some()))
    }

    /// Uploads to one session, in the names of all people in turn.
    async fn uploads(&self) -> Result<Vec<Vec<u8>>, LoadError> {
        let tokens = self.service.tokens.tokens()?;
        let people = self.people.unwrap_or_else(|| self.connections.div_ceil(UPLOADS_OF_A_PERSON));
        let token_of = |person: usize| tokens.of(&format!("load-uploader-{person}"), TokenRole::Admin);
        let session = self.service.client(token_of(0)?).open_session().await?;
        let request = |person| Ok(upload_request(&self.service.url, &session, &token_of(person)?, self.bytes));
        (0..people).map(request).collect()
    }
}
