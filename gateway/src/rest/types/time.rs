//! Points in time as RFC 3339 texts.

use chassis::error::Error;
use proto::time::UnixMicros;
use serde::{Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, schema::Type},
};

use super::filled;

/// A time in UTC with microseconds: `2026-01-31T12:00:00.000001Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Time(UnixMicros);

impl Time {
    /// A time that a service has to give.
    pub(crate) fn of(time: Option<prost_types::Timestamp>) -> Result<Self, Error> {
        filled(Self::maybe(time), "valid time")
    }

    /// A time that may not have come yet.
    pub(crate) fn maybe(time: Option<prost_types::Timestamp>) -> Option<Self> {
        UnixMicros::try_from(time?).ok().map(Self)
    }
}

impl From<UnixMicros> for Time {
    fn from(time: UnixMicros) -> Self {
        Self(time)
    }
}

/// What a caller's time has to look like.
pub(crate) const TIME_RULE: &str =
    "must be a time as in RFC 3339 with its offset, such as 2026-01-31T12:00:00Z";

/// Reads a caller's time, with any offset.
pub(crate) fn parse_time(text: &str) -> Option<UnixMicros> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(UnixMicros::from_micros(time.as_microsecond()))
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339, in UTC with microseconds"))
            .examples(["2026-01-31T12:00:00.000001Z"])
            .into()
    }
}

impl ToSchema for Time {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_with_any_offset_are_the_same_time() {
        let utc = parse_time("2026-01-31T12:00:00Z").unwrap();
        assert_eq!(parse_time("2026-01-31T13:00:00+01:00"), Some(utc));
        assert_eq!(
            serde_json::to_value(Time(utc)).unwrap(),
            "2026-01-31T12:00:00.000000Z"
        );
    }

    #[test]
    fn a_time_without_its_offset_is_none() {
        for wrong in ["", "2026-01-31T12:00:00", "2026-01-31", "1769860800", "now"] {
            assert_eq!(parse_time(wrong), None, "{wrong}");
        }
    }
}
