//! Mails about orders, each once.
//!
//! Invariants:
//!
//! - An order's mails are written in the transaction in which its second event
//!   (order or payment, whichever is later) is stored, each under an id made of
//!   order, kind and line. So they are written once, however often and in
//!   whatever order the events come.
//! - A mail's Message-ID and text never change, and it is sent until the mail
//!   server has taken it or refused it for good; only then is its event
//!   published, until that is acknowledged.
//!
//! One gap remains, and cannot be closed with SMTP: a crash between the server's
//! `250` and our mark sends the mail again. It then has the same Message-ID
//! (RFC 5322, section 3.6.4), so receivers can tell.
//!
//! | module | what it does |
//! |---|---|
//! | [`handler`] | decodes records and merges them into the store |
//! | [`compose`] | writes a mail's subject, text and HTML |
//! | [`store`] | keeps halves of orders, and mails, in PostgreSQL or SQLite |
//! | [`outbox`] | leases mails, sends them, publishes their events |
//! | [`mailer`] | the port to a mail server, and its two adapters |
//! | [`grpc`] | `ordermesh.notifier.v1.NotifierService` |
//! | [`service`] | settings, and how the parts are put together |

pub mod compose;
pub mod fact;
pub mod grpc;
pub mod handler;
pub mod mail;
pub mod mailer;
pub mod outbox;
pub mod service;
pub mod store;

pub use service::{Notifier, Options};
