//! Log lines: JSON in containers, readable on a terminal, each with its trace
//! id.

use std::{fmt, io::IsTerminal as _};

use opentelemetry::{Context, trace::TraceContextExt as _};
use serde_json::{Map, Value};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use crate::config::Setting;

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
    /// For people on a terminal, JSON elsewhere.
    Auto,
}

impl Setting for LogFormat {
    const EXPECTS: &'static str = "json, text or auto";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "json" => Some(Self::Json),
            "text" => Some(Self::Text),
            "auto" => Some(Self::Auto),
            _ => None,
        }
    }
}

pub(super) fn layer<S>(service: &'static str, format: LogFormat) -> impl Layer<S>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
{
    let terminal = std::io::stderr().is_terminal();
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !terminal,
    };
    // Standard error: a command's standard output is for its result.
    tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .event_format(Format {
            service,
            json,
            colour: terminal && !json,
        })
}

struct Format {
    service: &'static str,
    json: bool,
    colour: bool,
}

impl<S, N> FormatEvent<S, N> for Format
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        // The OpenTelemetry layer activates a span's context on entering it.
        let trace = Context::map_current(|context| {
            let span = context.span();
            let span = span.span_context();
            span.is_valid()
                .then(|| (span.trace_id().to_string(), span.span_id().to_string()))
        });
        if self.json {
            self.write_json(writer, event, fields, trace)
        } else {
            self.write_text(writer, event, &fields, trace)
        }
    }
}

fn now() -> String {
    format!("{:.6}", jiff::Timestamp::now())
}

impl Format {
    fn write_json(
        &self,
        mut writer: Writer<'_>,
        event: &Event<'_>,
        fields: Fields,
        trace: Option<(String, String)>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let mut line = Map::new();
        line.insert("timestamp".into(), now().into());
        line.insert("level".into(), metadata.level().as_str().into());
        line.insert("service".into(), self.service.into());
        line.insert("target".into(), metadata.target().into());
        line.insert("message".into(), fields.message.into());
        if let Some((trace_id, span_id)) = trace {
            line.insert("trace_id".into(), trace_id.into());
            line.insert("span_id".into(), span_id.into());
        }
        for (name, value) in fields.others {
            line.insert(name.into(), value);
        }
        writeln!(writer, "{}", Value::Object(line))
    }

    fn write_text(
        &self,
        mut writer: Writer<'_>,
        event: &Event<'_>,
        fields: &Fields,
        trace: Option<(String, String)>,
    ) -> fmt::Result {
        let level = event.metadata().level();
        let (on, off) = match (self.colour, *level) {
            (false, _) => ("", ""),
            (true, Level::ERROR) => ("\x1b[31m", "\x1b[0m"),
            (true, Level::WARN) => ("\x1b[33m", "\x1b[0m"),
            (true, _) => ("\x1b[2m", "\x1b[0m"),
        };
        let time = jiff::Timestamp::now().strftime("%H:%M:%S%.3f");
        write!(
            writer,
            "{time} {on}{level:>5}{off} {:<9} {}",
            self.service, fields.message
        )?;
        for (name, value) in &fields.others {
            match value {
                Value::String(text) => write!(writer, " {on}{name}={off}{text}")?,
                other => write!(writer, " {on}{name}={off}{other}")?,
            }
        }
        if let Some((trace_id, _)) = trace {
            write!(writer, " {on}trace={off}{trace_id}")?;
        }
        writeln!(writer)
    }
}

/// An event's fields, its message apart.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => self.others.push((name, value)),
        }
    }
}
