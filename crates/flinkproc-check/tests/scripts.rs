//! Scripts and pages with the mistakes that people make, and the specs that scripts become.

use flinkproc_check::{Language, Source, check, from_cluster, from_script, render};

fn quote(word: &str) -> String {
    flinkproc_ssh::quote(word).into_owned()
}

/// Codes with the line and what is meant there, then the lines to write instead.
fn said(name: &str, text: &str) -> String {
    let source = Source::new(name, text);
    let report = check(&source, Language::of(name, text), None);
    let mut out = String::new();
    for finding in report.all() {
        let line: Vec<char> = source.line(finding.place.line).chars().collect();
        let from = finding.place.column - 1;
        let meant: String = line[from..from + finding.place.width].iter().collect();
        out.push_str(&format!(
            "{}: {} {meant}\n",
            finding.place.line, finding.code
        ));
    }
    for command in report.commands.iter() {
        for line in &command.instead {
            let line = flinkproc_check::render::line_of(command, line, &quote);
            out.push_str(&format!("{}> {line}\n", command.line));
        }
    }
    out
}

const NIGHTLY: &str = "\
#!/bin/bash
# The nightly report.
BUCKET=acme-data
NAME=nightly-$(date +%s)
gcloud dataproc clusters create ${NAME} \\
    --region=europe-west4 --zone europe-west4-a \\
    --optional-components=FLINK,JUPYTER --image-version=2.1-debian11 \\
    --enable-autoscaling --max-workers=8 --workers=3 --max-idle=20m --master-boot-disk-size=100GB \\
    --labels=team=data,env=prod --metadata='^;^a=1,2;b=3'
gsutil cp gs://${BUCKET}/code/report.py /tmp/report.py
gcloud compute ssh ${NAME}-m --zone europe-west4-a --command=\"
  flink run -m yarn-cluster -yD yarn.application.name='nightly report' -ytm 2048 \\
    -py /tmp/report.py --day ${DAY} --out gs://${BUCKET}/out --note 'a b'
\"
gcloud dataproc clusters delete ${NAME} --quiet
";

#[test]
fn a_script_with_an_inner_command() {
    insta::assert_snapshot!(said("nightly.sh", NIGHTLY), @r#"
    8: CHK030 --enable-autoscaling
    8: CHK030 --max-workers=8
    8: CHK030 --workers=3
    8: CHK031 --max-idle=20m
    12: CHK040 flink
    12: CHK009 -m yarn-cluster
    5> gcloud dataproc clusters create "${NAME}" --region=europe-west4 --zone europe-west4-a --optional-components=FLINK,JUPYTER --image-version=2.1-debian11 --autoscaling-policy=POLICY_ID --num-workers=3 --delete-max-idle=20m --master-boot-disk-size=100GB --labels=team=data,env=prod '--metadata=^;^a=1,2;b=3'
    "#);
}

#[test]
fn a_script_becomes_a_spec() {
    let made = from_script(&Source::new("nightly.sh", NIGHTLY), None);
    insta::assert_snapshot!(made.text, @r#"
    # Made from nightly.sh by `flinkproc init --from-script`. Look it over, then `flinkproc plan` this file.

    [params]
    bucket = "acme-data"
    day = { type = "string" }

    [job]
    name = "nightly report"
    script = "gs://${params.bucket}/code/report.py"
    args = ["--day", "${params.day}", "--out", "gs://${params.bucket}/out", "--note", "a b"]

    [job.flink_config]
    "taskmanager.memory.process.size" = "2048m"

    [cluster]
    prefix = "nightly"
    region = "europe-west4"
    zone = "europe-west4-a"
    components = ["JUPYTER"]
    image = "2.1-debian11"
    workers.count = 3
    max_idle = "20m"
    master.boot_disk_size = "100GiB"
    # autoscaling_policy = "…"   # a policy says how many workers there may be

    [cluster.labels]
    team = "data"
    env = "prod"

    [cluster.metadata]
    a = "1,2"
    b = "3"

    [staging]
    # bucket = "my-bucket"   # for the code, below flinkproc/ in it
    "#);
    insta::assert_snapshot!(made.mended.join("\n"), @r"
    line 8: gcloud has no flag `--enable-autoscaling` here: it ends with `unrecognized arguments`, and nothing is made (CHK030)
    line 8: gcloud has no flag `--max-workers` here: it ends with `unrecognized arguments`, and nothing is made (CHK030)
    line 8: gcloud has no flag `--workers` here: it ends with `unrecognized arguments`, and nothing is made (CHK030)
    line 12: Flink finds no classes of Hadoop, and knows no target on YARN then (CHK040)
    ");
    insta::assert_snapshot!(made.left.join("\n"), @r"");
    readable(&made.text);
}

#[test]
fn a_session_script_becomes_a_spec() {
    let text = "gcloud dataproc clusters create team --single-node --properties=flink:taskmanager.numberOfTaskSlots=2 --num-gpus=1\n\
                gcloud compute ssh team-m -- yarn-session.sh -d -n 3 -nm 'team session'\n\
                gcloud compute ssh team-m -- flink run -p 4 -d -s gs://b/save -n -py-files lib.zip -py jobs/a.py '$5' '${X}'\n\
                gcloud compute ssh team-m -- flink run other.jar\n";
    let made = from_script(&Source::new("team.sh", text), None);
    insta::assert_snapshot!(made.text, @r#"
    # Made from team.sh by `flinkproc init --from-script`. Look it over, then `flinkproc plan` this file.

    [params]
    x = { type = "string" }

    [job]
    mode = "session"
    parallelism = 4
    python_files = ["lib.zip"]
    script = "jobs/a.py"
    args = ["$5", "${params.x}"]

    [job.restore]
    from = "gs://b/save"
    allow_non_restored = true

    [session]
    # the script called it team

    [cluster]
    name = "team"
    workers = 0
    image = "2.2"

    [cluster.properties]
    "flink:taskmanager.numberOfTaskSlots" = "2"

    [staging]
    # bucket = "my-bucket"   # for the code, below flinkproc/ in it
    "#);
    insta::assert_snapshot!(made.left.join("\n"), @r"
    line 3: `-d`: say `deploy --detach` where you deploy
    line 4: a second job: make a spec of its own for it
    ");
    readable(&made.text);
}

/// A spec that is written is one.
fn readable(text: &str) {
    let layers = flinkproc_plan::Layers {
        name: "flinkproc.toml",
        text,
        ..Default::default()
    };
    let read = layers.resolve().map(drop).map_err(|e| e.to_string());
    assert_eq!(read, Ok(()), "{text}");
}

#[test]
fn a_cluster_becomes_a_spec() {
    let resource = serde_json::json!({
        "projectId": "acme-data", "clusterName": "team", "labels": {"team": "data", "goog-dataproc-cluster-name": "team"},
        "config": {
            "configBucket": "acme-dataproc",
            "gceClusterConfig": {
                "zoneUri": "https://www.googleapis.com/compute/v1/projects/acme/zones/europe-west4-b",
                "internalIpOnly": true, "tags": ["ssh"], "metadata": {"db-password": "x", "mode": "fast"},
            },
            "masterConfig": {"numInstances": 1, "machineTypeUri": "zones/europe-west4-b/machineTypes/n2-standard-4", "diskConfig": {"bootDiskSizeGb": 200}},
            "workerConfig": {"numInstances": 3},
            "secondaryWorkerConfig": {"numInstances": 2, "preemptibility": "SPOT"},
            "softwareConfig": {"imageVersion": "2.2.31-debian12", "optionalComponents": ["FLINK", "JUPYTER"], "properties": {"flink:state.backend": "rocksdb"}},
            "lifecycleConfig": {"idleDeleteTtl": "1800s"},
            "initializationActions": [{"executableFile": "gs://b/x.sh", "executionTimeout": "60s"}],
            "securityConfig": {"kerberosConfig": {}},
        },
    });
    let made = from_cluster(&resource, "europe-west4");
    insta::assert_snapshot!(made.text, @r#"
    # Made from the cluster team by `flinkproc init --from-cluster`. Name the script, then `flinkproc plan` this file.

    [job]
    script = "job.py"

    [cluster]
    project = "acme-data"
    region = "europe-west4"
    image = "2.2.31-debian12"
    zone = "europe-west4-b"
    master.machine_type = "n2-standard-4"
    config_bucket = "acme-dataproc"
    max_idle = "30m"
    master.boot_disk_size = "200GiB"
    workers.count = 3
    secondary_workers.count = 2
    secondary_workers.preemptibility = "spot"
    internal_ip_only = true
    components = ["JUPYTER"]
    network_tags = ["ssh"]
    initialization_actions = [{ script = "gs://b/x.sh" }]
    # To use team itself instead of making one like it, leave only this and the image:
    # existing = "team"

    [cluster.labels]
    team = "data"

    [cluster.properties]
    "flink:state.backend" = "rocksdb"

    [cluster.metadata]
    mode = "fast"

    [staging]
    # bucket = "my-bucket"   # for the code, below flinkproc/ in it
    "#);
    insta::assert_snapshot!(made.left.join("\n"), @r"
    cluster.metadata: `db-password` looks like a secret and is not written down
    Kerberos and other security settings: put them into a file for `cluster.from` (`gcloud dataproc clusters export team`)
    ");
    readable(&made.text);
}

const PAGE: &str = "\
# Our jobs

The page is at http://cluster-m:8081, ours is at http://localhost:8081.

```console
$ yarn-session.sh -d -n 2 -jm 1024
$ flink info <job-id>
```

```pig
sh gsutil cp gs://b/a.py /tmp/a.py;
sh flink run -m yarn-cluster -py /tmp/a.py --day '1';
```

```python
subprocess.run([\"flink\", \"run\", \"-py-files\", libs, \"-py\", \"a.py\"])
run(f\"flink cancel {job}\")
```

```yaml
flink run --nothing here is read
```

```bash
gcloud logging read 'resource.type=\"dataproc_cluster\"' --limit 5
gcloud dataproc jobs submit flink --cluster=c job.py
gcloud dataproc clusters make c
ls /opt/flink/log
```
";

#[test]
fn a_page_with_all_kinds_of_blocks() {
    insta::assert_snapshot!(said("page.md", PAGE), @r#"
    3: CHK036 http://cluster-m:8081
    6: CHK013 yarn-session.sh
    6: CHK040 yarn-session.sh
    6: CHK003 -n 2
    7: CHK012 <job-id>
    12: CHK009 -m yarn-cluster
    12: CHK038 --day '1'
    12: CHK039 '
    16: CHK002 -py-files", libs
    17: CHK013 flink cancel
    25: CHK035 dataproc_cluster
    26: CHK033 job.py
    27: CHK032 make
    28: CHK037 /opt/flink/log
    6> yarn-session.sh -d -Djobmanager.memory.process.size=1024m
    7> flink list -t yarn-session -Dyarn.application.id=APPLICATION_ID -a
    16> flink run -t yarn-session -Dyarn.application.id=APPLICATION_ID -pyfs libs -py a.py
    17> flink cancel -t yarn-session -Dyarn.application.id=APPLICATION_ID '{job}'
    25> gcloud logging read 'resource.type="cloud_dataproc_cluster"' --limit 5
    "#);
}

#[test]
fn a_report_for_people() {
    let text =
        "flink run -t yarn-per-job \\\n\t-ytm 4g -Ds3.secret-key=abc -py ${JOB} --name \"it's\"\n";
    let source = Source::new("run.sh", text);
    let report = check(&source, Language::Shell, None);
    insta::assert_snapshot!(render(&report, &source, &quote), @r#"
    note[CHK009]: per-job mode works, and is deprecated since Flink 1.15
     --> run.sh:1:11
      |
    1 | flink run -t yarn-per-job \
      |           ^^^^^^^^^^^^^^^
      = why: each job gets a YARN application of its own
      = help: nothing to do on this image; Flink 2.0 has application mode instead

    error[CHK001]: Flink drops `-ytm` without a word beside `-t yarn-per-job`
     --> run.sh:2:2
      |
    2 |  -ytm 4g -Ds3.secret-key=*** -py ${JOB} --name "it's"
      |  ^^^^^^^
      = why: `-t` makes the generic parser active, which reads `-D` alone
      = help: write it as `-Dkey=value`

    warning[CHK040]: Flink finds no classes of Hadoop, and knows no target on YARN then
     --> run.sh:1:1
      |
    1 | flink run -t yarn-per-job \
      | ^^^^^
      = why: nothing on this way sets HADOOP_CLASSPATH; told once for the whole text
      = help: run `export HADOOP_CLASSPATH=$(hadoop classpath)` before it

    write instead:
        flink run -t yarn-per-job -Dtaskmanager.memory.process.size=4g '-Ds3.secret-key=***' -py "${JOB}" --name 'it'\''s'
    "#);
}

#[test]
fn no_text_is_too_odd_to_read() {
    for text in [
        "",
        "'",
        "\"",
        "$(",
        "${",
        "`",
        "<<",
        "<<A",
        "flink",
        "flink run",
        "gcloud",
        "sh ",
        "a\u{0}b",
        "flink run $@",
        "[\"flink\"",
        "-- -- --",
        "flink run \\",
    ] {
        for name in ["a.sh", "a.md", "a.pig", "a.py"] {
            let source = Source::new(name, text);
            let report = check(&source, Language::of(name, text), None);
            let _ = render(&report, &source, &quote);
            let _ = from_script(&source, None);
        }
    }
}
