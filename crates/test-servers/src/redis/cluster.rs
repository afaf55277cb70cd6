//! A private cluster: some primaries without replicas, each with its part of the slots.

use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::process::free_port;
use crate::redis::PrivateRedis;

/// The number of slots of every cluster.
const SLOTS: usize = 16_384;

/// Members connect to each other on the port that is larger by 10,000: both are below those that systems give to clients.
const PORTS: Range<u16> = 15_000..22_000;

/// A member that is silent for so long counts as failed. The parts of the others stay in use without it.
const SETTINGS: &[(&str, &str)] = &[
    ("cluster-enabled", "yes"),
    ("cluster-config-file", "nodes.conf"),
    ("cluster-node-timeout", "1000"),
    ("cluster-require-full-coverage", "no"),
];

/// How long the members may take to know each other.
const PATIENCE: Duration = Duration::from_mins(1);

/// A private cluster. It ends with the value, as its members do.
#[derive(Debug)]
pub struct PrivateCluster {
    members: Vec<PrivateRedis>,
}

impl PrivateCluster {
    /// Starts so many members, at least one, and waits until each of them knows where all keys are.
    ///
    /// `settings` are added to the command line of each.
    ///
    /// # Errors
    /// The programs are missing or fail, or the members do not find each other.
    pub fn start(members: usize, settings: &[(&str, &str)]) -> Result<Self, Error> {
        let settings = [SETTINGS, settings].concat();
        let started = (0..members.max(1)).map(|_| PrivateRedis::start_on(&settings, None, || free_port(PORTS)));
        let cluster = Self { members: started.collect::<Result<_, _>>()? };
        let count = cluster.members.len();
        let mut first: Option<&PrivateRedis> = None;
        for (index, member) in cluster.members.iter().enumerate() {
            let (from, to) = (SLOTS * index / count, SLOTS * (index + 1) / count - 1);
            member.command(&["CLUSTER", "ADDSLOTSRANGE", &from.to_string(), &to.to_string()])?;
            // The member with the larger epoch is believed; epochs must differ.
            member.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()])?;
            match first {
                None => first = Some(member),
                Some(first) => {
                    drop(member.command(&["CLUSTER", "MEET", "127.0.0.1", &first.port().to_string()])?);
                }
            }
        }
        cluster.wait_until_all_know_each_other()?;
        Ok(cluster)
    }

    /// The members, in the order of their slots.
    pub fn members(&self) -> &[PrivateRedis] {
        &self.members
    }

    /// Where to connect: the members' addresses, beginning with this one, which is counted modulo their number.
    pub fn url_from(&self, first: usize) -> String {
        let count = self.members.len();
        let members = self.members.iter().cycle().skip(first % count).take(count);
        let hosts: Vec<String> = members.map(|member| format!("127.0.0.1:{}", member.port())).collect();
        format!("redis://{}", hosts.join(","))
    }

    /// The slot of a key, and the member that had it at the start.
    ///
    /// # Errors
    /// The first member is not there.
    pub fn owner(&self, key: &str) -> Result<(usize, usize), Error> {
        let reply = match self.members.first() {
            Some(member) => member.command(&["CLUSTER", "KEYSLOT", key])?,
            None => String::new(),
        };
        let slot: usize = reply.parse().map_err(|_| Error::failed("redis-cli", "no slot", reply))?;
        let count = self.members.len();
        let owner = (0..count).find(|index| slot < SLOTS * (index + 1) / count).unwrap_or_default();
        Ok((slot, owner))
    }

    fn wait_until_all_know_each_other(&self) -> Result<(), Error> {
        let deadline = Instant::now() + PATIENCE;
        let known = format!("cluster_known_nodes:{}", self.members.len());
        let wanted = ["cluster_state:ok", "cluster_slots_ok:16384", known.as_str()];
        for member in &self.members {
            loop {
                let info = member.command(&["CLUSTER", "INFO"])?;
                if wanted.iter().all(|words| info.lines().any(|line| line.trim_end() == *words)) {
                    break;
                }
                if Instant::now() > deadline {
                    return Err(Error::failed("the cluster", "not ready", info));
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }
}
