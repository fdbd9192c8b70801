//! Figures against their targets, as a table.

use crate::cargo::say;

/// One line of the table.
struct Figure {
    what: String,
    target: String,
    found: String,
    met: Option<bool>,
}

/// What was measured, in its order.
#[derive(Default)]
pub(crate) struct Figures(Vec<Figure>);

impl Figures {
    /// A figure that has to be at most so large.
    pub(crate) fn at_most(&mut self, what: &str, target: f64, found: f64, unit: &str) {
        let show = |value| format!("{}{unit}", rounded(value));
        self.add(
            what,
            format!("≤ {}", show(target)),
            show(found),
            found <= target,
        );
    }

    /// A ratio that has to be at least so large.
    pub(crate) fn at_least(&mut self, what: &str, target: f64, found: f64) {
        let show = |value| format!("{} ×", rounded(value));
        self.add(
            what,
            format!("≥ {}", show(target)),
            show(found),
            found >= target,
        );
    }

    /// A number of calls a second that has to be at least so large.
    pub(crate) fn at_least_rate(&mut self, what: &str, target: f64, found: f64) {
        let show = |value: f64| format!("{value:.0} a second");
        self.add(
            what,
            format!("≥ {}", show(target)),
            show(found),
            found >= target,
        );
    }

    /// A figure without a target.
    pub(crate) fn note(&mut self, what: &str, found: impl Into<String>) {
        let (what, found) = (what.to_owned(), found.into());
        say(&format!("{what}: {found}"));
        self.0.push(Figure {
            what,
            target: String::new(),
            found,
            met: None,
        });
    }

    fn add(&mut self, what: &str, target: String, found: String, met: bool) {
        say(&format!("{what}: {found} (target {target})"));
        self.0.push(Figure {
            what: what.to_owned(),
            target,
            found,
            met: Some(met),
        });
    }

    /// How many miss their targets.
    pub(crate) fn missed(&self) -> usize {
        let missed = |figure: &&Figure| figure.met == Some(false);
        self.0.iter().filter(missed).count()
    }

    /// Prints the table as Markdown, for `docs/bench.md`.
    #[expect(clippy::print_stdout, reason = "the table is this task's result")]
    pub(crate) fn print(&self) {
        println!("| what | target | figure | |\n|---|---|---|---|");
        for figure in &self.0 {
            let met = match figure.met {
                Some(true) => "met",
                Some(false) => "**missed**",
                None => "",
            };
            let (what, target, found) = (&figure.what, &figure.target, &figure.found);
            println!("| {what} | {target} | {found} | {met} |");
        }
    }
}

/// The middle one; the mean of the two middle ones of an even number.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.len() % 2, values.get(middle)) {
        (1, Some(value)) => *value,
        (_, Some(value)) => (value + values[middle - 1]) / 2.0,
        (_, None) => f64::NAN,
    }
}

/// Three digits where there are decimals at all.
pub(crate) fn rounded(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median([]).is_nan());
    }

    #[test]
    fn a_missed_figure_is_counted() {
        let mut figures = Figures::default();
        figures.at_most("memory", 40.0, 40.0, " MB");
        figures.at_least("less time", 12.0, 12.1);
        figures.note("of no target", "1 s");
        assert_eq!(figures.missed(), 0);
        figures.at_most("memory", 40.0, 40.1, " MB");
        figures.at_least("less time", 12.0, f64::NAN);
        assert_eq!(figures.missed(), 2);
    }
}
