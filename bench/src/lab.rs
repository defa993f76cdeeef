//! What all contenders share: one Kafka broker, one PostgreSQL, one mail sink.
//!
//! One broker, because three would share two cores with what is measured. It runs
//! as in production otherwise: both compilers, acknowledged writes.

use testkit::{
    kafka::{Cluster, Jit},
    otlp, postgres,
    process::Scratch,
    smtp,
};

use crate::Plan;

/// The shared parts.
#[derive(Debug)]
pub(crate) struct Lab {
    pub(crate) plan: Plan,
    pub(crate) kafka: Cluster,
    pub(crate) postgres: postgres::Server,
    pub(crate) smtp: smtp::Sink,
    pub(crate) otlp: otlp::Sink,
    pub(crate) scratch: Scratch,
}

impl Lab {
    pub(crate) async fn start(plan: Plan) -> anyhow::Result<Self> {
        let kafka = Cluster::builder(1).jit(Jit::Full).launch().await?;
        let postgres = postgres::Server::builder()
            .durable()
            .setting("shared_buffers", "512MB")
            .setting("max_wal_size", "4GB")
            .launch()
            .await?;
        Ok(Self {
            plan,
            kafka,
            postgres,
            smtp: smtp::Sink::start().await?,
            otlp: otlp::Sink::start().await?,
            scratch: Scratch::new("bench")?,
        })
    }

    /// Forgets mails and spans, which would fill the memory.
    pub(crate) fn forget(&self) {
        self.smtp.clear();
        self.otlp.clear();
    }
}
