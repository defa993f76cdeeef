//! The limits: the parts by themselves, with nothing of ours around them.

pub(crate) mod axum;
pub(crate) mod consume;
pub(crate) mod count;
pub(crate) mod mails;
pub(crate) mod rows;
