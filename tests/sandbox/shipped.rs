//! Jobs whose Python comes with them, on clusters whose own has no PyFlink.

use crate::full;
use crate::matrix::run::deployed;
use crate::real::Real;

/// Writes which interpreter runs the program and which its functions.
const JOB: &str = r#"
import sys
from pyflink.common import Types
from pyflink.datastream import RuntimeExecutionMode, StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment


def where(text):
    import sys
    return text + ":" + ("shipped" if "/env" in sys.prefix else sys.prefix)


environment = StreamExecutionEnvironment.get_execution_environment()
environment.set_runtime_mode(RuntimeExecutionMode.BATCH)
tables = StreamTableEnvironment.create(environment)
tables.execute_sql(
    "CREATE TABLE sink (line STRING) WITH ("
    f"'connector'='filesystem', 'path'='{sys.argv[1]}', 'format'='raw')"
)
program = "shipped" if "/env" in sys.prefix else sys.prefix
found = environment.from_collection([program], Types.STRING()).map(where, Types.STRING())
tables.from_data_stream(found).execute_insert("sink").wait()
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_python_is_the_only_pyflink_there_is() {
    let Some(real) = Real::turn().await else {
        return;
    };
    let all = [
        ("sandbox-1.20", "per-job"),
        ("sandbox-2.2", "application"),
        ("sandbox-1.20", "application"),
        ("sandbox-1.20", "session"),
        ("sandbox-2.2", "session"),
    ];
    let chosen = if full() { &all[..] } else { &all[..2] };
    for (image, mode) in chosen {
        let spec = format!(
            "[job]\nscript = \"job.py\"\nmode = \"{mode}\"\nargs = [\"${{staging}}/output\"]\n\
             result = \"${{staging}}/output/\"\n[python]\nenvironment = \"shipped\"\n\
             [cluster]\nimage = \"{image}\"\nproperties = {{ \"flinkproc-sandbox:python\" = \"bare\" }}\n\
             [watch]\ndeadline = \"15m\"\n"
        );
        match deployed(&real, &spec, JOB).await {
            Ok((lines, told)) => assert_eq!(lines, ["shipped:shipped"], "{image} {mode}\n{told}"),
            Err(why) => panic!("{image} {mode}: {why}"),
        }
    }
    real.left_nothing();
}
