//! Reads comma-separated lines as if they were JSON lines.
//!
//! The header names the columns: `t` and `weight`, optionally `stream`, `step`, `next`, `pods`, `final`, and for each metric
//! `METRIC.candidate_n`, `METRIC.candidate_x`, `METRIC.baseline_n` and `METRIC.baseline_x`; without `METRIC.` it is
//! `error-rate`.

use std::borrow::Cow;

use super::line::{Arm, Arms, Increments, LARGEST, Line, Named, Whole};

const DEFAULT_METRIC: &str = "error-rate";

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
    /// A metric's count: baseline or candidate, bad or all.
    Count {
        metric: String,
        baseline: bool,
        bad: bool,
    },
}

/// The columns of a file.
#[derive(Debug)]
pub(super) struct Columns(Vec<Column>);

impl Columns {
    /// Reads the header.
    pub(super) fn parse(header: &str) -> Result<Self, String> {
        let columns = header
            .split(',')
            .map(|name| column(unquoted(name)))
            .collect::<Result<Vec<_>, _>>()?;
        if let Some((at, _)) = columns
            .iter()
            .enumerate()
            .find(|(at, column)| columns[..*at].contains(column))
        {
            let name = header.split(',').nth(at).map_or("", unquoted);
            return Err(format!("the column {name} is there twice"));
        }
        for needed in [Column::Time, Column::Weight] {
            if !columns.contains(&needed) {
                return Err("the header needs at least the columns t and weight".into());
            }
        }
        Ok(Self(columns))
    }

    /// Reads a row.
    pub(super) fn line<'a>(&'a self, row: &'a str) -> Result<Line<'a>, String> {
        let cells: Vec<&str> = row.split(',').map(unquoted).collect();
        if cells.len() != self.0.len() {
            return Err(format!(
                "{} cells, but the header has {} columns",
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
                Column::Stream => line.stream = Cow::Borrowed(cell),
                Column::Time => line.t = Some(number("t", cell)?),
                Column::Step => line.step = small("step", cell)?,
                Column::Weight => line.weight = Some(number("weight", cell)?),
                Column::Next | Column::Pods if cell.is_empty() => {}
                Column::Next => line.next = Some(number("next", cell)?),
                Column::Pods => line.pods = Some(small("pods", cell)?),
                Column::Final => line.last = yes(cell)?,
                Column::Count {
                    metric,
                    baseline,
                    bad,
                } => {
                    let arms = arms_of(&mut line, metric);
                    let arm = if *baseline {
                        &mut arms.baseline
                    } else {
                        &mut arms.candidate
                    };
                    if let Arm::Increments(counts) = arm {
                        let slot = if *bad { &mut counts.x } else { &mut counts.n };
                        *slot = Whole(whole(metric, cell)?);
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
            x: Whole(0),
            buckets: None,
        })
    };
    Arms {
        candidate: none(),
        baseline: none(),
    }
}

fn unquoted(cell: &str) -> &str {
    cell.trim().trim_matches('"')
}

fn column(name: &str) -> Result<Column, String> {
    let (metric, count) = name.rsplit_once('.').unwrap_or((DEFAULT_METRIC, name));
    let counted = |baseline, bad| Column::Count {
        metric: metric.to_owned(),
        baseline,
        bad,
    };
    Ok(match (name, count) {
        ("stream", _) => Column::Stream,
        ("t", _) => Column::Time,
        ("step", _) => Column::Step,
        ("weight", _) => Column::Weight,
        ("next", _) => Column::Next,
        ("pods", _) => Column::Pods,
        ("final", _) => Column::Final,
        (_, "candidate_n") => counted(false, false),
        (_, "candidate_x") => counted(false, true),
        (_, "baseline_n") => counted(true, false),
        (_, "baseline_x") => counted(true, true),
        _ => {
            return Err(format!(
                "unknown column {name}: see `serin judge --help` for the names"
            ));
        }
    })
}

fn number(what: &str, cell: &str) -> Result<f64, String> {
    cell.parse()
        .ok()
        .filter(|x: &f64| x.is_finite())
        .ok_or_else(|| format!("{what} is not a number: {cell:?}"))
}

fn whole(what: &str, cell: &str) -> Result<u64, String> {
    if cell.starts_with('-') {
        return Err(format!("{what}: a count is negative: {cell}"));
    }
    cell.parse()
        .ok()
        .filter(|count| *count <= LARGEST)
        .ok_or_else(|| format!("{what}: not a whole number of at least 0 and at most 2^53: {cell:?}"))
}

fn small(what: &str, cell: &str) -> Result<u32, String> {
    let small = whole(what, cell)?;
    u32::try_from(small).map_err(|_| format!("{what} is too large: {cell}"))
}

fn yes(cell: &str) -> Result<bool, String> {
    match cell {
        "true" | "1" | "yes" => Ok(true),
        "false" | "0" | "no" | "" => Ok(false),
        _ => Err(format!("final is neither true nor false: {cell:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_lines() {
        let columns = Columns::parse(
            "stream,t,weight,final,candidate_n,candidate_x,baseline_n,baseline_x,slow.candidate_n",
        )
        .unwrap();
        let line = columns.line("a,15.5,10,true,150,1,1350,2,7").unwrap();
        assert_eq!(
            (line.stream.as_ref(), line.t, line.weight, line.last),
            ("a", Some(15.5), Some(10.0), true)
        );
        assert_eq!(line.metrics.0.len(), 2);
        let Arm::Increments(baseline) = &line.metrics.get("error-rate").unwrap().baseline else {
            panic!()
        };
        assert_eq!((baseline.n.0, baseline.x.0), (1350, 2));
        for bad in [
            "a,15,10,true,150",
            "a,x,10,true,1,1,1,1,1",
            "a,15,10,true,-1,1,1,1,1",
            "a,15,10,true,1.5,1,1,1,1",
            "a,15,10,perhaps,1,1,1,1,1",
            "a,NaN,10,true,1,1,1,1,1",
            "a,15,10,true,18446744073709551615,1,1,1,1",
        ] {
            assert!(columns.line(bad).is_err(), "{bad}");
        }
        assert!(Columns::parse("t,weight,nonsense").is_err());
        assert!(Columns::parse("t,weight,t").is_err());
        assert!(Columns::parse("t,weight,candidate_n,error-rate.candidate_n").is_err());
        assert!(Columns::parse("t,candidate_n").is_err());
    }
}
