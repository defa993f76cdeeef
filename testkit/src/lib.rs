//! What tests share: clusters, databases, sinks, waiting.
