//! `flinkproc sandbox vars`: the variables that point programs at a sandbox.

use flinkproc_ssh::quote;
use serde_json::{Map, Value};

use crate::App;
use crate::args::{Vars, VarsForm};
use crate::report::Problem;
use crate::sandbox::{ACCOUNT, BUCKET, PROJECT, REGION, Record, ZONE};

/// Prints them.
pub(crate) fn run(app: &App, args: &Vars) -> Result<u8, Problem> {
    let record = super::running(app, &args.named.name)?;
    let vars = of(&record);
    if args.format == VarsForm::Json || app.stdio.json() {
        let map: Map<String, Value> = vars
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Value::String(value)))
            .collect();
        app.stdio.json_result(&map);
        return Ok(0);
    }
    let lines = vars.iter().map(|(name, value)| match args.format {
        VarsForm::Sh => format!("export {}", assignment(name, value)),
        _ => assignment(name, value),
    });
    app.stdio.result(&lines.collect::<Vec<_>>().join("\n"));
    Ok(0)
}

fn assignment(name: &str, value: &str) -> String {
    format!("{name}={}", quote(value))
}

/// Every variable, for gcloud, for Google's clients and for flinkproc.
fn of(record: &Record) -> Vec<(&'static str, String)> {
    let (api, storage) = (&record.dataproc, &record.storage);
    let mut vars = vec![
        // gcloud
        (
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_DATAPROC",
            format!("{api}/"),
        ),
        (
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE",
            format!("{}/compute/v1/", record.compute),
        ),
        (
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE",
            format!("{storage}/storage/v1/"),
        ),
        ("CLOUDSDK_API_ENDPOINT_OVERRIDES_OSLOGIN", format!("{api}/")),
        (
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDRESOURCEMANAGER",
            format!("{api}/"),
        ),
        ("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAM", format!("{api}/")),
        ("CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING", format!("{api}/")),
        (
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER",
            format!("{api}/"),
        ),
        (
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_SERVICEUSAGE",
            format!("{api}/"),
        ),
        ("CLOUDSDK_CORE_PROJECT", PROJECT.to_owned()),
        ("CLOUDSDK_DATAPROC_REGION", REGION.to_owned()),
        ("CLOUDSDK_COMPUTE_REGION", REGION.to_owned()),
        ("CLOUDSDK_COMPUTE_ZONE", ZONE.to_owned()),
        // Google's client libraries
        ("STORAGE_EMULATOR_HOST", storage.clone()),
        ("GOOGLE_CLOUD_PROJECT", PROJECT.to_owned()),
        // flinkproc
        ("FLINKPROC_DATAPROC_ENDPOINT", api.clone()),
        ("FLINKPROC_COMPUTE_ENDPOINT", record.compute.clone()),
        ("FLINKPROC_STORAGE_ENDPOINT", storage.clone()),
        ("FLINKPROC_OS_LOGIN_ENDPOINT", api.clone()),
        ("FLINKPROC_ACCOUNT", ACCOUNT.to_owned()),
        ("FLINKPROC_PROJECT", PROJECT.to_owned()),
        ("FLINKPROC_REGION", REGION.to_owned()),
        ("FLINKPROC_BUCKET", BUCKET.to_owned()),
    ];
    if let Some(port) = record.ssh_port {
        vars.push(("FLINKPROC_SSH_PORT", port.to_string()));
    }
    let ca = record.iap.ca_file.display().to_string();
    vars.push(("CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", ca));
    vars.push(("FLINKPROC_IAP_ENDPOINT", record.iap.url.clone()));
    let token = record.wish.token_file.display().to_string();
    vars.push(("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", token.clone()));
    if record.wish.closed {
        vars.push(("FLINKPROC_ACCESS_TOKEN_FILE", token));
    } else {
        vars.push(("FLINKPROC_ANONYMOUS", "1".to_owned()));
    }
    vars
}
