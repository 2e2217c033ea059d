//! Text for people: lines of limited width.

/// Units stay with their numbers.
const UNITS: [&str; 4] = ["%", "s", "min", "h"];

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

fn is_unit(word: &str) -> bool {
    let bare = word.trim_matches(|letter: char| letter.is_ascii_punctuation() && letter != '%');
    UNITS.contains(&bare)
}
