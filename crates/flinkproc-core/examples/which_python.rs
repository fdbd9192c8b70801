//! Says for each image which Flink it carries and whether its own Python can run that Flink's Python functions:
//! `cargo run -p flinkproc-core --example which_python -- 2.2-debian12`.

use flinkproc_core::ImageVersion;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let named: Vec<String> = std::env::args().skip(1).collect();
    let images: Vec<ImageVersion> = if named.is_empty() {
        ImageVersion::known().collect()
    } else {
        named
            .iter()
            .map(|text| text.parse())
            .collect::<Result<_, _>>()?
    };
    for image in images {
        let flink = image.flink();
        let (low, high) = flink.python_wheels();
        let fits = if image.python_fits() {
            "fits"
        } else {
            "does not fit"
        };
        print_line(&format!(
            "{image}: Flink {flink} ({} by default), wheels for Python {low} to {high}, Python {} {fits}",
            flink.default_mode(),
            image.python(),
        ));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the example's result")]
fn print_line(line: &str) {
    println!("{line}");
}
