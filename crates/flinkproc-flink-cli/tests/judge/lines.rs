//! Lines as people write them and as nobody would: every option in every spelling, with values of every kind.

use flinkproc_flink_cli::grammar::{self, Action};

use super::jvm::Dice;

const VALUES: &[&str] = &[
    "4",
    "0",
    "-1",
    "+3",
    "x",
    "a=b",
    "k=v=w",
    "yarn-per-job",
    "yarn-session",
    "yarn-application",
    "remote",
    "yarn-cluster",
    "host:8081",
    "host",
    "https://host:9/a/b",
    "1024",
    "4g",
    "1536m",
    "2 gb",
    "job.py",
    "job.jar",
    "/tmp",
    "file:///tmp/a.jar",
    "\"quoted\"",
    "\"a\"b\"",
    "",
    "-",
    "a b",
    "ü",
    "application_1_2",
    "application_1700000000000_0012",
    "claim",
    "NO_CLAIM",
    "legacy",
    "canonical",
    "k=",
    "=v",
    "org.apache.flink.client.python.PythonGatewayServer",
    "python.files=z",
    "python.archives=q",
    "a@@b=c",
    "4f0d1c3b2a49587766554433221100ff",
];

const ODD: &[&str] = &[
    "--",
    "-py-files",
    "--jars",
    "--py-files",
    "-yn",
    "-x",
    "--input",
    "-Dk",
    "-Dk=v",
    "-yDk=v",
    "-D=x",
    "-pypath",
    "-cm",
    "-p4",
    "-p=4",
    "-dp",
    "-dx",
    "--par=2",
    "-Dparallelism.default=9",
    "-pyfsX.zip",
    "-n",
    "--n",
];

pub(crate) fn line(dice: &mut Dice, action: Action) -> Vec<String> {
    let options: Vec<_> = grammar::every(action).collect();
    let mut words = Vec::new();
    for _ in 0..=dice.next(6) {
        match dice.next(10) {
            0 => words.push(dice.pick(VALUES).to_owned()),
            1 => words.push(dice.pick(ODD).to_owned()),
            _ => {
                let at = dice.next(options.len());
                let option = options.get(at).expect("below the length");
                let value = dice.pick(VALUES);
                let long = option.long;
                let mut name = match dice.next(6) {
                    0 | 1 if !long.is_empty() => format!("--{long}"),
                    2 if !long.is_empty() => {
                        let end = dice.next(long.len());
                        format!("--{}", long.get(..=end).unwrap_or(long))
                    }
                    3 if !long.is_empty() => format!("-{long}"),
                    _ => format!("-{}", option.short),
                };
                match dice.next(8) {
                    0 => {
                        name.push('=');
                        name.push_str(value);
                        words.push(name);
                    }
                    1 => {
                        name.push_str(value);
                        words.push(name);
                    }
                    2 => words.push(name),
                    _ => {
                        words.push(name);
                        if option.takes != grammar::Takes::Nothing {
                            words.push(value.to_owned());
                        }
                    }
                }
            }
        }
    }
    words
}
