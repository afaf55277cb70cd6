//! Rows as arrays, one a column, in the list of arguments of `unnest`.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::AstPass;
use diesel::serialize::ToSql;
use diesel::sql_types::{Array, BigInt, Binary, Bool, HasSqlType, Integer, Nullable, Text};
use uuid::Uuid;

/// Writes the arguments. Each says its type, so that the statement is understood without what is bound to it.
pub(super) struct Columns<'c, 'a, 'b> {
    out: &'c mut AstPass<'a, 'b, Pg>,
    is_first: bool,
}

impl<'c, 'a, 'b> Columns<'c, 'a, 'b> {
    /// Starts the list.
    pub(super) fn of(out: &'c mut AstPass<'a, 'b, Pg>) -> Self {
        Self { out, is_first: true }
    }

    fn column<S, V>(mut self, values: &'b V, type_name: &str) -> QueryResult<Self>
    where
        Pg: HasSqlType<S>,
        V: ToSql<S, Pg>,
    {
        if !self.is_first {
            self.out.push_sql(", ");
        }
        self.is_first = false;
        self.out.push_bind_param::<S, V>(values)?;
        self.out.push_sql(type_name);
        Ok(self)
    }

    /// Ids.
    pub(super) fn uuids(self, values: &'b Vec<Uuid>) -> QueryResult<Self> {
        self.column::<Array<diesel::sql_types::Uuid>, _>(values, "::uuid[]")
    }

    /// Positions, counts, moments.
    pub(super) fn numbers(self, values: &'b Vec<i64>) -> QueryResult<Self> {
        self.column::<Array<BigInt>, _>(values, "::bigint[]")
    }

    /// Numbers that may be missing.
    pub(super) fn maybe_numbers(self, values: &'b Vec<Option<i64>>) -> QueryResult<Self> {
        self.column::<Array<Nullable<BigInt>>, _>(values, "::bigint[]")
    }

    /// Small numbers.
    pub(super) fn integers(self, values: &'b Vec<i32>) -> QueryResult<Self> {
        self.column::<Array<Integer>, _>(values, "::integer[]")
    }

    /// Yes or no.
    pub(super) fn flags(self, values: &'b Vec<bool>) -> QueryResult<Self> {
        self.column::<Array<Bool>, _>(values, "::boolean[]")
    }

    /// Texts.
    pub(super) fn texts<T>(self, values: &'b Vec<T>) -> QueryResult<Self>
    where
        Vec<T>: ToSql<Array<Text>, Pg>,
    {
        self.column::<Array<Text>, _>(values, "::text[]")
    }

    /// Texts that may be missing.
    pub(super) fn maybe_texts<T>(self, values: &'b Vec<Option<T>>) -> QueryResult<Self>
    where
        Vec<Option<T>>: ToSql<Array<Nullable<Text>>, Pg>,
    {
        self.column::<Array<Nullable<Text>>, _>(values, "::text[]")
    }

    /// Bytes.
    pub(super) fn bytes(self, values: &'b Vec<&[u8]>) -> QueryResult<Self> {
        self.column::<Array<Binary>, _>(values, "::bytea[]")
    }

    /// Bytes that may be missing.
    pub(super) fn maybe_bytes(self, values: &'b Vec<Option<&[u8]>>) -> QueryResult<Self> {
        self.column::<Array<Nullable<Binary>>, _>(values, "::bytea[]")
    }
}
