//! Statements on one connection, prepared once, and how their rows become our types.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::str::FromStr;

use rusqlite::types::Type;
use rusqlite::{Connection, Params, Row, Statement};

use crate::model::name::NameError;

/// A connection and the statements that were prepared on it.
pub(super) struct Statements<'c> {
    pub(super) connection: &'c Connection,
    ready: RefCell<HashMap<&'static str, Statement<'c>>>,
}

impl<'c> Statements<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self { connection, ready: RefCell::default() }
    }

    /// How many rows it changed.
    pub(super) fn change(&self, sql: &'static str, params: impl Params) -> rusqlite::Result<usize> {
        self.with(sql, |statement| statement.execute(params))
    }

    /// The first row, if there is one.
    pub(super) fn first<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        self.with(sql, |statement| {
            let mut rows = statement.query(params)?;
            rows.next()?.map(read).transpose()
        })
    }

    /// The only row of a statement that always has one.
    pub(super) fn one<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.first(sql, params, read)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
    }

    /// Every row.
    pub(super) fn all<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        let mut all = Vec::new();
        self.each(sql, params, |row| {
            all.push(read(row)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(all)
    }

    /// One row after the other, until `read` has enough.
    pub(super) fn each(
        &self,
        sql: &'static str,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<ControlFlow<()>>,
    ) -> rusqlite::Result<()> {
        self.with(sql, |statement| {
            let mut rows = statement.query(params)?;
            while let Some(row) = rows.next()? {
                if read(row)?.is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    fn with<T>(
        &self,
        sql: &'static str,
        run: impl FnOnce(&mut Statement<'c>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        // Out of the map while it runs: what panics then is not kept.
        let ready = self.ready.borrow_mut().remove(sql);
        let mut statement = match ready {
            Some(statement) => statement,
            None => self.connection.prepare(sql)?,
        };
        let result = run(&mut statement);
        self.ready.borrow_mut().insert(sql, statement);
        result
    }
}

/// A name, as it was written.
pub(super) fn name<T: FromStr<Err = NameError>>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let damaged = |error: NameError| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into());
    row.get_ref(column)?.as_str()?.parse().map_err(damaged)
}

/// A name that may be absent.
pub(super) fn maybe_name<T: FromStr<Err = NameError>>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|_| name(row, column)).transpose()
}

/// A number that is never negative.
pub(super) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let signed: i64 = row.get(column)?;
    u64::try_from(signed).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, signed))
}

/// For a comparison: the database's integers end before ours.
pub(super) fn at_most_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
