//! The rows beside what was set as their goal, as tables in Markdown: for `docs/benchmarks.md`.

use std::fmt::Write as _;

use serde_json::Value;

/// What is to be reached at payloads of 20, 160 and 1100 bytes, header of 12, 100 sessions; both operations.
struct Goal {
    suite: &'static str,
    srtp2: [f64; 3],
    rtc_srtp: [f64; 3],
    ipsec_mb: [f64; 3],
    /// At most this multiple of the machine's limit.
    limit: [f64; 3],
}

const GOALS: [Goal; 3] = [
    Goal {
        suite: "AES_CM_128_HMAC_SHA1_80",
        srtp2: [10.0, 7.0, 4.0],
        rtc_srtp: [8.0, 5.5, 3.8],
        ipsec_mb: [2.4, 1.9, 1.2],
        limit: [1.7, 1.35, 1.15],
    },
    Goal {
        suite: "AEAD_AES_128_GCM",
        srtp2: [20.0, 16.0, 6.0],
        rtc_srtp: [9.0, 5.5, 2.8],
        ipsec_mb: [2.0, 1.8, 1.3],
        limit: [4.5, 2.6, 1.35],
    },
    Goal {
        suite: "AEAD_AES_256_GCM",
        srtp2: [20.0, 14.0, 5.0],
        rtc_srtp: [8.0, 4.8, 2.6],
        ipsec_mb: [1.7, 1.5, 1.2],
        limit: [3.9, 2.3, 1.3],
    },
];

const PAYLOADS: [usize; 3] = [20, 160, 1100];

/// A single packet on the latency path: at least so many times as fast as libsrtp2.
const SINGLE: f64 = 3.0;

/// 1000 sessions take at most so many times as long a packet as 100.
const THOUSAND: f64 = 1.1;

/// Both tables, and how many of their cells reach their goal.
pub fn tables(rows: &[Value]) -> String {
    let mut cells = Cells { text: String::new(), reached: 0, all: 0 };
    cells.text +=
        "| suite | operation | payload | ns | libsrtp2 | rtc-srtp | ipsec-mb | limit |\n|-|-|-|-|-|-|-|-|\n";
    for goal in &GOALS {
        for op in ["protect", "unprotect"] {
            for (at, payload) in PAYLOADS.into_iter().enumerate() {
                let Some(row) = find(rows, goal.suite, op, payload, 100) else { continue };
                let ns = number(&row["ns"]);
                let _ = write!(cells.text, "| {} | {op} | {payload} | {ns:.1} |", goal.suite);
                for (rival, least) in
                    [("srtp2", goal.srtp2), ("rtc_srtp", goal.rtc_srtp), ("ipsec_mb", goal.ipsec_mb)]
                {
                    let times = number(&row["rival_ns"][rival]) / ns;
                    cells.cell(times >= least[at], &format!("{times:.1}"), &format!("{}", least[at]));
                }
                let times = ns / number(&row["limit_ns"]);
                cells.cell(times <= goal.limit[at], &format!("{times:.2}"), &format!("{}", goal.limit[at]));
                cells.text.push('\n');
            }
        }
    }
    let _ = write!(
        cells.text,
        "\n| suite | payload | one packet a call, of libsrtp2 (goal {SINGLE}): protect | unprotect | 1000 sessions against 100 \
         (goal {THOUSAND}): protect | unprotect |\n|-|-|-|-|-|-|\n"
    );
    for goal in &GOALS {
        for payload in PAYLOADS {
            let of = |op, sessions| find(rows, goal.suite, op, payload, sessions);
            let _ = write!(cells.text, "| {} | {payload} |", goal.suite);
            for op in ["protect", "unprotect"] {
                let times =
                    of(op, 1).map_or(f64::NAN, |row| number(&row["rival_ns"]["srtp2"]) / number(&row["ns"]));
                cells.cell(times >= SINGLE, &format!("{times:.1}"), "");
            }
            for op in ["protect", "unprotect"] {
                let ns = |sessions| of(op, sessions).map_or(f64::NAN, |row| number(&row["ns"]));
                let times = ns(1000) / ns(100);
                cells.cell(times <= THOUSAND, &format!("{times:.2}"), "");
            }
            cells.text.push('\n');
        }
    }
    let _ = writeln!(cells.text, "\n{} of {} cells reach their goal.", cells.reached, cells.all);
    cells.text
}

struct Cells {
    text: String,
    reached: usize,
    all: usize,
}

impl Cells {
    fn cell(&mut self, reached: bool, is: &str, goal: &str) {
        self.all += 1;
        self.reached += usize::from(reached);
        let is = if reached { format!("**{is}**") } else { is.to_owned() };
        let _ = if goal.is_empty() {
            write!(self.text, " {is} |")
        } else {
            write!(self.text, " {is} / {goal} |")
        };
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn find<'a>(rows: &'a [Value], suite: &str, op: &str, payload: usize, sessions: usize) -> Option<&'a Value> {
    rows.iter().find(|row| {
        row["suite"] == suite
            && row["op"] == op
            && row["payload"] == payload
            && row["header"] == 12
            && row["sessions"] == sessions
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cell_is_bold_where_its_goal_is_reached() {
        let row = |sessions: usize, ns: f64| {
            json!({"suite": "AEAD_AES_128_GCM", "op": "protect", "payload": 20, "header": 12, "sessions": sessions, "ns": ns,
                "rival_ns": {"srtp2": 400.0, "rtc_srtp": 100.0, "ipsec_mb": 40.0}, "limit_ns": 5.0})
        };
        let text = tables(&[row(1, 100.0), row(100, 20.0), row(1000, 23.0)]);
        assert!(
            text.contains("| 20 | 20.0 | **20.0** / 20 | 5.0 / 9 | **2.0** / 2 | **4.00** / 4.5 |"),
            "{text}"
        );
        assert!(text.contains("| AEAD_AES_128_GCM | 20 | **4.0** | NaN | 1.15 | NaN |"), "{text}");
        assert!(text.ends_with("4 of 40 cells reach their goal.\n"), "{text}");
    }
}
