//! Text for people: lines of limited width, and names that cannot steer a terminal.

use std::borrow::Cow;
use std::fmt::Write;
use std::io::{IsTerminal, stdout};

/// Units stay with their numbers.
const UNITS: [&str; 4] = ["%", "s", "min", "h"];

/// Whether standard output takes colours: a terminal, unless `NO_COLOR` is set (<https://no-color.org>).
pub(super) fn coloured() -> bool {
    stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty())
}

/// `text` in lines of at most `width` characters where words allow it, each but the first after `indent`; a number
/// keeps its unit. It ends without a line feed.
pub(super) fn wrapped(text: &str, indent: &str, width: usize) -> String {
    let mut lines = String::new();
    let mut length = 0;
    let mut words = text.split(' ').peekable();
    while let Some(first) = words.next() {
        let mut word = first.to_owned();
        while let Some(unit) = words.next_if(|next| is_unit(next)) {
            word = format!("{word} {unit}");
        }
        let more = word.chars().count();
        if length > 0 && length + 1 + more > width {
            lines.push('\n');
            lines.push_str(indent);
            length = indent.chars().count();
        } else if length > 0 {
            lines.push(' ');
            length += 1;
        }
        lines.push_str(&word);
        length += more;
    }
    lines
}

/// `text` with what would steer a terminal, or turn the direction of writing, as an escape: names come from anywhere.
pub(super) fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let mut told = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if steers(letter) {
            // Writing to a string cannot fail.
            let _ = write!(told, "{}", letter.escape_default());
        } else {
            told.push(letter);
        }
    }
    Cow::Owned(told)
}

fn steers(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_unit(word: &str) -> bool {
    let bare = word.trim_matches(|letter: char| letter.is_ascii_punctuation() && letter != '%');
    UNITS.contains(&bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_steer_a_terminal() {
        assert_eq!(
            harmless("a\u{1b}[2Jb\nc\t\u{202e}"),
            "a\\u{1b}[2Jb\\nc\\t\\u{202e}"
        );
        assert!(matches!(harmless("größer 5 %–10 ×"), Cow::Borrowed(_)));
    }
}
