//! Is the journal what it was? Walks the hash chain, folds all events again, and compares.

use rusqlite::{Connection, Row, types::Value};
use worknode_core::hlc::Hlc;

use crate::{
    chain::{self, GENESIS, Hash, link},
    error::{ReadError, StoreError},
    fold::Fold,
    limits,
    reader::Reader,
    rows::text,
    schema, stamp, tables,
};

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// How many events there are.
    pub events: u64,
    /// How many of the rows that are derived from them were compared.
    pub rows: u64,
    /// The last event.
    pub last: Option<Hlc>,
    /// The hash of the last event, in hexadecimal: it stands for the whole history. Keep it
    /// elsewhere, or sign it, and a journal that was rewritten as a whole is found out too.
    pub head: String,
    /// What is wrong; at most [`limits::PROBLEMS`].
    pub problems: Vec<Problem>,
    /// How much more is wrong.
    pub more_problems: u64,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// At which event, when it is about one.
    pub at: Option<Hlc>,
    /// What was seen.
    pub what: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.at {
            Some(at) => write!(f, "{at}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl VerifyReport {
    /// Is nothing wrong?
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    fn problem(&mut self, at: Option<Hlc>, what: impl Into<String>) {
        if self.problems.len() < limits::PROBLEMS {
            self.problems.push(Problem {
                at,
                what: what.into(),
            });
        } else {
            self.more_problems = self.more_problems.saturating_add(1);
        }
    }
}

impl Reader {
    /// Checks the file, the chain and the projections, as of one instant. Takes time in
    /// proportion to the history, and memory that does not depend on it.
    ///
    /// # Errors
    /// [`ReadError`] when it could not be read to the end; what is wrong in it is in the report.
    pub fn verify(&self) -> Result<VerifyReport, ReadError> {
        self.with(|conn| {
            conn.execute_batch("BEGIN")?;
            let report = verify(conn, self.origin());
            conn.execute_batch("ROLLBACK")?;
            Ok(report?)
        })
    }
}

/// Events that are folded before they are written to the scratch database.
const BATCH: u64 = 1_000;

fn verify(conn: &Connection, origin: u32) -> Result<VerifyReport, StoreError> {
    let mut report = VerifyReport::default();
    check_file(conn, &mut report)?;
    // A nameless file that SQLite deletes by itself: memory stays bounded.
    let scratch = Connection::open("")?;
    schema::make_projections(&scratch)?;
    scratch.execute_batch("BEGIN")?;
    let mut walk = Walk {
        origin,
        before: GENESIS,
        fold: Some(Fold::load(&scratch, origin)?),
    };
    let mut events = conn.prepare("SELECT at, before, topic, hash, body FROM events ORDER BY at")?;
    let mut rows = events.query([])?;
    while let Some(row) = rows.next()? {
        walk.step(&scratch, row, &mut report)?;
    }
    report.head = chain::hex(&walk.before);
    if let Some(mut fold) = walk.fold {
        tables::save(&scratch, &mut fold)?;
        for table in [
            "nodes", "specs", "marks", "links", "labels", "runs", "firings", "triggers",
        ] {
            compare(conn, &scratch, table, &mut report)?;
        }
    }
    Ok(report)
}

/// SQLite's own check: pages, and indexes against their tables.
fn check_file(conn: &Connection, report: &mut VerifyReport) -> Result<(), StoreError> {
    let mut check = conn.prepare("PRAGMA integrity_check")?;
    let mut rows = check.query([])?;
    while let Some(row) = rows.next()? {
        let line = text(row, 0)?;
        if line != "ok" {
            report.problem(None, line);
        }
    }
    Ok(())
}

struct Walk {
    origin: u32,
    before: Hash,
    /// Gone once an event could not be folded: what comes after would only echo it.
    fold: Option<Fold>,
}

impl Walk {
    fn step(
        &mut self,
        scratch: &Connection,
        row: &Row<'_>,
        report: &mut VerifyReport,
    ) -> Result<(), StoreError> {
        let key: i64 = row.get(0)?;
        let (hash, body): (Hash, &str) = (row.get(3)?, text(row, 4)?);
        let at = stamp::stamp(key, self.origin);
        report.events = report.events.saturating_add(1);
        report.last = Some(at);
        if link(&self.before, key, self.origin, body) != hash {
            report.problem(
                Some(at),
                "the event, or the one before it, is not the one that was written",
            );
        }
        // Later links are checked against what is stored, so each break is told once.
        self.before = hash;
        if let Err(what) = self.fold_in(scratch, row, report.events)? {
            report.problem(Some(at), what);
            self.fold = None;
        }
        Ok(())
    }

    /// Repeats the event on what came of those before it, as long as all of them could be repeated.
    /// The inner error says why this one cannot.
    fn fold_in(
        &mut self,
        scratch: &Connection,
        row: &Row<'_>,
        events: u64,
    ) -> Result<Result<(), String>, StoreError> {
        let Some(fold) = &mut self.fold else {
            return Ok(Ok(()));
        };
        let at = stamp::stamp(row.get(0)?, self.origin);
        let record = match chain::decode(at, text(row, 4)?) {
            Ok(record) => record,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let before = match fold.apply(scratch, &record) {
            Ok(before) => stamp::key(before),
            Err(refused) => return Ok(Err(format!("no journal accepts this event: {refused}"))),
        };
        if before != row.get::<_, i64>(1)? || record.event.topic() != text(row, 2)? {
            let what = "the event's columns do not say what the event says";
            return Ok(Err(what.to_owned()));
        }
        fold.keep_request();
        if events.is_multiple_of(BATCH) {
            tables::save(scratch, fold)?;
            fold.committed();
        }
        Ok(Ok(()))
    }
}

/// Are the stored rows of `table` the ones that the events lead to?
fn compare(
    conn: &Connection,
    scratch: &Connection,
    table: &str,
    report: &mut VerifyReport,
) -> Result<(), StoreError> {
    // By the primary key, which is among the first three columns of each, where it has as many.
    let order = match table {
        "specs" => "1",
        _ => "1, 2, 3",
    };
    let sql = format!("SELECT * FROM {table} ORDER BY {order}");
    let (mut stored, mut folded) = (conn.prepare(&sql)?, scratch.prepare(&sql)?);
    let (mut stored, mut folded) = (stored.query([])?, folded.query([])?);
    loop {
        let is = stored.next()?.map(values).transpose()?;
        let should_be = folded.next()?.map(values).transpose()?;
        match (is, should_be) {
            (None, None) => return Ok(()),
            (is, should_be) if is == should_be => report.rows = report.rows.saturating_add(1),
            (Some(is), Some(should_be)) if is.first() == should_be.first() => {
                let what = format!("row {:?} of `{table}` is not what the events lead to", is.first());
                report.problem(None, what);
            }
            _ => {
                // One side has a row more; from here on the rows do not belong together.
                report.problem(
                    None,
                    format!("`{table}` does not have the rows that the events lead to"),
                );
                return Ok(());
            }
        }
    }
}

fn values(row: &Row<'_>) -> Result<Vec<Value>, StoreError> {
    (0..row.as_ref().column_count())
        .map(|column| Ok(row.get(column)?))
        .collect()
}
