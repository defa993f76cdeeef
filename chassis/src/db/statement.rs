//! Hand-written SQL that diesel prepares once per connection.
//!
//! `diesel::sql_query` never caches its prepared statement, which costs one more
//! round trip at every call. The text of a [`Statement`] is fixed, so caching it
//! is safe: one text, one set of bind types, one prepared statement.

use std::marker::PhantomData;

use diesel::{
    QueryResult,
    backend::{Backend, DieselReserveSpecialization},
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    serialize::ToSql,
    sql_types::{HasSqlType, Untyped},
};

/// A statement with a fixed text. Bind its parameters in their order.
#[derive(Debug, Clone, Copy)]
pub struct Statement(&'static str);

/// A statement with one more parameter bound.
#[derive(Debug, Clone, Copy)]
pub struct Bound<Inner, SqlType, Value> {
    inner: Inner,
    value: Value,
    sql_type: PhantomData<SqlType>,
}

/// A statement with parameters `$1`, `$2`, … (PostgreSQL) or `?` (SQLite).
pub const fn statement(sql: &'static str) -> Statement {
    Statement(sql)
}

impl Statement {
    /// Binds the first parameter as the given SQL type.
    pub fn bind<SqlType, Value>(self, value: Value) -> Bound<Self, SqlType, Value> {
        Bound {
            inner: self,
            value,
            sql_type: PhantomData,
        }
    }
}

impl<Inner, S, V> Bound<Inner, S, V> {
    /// Binds the next parameter as the given SQL type.
    pub fn bind<SqlType, Value>(self, value: Value) -> Bound<Self, SqlType, Value> {
        Bound {
            inner: self,
            value,
            sql_type: PhantomData,
        }
    }
}

impl<DB> QueryFragment<DB> for Statement
where
    DB: Backend + DieselReserveSpecialization,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql(self.0);
        Ok(())
    }
}

impl<DB, Inner, SqlType, Value> QueryFragment<DB> for Bound<Inner, SqlType, Value>
where
    DB: Backend + HasSqlType<SqlType> + DieselReserveSpecialization,
    Inner: QueryFragment<DB>,
    Value: ToSql<SqlType, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.inner.walk_ast(out.reborrow())?;
        out.push_bind_param_value_only(&self.value)
    }
}

// No static id: the cache then goes by the text, which is what tells two
// statements apart here.
impl QueryId for Statement {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Inner, SqlType, Value> QueryId for Bound<Inner, SqlType, Value> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Statement {
    type SqlType = Untyped;
}

impl<Inner, SqlType, Value> Query for Bound<Inner, SqlType, Value> {
    type SqlType = Untyped;
}

impl<Connection> diesel::RunQueryDsl<Connection> for Statement {}
impl<Connection, Inner, SqlType, Value> diesel::RunQueryDsl<Connection>
    for Bound<Inner, SqlType, Value>
{
}
