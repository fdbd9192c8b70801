//! Texts that some program on the way would like to read as its own language.

/// The arguments that every method but `native` brings to the program byte for byte.
pub(crate) fn corpus() -> Vec<String> {
    let mut corpus: Vec<String> = [
        "plain",
        "",
        " ",
        "  two  spaces  ",
        "it's $5",
        "\"double\"",
        "'single'",
        "$(touch /tmp/never)",
        "`touch /tmp/never`",
        "$HOME ${HOME} $${HOME}",
        "a;b|c&d>e<f",
        "line\nbreak",
        "tab\there",
        "carriage\rreturn",
        "*.py",
        "[a-z]?",
        "~root",
        "-Dkey=value",
        "--input",
        "-",
        "--",
        "-py",
        "-s",
        "--par",
        "# no comment",
        "a#b",
        "back\\slash \\n \\",
        "100%",
        "%default x `id`",
        "/* no */ comment -- either",
        "$0 $x ${x}",
        "sh rm -rf; fs -ls",
        "f'{x}' \"\"\" r'\\'",
        "import os; os.abort()",
        "!history",
        "a=b",
        "key: value, [list]; {map}",
        "ünïcödé 漢字 🎈",
        "\u{7f}\u{1}",
        "\u{202e}right to left",
    ]
    .into_iter()
    .map(str::to_owned)
    .collect();
    corpus.push("x'\"$ ".repeat(8192 / 5));
    corpus
}

/// What Flink's own parser leaves alone, and in application mode its configuration, for the method that goes through them.
pub(crate) fn plain(mode: &str) -> Vec<String> {
    let mut plain = vec!["plain", "--input", "gs://bucket/path"];
    if mode != "application" {
        plain.extend(["two words", "ünïcödé"]);
    }
    plain.into_iter().map(str::to_owned).collect()
}
