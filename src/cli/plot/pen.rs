//! Strokes and letters of an SVG.

use std::fmt::Write as _;

/// A straight line.
pub(super) fn line(svg: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let _ = writeln!(
        svg,
        r#"<line class="{class}" x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}"/>"#,
        from.0, from.1, to.0, to.1
    );
}

/// A dot.
pub(super) fn dot(svg: &mut String, class: &str, at: (f64, f64)) {
    let _ = writeln!(
        svg,
        r#"<circle class="{class}" cx="{:.1}" cy="{:.1}" r="4"/>"#,
        at.0, at.1
    );
}

/// A line of text; `anchor` says which part of it stands at `at`: start, middle, or end.
pub(super) fn text(svg: &mut String, at: (f64, f64), class: &str, anchor: &str, text: &str) {
    let text = escaped(text);
    let _ = writeln!(
        svg,
        r#"<text class="{class}" text-anchor="{anchor}" x="{:.1}" y="{:.1}">{text}</text>"#,
        at.0, at.1
    );
}

/// The beginning of a text that is too long for its place; the whole is in the description.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most - 1).collect();
    format!("{kept}…")
}

/// A text in at most `lines` lines of at most `most` characters, folded between words.
pub(super) fn folded(text: &str, most: usize, lines: usize) -> Vec<String> {
    let mut all: Vec<String> = vec![String::new()];
    for word in text.split_whitespace() {
        let (full, count) = (all.len() >= lines, all.len());
        let Some(last) = all.get_mut(count - 1) else { break };
        if last.is_empty() {
            last.push_str(word);
        } else if full || last.chars().count() + 1 + word.chars().count() <= most {
            last.push(' ');
            last.push_str(word);
        } else {
            all.push(word.to_owned());
        }
    }
    all.iter().map(|line| cut(line, most)).collect()
}

/// Text as it may stand in XML. What XML cannot hold at all becomes a question mark.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars().take(1000) {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('?'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_folded_between_words_and_cut_at_the_end() {
        assert_eq!(folded("one two three", 7, 2), ["one two", "three"]);
        assert_eq!(folded("one two three four five", 9, 2), ["one two", "three fo…"]);
        assert_eq!(folded("immeasurable", 5, 2), ["imme…"]);
        assert_eq!(folded("  ", 5, 2), [""]);
        assert_eq!(cut("abcdef", 6), "abcdef");
    }

    #[test]
    fn what_xml_cannot_hold_is_escaped() {
        assert_eq!(escaped("<a b=\"&\">\u{1}"), "&lt;a b=&quot;&amp;&quot;&gt;?");
    }
}
