//! The door: gRPC, REST and web pages in, order events out.
