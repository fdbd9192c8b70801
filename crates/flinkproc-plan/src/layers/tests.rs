//! Layers meet as they should, and mistakes are shown where they are.

use flinkproc_core::Explain;
use proptest::prelude::*;

use super::{Layers, Provided};
use crate::place::Source;
use crate::spec::Spec;
use crate::spec_error::SpecError;

fn layers<'a>(text: &'a str, flags: &[&str]) -> Result<Layers<'a>, SpecError> {
    Ok(Layers {
        name: "flinkproc.toml",
        text,
        flags: flags
            .iter()
            .map(|text| Provided::set(text))
            .collect::<Result<_, _>>()?,
        ..Layers::default()
    })
}

fn spec(text: &str, flags: &[&str]) -> Result<Spec, SpecError> {
    Ok(layers(text, flags)?.resolve()?.spec)
}

/// The error as a person sees it.
fn error(text: &str, flags: &[&str]) -> String {
    match spec(text, flags) {
        Ok(spec) => format!("fine: {spec:?}"),
        Err(error) => {
            let help = error.help().unwrap_or_default();
            format!("{}: {error}\nhelp: {help}", error.code())
        }
    }
}

#[test]
fn an_unknown_key_is_shown_with_its_line_and_the_nearest_known() {
    insta::assert_snapshot!(error("[cluster]\n  wrokers = 3\n", &[]), @"
    SPC002: unknown key `wrokers` in `cluster` at flinkproc.toml:2:3
      2 |   wrokers = 3
        |   ^^^^^^^
    help: Did you mean `workers`?
    ");
    insta::assert_snapshot!(error("[jbo]\nscript = 'a.py'\n", &[]), @"
    SPC002: unknown key `jbo` at flinkproc.toml:1:2
      1 | [jbo]
        |  ^^^
    help: Did you mean `job`?
    ");
    insta::assert_snapshot!(error("[target.prod.cluster]\nmaxIdle = '10m'\n", &[]), @"
    SPC002: unknown key `maxIdle` in `cluster` at flinkproc.toml:2:1
      2 | maxIdle = '10m'
        | ^^^^^^^
    help: Did you mean `max_idle`?
    ");
    insta::assert_snapshot!(error("", &["cluster.imgae=2.2"]), @"
    SPC002: unknown key `imgae` in `cluster` at --set cluster.imgae
    help: Did you mean `image`?
    ");
    insta::assert_snapshot!(error("[[staging.input]]\nfrom = 'a'\ntoo = 'b'\n", &[]), @"
    SPC002: unknown key `too` in `staging.input[0]` at flinkproc.toml:3:1
      3 | too = 'b'
        | ^^^
    help: Did you mean `to`?
    ");
    insta::assert_snapshot!(error("[target.prod]\ntarget = {}\n", &[]), @"
    SPC002: unknown key `target` in `target.prod` at flinkproc.toml:2:1
      2 | target = {}
        | ^^^^^^
    help: Remove it.
    ");
}

#[test]
fn a_value_that_does_not_fit_is_shown_with_its_line() {
    insta::assert_snapshot!(error("[cluster]\nmax_idle = '10'\n", &[]), @r#"
    SPC003: the value of `cluster.max_idle` at flinkproc.toml:2:12 does not fit: `10` is no duration with a unit: write it as "90s", "10m", "2h" or "1d"
      2 | max_idle = '10'
        |            ^^^^
    help: `flinkproc --generate schema` prints what each key takes.
    "#);
    insta::assert_snapshot!(error("[cluster]\nmax_idle = 600\n", &[]), @r#"
    SPC003: the value of `cluster.max_idle` at flinkproc.toml:2:12 does not fit: found integer `600`, expected a text with its unit, such as "10m"
      2 | max_idle = 600
        |            ^^^
    help: `flinkproc --generate schema` prints what each key takes.
    "#);
    insta::assert_snapshot!(error("[cluster]\nimage = 2.2\n", &[]), @r#"
    SPC003: the value of `cluster.image` at flinkproc.toml:2:9 does not fit: found floating point `2.2`, expected a text in quotes
      2 | image = 2.2
        |         ^^^
    help: Put the value in quotes: `image = "2.2"`.
    "#);
    insta::assert_snapshot!(error("[cluster]\nname = 'My_Cluster'\n", &[]), @"
    SPC003: the value of `cluster.name` at flinkproc.toml:2:8 does not fit: `My_Cluster` is no cluster name: at most 52 lower-case letters, digits or hyphens, starting with a letter and not ending with a hyphen
      2 | name = 'My_Cluster'
        |        ^^^^^^^^^^^^
    help: `flinkproc --generate schema` prints what each key takes.
    ");
    insta::assert_snapshot!(error("[cluster]\nworkers = 'three'\n", &[]), @r#"
    SPC003: the value of `cluster.workers.count` at flinkproc.toml:2:11 does not fit: found string "three", expected a whole number, not negative
      2 | workers = 'three'
        |           ^^^^^^^
    help: `flinkproc --generate schema` prints what each key takes.
    "#);
    insta::assert_snapshot!(error("[job]\nmode = 'perjob'\n", &[]), @"
    SPC003: the value of `job.mode` at flinkproc.toml:2:8 does not fit: `perjob` is none of `auto`, `per-job`, `session`, `application`
      2 | mode = 'perjob'
        |        ^^^^^^^^
    help: `flinkproc --generate schema` prints what each key takes.
    ");
    insta::assert_snapshot!(error("[job]\nargs = ['a', 3]\n", &[]), @"
    SPC003: the value of `job.args[1]` at flinkproc.toml:2:14 does not fit: found integer `3`, expected a text in quotes
      2 | args = ['a', 3]
        |              ^
    help: `flinkproc --generate schema` prints what each key takes.
    ");
    insta::assert_snapshot!(error("[job]\nargs = 'a'\n", &[]), @r#"
    SPC003: the value of `job.args` at flinkproc.toml:2:8 does not fit: found string "a", expected a list, such as ["a", "b"]
      2 | args = 'a'
        |        ^^^
    help: `flinkproc --generate schema` prints what each key takes.
    "#);
    insta::assert_snapshot!(error("job = 3\n", &[]), @"
    SPC003: the value of `job` at flinkproc.toml:1:7 does not fit: found integer `3`, expected a table
      1 | job = 3
        |       ^
    help: `flinkproc --generate schema` prints what each key takes.
    ");
    insta::assert_snapshot!(error("target = 3\n", &[]), @"
    SPC003: the value of `target` at flinkproc.toml:1:10 does not fit: expected tables, such as `[target.prod.cluster]`
      1 | target = 3
        |          ^
    help: `flinkproc --generate schema` prints what each key takes.
    ");
    insta::assert_snapshot!(error("", &["cluster.workers=many"]), @r#"
    SPC003: the value of `cluster.workers.count` at --set cluster.workers does not fit: found string "many", expected a whole number, not negative
    help: `flinkproc --generate schema` prints what each key takes.
    "#);
    insta::assert_snapshot!(error("", &["job.args=a"]), @r#"
    SPC003: the value of `job.args` at --set job.args does not fit: found string "a", expected a list or table in TOML's form, such as ["a", "b"]
    help: `flinkproc --generate schema` prints what each key takes.
    "#);
    insta::assert_snapshot!(error("", &["cluster.max_age=2"]), @r#"
    SPC003: the value of `cluster.max_age` at --set cluster.max_age does not fit: `2` is no duration with a unit: write it as "90s", "10m", "2h" or "1d"
    help: `flinkproc --generate schema` prints what each key takes.
    "#);
    insta::assert_snapshot!(error("", &["cluster"]), @"
    SPC005: `cluster` is no `key=value`
    help: Write it as `--set cluster.image=2.2`; a part of the key that holds dots stands in quotes.
    ");
    insta::assert_snapshot!(error("[job]\nparallelism = 99999999999999999999\n", &[]), @"
    SPC001: flinkproc.toml:2:15 is not TOML: this number is too large
      2 | parallelism = 99999999999999999999
        |               ^^^^^^^^^^^^^^^^^^^^
    help: Texts stand in quotes, tables in `[brackets]`; `flinkproc init` writes an example.
    ");
}

#[test]
fn what_is_no_toml_is_shown_with_its_line() {
    insta::assert_snapshot!(error("[job]\nscript = a.py\n", &[]), @"
    SPC001: flinkproc.toml:2:10 is not TOML: string values must be quoted, expected literal string
      2 | script = a.py
        |          ^^^^
    help: Texts stand in quotes, tables in `[brackets]`; `flinkproc init` writes an example.
    ");
    insta::assert_snapshot!(error("job:\n  script: a.py\n", &[]), @"
    SPC001: flinkproc.toml:1:5 is not TOML: key with no value, expected `=`
      1 | job:
        |     ^
    help: Texts stand in quotes, tables in `[brackets]`; `flinkproc init` writes an example.
    ");
    insta::assert_snapshot!(error("[job]\n[job]\n", &[]), @"
    SPC001: flinkproc.toml:2:2 is not TOML: duplicate key
      2 | [job]
        |  ^^^
    help: Texts stand in quotes, tables in `[brackets]`; `flinkproc init` writes an example.
    ");
}

#[test]
fn a_target_is_laid_over_the_file_and_must_be_there() {
    let text =
        "[cluster]\nworkers = 2\nprefix = 'a'\n[target.prod.cluster]\nworkers = 8\nname = 'b'\n";
    let resolve = |target| {
        Layers {
            name: "flinkproc.toml",
            text,
            target,
            ..Layers::default()
        }
        .resolve()
    };
    let base = resolve(None).expect("valid").spec.cluster;
    assert_eq!(base.workers.count, Some(2));
    let prod = resolve(Some("prod")).expect("valid").spec;
    assert_eq!(prod.cluster.workers.count, Some(8));
    // The name of the target takes the prefix of the file away: they exclude each other.
    assert_eq!((prod.cluster.prefix, prod.target.len()), (None, 0));
    let error = resolve(Some("prdo")).expect_err("unknown");
    insta::assert_snapshot!(format!("{error}\n{}", error.help().unwrap_or_default()), @"
    there is no target `prdo`
    Did you mean `prod`? There are these targets: `prod`.
    ");
}

#[test]
fn the_nearest_layer_gives_the_value_and_its_source() {
    let given = |key: &str, value: &str, source| Provided::new(key, value, source);
    let mut layers = Layers {
        name: "flinkproc.toml",
        text: "",
        target: None,
        outside: vec![given(
            "cluster.region",
            "a-gcloud",
            Source::Outside("gcloud configuration".into()),
        )],
        environment: Vec::new(),
        flags: Vec::new(),
    };
    let check = |layers: &Layers<'_>, region: &str, at: &str| {
        let layered = layers.resolve().expect("valid");
        let found = layered
            .spec
            .cluster
            .region
            .as_ref()
            .map(ToString::to_string);
        assert_eq!(found.as_deref(), Some(region));
        let place = layered.at("cluster.region").place.expect("placed");
        assert_eq!(place.to_string(), at);
    };
    check(&layers, "a-gcloud", "gcloud configuration");
    layers.text = "[cluster]\nregion = 'a-file'\n[target.x.cluster]\nregion = 'a-target'\n";
    check(&layers, "a-file", "flinkproc.toml:2:10");
    layers.target = Some("x");
    check(&layers, "a-target", "flinkproc.toml:4:10");
    layers.environment = vec![given(
        "cluster.region",
        "a-variable",
        Source::Environment("FLINKPROC_REGION".into()),
    )];
    check(&layers, "a-variable", "environment FLINKPROC_REGION");
    layers.flags = vec![Provided::set("cluster.region=a-set").expect("valid")];
    check(&layers, "a-set", "--set cluster.region");
    layers.flags.push(given(
        "cluster.region",
        "a-flag",
        Source::Flag("--region".into()),
    ));
    check(&layers, "a-flag", "--region");
}

#[test]
fn shorthands_and_long_forms_are_the_same() {
    let check = |short: &str, long: &str| {
        assert_eq!(spec(short, &[]), spec(long, &[]), "{short}");
    };
    check("[cluster]\nworkers = 3\n", "[cluster.workers]\ncount = 3\n");
    check("[params]\nday = 'x'\n", "[params.day]\ndefault = 'x'\n");
    check(
        "[params]\nday = 2026-01-01\n",
        "[params.day]\ndefault = '2026-01-01'\n",
    );
    check(
        "[job.flink_config]\na.b = 1.0\na.c = true\n",
        "[job.flink_config]\n'a.b' = '1.0'\n'a.c' = 'true'\n",
    );
}

#[test]
fn a_flag_means_what_its_key_wants() {
    let spec = spec(
        "[params]\nlimit = { default = 1, description = 'how many' }\n",
        &[
            "cluster.image=2.2",
            "cluster.workers=4",
            "cluster.internal_ip_only=true",
            "job.args=[\"a=b\", \"c\"]",
            "job.name=a = b",
            "job.flink_config.a.b=2g",
            "cluster.properties.'flink:x.y'=1",
            "params.limit=5",
        ],
    );
    let spec = spec.expect("valid");
    assert_eq!(spec.cluster.image.map(String::from).as_deref(), Some("2.2"));
    assert_eq!(spec.cluster.workers.count, Some(4));
    assert_eq!(spec.cluster.internal_ip_only, Some(true));
    assert_eq!(
        spec.job
            .args
            .iter()
            .map(|arg| arg.as_str())
            .collect::<Vec<_>>(),
        ["a=b", "c"]
    );
    assert_eq!(spec.job.name.as_deref(), Some("a = b"));
    assert_eq!(
        spec.job.flink_config.get("a.b").map(String::as_str),
        Some("2g")
    );
    assert_eq!(
        spec.cluster.properties.get("flink:x.y").map(String::as_str),
        Some("1")
    );
    let limit = &spec.params["limit"];
    assert_eq!(
        limit.default.as_ref().map(ToString::to_string).as_deref(),
        Some("5")
    );
    assert_eq!(limit.description.as_deref(), Some("how many"));
}

proptest! {
    #[test]
    fn any_text_becomes_a_spec_or_an_error_that_can_be_shown(text in "[\\[\\]a-z.=\"'\n0-9 ü]{0,60}") {
        if let Err(error) = spec(&text, &[]) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn the_last_of_several_layers_holds(counts in proptest::collection::vec(0u32..100, 1..5)) {
        let flags: Vec<String> = counts.iter().map(|count| format!("cluster.workers={count}")).collect();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let spec = spec("[cluster]\nworkers = 1000\n", &flags).expect("valid");
        prop_assert_eq!(spec.cluster.workers.count, counts.last().copied());
    }

    #[test]
    fn a_text_given_by_a_flag_arrives_unchanged(text in "[^\0]{0,40}") {
        let spec = spec("", &[&format!("job.name={text}")]).expect("valid");
        prop_assert_eq!(spec.job.name, Some(text));
    }
}
