//! The results of the probes, run at most once a second however often `/readyz` is called: any client may call it, and a
//! probe does real work.

use std::sync::Arc;
use std::time::Duration;

use chat_domain::ports::HealthProbe;
use futures_util::future::join_all;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use utoipa::ToSchema;

const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
const FRESH_FOR: Duration = Duration::from_secs(1);

/// Whether a part of this node can do its work.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Check)]
pub(crate) struct ReadinessCheck {
    /// Which part, such as `database` or `fan-out`.
    #[schema(example = "database")]
    pub(crate) name: &'static str,
    /// Whether it works.
    #[schema(example = true)]
    pub(crate) ok: bool,
    /// What the part cannot do at present although it works; absent when it can do everything. It takes no node out of
    /// service.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "no room for files; texts can be sent")]
    pub(crate) degraded: Option<&'static str>,
}

/// The last results of the probes.
#[derive(Default)]
pub(crate) struct Readiness(Mutex<Option<(Instant, Vec<ReadinessCheck>)>>);

impl Readiness {
    /// The results of the probes, at most a second old. One caller runs them, the others wait for it.
    pub(crate) async fn checks(&self, probes: &[Arc<dyn HealthProbe>]) -> Vec<ReadinessCheck> {
        let mut last = self.0.lock().await;
        if let Some((at, checks)) = &*last
            && at.elapsed() < FRESH_FOR
        {
            return checks.clone();
        }
        let checks = join_all(probes.iter().map(|probe| ask(probe.as_ref()))).await;
        *last = Some((Instant::now(), checks.clone()));
        checks
    }
}

async fn ask(probe: &dyn HealthProbe) -> ReadinessCheck {
    let outcome = match timeout(PROBE_TIMEOUT, probe.check()).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => Err(format!("no answer within {PROBE_TIMEOUT:?}")),
    };
    if let Err(cause) = &outcome {
        tracing::warn!(check = probe.name(), cause, "not ready: {}", probe.name());
    }
    let ok = outcome.is_ok();
    ReadinessCheck { name: probe.name(), ok, degraded: if ok { probe.degraded() } else { None } }
}
