//! Just enough of Rust's grammar to see which paths a source file names.

use std::collections::BTreeSet;

/// The text without comments and without the contents of strings and characters.
pub(crate) fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut code = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        match at(i) {
            '/' if at(i + 1) == '/' => i = line_end(&chars, i),
            '/' if at(i + 1) == '*' => i = comment_end(&chars, i),
            'r' if raw_string(&chars, i).is_some() => {
                code.push_str("\"\"");
                i = raw_string(&chars, i).unwrap_or(i + 1);
            }
            '"' => {
                code.push_str("\"\"");
                i = quoted_end(&chars, i);
            }
            '\'' if at(i + 1) == '\\' => i = escaped_char_end(&chars, i),
            '\'' if at(i + 2) == '\'' => i += 3,
            other => {
                code.push(other);
                i += 1;
            }
        }
    }
    code
}

fn line_end(chars: &[char], from: usize) -> usize {
    (from..chars.len())
        .find(|i| chars[*i] == '\n')
        .unwrap_or(chars.len())
}

fn comment_end(chars: &[char], from: usize) -> usize {
    let (mut depth, mut i) = (0, from);
    while i + 1 < chars.len() {
        match (chars[i], chars[i + 1]) {
            ('/', '*') => (depth, i) = (depth + 1, i + 2),
            ('*', '/') => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    chars.len()
}

fn quoted_end(chars: &[char], from: usize) -> usize {
    let mut i = from + 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

fn escaped_char_end(chars: &[char], from: usize) -> usize {
    (from + 3..chars.len())
        .find(|i| chars[*i] == '\'')
        .map_or(chars.len(), |i| i + 1)
}

/// The end of a raw string that begins at `from`, if one does.
fn raw_string(chars: &[char], from: usize) -> Option<usize> {
    let word_before = from > 0 && (chars[from - 1].is_alphanumeric() || chars[from - 1] == '_');
    let hashes = chars[from + 1..].iter().take_while(|c| **c == '#').count();
    let open = from + 1 + hashes;
    // A byte string's `b` is a word of its own to this parser, which does no harm.
    let byte = from > 0 && chars[from - 1] == 'b';
    if chars.get(open) != Some(&'"') || (word_before && !byte) {
        return None;
    }
    let closes = |i: usize| {
        chars[i] == '"' && chars[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    Some(
        (open + 1..chars.len())
            .find(|i| closes(*i))
            .map_or(chars.len(), |i| i + 1 + hashes),
    )
}

/// Identifiers, `::`, and every other sign by itself.
pub(crate) fn words(code: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_alphanumeric() || c == '_' {
            let mut word = String::from(c);
            while let Some(next) = chars.next_if(|next| next.is_alphanumeric() || *next == '_') {
                word.push(next);
            }
            words.push(word);
        } else if c == ':' && chars.next_if_eq(&':').is_some() {
            words.push("::".to_owned());
        } else if !c.is_whitespace() {
            words.push(c.to_string());
        }
    }
    words
}

/// Whether the path `a::b` (or the single word) is named, also inside of a group: `a::{c, b}`.
pub(crate) fn contains(words: &[String], path: &str) -> bool {
    let Some((head, tail)) = path.split_once("::") else {
        return words.iter().any(|word| word == path);
    };
    (0..words.len()).any(|i| {
        words[i] == head
            && words.get(i + 1).is_some_and(|sign| sign == "::")
            && heads(words, i + 2).contains(tail)
    })
}

/// The rooms that a file `depth` modules below the crate's root names.
pub(crate) fn crate_paths(code: &str, depth: usize) -> BTreeSet<String> {
    let words = words(code);
    let mut found = BTreeSet::new();
    // A module within the file is one more step away from the root: where each one's braces opened.
    let (mut inline, mut braces) = (Vec::new(), 0);
    for i in 0..words.len() {
        match words[i].as_str() {
            "{" => {
                if i >= 2 && words[i - 2] == "mod" {
                    inline.push(braces);
                }
                braces += 1;
            }
            "}" => {
                braces -= 1;
                if inline.last() == Some(&braces) {
                    inline.pop();
                }
            }
            _ => {}
        }
        let inside = i > 0 && words[i - 1] == "::";
        if inside {
            continue;
        }
        if words[i] == "crate" && words.get(i + 1).is_some_and(|sign| sign == "::") {
            found.extend(heads(&words, i + 2));
        }
        let mut end = i;
        let mut up = 0;
        while words.get(end).is_some_and(|word| word == "super")
            && words.get(end + 1).is_some_and(|sign| sign == "::")
        {
            (end, up) = (end + 2, up + 1);
        }
        if up >= depth + inline.len() && up > 0 {
            found.extend(heads(&words, end));
        }
    }
    found
}

/// What may stand at `from` after a `::`: one identifier, or the first one of each member of a group.
fn heads(words: &[String], from: usize) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if words.get(from).is_none_or(|word| word != "{") {
        found.extend(words.get(from).cloned());
        return found;
    }
    let (mut depth, mut fresh) = (0, true);
    for word in &words[from..] {
        match word.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 1 => fresh = true,
            name if fresh && depth == 1 => {
                found.insert(name.to_owned());
                fresh = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}
