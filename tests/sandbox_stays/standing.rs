//! Deployments into a sandbox that stays, on real parts: what had to be refused in one that ends with its process.

use serde_json::json;

use crate::kill_all;
use crate::real::Real;

pub(crate) const SPEC: &str = r#"
[job]
script = "job.py"
python_functions = false
args = ["${staging}/output"]
result = "${staging}/output/"

[cluster]
workers = 0

[watch]
deadline = "10m"
"#;

pub(crate) const JOB: &str = r#"
import sys
from pyflink.table import EnvironmentSettings, TableEnvironment

tables = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
tables.execute_sql(
    "CREATE TABLE sink (n INT) WITH ("
    f"'connector'='filesystem', 'path'='{sys.argv[1]}', 'format'='csv')"
)
tables.execute_sql("INSERT INTO sink VALUES (41), (42)").wait()
print("the job has run")
"#;

/// A turn whose sandboxes are killed when the test fails half-way.
pub(crate) struct Turn(pub(crate) Real);

impl Turn {
    pub(crate) async fn take(spec: &str) -> Option<Self> {
        let real = Real::turn().await?;
        real.home.write("flinkproc.toml", spec);
        real.home.write("job.py", JOB);
        Some(Self(real))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        kill_all(&self.0.home);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_left_looked_at_and_gone_on_with() {
    let Some(turn) = Turn::take(SPEC).await else {
        return;
    };
    let home = &turn.0.home;
    let ran = home.run(&["deploy", "--sandbox=missing"]).await;
    ran.ended_with(2).told(&["error[APP020]", "missing"]);

    home.run(&["sandbox", "up"]).await.ended_with(0);
    let until = ["deploy", "--sandbox", "--until", "create-cluster"];
    let ran = home.run(&until).await;
    ran.ended_with(0)
        .told(&["in the sandbox default, which stays"]);
    let list = ["cluster", "list", "--sandbox", "--output", "json"];
    let clusters = home.run(&list).await.ended_with(0).json();
    assert_eq!(clusters[0]["status"]["state"], "RUNNING", "{clusters}");
    let name = clusters[0]["clusterName"].as_str().unwrap();
    let status = home.run(&["sandbox", "status", "--output", "json"]).await;
    let status = status.ended_with(0).json();
    assert_eq!(status[0]["clusters"][0]["name"], name);
    // A ResourceManager and a NodeManager at the least.
    assert!(status[0]["memory_bytes"].as_u64().unwrap() > 200 << 20);
    let logs = home.run(&["sandbox", "logs", name]).await;
    let said = &logs.ended_with(0).out;
    assert!(said.contains("ResourceManager"), "{said}\n{}", logs.err);

    let ran = home.run(&["deploy", "--resume"]).await;
    ran.ended_with(0).told(&["the job has run"]);
    assert!(ran.out.contains("41\n42"), "{}", ran.out);
    assert_eq!(home.run(&list).await.ended_with(0).json(), json!([]));

    // Left to itself while its job starts, found again, ended.
    let detached = ["deploy", "--sandbox", "--detach"];
    home.run(&detached).await.ended_with(0);
    let rows = home.run(&["status", "--output", "json"]).await;
    let rows = rows.ended_with(0).json();
    let id = rows[1]["deployment"].as_str().unwrap().to_owned();
    let ran = home.run(&["down", &id]).await;
    ran.ended_with(0).told(&["delete cluster"]);
    home.run(&until).await.ended_with(0);

    let down = home.run(&["sandbox", "down"]).await;
    let said = &down.ended_with(0).out;
    assert!(said.contains("with cluster flink-job-"), "{said}");
    turn.0.left_nothing();
    let ran = home.run(&["deploy", "--resume"]).await;
    ran.ended_with(2).told(&["error[APP015]"]);
}
