//! Kafka: the publisher, the consumer loop, topics, and the embedded broker.

mod client;
pub mod consumer;
pub mod dead_letters;
mod embedded;
pub mod headers;
pub mod lookup;
mod options;
mod outgoing;
mod partition;
mod publisher;
#[allow(unsafe_code)]
mod raw;
pub mod reader;
mod record;
mod topics;

pub use consumer::{
    ConsumerOptions, Delivery, Handler, HandlerError, Poison, PoisonClass, Settlement,
};
pub use embedded::{Admission, EmbeddedBroker};
pub use options::KafkaOptions;
pub use outgoing::Outgoing;
pub use publisher::{Ack, PublishError, Publisher};
pub use record::{Content, Record};
pub use topics::{TopicSpec, TopicState, ensure_topics, list_topics};
