//! The part of PromQL that the world answers: a vector selector, alone or in one `sum`, `count`, `min` or `max`.
//!
//! Everything else is refused: a query that the world misread would be worse than one that it does not know.

use std::collections::BTreeMap;

use jiff::Timestamp;
use regex::Regex;

use crate::ports::Sample;

/// A parsed query.
#[derive(Debug)]
pub(super) struct Query {
    matchers: Vec<Matcher>,
    aggregation: Option<Aggregation>,
}

#[derive(Debug)]
struct Matcher {
    label: String,
    pattern: Pattern,
    negated: bool,
}

#[derive(Debug)]
enum Pattern {
    Equal(String),
    Like(Regex),
}

#[derive(Debug)]
struct Aggregation {
    fold: Fold,
    by: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
enum Fold {
    Sum,
    Count,
    Min,
    Max,
}

impl Query {
    /// Parses a query.
    ///
    /// # Errors
    /// What the parser does not know, with the place.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { text, at: 0 };
        let word = reader.word();
        let fold = match word {
            "sum" => Some(Fold::Sum),
            "count" => Some(Fold::Count),
            "min" => Some(Fold::Min),
            "max" => Some(Fold::Max),
            _ => None,
        };
        let query = match fold {
            Some(fold) if !reader.peeks('{') => {
                let mut by = if reader.keyword("by") {
                    Some(reader.names()?)
                } else {
                    None
                };
                reader.expect('(')?;
                let name = reader.word();
                let matchers = reader.selector(name)?;
                reader.expect(')')?;
                if by.is_none() && reader.keyword("by") {
                    by = Some(reader.names()?);
                }
                Self {
                    matchers,
                    aggregation: Some(Aggregation {
                        fold,
                        by: by.unwrap_or_default(),
                    }),
                }
            }
            _ => Self {
                matchers: reader.selector(word)?,
                aggregation: None,
            },
        };
        reader.end()?;
        Ok(query)
    }

    /// Whether it is a selector and no more.
    pub(super) const fn is_selector(&self) -> bool {
        self.aggregation.is_none()
    }

    /// The metric's name, where the query fixes it.
    pub(super) fn name(&self) -> Option<&str> {
        self.matchers.iter().find_map(|m| match &m.pattern {
            Pattern::Equal(name) if m.label == "__name__" && !m.negated => Some(name.as_str()),
            Pattern::Equal(_) | Pattern::Like(_) => None,
        })
    }

    /// Whether a series is selected.
    pub(super) fn matches(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        self.matchers.iter().all(|matcher| {
            let value = match matcher.label.as_str() {
                "__name__" => name,
                label => labels.get(label).map_or("", String::as_str),
            };
            let holds = match &matcher.pattern {
                Pattern::Equal(wanted) => wanted == value,
                Pattern::Like(regex) => regex.is_match(value),
            };
            holds != matcher.negated
        })
    }

    /// Applies the aggregation, if there is one.
    pub(super) fn aggregate(&self, samples: Vec<Sample>, at: Timestamp) -> Vec<Sample> {
        let Some(Aggregation { fold, by }) = &self.aggregation else {
            return samples;
        };
        let mut groups: BTreeMap<BTreeMap<String, String>, Vec<f64>> = BTreeMap::new();
        for sample in samples {
            let labels = sample
                .labels
                .into_iter()
                .filter(|(label, _)| by.contains(label))
                .collect();
            groups.entry(labels).or_default().push(sample.value);
        }
        let value = |values: &[f64]| match fold {
            Fold::Sum => values.iter().sum(),
            Fold::Count => values.len() as f64,
            Fold::Min => values.iter().copied().fold(f64::NAN, f64::min),
            Fold::Max => values.iter().copied().fold(f64::NAN, f64::max),
        };
        groups
            .into_iter()
            .map(|(labels, values)| Sample {
                labels,
                value: value(&values),
                at,
            })
            .collect()
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&mut self) -> &'a str {
        let rest = self.text[self.at..].trim_start();
        self.at = self.text.len() - rest.len();
        rest
    }

    fn peeks(&mut self, wanted: char) -> bool {
        self.rest().starts_with(wanted)
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peeks(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        if self.take(wanted) {
            Ok(())
        } else {
            Err(self.wrong(&format!("expected {wanted:?}")))
        }
    }

    fn end(&mut self) -> Result<(), String> {
        if self.rest().is_empty() {
            Ok(())
        } else {
            Err(self.wrong("the world answers no more than a selector"))
        }
    }

    fn wrong(&self, what: &str) -> String {
        format!("{what} at character {} of {:?}", self.at, self.text)
    }

    /// A name, empty when there is none here.
    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        if rest.starts_with(|c: char| c.is_ascii_digit()) {
            return "";
        }
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
            .unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn keyword(&mut self, wanted: &str) -> bool {
        let before = self.at;
        let found = self.word() == wanted;
        if !found {
            self.at = before;
        }
        found
    }

    fn names(&mut self) -> Result<Vec<String>, String> {
        self.expect('(')?;
        let mut names = Vec::new();
        while !self.take(')') {
            let name = self.word();
            if name.is_empty() {
                return Err(self.wrong("expected a label name"));
            }
            names.push(name.to_owned());
            if !self.take(',') && !self.peeks(')') {
                return Err(self.wrong("expected ',' or ')'"));
            }
        }
        Ok(names)
    }

    fn selector(&mut self, name: &str) -> Result<Vec<Matcher>, String> {
        let mut matchers = Vec::new();
        if !name.is_empty() {
            let pattern = Pattern::Equal(name.to_owned());
            matchers.push(Matcher {
                label: "__name__".into(),
                pattern,
                negated: false,
            });
        }
        if self.take('{') {
            while !self.take('}') {
                matchers.push(self.matcher()?);
                if !self.take(',') && !self.peeks('}') {
                    return Err(self.wrong("expected ',' or '}'"));
                }
            }
        }
        if matchers.is_empty() {
            Err(self.wrong("expected a selector"))
        } else {
            Ok(matchers)
        }
    }

    fn matcher(&mut self) -> Result<Matcher, String> {
        let label = self.word().to_owned();
        let rest = self.rest();
        let operators = [
            ("=~", true, false),
            ("!~", true, true),
            ("!=", false, true),
            ("=", false, false),
        ];
        let Some((operator, like, negated)) = operators.into_iter().find(|(op, ..)| rest.starts_with(op))
        else {
            return Err(self.wrong("expected a label matcher"));
        };
        self.at += operator.len();
        let value = self.string()?;
        let pattern = if like {
            let regex =
                Regex::new(&format!("^(?s:{value})$")).map_err(|_| self.wrong("bad regular expression"))?;
            Pattern::Like(regex)
        } else {
            Pattern::Equal(value)
        };
        if label.is_empty() {
            Err(self.wrong("expected a label name"))
        } else {
            Ok(Matcher {
                label,
                pattern,
                negated,
            })
        }
    }

    fn string(&mut self) -> Result<String, String> {
        let rest = self.rest();
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let quote = quote.ok_or_else(|| self.wrong("expected a string"))?;
        let mut out = String::new();
        let mut characters = rest.char_indices().skip(1);
        while let Some((i, c)) = characters.next() {
            match c {
                '\\' => match characters.next() {
                    Some((_, 'n')) => out.push('\n'),
                    Some((_, 't')) => out.push('\t'),
                    Some((_, c @ ('\\' | '"' | '\''))) => out.push(c),
                    _ => return Err(self.wrong("unknown escape sequence")),
                },
                c if c == quote => {
                    self.at += i + 1;
                    return Ok(out);
                }
                c => out.push(c),
            }
        }
        Err(self.wrong("unterminated string"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn selectors_match_as_prometheus_does() {
        let series = labels(&[("pod", "shop-1"), ("code", "503")]);
        for (query, selected) in [
            ("up", true),
            ("down", false),
            (r#"up{pod="shop-1", code=~"5..",}"#, true),
            (r#"up{code=~"5"}"#, false),
            (r#"{__name__="up",zone=""}"#, true),
            (r#"up{code!~"4..|3..",pod!="other"}"#, true),
            (r#"up{pod=~"shop\\-1|x"}"#, true),
            (r#"up{zone!=""}"#, false),
        ] {
            assert_eq!(
                Query::parse(query).unwrap().matches("up", &series),
                selected,
                "{query}"
            );
        }
    }

    #[test]
    fn aggregations_group() {
        let at = Timestamp::UNIX_EPOCH;
        let sample = |pod: &str, code: &str, value| Sample {
            labels: labels(&[("pod", pod), ("code", code)]),
            value,
            at,
        };
        let samples = vec![
            sample("a", "200", 1.0),
            sample("a", "500", 2.0),
            sample("b", "200", 4.0),
        ];
        for query in ["sum by (pod) (x)", "sum(x) by (pod)"] {
            let sums = Query::parse(query).unwrap().aggregate(samples.clone(), at);
            assert_eq!(sums.iter().map(|s| s.value).collect::<Vec<_>>(), [3.0, 4.0]);
        }
        let count = Query::parse("count(x)").unwrap().aggregate(samples, at);
        assert_eq!((count[0].value, count[0].labels.len()), (3.0, 0));
    }

    #[test]
    fn the_rest_is_refused() {
        for query in [
            "",
            "rate(x[1m])",
            "x[5m]",
            "x + y",
            "x offset 1m",
            "x{a=}",
            "x{a=\"b}",
            "x{a=~\"(\"}",
            "sum(x",
            "1",
            "{}",
        ] {
            let refused = Query::parse(query);
            assert!(refused.is_err(), "{query}");
        }
    }
}
