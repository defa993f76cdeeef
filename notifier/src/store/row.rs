//! Rows as both databases return them.

use diesel::{
    QueryResult, QueryableByName,
    result::Error as DieselError,
    sql_types::{BigInt, Integer, Nullable, Text},
};
use proto::{
    event::PlacedOrder,
    events::v1::OrderPlaced,
    id::{NotificationId, OrderId},
    time::UnixMicros,
};
use uuid::Uuid;

use crate::mail::{Content, Recipient, Status, StoredMail};

/// The columns of a mail whose types both databases share.
#[derive(QueryableByName)]
pub(super) struct MailColumns {
    #[diesel(sql_type = BigInt)]
    user_id: i64,
    #[diesel(sql_type = Integer)]
    kind: i32,
    #[diesel(sql_type = Nullable<Integer>)]
    line: Option<i32>,
    #[diesel(sql_type = Integer)]
    status: i32,
    #[diesel(sql_type = Text)]
    recipient: String,
    #[diesel(sql_type = Text)]
    message_id: String,
    #[diesel(sql_type = Text)]
    subject: String,
    #[diesel(sql_type = Text)]
    text_body: String,
    #[diesel(sql_type = Text)]
    html_body: String,
    #[diesel(sql_type = Integer)]
    attempts: i32,
    #[diesel(sql_type = Text)]
    last_error: String,
    #[diesel(sql_type = BigInt)]
    created_at: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    sent_at: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    traceparent: Option<String>,
}

impl MailColumns {
    pub(super) fn mail(self, id: Uuid, order_id: Uuid) -> QueryResult<StoredMail> {
        let status = Status::from_number(self.status);
        Ok(StoredMail {
            id: NotificationId::from_uuid(id),
            order_id: OrderId::from_uuid(order_id),
            user_id: self.user_id,
            kind: self.kind,
            line: self.line,
            status: status.ok_or_else(|| damaged(format!("status {}", self.status)))?,
            recipient: Recipient(self.recipient),
            message_id: self.message_id,
            content: Content {
                subject: self.subject,
                text: self.text_body,
                html: self.html_body,
            },
            attempts: self.attempts,
            last_error: self.last_error,
            created_at: UnixMicros::from_micros(self.created_at),
            sent_at: self.sent_at.map(UnixMicros::from_micros),
            traceparent: self.traceparent,
        })
    }
}

/// Every column of a mail; `text_body` and `html_body` as given, so that lists
/// need not read them.
macro_rules! mail_columns {
    (whole) => {
        "notification_id, order_id, user_id, kind, line, status, recipient, message_id, subject,
         text_body, html_body, attempts, last_error, created_at, sent_at, traceparent"
    };
    (listed) => {
        "notification_id, order_id, user_id, kind, line, status, recipient, message_id, subject,
         '' AS text_body, '' AS html_body, attempts, last_error, created_at, sent_at, traceparent"
    };
}
pub(super) use mail_columns;

/// An order that was kept until its payment came.
pub(super) fn placed(bytes: &[u8]) -> QueryResult<PlacedOrder> {
    let message: OrderPlaced = prost::Message::decode(bytes).map_err(damaged)?;
    PlacedOrder::try_from(message).map_err(damaged)
}

/// A row that nothing of ours wrote. The error names no private data.
pub(super) fn damaged(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> DieselError {
    DieselError::DeserializationError(error.into())
}

/// Mails could not be written: a mistake in our templates.
pub(super) fn uncomposed(error: crate::compose::ComposeError) -> DieselError {
    DieselError::QueryBuilderError(Box::new(error))
}
