//! Rows of the table, alike for both databases.
//!
//! Invariant: a row that cannot be a payment (an unknown currency, a status
//! without its outcome) is an error of the statement, never a payment.

use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, QueryableByName},
    pg::Pg,
    row::NamedRow,
    sql_types::{BigInt, Binary, Integer, Nullable, SmallInt, Text},
    sqlite::Sqlite,
};
use proto::{
    event::PaymentResult,
    events::v1::DeclineCode,
    id::{OrderId, PaymentId, UserId},
    money::Money,
    payments::v1::PaymentStatus,
    time::UnixMicros,
};
use uuid::Uuid;

use crate::payment::{OpenPayment, Outcome, Payment};

/// The columns of a [`PaymentRow`].
macro_rules! payment_columns {
    () => {
        "payment_id, order_id, user_id, amount, currency_code, order_placed_at, created_at, \
         status, decline_code, provider_reference, settled_at"
    };
}
pub(super) use payment_columns;

/// The columns of an [`OpenRow`].
macro_rules! open_columns {
    () => {
        concat!(
            $crate::store::rows::payment_columns!(),
            ", payment_token, traceparent, sweeps"
        )
    };
}
pub(super) use open_columns;

/// A payment as its row says.
pub(super) struct PaymentRow(pub(super) Payment);

/// A payment with what is needed to bring it to its end.
pub(super) struct OpenRow(pub(super) OpenPayment);

/// What an intent finds in its place.
pub(super) struct HashRow {
    pub(super) payment_id: PaymentId,
    pub(super) content_hash: Vec<u8>,
}

/// A payment that is settled now, and by whom.
pub(super) struct SettledRow {
    pub(super) payment_id: PaymentId,
    pub(super) lease_token: Uuid,
}

/// How a result is stored: its status and its decline code.
pub(super) fn codes(result: PaymentResult) -> (i16, i16) {
    match result {
        PaymentResult::Captured => (code(PaymentStatus::Captured as i32), 0),
        PaymentResult::Declined(reason) => {
            (code(PaymentStatus::Declined as i32), code(reason as i32))
        }
    }
}

/// Numbers of our enums are small.
pub(super) fn code(number: i32) -> i16 {
    i16::try_from(number).unwrap_or(i16::MAX)
}

/// What a status and a decline code stand for; `None` while pending.
pub(super) fn result(status: i16, decline_code: i16) -> Result<Option<PaymentResult>, String> {
    match PaymentStatus::try_from(i32::from(status)) {
        Ok(PaymentStatus::Pending) => Ok(None),
        Ok(PaymentStatus::Captured) => Ok(Some(PaymentResult::Captured)),
        Ok(PaymentStatus::Declined) => DeclineCode::try_from(i32::from(decline_code))
            .map(|reason| Some(PaymentResult::Declined(reason)))
            .map_err(|_| format!("{decline_code} is no decline code")),
        Ok(PaymentStatus::Unspecified) | Err(_) => Err(format!("{status} is no status")),
    }
}

/// A column by its name; [`NamedRow::get`] shares its name with another method.
fn column<'a, ST, T, DB>(row: &impl NamedRow<'a, DB>, name: &str) -> deserialize::Result<T>
where
    DB: Backend,
    T: FromSql<ST, DB>,
{
    NamedRow::get(row, name)
}

/// A database whose columns we can read.
pub(super) trait Columns: Backend {
    fn uuid<'a>(row: &impl NamedRow<'a, Self>, name: &str) -> deserialize::Result<Uuid>;
}

impl Columns for Pg {
    fn uuid<'a>(row: &impl NamedRow<'a, Self>, name: &str) -> deserialize::Result<Uuid> {
        column::<diesel::sql_types::Uuid, _, _>(row, name)
    }
}

impl Columns for Sqlite {
    fn uuid<'a>(row: &impl NamedRow<'a, Self>, name: &str) -> deserialize::Result<Uuid> {
        let bytes: Vec<u8> = column::<Binary, _, _>(row, name)?;
        Ok(Uuid::from_slice(&bytes)?)
    }
}

fn payment_id<'a, DB: Columns>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<PaymentId> {
    DB::uuid(row, "payment_id").map(PaymentId::from_uuid)
}

impl<DB> QueryableByName<DB> for PaymentRow
where
    DB: Columns,
    i16: FromSql<SmallInt, DB>,
    i64: FromSql<BigInt, DB>,
    String: FromSql<Text, DB>,
{
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let time = |name| column::<BigInt, i64, _>(row, name).map(UnixMicros::from_micros);
        let result = result(
            column::<SmallInt, _, _>(row, "status")?,
            column::<SmallInt, _, _>(row, "decline_code")?,
        )?;
        let outcome = match result {
            None => None,
            Some(result) => Some(Outcome {
                result,
                provider_reference: column::<Text, _, _>(row, "provider_reference")?,
                settled_at: time("settled_at")?,
            }),
        };
        Ok(Self(Payment {
            payment_id: payment_id(row)?,
            order_id: OrderId::from_uuid(DB::uuid(row, "order_id")?),
            user_id: UserId::try_from(column::<BigInt, i64, _>(row, "user_id")?)?,
            amount: Money::new(
                column::<BigInt, _, _>(row, "amount")?,
                column::<Text, String, _>(row, "currency_code")?.parse()?,
            ),
            order_placed_at: time("order_placed_at")?,
            created_at: time("created_at")?,
            outcome,
        }))
    }
}

impl<DB> QueryableByName<DB> for OpenRow
where
    DB: Columns,
    PaymentRow: QueryableByName<DB>,
    i32: FromSql<Integer, DB>,
    String: FromSql<Text, DB>,
{
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let token: Option<String> = column::<Nullable<Text>, _, _>(row, "payment_token")?;
        Ok(Self(OpenPayment {
            payment: PaymentRow::build(row)?.0,
            token: token.map(|token| token.parse()).transpose()?,
            traceparent: column::<Nullable<Text>, _, _>(row, "traceparent")?,
            sweeps: u32::try_from(column::<Integer, i32, _>(row, "sweeps")?)?,
        }))
    }
}

impl<DB> QueryableByName<DB> for HashRow
where
    DB: Columns,
    Vec<u8>: FromSql<Binary, DB>,
{
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self {
            payment_id: payment_id(row)?,
            content_hash: column::<Binary, _, _>(row, "content_hash")?,
        })
    }
}

impl<DB: Columns> QueryableByName<DB> for SettledRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self {
            payment_id: payment_id(row)?,
            lease_token: DB::uuid(row, "lease_token")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_comes_back_from_its_codes() {
        for expected in [
            PaymentResult::Captured,
            PaymentResult::Declined(DeclineCode::GenericDecline),
            PaymentResult::Declined(DeclineCode::InsufficientFunds),
            PaymentResult::Declined(DeclineCode::ExpiredCard),
        ] {
            let (status, decline_code) = codes(expected);
            assert_eq!(result(status, decline_code), Ok(Some(expected)));
        }
        assert_eq!(result(code(PaymentStatus::Pending as i32), 0), Ok(None));
    }

    #[test]
    fn numbers_that_mean_nothing_are_refused() {
        assert!(result(0, 0).is_err());
        assert!(result(9, 0).is_err());
        assert!(result(code(PaymentStatus::Declined as i32), 99).is_err());
    }
}
