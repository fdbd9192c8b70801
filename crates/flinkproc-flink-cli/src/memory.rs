//! Memory sizes as Flink reads and writes them (`MemorySize`).

const UNITS: [(&str, &[&str], u64); 5] = [
    ("tb", &["t", "tb", "tebibytes"], 1 << 40),
    ("gb", &["g", "gb", "gibibytes"], 1 << 30),
    ("mb", &["m", "mb", "mebibytes"], 1 << 20),
    ("kb", &["k", "kb", "kibibytes"], 1 << 10),
    ("bytes", &["b", "bytes"], 1),
];

/// The bytes of a size such as `1536m`; a number alone is bytes.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let number: u64 = number.parse().ok()?;
    let unit = unit.trim().to_lowercase();
    if unit.is_empty() {
        return i64::try_from(number).is_ok().then_some(number);
    }
    let (_, _, factor) = UNITS
        .iter()
        .find(|(_, names, _)| names.contains(&unit.as_str()))?;
    let bytes = number.checked_mul(*factor)?;
    i64::try_from(bytes).is_ok().then_some(bytes)
}

/// As Flink writes it: the largest unit that leaves a whole number.
#[must_use]
pub fn format(bytes: u64) -> String {
    for (name, _, factor) in UNITS {
        if bytes > 0 && bytes.is_multiple_of(factor) {
            return format!("{} {name}", bytes / factor);
        }
    }
    format!("{bytes} bytes")
}

/// The size of a process as the YARN options take it: a number alone is mebibytes.
pub(crate) fn process_size(text: &str) -> Option<String> {
    let bare = text.trim();
    let digits = bare.bytes().all(|byte| byte.is_ascii_digit());
    let bytes = if digits && !bare.is_empty() {
        parse(&format!("{text}m"))?
    } else {
        parse(text)?
    };
    Some(format(bytes))
}
