//! Protobuf messages as JSON, and back, by their descriptors.
//!
//! Field names are camelCase and integers are numbers, as at the REST door.
//! Invariant: a field marked `debug_redact` never shows its value.

use std::sync::LazyLock;

use prost::{DecodeError, Message, Name};
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions, Value,
};

/// All schemas, read once: a constant in another form, not state.
static SCHEMAS: LazyLock<Option<DescriptorPool>> =
    LazyLock::new(|| DescriptorPool::decode(crate::DESCRIPTORS).ok());

/// A message could not be shown, or read.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// There is no such message among the schemas.
    #[error("no schema of {0:?}")]
    Unknown(String),
    /// The bytes are not those of the message.
    #[error(transparent)]
    Bytes(#[from] DecodeError),
    /// The JSON is not that of the message.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

fn descriptor<M: Name>() -> Result<MessageDescriptor, JsonError> {
    named(&M::full_name())
}

fn named(name: &str) -> Result<MessageDescriptor, JsonError> {
    SCHEMAS
        .as_ref()
        .and_then(|schemas| schemas.get_message_by_name(name))
        .ok_or_else(|| JsonError::Unknown(name.to_owned()))
}

/// A message as JSON, private fields masked.
pub fn to_json<M: Message + Name>(message: &M) -> Result<serde_json::Value, JsonError> {
    json_of(DynamicMessage::decode(
        descriptor::<M>()?,
        &*message.encode_to_vec(),
    )?)
}

/// The bytes of a message, of which only the name is known, as JSON, private
/// fields masked.
pub fn bytes_to_json(name: &str, bytes: &[u8]) -> Result<serde_json::Value, JsonError> {
    json_of(DynamicMessage::decode(named(name)?, bytes)?)
}

fn json_of(mut dynamic: DynamicMessage) -> Result<serde_json::Value, JsonError> {
    mask(&mut dynamic);
    let options = SerializeOptions::new()
        .stringify_64_bit_integers(false)
        .skip_default_fields(false);
    Ok(dynamic.serialize_with_options(serde_json::value::Serializer, &options)?)
}

/// A message from JSON; unknown fields are mistakes.
pub fn from_json<M: Message + Name + Default>(json: &str) -> Result<M, JsonError> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    let dynamic =
        DynamicMessage::deserialize_with_options(descriptor::<M>()?, &mut reader, &options)?;
    reader.end()?;
    Ok(dynamic.transcode_to()?)
}

fn mask(message: &mut DynamicMessage) {
    for (field, value) in message.fields_mut() {
        let options = field.options();
        let redact = options
            .get_field_by_name("debug_redact")
            .and_then(|value| value.as_bool())
            .unwrap_or(false);
        match value {
            Value::String(text) if redact && !text.is_empty() => "[redacted]".clone_into(text),
            Value::Message(inner) => mask(inner),
            Value::List(items) => items.iter_mut().for_each(|item| {
                if let Value::Message(inner) = item {
                    mask(inner);
                }
            }),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::v1::{OrderView, PlaceOrderRequest};

    #[test]
    fn the_readmes_order_is_read_and_unknown_fields_are_not() {
        let order: PlaceOrderRequest = from_json(include_str!("../../order.json")).unwrap();
        assert_eq!((order.user_id, order.products.len()), (42, 2));
        let error = from_json::<PlaceOrderRequest>(r#"{"userID":42}"#).unwrap_err();
        assert!(error.to_string().contains("userID"), "{error}");
    }

    #[test]
    fn numbers_stay_numbers_and_addresses_are_masked_at_any_depth() {
        let mut view = OrderView::default();
        view.notifications.push(crate::notifier::v1::Notification {
            user_id: 42,
            recipient: "jane@example.com".into(),
            ..Default::default()
        });
        let json = to_json(&view).unwrap();
        assert_eq!(json["notifications"][0]["userId"], 42);
        assert_eq!(json["notifications"][0]["recipient"], "[redacted]");
    }
}
