//! Every metric of the server, once: its name, its kind, its labels and what it means. The descriptions for Prometheus
//! and the reference document are made from this list. The figures themselves are kept where things happen.

use anyhow::Context;
use metrics::{describe_counter, describe_gauge, describe_histogram, set_global_recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::process::ProcessMetrics;
use super::traces;

/// How a metric moves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MetricKind {
    /// Only up, from zero at the start of the process.
    Counter,
    /// Up and down.
    Gauge,
    /// How often a value was at most each of these bounds.
    Histogram(&'static [f64]),
}

/// A metric as it is documented.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) kind: MetricKind,
    pub(crate) labels: &'static [&'static str],
    pub(crate) meaning: &'static str,
}

/// Metrics about one thing.
pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) metrics: &'static [Metric],
}

/// Seconds: from what a commit takes at best to what a request is refused after.
const SECONDS: MetricKind = MetricKind::Histogram(&[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0]);
/// Writes in a commit, up to the most that the configuration allows.
const WRITES: MetricKind =
    MetricKind::Histogram(&[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0]);

const OPERATION: &[&str] = &["route", "method"];
const STORE: &[&str] = &["store"];

const fn counter(name: &'static str, labels: &'static [&'static str], meaning: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Counter, labels, meaning }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], meaning: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Gauge, labels, meaning }
}

const fn histogram(
    name: &'static str,
    kind: MetricKind,
    labels: &'static [&'static str],
    meaning: &'static str,
) -> Metric {
    Metric { name, kind, labels, meaning }
}

/// All of them.
pub(crate) const GROUPS: &[Group] = &[
    Group {
        title: "Requests",
        metrics: &[
            counter(
                "chat_http_requests_total",
                &["route", "method", "status"],
                "Answered requests. `route` is the path with its parameters in braces, `status` the class of the \
                 status code, such as `2xx`. What no operation answers has `other` as route and method.",
            ),
            histogram(
                "chat_http_request_duration_seconds",
                SECONDS,
                OPERATION,
                "Time from a request's head to its answer's head. Neither the rest of a download nor the life of a \
                 socket is part of it; an upload is.",
            ),
            counter(
                "chat_http_unavailable_total",
                &["code"],
                "Requests refused with 503, by the code of the error: `UNAVAILABLE` while the service has too much to do or \
                 a part of it is unreachable, `STORAGE_FULL` while there is no room for files.",
            ),
            counter(
                "chat_http_untrusted_forwarding_total",
                &[],
                "Requests with `X-Forwarded-For` or `Forwarded` from an address that is not in `CHAT_TRUSTED_PROXIES`, so \
                 that the header does not count: a proxy that is missing there, or clients that claim to be behind one.",
            ),
            counter(
                "chat_rate_limited_total",
                &["limit"],
                "What was refused because the person, or for `sockets` the address, had done it too often: `messages`, \
                 `sessions`, `typing`, `downloads`, `sockets` (`CHAT_RATE_MESSAGES` and so on).",
            ),
            gauge("chat_http_requests_in_flight", &[], "Requests that are being answered."),
            gauge("chat_http_connections_open", &[], "Open HTTP connections; sockets are not among them."),
            gauge(
                "chat_http_connections_limit",
                &[],
                "The most HTTP connections at the same time, which follows from the limit of open files. More wait to \
                 be accepted.",
            ),
            counter(
                "chat_http_connections_ended_total",
                &["reason"],
                "HTTP connections that this server ended before their time. `malformed`: what came was no HTTP request. \
                 `body_unread`: a request was answered without reading its body to the end, or a socket refused. \
                 `head_too_slow`: a request's head took longer than 15 s. `peer_stalled`: the peer took no byte for 20 s. \
                 `too_many_of_address`: its address had `CHAT_CONNECTIONS_PER_ADDRESS` open, so it was closed at once. While most of the connections are taken, the times are shorter.",
            ),
            counter(
                "chat_access_log_dropped_total",
                &[],
                "Lines of the access log that were dropped, since its reader did not take them in time or standard \
                 output cannot be written (`CHAT_ACCESS_LOG=on`).",
            ),
            gauge(
                "chat_json_bodies_unfinished",
                &[],
                "Requests that wait for the rest of their JSON body; 512 are the most.",
            ),
            counter(
                "chat_json_bodies_refused_total",
                &["limit"],
                "Requests refused because so many wait already: of the `person` (429) or on the `node` (503).",
            ),
        ],
    },
    Group {
        title: "Sockets",
        metrics: &[
            gauge("chat_sockets_open", &["mode"], "Open WebSockets; `mode` is `base`, `extended` or `multiplexed`."),
            gauge(
                "chat_sockets_limit",
                &[],
                "The most sockets at the same time, which follows from the limit of open files. More are refused with \
                 503.",
            ),
            counter(
                "chat_sockets_closed_total",
                &["code"],
                "Sockets that this server closed, by the code in the close frame. Those whose clients went away by \
                 themselves are not among them.",
            ),
            counter("chat_socket_frames_written_total", &[], "Frames that sockets wrote."),
            counter("chat_socket_bytes_written_total", &[], "Bytes of these frames."),
            gauge(
                "chat_revocations",
                &[],
                "People whom this node knows to be signed out or blocked. A blocked one stays, a sign-out counts for \
                 as long as a token of before may live.",
            ),
            gauge(
                "chat_subscriptions",
                &[],
                "Subscriptions to sessions, one for each open socket; counted once a second.",
            ),
            gauge("chat_sessions_subscribed", &[], "Sessions with at least one subscription; counted once a second."),
            counter(
                "chat_subscription_overflows_total",
                &[],
                "Times that a subscription's queue was full and dropped: its socket then catches up from the database.",
            ),
            counter("chat_catch_up_events_total", &[], "Events read from the database for sockets that missed them."),
            counter(
                "chat_repair_sessions_compared_total",
                &[],
                "Sessions with subscriptions that were compared with the database.",
            ),
            counter(
                "chat_repair_sessions_repaired_total",
                &[],
                "Those among them that had missed events and were repaired.",
            ),
            counter(
                "chat_repair_failures_total",
                &[],
                "Comparisons that failed or took longer than 5 s; each is tried again.",
            ),
            gauge("chat_inboxes_open", &[], "Live inboxes that are open; counted once a second."),
            counter(
                "chat_inbox_read_failures_total",
                &[],
                "Readings for open inboxes that failed or took longer than 5 s; each is tried again.",
            ),
        ],
    },
    Group {
        title: "The desk",
        metrics: &[
            gauge(
                "chat_sessions_waiting",
                &[],
                "Open sessions without an agent, in the whole database: the same on every node. Read every 5 s; NaN \
                 while the database cannot be read.",
            ),
            gauge(
                "chat_session_longest_wait_seconds",
                &[],
                "How long ago the oldest of them was opened; 0 without any. A session that was handed back to the queue \
                 counts from its opening. Read every 5 s, as above.",
            ),
            gauge(
                "chat_agents_online",
                &[],
                "Agents with an open socket on this node; counted every 5 s. An agent with sockets on two nodes is \
                 counted on both.",
            ),
            counter(
                "chat_presence_failures_total",
                &[],
                "Attempts to note in the database which agents have an inbox open on this node that failed; each is made \
                 again after a second.",
            ),
        ],
    },
    Group {
        title: "Keys of an identity provider (with `CHAT_JWT_JWKS_URL` or `CHAT_OIDC_ISSUER`)",
        metrics: &[
            gauge(
                "chat_key_set_age_seconds",
                &[],
                "Time since the key set was last fetched. It is fetched every minute, so a higher age is an outage of the \
                 provider, or of the way to it.",
            ),
            counter(
                "chat_key_set_fetches_total",
                &["outcome"],
                "Fetches of the key set that were `ok`, and that `failed`.",
            ),
        ],
    },
    Group {
        title: "Other nodes (with `CHAT_REDIS_URL`)",
        metrics: &[
            gauge("chat_redis_peers_reachable", &[], "1 while the other nodes are reachable, else 0."),
            counter("chat_redis_reconnects_total", &[], "Connections to Redis that replaced a lost one."),
            counter("chat_redis_published_total", &[], "Events that were published to Redis."),
            counter(
                "chat_redis_dropped_total",
                &[],
                "Events that were not, since Redis was unreachable or slow; the other nodes read them from the database.",
            ),
            counter("chat_redis_received_total", &[], "Events of other nodes."),
            counter("chat_redis_unreadable_total", &[], "Messages of other nodes that only a newer version can read."),
            counter(
                "chat_redis_rejected_total",
                &["reason"],
                "Rejected messages on the channels of this deployment: larger than 1 MiB (too_large), malformed, of another \
                 key (signature), of a copy of the database (database) or another epoch of it (epoch), sent more than a \
                 minute ago (stale) or received before (replayed).",
            ),
            counter("chat_redis_gaps_total", &[], "Suspected gaps in the events of other nodes."),
            counter(
                "chat_redis_overflows_total",
                &[],
                "Messages from Redis that were dropped because the queue was full.",
            ),
            gauge("chat_redis_queue_length", &[], "Events that wait for Redis."),
            histogram("chat_redis_publish_batch_size", WRITES, &[], "Events that were published to Redis together."),
        ],
    },
    Group {
        title: "Writing",
        metrics: &[
            gauge("chat_writes_waiting", STORE, "Writes that wait for the next commit."),
            gauge(
                "chat_write_queue_capacity",
                STORE,
                "The most writes that may wait: `CHAT_WRITE_QUEUE` for each writer.",
            ),
            gauge("chat_writers", STORE, "Connections that write (`CHAT_DATABASE_WRITERS`)."),
            counter("chat_writes_refused_total", STORE, "Writes answered with 503, since the queue was full."),
            counter(
                "chat_database_reconnects_total",
                STORE,
                "Connections of writers that were made again. PostgreSQL only.",
            ),
            counter(
                "chat_write_retries_total",
                STORE,
                "Batches, or writes of them alone, that were tried again: something had changed between, or had failed.",
            ),
            histogram("chat_write_batch_size", WRITES, STORE, "Writes that were committed together."),
            histogram(
                "chat_write_commit_duration_seconds",
                SECONDS,
                STORE,
                "Time from a batch's first statement to its last answer, repetitions included.",
            ),
        ],
    },
    Group {
        title: "Reading",
        metrics: &[
            gauge("chat_reads_waiting", STORE, "Reads that run or wait for their turn."),
            gauge("chat_read_connections", STORE, "Connections that read (`CHAT_DATABASE_READERS`)."),
            gauge("chat_read_connections_busy", STORE, "Connections that are reading."),
            histogram(
                "chat_read_duration_seconds",
                SECONDS,
                STORE,
                "Time that a read took, without the wait for a thread.",
            ),
        ],
    },
    Group {
        title: "Stored files without a message",
        metrics: &[
            gauge(
                "chat_orphans_collecting",
                &[],
                "1 while this server may collect them, 0 when it has found that its database, or the files, are a copy.",
            ),
            counter("chat_orphans_marked_total", &[], "Files that this server marked, to be removed later."),
            counter("chat_orphans_removed_total", &[], "Files that it removed."),
            counter(
                "chat_orphans_refused_total",
                &[],
                "Rounds in which it removed nothing, since more files were due than uploads leave behind.",
            ),
        ],
    },
    Group {
        title: "Uploads",
        metrics: &[
            gauge(
                "chat_uploads_running",
                &[],
                "Uploads that are being received, alone or in messages (`CHAT_UPLOADS_PER_NODE` is the most).",
            ),
            counter(
                "chat_uploads_refused_total",
                &["limit"],
                "Uploads refused because so many run already: of the `person` (429) or on the `node` (503).",
            ),
            gauge(
                "chat_attachments_full",
                &[],
                "1 while the attachment disk, or the service of S3, is full, as the last attempt to write found it: files are refused, texts are taken.",
            ),
            gauge(
                "chat_attachments_unreachable",
                &[],
                "With S3: 1 while the service cannot be reached, is too slow or refuses, as the last request found it: files are refused, texts are taken.",
            ),
        ],
    },
    Group {
        title: "Thumbnails",
        metrics: &[counter(
            "chat_thumbnails_total",
            &["result"],
            "Pictures whose thumbnails were wanted and not kept yet, by how that ended: `made`, `impossible` (no picture, \
             or one that is too large), `busy` (too many waited, of all or of one person, or no slot was free or the bytes \
             did not come in time, or the store or a thread was not available: 503 for those who asked), `failed` (the \
             stored bytes are missing or damaged, or the store failed otherwise). `panicked` counts those of `impossible` on which the decoder panicked, `unsaved` thumbnails \
             that were made and could not be kept, `colorless` pictures that were stored without their colour, since it \
             was not known within half a second, too many others waited, or the store was not available.",
        )],
    },
    Group {
        title: "Newest pages in memory",
        metrics: &[
            counter("chat_page_cache_hits_total", &[], "Newest pages that were sent from memory."),
            counter("chat_page_cache_misses_total", &[], "Newest pages that were read from the database."),
            gauge("chat_page_cache_bytes", &[], "Memory that they take (`CHAT_PAGE_CACHE` is the most)."),
            gauge("chat_page_cache_entries", &[], "How many there are."),
        ],
    },
    Group {
        title: "Traces (with `CHAT_OTLP_ENDPOINT`)",
        metrics: &[
            counter("chat_spans_exported_total", &[], "Spans that the collector took."),
            counter(
                "chat_spans_dropped_total",
                &[],
                "Spans that it did not take. Those that found the queue of 4,096 spans full are not among them.",
            ),
        ],
    },
    Group {
        title: "Process",
        metrics: &[
            gauge("process_resident_memory_bytes", &[], "Resident memory."),
            gauge("process_open_fds", &[], "Open file descriptors; a connection is one."),
            gauge("process_max_fds", &[], "The most file descriptors that may be open."),
            gauge("process_start_time_seconds", &[], "When the process started, in seconds since 1970."),
            gauge("chat_build_info", &["version"], "Always 1; the label says which version runs."),
        ],
    },
];

/// The process's metrics, from the moment on at which this was made: what took a handle before counts nothing.
#[derive(Clone)]
pub(crate) struct Metrics {
    recorder: PrometheusHandle,
    process: ProcessMetrics,
}

impl Metrics {
    /// Makes this process count.
    ///
    /// # Errors
    /// It counts already.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let mut builder = PrometheusBuilder::new();
        for Metric { name, kind, .. } in all() {
            if let MetricKind::Histogram(bounds) = kind {
                builder = builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), bounds)?;
            }
        }
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        set_global_recorder(recorder).context("the process has metrics already")?;
        for Metric { name, kind, meaning, .. } in all() {
            match kind {
                MetricKind::Counter => describe_counter!(*name, *meaning),
                MetricKind::Gauge => describe_gauge!(*name, *meaning),
                MetricKind::Histogram(_) => describe_histogram!(*name, *meaning),
            }
        }
        traces::announce_metrics();
        Ok(Self { recorder: handle, process: ProcessMetrics::start() })
    }

    /// All figures as they are now, in Prometheus' text format.
    pub(crate) fn render(&self) -> String {
        self.process.update();
        self.recorder.render()
    }

    /// Sorts what histograms were given since the last time into their buckets. It must happen now and then, also
    /// without a scrape: until then each single value is kept.
    pub(crate) fn tidy(&self) {
        self.recorder.run_upkeep();
    }
}

fn all() -> impl Iterator<Item = &'static Metric> {
    GROUPS.iter().flat_map(|group| group.metrics)
}
