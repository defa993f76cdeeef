//! Who is speaking: the OpenTelemetry resource of a service.

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_semantic_conventions::attribute::{
    SERVICE_INSTANCE_ID, SERVICE_NAMESPACE, SERVICE_VERSION,
};

use super::TelemetryOptions;

pub(super) fn of(service: &'static str, options: &TelemetryOptions) -> Resource {
    let name = options
        .service_name
        .clone()
        .unwrap_or_else(|| service.to_owned());
    let given = options
        .resource_attributes
        .iter()
        .map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    // Later ones win: what the operator says stands over our defaults.
    let attributes = [
        KeyValue::new(SERVICE_NAMESPACE, "ordermesh"),
        KeyValue::new(SERVICE_VERSION, env!("CARGO_PKG_VERSION")),
        KeyValue::new(SERVICE_INSTANCE_ID, uuid::Uuid::now_v7().to_string()),
    ]
    .into_iter()
    .chain(given);
    Resource::builder_empty()
        .with_attributes(attributes)
        .with_service_name(name)
        .build()
}
