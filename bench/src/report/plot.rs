//! Plots as inline SVG. Colours are classes of the page, so they follow light, dark and print.

use std::fmt::Write as _;

use super::html::escape;
use super::scale::Scale;

const WIDTH: f64 = 760.0;
/// Room for names on the left and for values on the right.
const LEFT: f64 = 150.0;
const RIGHT: f64 = 96.0;
const ROW: f64 = 26.0;
const GROUP: f64 = 30.0;
const AXIS: f64 = 34.0;

/// A row of [`bars`] or [`ranges`].
pub(super) struct Row {
    pub(super) name: String,
    /// `ours`, `theirs` or `void` (drawn, but not to be compared).
    pub(super) class: &'static str,
    /// One value, or several from the least to the most.
    pub(super) values: Vec<f64>,
    /// Least and most seen.
    pub(super) spread: Option<(f64, f64)>,
    /// Beside it.
    pub(super) label: String,
}

/// Rows under a heading.
pub(super) struct Group {
    pub(super) heading: String,
    pub(super) rows: Vec<Row>,
}

/// Rows under their headings, in the order in which headings first come.
pub(super) fn grouped(rows: impl IntoIterator<Item = (String, Row)>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (heading, row) in rows {
        match groups.iter_mut().find(|group| group.heading == heading) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group { heading, rows: vec![row] }),
        }
    }
    groups
}

/// How a row looks: ours, another's, or one that may not be compared.
pub(super) fn class(system: &str, refused: Option<&String>) -> &'static str {
    match (refused, system) {
        (Some(_), _) => "void",
        (None, "kaname") => "ours",
        (None, _) => "theirs",
    }
}

/// Horizontal bars of each row's first value, with what the rounds spread over.
pub(super) fn bars(title: &str, unit: &str, groups: &[Group]) -> String {
    let all = groups.iter().flat_map(|group| &group.rows);
    let max = all
        .map(|row| row.spread.map_or(row.values[0], |(_, most)| most.max(row.values[0])))
        .fold(0.0, f64::max);
    rows(title, unit, groups, Scale::linear(max), |svg, row, x, y| {
        let _ = write!(
            svg,
            "<rect class=\"bar {}\" x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"14\" rx=\"2\"/>",
            row.class,
            y - 7.0,
            (x(row.values[0]) - LEFT).max(1.0)
        );
        let end = row.spread.map_or(row.values[0], |(_, most)| most);
        if let Some((least, most)) = row.spread.filter(|(least, most)| most > least) {
            let _ = write!(
                svg,
                "<path class=\"spread\" d=\"M{:.1} {y:.1}H{:.1}M{:.1} {:.1}v6M{:.1} {:.1}v6\"/>",
                x(least),
                x(most),
                x(least),
                y - 3.0,
                x(most),
                y - 3.0
            );
        }
        x(end.max(row.values[0]))
    })
}

/// A line over each row's values with a mark at each: the first round, the second square, the last an upright.
pub(super) fn ranges(title: &str, unit: &str, groups: &[Group]) -> String {
    let all = || groups.iter().flat_map(|group| &group.rows).flat_map(|row| &row.values).copied();
    let scale = Scale::log(all().fold(f64::MAX, f64::min), all().fold(0.0, f64::max));
    rows(title, unit, groups, scale, |svg, row, x, y| {
        let places: Vec<f64> = row.values.iter().map(|value| x(*value)).collect();
        let (first, last) = (places[0], places[places.len() - 1]);
        let class = row.class;
        let _ = write!(svg, "<path class=\"range {class}\" d=\"M{first:.1} {y:.1}H{last:.1}\"/>");
        for (index, place) in places.iter().enumerate() {
            let _ = match index {
                0 => write!(svg, "<circle class=\"mark {class}\" cx=\"{place:.1}\" cy=\"{y:.1}\" r=\"5\"/>"),
                1 => write!(
                    svg,
                    "<rect class=\"mark {class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"8\" height=\"8\"/>",
                    place - 4.0,
                    y - 4.0
                ),
                _ => write!(svg, "<path class=\"end {class}\" d=\"M{place:.1} {:.1}v12\"/>", y - 6.0),
            };
        }
        last
    })
}

/// Groups of rows above one axis; `draw` draws a row and says where its label may begin.
fn rows(
    title: &str,
    unit: &str,
    groups: &[Group],
    scale: Scale,
    draw: impl Fn(&mut String, &Row, &dyn Fn(f64) -> f64, f64) -> f64,
) -> String {
    let count: usize = groups.iter().map(|group| group.rows.len()).sum();
    let body = groups.len() as f64 * GROUP + count as f64 * ROW;
    let x = |value: f64| LEFT + scale.place(value) * (WIDTH - LEFT - RIGHT);
    let mut svg = open(title, body + AXIS);
    for tick in scale.ticks() {
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{:.1} 8V{body:.1}\"/><text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            x(tick),
            x(tick),
            body + 15.0,
            number(tick)
        );
    }
    let _ = write!(
        svg,
        "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
        WIDTH - 2.0,
        body + 15.0,
        escape(unit)
    );
    let mut y = 0.0;
    for group in groups {
        let _ = write!(
            svg,
            "<text class=\"group\" x=\"0\" y=\"{:.1}\">{}</text>",
            y + 21.0,
            escape(&group.heading)
        );
        y += GROUP;
        for row in &group.rows {
            let middle = y + ROW / 2.0;
            let _ = write!(
                svg,
                "<text class=\"name {}\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                row.class,
                LEFT - 10.0,
                middle + 4.5,
                escape(&row.name)
            );
            let at = draw(&mut svg, row, &x, middle);
            let _ = write!(
                svg,
                "<text class=\"value\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                at + 9.0,
                middle + 4.5,
                escape(&row.label)
            );
            y += ROW;
        }
    }
    svg + "</svg>"
}

/// A line of [`lines`].
pub(super) struct Series {
    pub(super) name: String,
    /// `first`, `second` or `third`.
    pub(super) class: &'static str,
    /// x and y, in order of x.
    pub(super) points: Vec<(f64, f64)>,
}

/// Lines over x, named at their ends.
pub(super) fn lines(title: &str, (x_unit, y_unit): (&str, &str), series: &[Series], log: bool) -> String {
    const HEIGHT: f64 = 240.0;
    const MARGIN: f64 = 64.0;
    let all = || series.iter().flat_map(|series| series.points.iter().copied());
    let x_max = all().map(|(x, _)| x).fold(0.0, f64::max);
    let y_max = all().map(|(_, y)| y).fold(0.0, f64::max);
    let y_scale = if log {
        Scale::log(all().map(|(_, y)| y).fold(f64::MAX, f64::min), y_max)
    } else {
        Scale::linear(y_max)
    };
    let x_scale = Scale::Linear { max: x_max.max(f64::MIN_POSITIVE) };
    let (bottom, right) = (HEIGHT - AXIS, WIDTH - RIGHT);
    let x = |value: f64| MARGIN + x_scale.place(value) * (right - MARGIN);
    let y = |value: f64| bottom - y_scale.place(value) * (bottom - 22.0);
    let mut svg = open(title, HEIGHT);
    let _ = write!(svg, "<text class=\"tick\" x=\"0\" y=\"11\">{}</text>", escape(y_unit));
    for tick in y_scale.ticks() {
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{MARGIN} {0:.1}H{right}\"/><text class=\"tick\" x=\"{1}\" y=\"{2:.1}\" text-anchor=\"end\">{3}</text>",
            y(tick),
            MARGIN - 8.0,
            y(tick) + 4.0,
            number(tick)
        );
    }
    for tick in Scale::linear(x_max).ticks().into_iter().filter(|tick| *tick <= x_max * 1.001) {
        let _ = write!(
            svg,
            "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            x(tick),
            bottom + 17.0,
            number(tick)
        );
    }
    let _ = write!(
        svg,
        "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
        WIDTH - 2.0,
        bottom + 17.0,
        escape(x_unit)
    );
    let mut taken: Vec<f64> = Vec::new();
    for series in series {
        let Some(&(last_x, last_y)) = series.points.last() else { continue };
        let path: Vec<String> =
            series.points.iter().map(|(at, value)| format!("{:.1} {:.1}", x(*at), y(*value))).collect();
        let _ = write!(svg, "<path class=\"line {}\" d=\"M{}\"/>", series.class, path.join("L"));
        if series.points.len() == 1 {
            let _ = write!(
                svg,
                "<circle class=\"dot {}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\"/>",
                series.class,
                x(last_x),
                y(last_y)
            );
        }
        // Names must not lie over each other where lines end close together.
        let mut at = y(last_y) + 4.0;
        while taken.iter().any(|other| (other - at).abs() < 14.0) {
            at -= 14.0;
        }
        taken.push(at);
        let _ = write!(
            svg,
            "<text class=\"name {}\" x=\"{:.1}\" y=\"{at:.1}\">{}</text>",
            series.class,
            x(last_x) + 8.0,
            escape(&series.name)
        );
    }
    svg + "</svg>"
}

fn open(title: &str, height: f64) -> String {
    let title = escape(title);
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{title}\"><title>{title}</title>"
    )
}

/// As short as an axis wants it.
fn number(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{}M", value / 1e6),
        value if value >= 1e3 => format!("{}k", value / 1e3),
        value => format!("{}", (value * 1000.0).round() / 1000.0),
    }
}
