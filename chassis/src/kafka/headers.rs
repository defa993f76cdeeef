//! The names of record headers.
//!
//! CloudEvents in binary mode (Kafka protocol binding 1.0.2, section 3.2), the
//! W3C trace context, and what a dead letter carries.

/// CloudEvents version; always `1.0`.
pub const CE_SPECVERSION: &str = "ce_specversion";
/// The event's id.
pub const CE_ID: &str = "ce_id";
/// The event's type: the full name of the protobuf message.
pub const CE_TYPE: &str = "ce_type";
/// Which service made the event.
pub const CE_SOURCE: &str = "ce_source";
/// When the event happened, RFC 3339.
pub const CE_TIME: &str = "ce_time";
/// The value's media type.
pub const CONTENT_TYPE: &str = "content-type";
/// The value of [`CONTENT_TYPE`] that we write and read.
pub const PROTOBUF: &str = "application/protobuf";
/// The producer's span (W3C Trace Context).
pub const TRACEPARENT: &str = "traceparent";
/// Vendors' additions to it.
pub const TRACESTATE: &str = "tracestate";

/// The topic a dead letter was read from.
pub const DLQ_TOPIC: &str = "dlq_origin_topic";
/// Its partition there.
pub const DLQ_PARTITION: &str = "dlq_origin_partition";
/// Its offset there.
pub const DLQ_OFFSET: &str = "dlq_origin_offset";
/// Its timestamp there, in milliseconds since the Unix epoch.
pub const DLQ_TIMESTAMP: &str = "dlq_origin_timestamp";
/// The consumer group that gave it up.
pub const DLQ_GROUP: &str = "dlq_consumer_group";
/// Why, as a class: see [`super::PoisonClass`].
pub const DLQ_CLASS: &str = "dlq_error_class";
/// Why, in words.
pub const DLQ_MESSAGE: &str = "dlq_error_message";
/// How often it was tried.
pub const DLQ_ATTEMPTS: &str = "dlq_attempts";
/// How often it has been put back; absent for never.
pub const DLQ_REPLAYS: &str = "dlq_replays";
