//! Lists the applications of a ResourceManager: `cargo run -p flinkproc-rest --example watch_yarn -- 127.0.0.1 8088`.
//!
//! Without an address it asks the double.

use std::error::Error;
use std::sync::Arc;

use flinkproc_rest::{Direct, Endpoint, HttpYarn, MemoryYarn, YarnApi};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let yarn: Arc<dyn YarnApi> = match arguments.as_slice() {
        [host, port] => {
            let endpoint = Endpoint::new(host, port.parse()?);
            Arc::new(HttpYarn::new(
                reqwest::Client::new(),
                Arc::new(Direct),
                endpoint,
            ))
        }
        _ => {
            let yarn = MemoryYarn::new();
            yarn.put(MemoryYarn::running(
                "application_1_0001".parse()?,
                "flinkproc-example-1",
            ));
            Arc::new(yarn)
        }
    };
    for application in yarn.applications(None).await? {
        let (state, status) = (application.state, application.final_status);
        print_line(&format!(
            "{} {state:?} {status:?} {}",
            application.id, application.name
        ));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the example's result")]
fn print_line(line: &str) {
    println!("{line}");
}
