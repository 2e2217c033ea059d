//! The text of a query to what it selects.

use jiff::SignedDuration;
use regex::Regex;

use super::{Aggregation, Fold, Matcher, Pattern, Vector};

impl Vector {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, String> {
        let word = reader.word();
        if word == "resets" && reader.take('(') {
            let name = reader.word();
            let matchers = reader.selector(name)?;
            let resets = Some(reader.range()?);
            reader.expect(')')?;
            return Ok(Self {
                matchers,
                aggregation: None,
                resets,
            });
        }
        let fold = match word {
            "sum" => Some(Fold::Sum),
            "count" => Some(Fold::Count),
            "min" => Some(Fold::Min),
            "max" => Some(Fold::Max),
            _ => None,
        };
        Ok(match fold {
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
                    resets: None,
                }
            }
            _ => Self {
                matchers: reader.selector(word)?,
                aggregation: None,
                resets: None,
            },
        })
    }
}

/// Reads a query from left to right.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&mut self) -> &'a str {
        let rest = self.text[self.at..].trim_start();
        self.at = self.text.len() - rest.len();
        rest
    }

    fn peeks(&mut self, wanted: char) -> bool {
        self.rest().starts_with(wanted)
    }

    pub(super) fn take(&mut self, wanted: char) -> bool {
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

    pub(super) fn end(&mut self) -> Result<(), String> {
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

    /// A range in whole seconds: `[90s]`.
    fn range(&mut self) -> Result<SignedDuration, String> {
        self.expect('[')?;
        let rest = self.rest();
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let seconds = rest[..digits].parse();
        let seconds = seconds.map_err(|_| self.wrong("expected a number of seconds"))?;
        self.at += digits;
        self.expect('s')?;
        self.expect(']')?;
        Ok(SignedDuration::from_secs(seconds))
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
