//! The cells of a row: between commas, or between quotes where a comma belongs to one.

use std::borrow::Cow;

/// A row's cells, without the space and the quotes around them.
pub(super) fn cells(row: &str) -> Result<Vec<Cow<'_, str>>, String> {
    if !row.contains('"') {
        return Ok(row.split(',').map(|cell| Cow::Borrowed(cell.trim())).collect());
    }
    let mut all = Vec::new();
    let mut rest = row;
    loop {
        rest = rest.trim_start();
        let Some(quoted) = rest.strip_prefix('"') else {
            let (cell, after) = rest.split_once(',').map_or((rest, None), |(a, b)| (a, Some(b)));
            all.push(Cow::Borrowed(cell.trim()));
            match after {
                Some(after) => rest = after,
                None => return Ok(all),
            }
            continue;
        };
        let end = closing(quoted).ok_or("a quote is not closed")?;
        all.push(if quoted[..end].contains('"') {
            Cow::Owned(quoted[..end].replace("\"\"", "\""))
        } else {
            Cow::Borrowed(&quoted[..end])
        });
        let after = quoted[end + 1..].trim_start();
        match after.strip_prefix(',') {
            Some(after) => rest = after,
            None if after.is_empty() => return Ok(all),
            None => return Err("a cell goes on after its closing quote".into()),
        }
    }
}

/// Where the quote that ends a cell stands; two in a row are one that belongs to it.
fn closing(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + text[from..].find('"')?;
        if !text[at + 1..].starts_with('"') {
            return Some(at);
        }
        from = at + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_may_stand_in_quotes() {
        for (row, wanted) in [
            (r"a, b ,c", Ok(vec!["a", "b", "c"])),
            (r#""a,1", "b" ,c"#, Ok(vec!["a,1", "b", "c"])),
            (r#""say ""x""",,"#, Ok(vec![r#"say "x""#, "", ""])),
            (r#""""#, Ok(vec![""])),
            (r#"a,"b"#, Err("not closed")),
            (r#""a"b,c"#, Err("after its closing quote")),
        ] {
            match (cells(row), wanted) {
                (Ok(got), Ok(wanted)) => assert_eq!(got, wanted, "{row}"),
                (Err(error), Err(reason)) => assert!(error.contains(reason), "{row}: {error}"),
                (got, _) => panic!("{row}: {got:?}"),
            }
        }
    }
}
