//! Text on its way into a page.

use std::fmt::Write as _;

/// With the characters that mean something to HTML replaced, for text and for attributes in double quotes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// A figure with its caption, and the same facts as a table for those who cannot see it or want the digits.
pub(super) fn figure(svg: &str, caption: &str, data: &str) -> String {
    format!(
        "<figure>{svg}<figcaption>{}</figcaption><details><summary>These figures as a table</summary>{data}</details></figure>\n",
        escape(caption)
    )
}

/// A table: heads, then rows of cells. Cells that are a figure stand to the right.
pub(super) fn table(caption: &str, heads: &[&str], rows: &[Vec<String>]) -> String {
    let mut out = format!("<div class=\"wide\"><table><caption>{}</caption><thead><tr>", escape(caption));
    for head in heads {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escape(head));
    }
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        out.push_str("<tr>");
        for (index, cell) in row.iter().enumerate() {
            let text = escape(cell);
            let number = cell.starts_with(|c: char| c.is_ascii_digit()) && !cell.contains('-');
            let class = if number { " class=\"n\"" } else { "" };
            let _ = if index == 0 {
                write!(out, "<th scope=\"row\">{text}</th>")
            } else {
                write!(out, "<td{class}>{text}</td>")
            };
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>\n");
    out
}

/// 871 us, 8.1 ms, 1.20 s.
pub(super) fn time(us: f64) -> String {
    match us {
        us if us < 10.0 => format!("{us:.2} µs"),
        us if us < 100.0 => format!("{us:.1} µs"),
        us if us < 1000.0 => format!("{us:.0} µs"),
        us if us < 1e6 => format!("{:.1} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

/// 25,000
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// 41.3 MiB
pub(super) fn bytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / (1024.0 * 1024.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_escapes() {
        assert_eq!(escape("<b a=\"x\">'&"), "&lt;b a=&quot;x&quot;&gt;&#39;&amp;");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!([count(7), count(1000), count(25_000_000)], ["7", "1,000", "25,000,000"]);
        assert_eq!(
            [time(3.04), time(15.02), time(8127.0), time(1.2e6)],
            ["3.04 µs", "15.0 µs", "8.1 ms", "1.20 s"]
        );
    }
}
