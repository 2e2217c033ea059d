//! Reads comma-separated lines as if they were JSON lines.
//!
//! The header names the columns: `t` and `weight`, optionally `stream`, `step`, `next`, `pods`, `final`, and for each metric
//! all of `METRIC.candidate_n`, `METRIC.candidate_x`, `METRIC.baseline_n` and `METRIC.baseline_x`; without `METRIC.` it
//! is `error-rate`. A cell may stand in quotes, with `""` for a quote in it. An empty one of an optional column is as if it was
//! not there.

mod cells;

use std::borrow::Cow;

use self::cells::cells;
use super::line::{Arm, Arms, Increments, LARGEST, Line, Named, Whole};

const DEFAULT_METRIC: &str = "error-rate";
/// The columns of a metric: whether they are the baseline's, and of bad requests.
const COUNTS: [(&str, bool, bool); 4] = [
    ("candidate_n", false, false),
    ("candidate_x", false, true),
    ("baseline_n", true, false),
    ("baseline_x", true, true),
];

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Column {
    Stream,
    Time,
    Step,
    Weight,
    Next,
    Pods,
    Final,
    /// A metric's count: which of [`COUNTS`].
    Count {
        metric: String,
        which: usize,
    },
}

/// The columns of a file.
#[derive(Debug)]
pub(super) struct Columns(Vec<Column>);

impl Columns {
    /// Reads the header.
    pub(super) fn parse(header: &str) -> Result<Self, String> {
        let names = cells(header)?;
        let columns = names
            .iter()
            .map(|name| column(name))
            .collect::<Result<Vec<_>, _>>()?;
        let twice = (1..columns.len()).find(|at| columns[..*at].contains(&columns[*at]));
        if let Some(at) = twice {
            return Err(format!("the column {} is there twice: leave one out", names[at]));
        }
        for needed in [Column::Time, Column::Weight] {
            if !columns.contains(&needed) {
                return Err("the header needs at least the columns t and weight: add them".into());
            }
        }
        let mut counted = false;
        for column in &columns {
            let Column::Count { metric, .. } = column else {
                continue;
            };
            counted = true;
            for which in 0..COUNTS.len() {
                let is_it = |it: &Column| matches!(it, Column::Count { metric: its, which: at } if its == metric && *at == which);
                if !columns.iter().any(is_it) {
                    return Err(format!(
                        "the header lacks {}: add that column",
                        written(metric, which)
                    ));
                }
            }
        }
        if counted {
            Ok(Self(columns))
        } else {
            Err(
                "the header names no metric: it needs candidate_n, candidate_x, baseline_n and baseline_x"
                    .into(),
            )
        }
    }

    /// Reads a row.
    pub(super) fn line<'a>(&'a self, row: &'a str) -> Result<Line<'a>, String> {
        let cells = cells(row)?;
        if cells.len() != self.0.len() {
            return Err(format!(
                "{} cells, but the header has {} columns: give every row a cell for each, empty where nothing is known",
                cells.len(),
                self.0.len()
            ));
        }
        let mut line = Line {
            stream: Cow::Borrowed(""),
            t: None,
            step: 0,
            weight: None,
            next: None,
            last: false,
            metrics: Named::default(),
            gauges: Named::default(),
            pods: None,
            history: None,
        };
        for (column, cell) in self.0.iter().zip(cells) {
            match column {
                Column::Stream => line.stream = cell,
                Column::Time => line.t = Some(number("t", &cell)?),
                Column::Step | Column::Next | Column::Pods if cell.is_empty() => {}
                Column::Step => line.step = small("step", &cell)?,
                Column::Weight => line.weight = Some(number("weight", &cell)?),
                Column::Next => line.next = Some(number("next", &cell)?),
                Column::Pods => line.pods = Some(small("pods", &cell)?),
                Column::Final => line.last = yes(&cell)?,
                Column::Count { metric, which } => {
                    let arms = arms_of(&mut line, metric);
                    let (_, baseline, bad) = COUNTS[*which];
                    let arm = if baseline {
                        &mut arms.baseline
                    } else {
                        &mut arms.candidate
                    };
                    let count =
                        whole(&cell).map_err(|wrong| format!("{}: {wrong}", written(metric, *which)))?;
                    match arm {
                        Arm::Increments(counts) if bad => counts.x = Some(Whole(count)),
                        Arm::Increments(counts) => counts.n = Whole(count),
                        Arm::Series(_) => {}
                    }
                }
            }
        }
        Ok(line)
    }
}

/// The arms of a metric, which are empty at first.
fn arms_of<'b, 'a>(line: &'b mut Line<'a>, metric: &'a str) -> &'b mut Arms<'a> {
    let all = &mut line.metrics.0;
    let at = match all.binary_search_by(|(name, _)| name.as_ref().cmp(metric)) {
        Ok(at) => at,
        Err(at) => {
            all.insert(at, (Cow::Borrowed(metric), empty()));
            at
        }
    };
    &mut all[at].1
}

fn empty<'a>() -> Arms<'a> {
    let none = || {
        Arm::Increments(Increments {
            n: Whole(0),
            x: None,
            buckets: None,
        })
    };
    Arms {
        candidate: none(),
        baseline: none(),
    }
}

/// A count's column as the header has it.
fn written(metric: &str, which: usize) -> String {
    let count = COUNTS[which].0;
    if metric == DEFAULT_METRIC {
        count.to_owned()
    } else {
        format!("{metric}.{count}")
    }
}

fn column(name: &str) -> Result<Column, String> {
    Ok(match name {
        "stream" => Column::Stream,
        "t" => Column::Time,
        "step" => Column::Step,
        "weight" => Column::Weight,
        "next" => Column::Next,
        "pods" => Column::Pods,
        "final" => Column::Final,
        _ => {
            let (metric, count) = name.rsplit_once('.').unwrap_or((DEFAULT_METRIC, name));
            let Some(which) = COUNTS.iter().position(|(known, _, _)| *known == count) else {
                let short: String = name.chars().take(40).collect();
                return Err(format!(
                    "unknown column {short}: see `serin judge --help` for the names"
                ));
            };
            Column::Count {
                metric: metric.to_owned(),
                which,
            }
        }
    })
}

fn number(what: &str, cell: &str) -> Result<f64, String> {
    cell.parse()
        .ok()
        .filter(|x: &f64| x.is_finite())
        .ok_or_else(|| format!("{what} is not a number: {cell:?}"))
}

fn whole(cell: &str) -> Result<u64, String> {
    if cell.starts_with('-') {
        return Err(format!(
            "a count is negative: {cell}: write requests since the row before, or 0"
        ));
    }
    // Tables that once had an empty cell write whole numbers as 150.0.
    let digits = cell
        .split_once('.')
        .map_or(cell, |(digits, zeros)| match zeros.trim_end_matches('0') {
            "" if !zeros.is_empty() => digits,
            _ => cell,
        });
    digits
        .parse()
        .ok()
        .filter(|count| *count <= LARGEST)
        .ok_or_else(|| format!("not a whole number of at least 0 and at most 2^53: {cell:?}"))
}

fn small(what: &str, cell: &str) -> Result<u32, String> {
    let small = whole(cell).map_err(|wrong| format!("{what}: {wrong}"))?;
    u32::try_from(small).map_err(|_| format!("{what} is too large: {cell}"))
}

fn yes(cell: &str) -> Result<bool, String> {
    match cell.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Ok(true),
        "false" | "0" | "no" | "" => Ok(false),
        _ => Err(format!(
            "final is neither true nor false: {cell:?}: write one of them"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: &str = "slow.candidate_n,slow.candidate_x,slow.baseline_n,slow.baseline_x";

    #[test]
    fn rows_become_lines() {
        let header = format!("stream,t,weight,final,candidate_n,candidate_x,baseline_n,baseline_x,{SLOW}");
        let columns = Columns::parse(&header).unwrap();
        let line = columns.line("a,15.5,10,True,150,1,1350.0,2,7,0,8,1").unwrap();
        assert_eq!(
            (line.stream.as_ref(), line.t, line.weight, line.last),
            ("a", Some(15.5), Some(10.0), true)
        );
        assert_eq!(line.metrics.0.len(), 2);
        let Arm::Increments(baseline) = &line.metrics.get("error-rate").unwrap().baseline else {
            panic!()
        };
        assert_eq!((baseline.n.0, baseline.x), (1350, Some(Whole(2))));
        for (bad, reason) in [
            ("a,15,10,true,150", "5 cells, but the header has 12"),
            ("a,x,10,true,1,1,1,1,1,1,1,1", "t is not a number"),
            (
                "a,15,10,true,-1,1,1,1,1,1,1,1",
                "candidate_n: a count is negative",
            ),
            ("a,15,10,true,1,1,1,1,1,1,1,1.5", "slow.baseline_x: not a whole"),
            ("a,15,10,true,1,,1,1,1,1,1,1", "candidate_x: not a whole"),
            ("a,15,10,true,1.,1,1,1,1,1,1,1", "candidate_n: not a whole"),
            ("a,15,10,perhaps,1,1,1,1,1,1,1,1", "neither true nor false"),
            ("a,NaN,10,true,1,1,1,1,1,1,1,1", "t is not a number"),
            ("a,15,10,true,18446744073709551615,1,1,1,1,1,1,1", "at most 2^53"),
        ] {
            let error = columns.line(bad).unwrap_err();
            assert!(error.contains(reason), "{bad}: {error}");
        }
    }

    #[test]
    fn a_header_has_all_counts_of_a_metric() {
        let counts = "candidate_n,candidate_x,baseline_n,baseline_x";
        for (header, reason) in [
            (format!("t,weight,nonsense,{counts}"), "unknown column nonsense"),
            (format!("t,weight,t,{counts}"), "t is there twice"),
            (
                format!("t,weight,{counts},error-rate.candidate_n"),
                "error-rate.candidate_n is there twice",
            ),
            (format!("t,{counts}"), "t and weight"),
            ("t,weight".to_owned(), "names no metric"),
            ("t,weight,candidate_n".to_owned(), "lacks candidate_x"),
            (
                format!("t,weight,{counts},slow.candidate_n"),
                "lacks slow.candidate_x",
            ),
        ] {
            let error = Columns::parse(&header).unwrap_err();
            assert!(error.contains(reason), "{header}: {error}");
        }
        assert!(Columns::parse(&format!("\"t\", weight,{counts},{SLOW}")).is_ok());
    }
}
