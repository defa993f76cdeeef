//! Settings of telemetry: OpenTelemetry's standard variables, and ours.

use std::time::Duration;

use tracing_subscriber::filter::Targets;

use super::{Endpoints, LogFormat};
use crate::config::{Config, Setting};

/// How root spans are sampled (OpenTelemetry's `OTEL_TRACES_SAMPLER`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SamplerOption {
    /// All of them.
    AlwaysOn,
    /// None.
    AlwaysOff,
    /// This share of trace ids.
    Ratio(f64),
    /// At most so many new traces a second: our default, because it bounds the
    /// cost whatever the load.
    PerSecond(u32),
}

/// Settings of a service's telemetry.
#[derive(Debug, Clone)]
pub struct TelemetryOptions {
    /// Where the signals go: `OTEL_EXPORTER_OTLP_<SIGNAL>_ENDPOINT`, else
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`; nowhere under `OTEL_SDK_DISABLED`. Metrics and
    /// logs only when `OTEL_<SIGNAL>_EXPORTER` is `otlp`, spans unless it is `none`.
    pub endpoints: Endpoints,
    /// `OTEL_BSP_MAX_QUEUE_SIZE`: spans that wait for the collector; default 2,048.
    pub queue: usize,
    /// `OTEL_EXPORTER_OTLP_TIMEOUT`, in milliseconds there; default 10 s.
    pub export_timeout: Duration,
    /// How root spans are sampled.
    pub sampler: SamplerOption,
    /// Whether a remote parent's decision is followed.
    pub parent_based: bool,
    /// `OTEL_SERVICE_NAME`; default the service's own name.
    pub service_name: Option<String>,
    /// `OTEL_RESOURCE_ATTRIBUTES`.
    pub resource_attributes: Vec<(String, String)>,
    /// Which logs are written: [`Targets`].
    pub log: String,
    /// How logs are written.
    pub log_format: LogFormat,
}

impl TelemetryOptions {
    /// Reads the section `TELEMETRY` and the standard variables.
    pub fn read(config: &mut Config) -> Self {
        let mut section = config.section("TELEMETRY");
        let log: String = section.get(
            "LOG",
            "info",
            "which logs are written: a level, or target=level, by commas",
        );
        if let Err(error) = log.parse::<Targets>() {
            section.mistake("LOG", format!("is not a log filter: {error}"));
        }
        let log_format = section.get(
            "LOG_FORMAT",
            "auto",
            "json, text, or auto: text on a terminal, json elsewhere",
        );
        let per_second = section.get(
            "TRACES_PER_SECOND",
            "100",
            "new traces a second when OTEL_TRACES_SAMPLER is not set",
        );
        let (sampler, parent_based) = read_sampler(config, per_second);
        let endpoints = read_endpoints(config);
        let queue = match config.standard_variable("OTEL_BSP_MAX_QUEUE_SIZE") {
            None => 2_048,
            Some(text) => text.parse().unwrap_or_else(|_| {
                config.mistake("OTEL_BSP_MAX_QUEUE_SIZE", "must be a number of spans");
                0
            }),
        };
        if let Some(names) = config.standard_variable("OTEL_PROPAGATORS")
            && !names.split(',').any(|name| name.trim() == "tracecontext")
        {
            // One order is one trace, across services that may be set differently.
            config.mistake(
                "OTEL_PROPAGATORS",
                "must have tracecontext: the W3C trace context is what services here speak",
            );
        }
        let variable = |name| config.standard_variable(name);
        Self {
            endpoints,
            queue,
            export_timeout: variable("OTEL_EXPORTER_OTLP_TIMEOUT")
                .and_then(|millis| millis.parse().ok())
                .map_or(Duration::from_secs(10), Duration::from_millis),
            sampler,
            parent_based,
            service_name: variable("OTEL_SERVICE_NAME"),
            resource_attributes: variable("OTEL_RESOURCE_ATTRIBUTES")
                .map(|text| pairs(&text))
                .unwrap_or_default(),
            log,
            log_format,
        }
    }
}

/// Where each signal goes, as OpenTelemetry's specification of SDK environment
/// variables has it, but for what is sent without being asked for: a collector that
/// is named is for spans.
fn read_endpoints(config: &mut Config) -> Endpoints {
    let disabled = config
        .standard_variable("OTEL_SDK_DISABLED")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let mut endpoint = |signal: &str, by_default: bool| {
        let exporter = format!("OTEL_{signal}_EXPORTER");
        let wanted = match config.standard_variable(&exporter).as_deref() {
            None => by_default,
            Some("none") => false,
            Some("otlp") => true,
            // What `/metrics` and standard error always have.
            Some("prometheus") if signal == "METRICS" => false,
            Some("console") if signal == "LOGS" => false,
            Some(_) => {
                config.mistake(&exporter, "must be otlp or none");
                false
            }
        };
        let own = format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT");
        let named = config
            .standard_variable(&own)
            .or_else(|| config.standard_variable("OTEL_EXPORTER_OTLP_ENDPOINT"));
        // Without an endpoint spans go nowhere, but who asks by name for metrics
        // or logs gets the specification's default.
        let default = (!by_default).then(|| "http://localhost:4317".to_owned());
        (wanted && !disabled).then(|| named.or(default)).flatten()
    };
    Endpoints {
        traces: endpoint("TRACES", true),
        metrics: endpoint("METRICS", false),
        logs: endpoint("LOGS", false),
    }
}

/// `OTEL_TRACES_SAMPLER` and its argument, as OpenTelemetry's specification of
/// SDK environment variables has them.
fn read_sampler(config: &mut Config, per_second: u32) -> (SamplerOption, bool) {
    let Some(name) = config.standard_variable("OTEL_TRACES_SAMPLER") else {
        return (SamplerOption::PerSecond(per_second), true);
    };
    let ratio = |config: &mut Config| {
        let argument = config.standard_variable("OTEL_TRACES_SAMPLER_ARG");
        match argument.as_deref().map(crate::config::Ratio::parse) {
            None => 1.0,
            Some(Some(ratio)) => ratio.0,
            Some(None) => {
                config.mistake("OTEL_TRACES_SAMPLER_ARG", "must be a share from 0 to 1");
                1.0
            }
        }
    };
    match name.as_str() {
        "always_on" => (SamplerOption::AlwaysOn, false),
        "always_off" => (SamplerOption::AlwaysOff, false),
        "traceidratio" => (SamplerOption::Ratio(ratio(config)), false),
        "parentbased_always_on" => (SamplerOption::AlwaysOn, true),
        "parentbased_always_off" => (SamplerOption::AlwaysOff, true),
        "parentbased_traceidratio" => (SamplerOption::Ratio(ratio(config)), true),
        _ => {
            config.mistake(
                "OTEL_TRACES_SAMPLER",
                "must be always_on, always_off, traceidratio, or one of these after parentbased_",
            );
            (SamplerOption::PerSecond(per_second), true)
        }
    }
}

/// `key=value,key=value`.
fn pairs(text: &str) -> Vec<(String, String)> {
    text.split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (TelemetryOptions, Result<(), crate::config::ConfigError>) {
        let environment = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let mut config = Config::load(None, environment);
        let options = TelemetryOptions::read(&mut config);
        (options, config.finish())
    }

    #[test]
    fn nothing_is_exported_without_an_endpoint_or_when_disabled() {
        let endpoints = |pairs: &[_]| read(pairs).0.endpoints;
        assert_eq!(endpoints(&[]), Endpoints::default());
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317");
        let spans_only = Endpoints {
            traces: Some(endpoint.1.to_owned()),
            ..Endpoints::default()
        };
        assert_eq!(endpoints(&[endpoint]), spans_only);
        for off in [
            ("OTEL_SDK_DISABLED", "true"),
            ("OTEL_TRACES_EXPORTER", "none"),
        ] {
            assert_eq!(endpoints(&[endpoint, off]), Endpoints::default());
        }
    }

    #[test]
    fn metrics_and_logs_are_exported_when_asked_for() {
        let (options, result) = read(&[
            ("OTEL_METRICS_EXPORTER", "otlp"),
            ("OTEL_LOGS_EXPORTER", "otlp"),
            ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://logs:4317"),
        ]);
        result.unwrap();
        assert_eq!(options.endpoints.traces, None);
        assert_eq!(
            options.endpoints.metrics.as_deref(),
            Some("http://localhost:4317")
        );
        assert_eq!(options.endpoints.logs.as_deref(), Some("http://logs:4317"));
    }

    #[test]
    fn only_the_w3c_trace_context_is_spoken() {
        read(&[("OTEL_PROPAGATORS", "tracecontext,baggage")])
            .1
            .unwrap();
        assert!(read(&[("OTEL_PROPAGATORS", "b3")]).1.is_err());
        assert!(read(&[("OTEL_TRACES_EXPORTER", "zipkin")]).1.is_err());
    }

    #[test]
    fn standard_samplers_are_read_and_mistakes_told() {
        let (options, result) = read(&[
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ]);
        assert_eq!(options.sampler, SamplerOption::Ratio(0.25));
        assert!(options.parent_based && result.is_ok());
        assert!(read(&[("OTEL_TRACES_SAMPLER", "sometimes")]).1.is_err());
        assert!(read(&[("TELEMETRY__LOG", "a=b=c")]).1.is_err());
    }
}
