//! Mails about orders, each once.
