//! The gateway as a service: built, bound, running.

use std::sync::Arc;

use chassis::{
    config::Config,
    grpc::GrpcRoutes,
    service::{Context, Service},
};
use opentelemetry::metrics::Meter;

use crate::{
    backend::{Backend, Live},
    core::{Core, Parts},
    gate::Gate,
    grpc,
    intake::Intake,
    ops::{self, Access, Admins, Feed, Operations},
    options::{self, Options},
    rest,
    watch::Hub,
};

/// The gateway.
#[derive(Debug)]
pub struct Gateway;

impl Service for Gateway {
    const NAME: &'static str = "gateway";
    const SECTION: &'static str = "GATEWAY";
    const ADMIN_ADDRESS: &'static str = "127.0.0.1:9100";

    type Options = Options;

    fn options(config: &mut Config) -> Options {
        let own = config.shown(&format!("{}__ADMIN_ADDRESS", Self::SECTION));
        if let Some(own) = own.and_then(|own| own.parse().ok()) {
            let own = options::reachable(own).to_string();
            config.suggest(format!("{}__GATEWAY_ADMIN_ADDRESSES", Self::SECTION), own);
        }
        Options::read(&mut config.section(Self::SECTION))
    }

    async fn start(options: Options, context: &mut Context) -> anyhow::Result<()> {
        let publisher = context.publisher()?;
        let backend: Arc<dyn Backend> =
            Arc::new(Live::new(publisher, &options.addresses, context.meter())?);
        let hub = Hub::new(Arc::clone(&backend), options.hub);
        let polling = hub.clone().run(context.doors_closing(), context.shutdown());
        context.spawn("watch", polling);
        let gate = Gate::new(options.max_in_flight);
        let operations: Arc<dyn Operations> = Arc::new(ops::Live::new(
            Admins::new(options.admins),
            context.kafka().clone(),
        ));
        let feed = Feed::new(Arc::clone(&backend), Arc::clone(&operations));
        let polling = feed
            .clone()
            .run(context.doors_closing(), context.shutdown());
        context.spawn("operators' feed", polling);
        let is_embedded = context.kafka().admission().is_some();
        let intake = Intake::default();
        let counted = intake.clone();
        context.report("orders", move || counted.told());
        occupied(context.meter(), &gate, &hub, &feed);
        let core = Core::new(Parts {
            backend,
            gate,
            hub,
            operations,
            feed,
            access: Access::new(options.operator_token, is_embedded),
            intake,
            placing: options.placing,
            timeouts: options.timeouts,
        });
        let routes = GrpcRoutes::new().with(grpc::server(core.clone()));
        context.serve_grpc(options.grpc_address, proto::DESCRIPTORS, routes)?;
        let router = rest::router(core, &options.pages)?;
        context.serve_http(options.rest_address, router)
    }
}

/// Tells how full the doors are.
fn occupied(meter: &Meter, gate: &Gate, hub: &Hub, feed: &Feed) {
    let (gate, hub, feed) = (gate.clone(), hub.clone(), feed.clone());
    meter
        .u64_observable_gauge("ordermesh.gateway.requests")
        .with_description("Requests being worked on")
        .with_callback(move |requests| requests.observe(gate.entered() as u64, &[]))
        .build();
    meter
        .u64_observable_gauge("ordermesh.gateway.watchers")
        .with_description("Callers who watch an order")
        .with_callback(move |watchers| watchers.observe(hub.watchers() as u64, &[]))
        .build();
    meter
        .u64_observable_gauge("ordermesh.gateway.operators")
        .with_description("Streams of operators who watch the system")
        .with_callback(move |streams| streams.observe(feed.streams() as u64, &[]))
        .build();
}
