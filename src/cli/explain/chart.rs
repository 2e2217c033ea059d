//! A small picture of evidence over time, for a terminal.

use crate::api::Mark;

/// Eighths of a character's height, from nothing to all.
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// What stands before the bars of each line: the scale.
const MARGIN: usize = 7;
/// Values below this are not to be seen.
const VISIBLE: f64 = 0.005;

/// One picture: a bar for each stretch of time, as high as the value at its end.
pub(super) struct Chart<'a> {
    pub(super) marks: &'a [Mark],
    /// Which value; 1 is the upper edge.
    pub(super) value: fn(&Mark) -> f64,
    /// Lines of bars.
    pub(super) height: usize,
    /// Characters of a whole line.
    pub(super) width: usize,
}

impl Chart<'_> {
    /// The highest value.
    pub(super) fn peak(&self) -> f64 {
        self.marks.iter().map(self.value).fold(0.0, f64::max)
    }

    /// Whether there is anything to be seen.
    pub(super) fn shows(&self) -> bool {
        self.marks.len() >= 2 && self.peak() >= VISIBLE
    }

    /// The lines, the highest first.
    pub(super) fn lines(&self) -> Vec<String> {
        let columns = self.columns();
        let line = |row: usize| {
            let label = match row + 1 {
                top if top == self.height => "100 %",
                1 => "0",
                _ => "",
            };
            let bars: String = columns.iter().map(|mark| self.cell(*mark, row)).collect();
            format!("{label:>5} │{}", bars.trim_end())
        };
        (0..self.height).rev().map(line).collect()
    }

    /// Below the lines: where each weight begins. One that finds no place beside its neighbour stands a line lower.
    pub(super) fn axis(&self) -> Vec<String> {
        let mut rows = vec![String::new(); 2];
        let mut last = None;
        for (column, mark) in self.columns().into_iter().enumerate() {
            let Some(mark) = mark.filter(|mark| last != Some(mark.weight)) else {
                continue;
            };
            last = Some(mark.weight);
            let at = MARGIN + column;
            let free = rows.iter_mut().find(|row| row.chars().count() <= at);
            // A weight that was over at once may find no place in either.
            if let Some(row) = free {
                row.push_str(&" ".repeat(at - row.chars().count()));
                row.push_str(&format!("{} % ", mark.weight));
            }
        }
        let rows = rows.iter().map(|row| row.trim_end().to_owned());
        rows.filter(|row| !row.is_empty()).collect()
    }

    fn cell(&self, mark: Option<&Mark>, row: usize) -> char {
        let Some(mark) = mark else { return ' ' };
        let filled = (self.value)(mark).clamp(0.0, 1.0) * self.height as f64 - row as f64;
        let eighths = (8.0 * filled.clamp(0.0, 1.0)).round();
        BARS[(eighths as usize).min(BARS.len() - 1)]
    }

    /// The mark that holds at the end of each column's stretch.
    fn columns(&self) -> Vec<Option<&Mark>> {
        let second = |mark: &Mark| mark.at.0.as_second();
        let [Some(first), Some(last)] = [self.marks.first(), self.marks.last()].map(|mark| mark.map(second))
        else {
            return Vec::new();
        };
        let count = self.width.saturating_sub(MARGIN).max(1);
        let each = (last - first) as f64 / count as f64;
        let at = |column: usize| first as f64 + each * (column + 1) as f64;
        (0..count)
            .map(|column| {
                let until = self
                    .marks
                    .partition_point(|mark| second(mark) as f64 <= at(column));
                self.marks.get(until.saturating_sub(1))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    fn mark(second: i64, weight: i32, in_favour: f64) -> Mark {
        Mark {
            at: Time(jiff::Timestamp::from_second(second).unwrap()),
            step: 1,
            weight,
            against: 0.0,
            in_favour,
            missing_seconds: None,
        }
    }

    fn chart(marks: &[Mark]) -> Chart<'_> {
        Chart {
            marks,
            value: |mark| mark.in_favour,
            height: 2,
            width: MARGIN + 8,
        }
    }

    #[test]
    fn bars_rise_with_the_value_and_each_weight_is_named_where_it_begins() {
        let marks = [
            mark(0, 10, 0.0),
            mark(10, 10, 0.25),
            mark(20, 10, 0.5),
            mark(30, 10, 1.0),
            mark(40, 25, 0.5),
            mark(80, 25, 3.0),
        ];
        let chart = chart(&marks);
        assert_eq!(chart.lines(), ["100 % │  █    █", "    0 │▄███████"]);
        // The second begins before the first one's name has ended.
        assert_eq!(chart.axis(), ["       10 %", "          25 %"]);
    }

    #[test]
    fn nothing_to_see_and_nothing_at_all() {
        assert!(!chart(&[]).shows());
        assert_eq!(chart(&[]).lines(), ["100 % │", "    0 │"]);
        let alone = [mark(5, 10, 0.7)];
        assert!(!chart(&alone).shows());
        assert_eq!(chart(&alone).lines().len(), 2);
        assert!(!chart(&[mark(0, 10, 0.0), mark(9, 10, 0.001)]).shows());
    }
}
