//! Arguments that shells, parsers, encodings and templates like to change.

/// Every one reaches the program byte for byte, by every method and in every mode.
pub const CORPUS: &[&str] = &[
    "",
    " ",
    "  two  spaces  ",
    "it's $5",
    "'",
    "\"",
    "\"'\"'",
    "\\",
    "\\\\",
    "\\n",
    "$(id)",
    "${HOME}",
    "$HOME",
    "$0",
    "$$",
    "`id`",
    ";",
    "; exit 7",
    "a;b",
    "&",
    "&&",
    "|",
    ">out",
    "<in",
    "(a)",
    "{a,b}",
    "!!",
    "*",
    "?",
    "[a-z]",
    "~",
    "a\nb\r\n",
    "\n",
    "\t",
    "a\tb",
    "-n",
    "-",
    "--",
    "-- --",
    "-p",
    "-py",
    "-Dk=v",
    "--parallelism=3",
    "-s=local,x",
    "#",
    "a#b",
    "# no comment",
    "a=b",
    "k: v",
    "a,b;c",
    "@@",
    "%",
    "%s",
    "%20",
    "%declare X `id`",
    "$x",
    "/* pig */",
    "-- pig",
    "fs -rmr /",
    "sh id;",
    "{'a': \"b\"}",
    "{0}",
    "{{x}}",
    "%(x)s",
    "f'{x}'",
    "\"\"\"",
    "r'\\x'",
    "\\u0041",
    "\\x41",
    "u\u{308}ü→🦀",
    "\u{feff}bom",
    "\u{202e}right",
    "\u{1}\u{2}\u{3}\u{4}\u{5}",
    "\u{7f}\u{85}\u{2028}",
    LONG,
];

const LONG_SIZE: usize = 8 * 1024;
const LONG_BYTES: [u8; LONG_SIZE] = {
    let pattern = *b"x'\"$ \\#`";
    let mut bytes = [0; LONG_SIZE];
    let mut at = 0;
    while at < LONG_SIZE {
        bytes[at] = pattern[at % pattern.len()];
        at += 1;
    }
    bytes
};

/// 8 KiB of signs that have to be quoted.
const LONG: &str = match std::str::from_utf8(&LONG_BYTES) {
    Ok(text) => text,
    Err(_) => "",
};
