//! Readiness of the fan-out.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::ports::HealthProbe;

use crate::Hub;

/// Ready until the hub is shut down: within one process nothing else can fail.
pub struct HubHealthProbe {
    hub: Arc<Hub>,
}

impl HubHealthProbe {
    /// A probe of this hub.
    pub fn new(hub: Arc<Hub>) -> Arc<Self> {
        Arc::new(Self { hub })
    }
}

#[async_trait]
impl HealthProbe for HubHealthProbe {
    fn name(&self) -> &'static str {
        "fan-out"
    }

    async fn check(&self) -> Result<(), String> {
        if self.hub.is_shut_down() { Err("shut down".to_owned()) } else { Ok(()) }
    }
}
