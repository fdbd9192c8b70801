//! Plans a job from a spec on disk and prints the plan, as a tool of one's own would: `cargo run --example plan_a_job`.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use flinkproc_plan::{
    DeployRequest, Layers, LocalFact, LocalFacts, NeedKind, Provided, plan_deployment, sha256_hex,
};

const SPEC: &str = "\
[job]
script = 'count.py'
args = ['--day', '${params.day}', '--output', '${staging}/output/']
result = '${staging}/output/'
python_functions = false

[params]
day = { type = 'string' }

[cluster]
project = 'my-project'
region = 'europe-west4'
image = '2.2'

[staging]
bucket = 'my-bucket'
";

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("flinkproc.toml"), SPEC)?;
    fs::write(folder.path().join("count.py"), "print('counting')\n")?;

    let text = fs::read_to_string(folder.path().join("flinkproc.toml"))?;
    let spec = Layers {
        name: "flinkproc.toml",
        text: &text,
        flags: vec![Provided::set("cluster.workers=3")?],
        ..Layers::default()
    }
    .resolve()?;

    let params = vec![("day".to_owned(), "2026-11-22".to_owned())];
    let base = folder.path().to_string_lossy().into_owned();
    let mut files = LocalFacts::default();
    for need in spec.spec.local_files(&base, &params)? {
        // A whole tool also expands patterns and reads texts; this spec has neither.
        if matches!(need.kind, NeedKind::File | NeedKind::Archive) {
            let fact = look_at(Path::new(&need.path));
            files.files.insert(need.path, fact);
        }
    }
    let plan = plan_deployment(&DeployRequest {
        spec,
        folder: base,
        deployment: "count-1".parse()?,
        run_key: None,
        params,
        login_user: "ada".to_owned(),
        sandbox: None,
        files,
        methods: Vec::new(),
        packages: BTreeMap::new(),
    })?;

    let mut out = plan.render();
    out.push_str("\nEquivalent commands\n");
    for command in plan.equivalents() {
        out.push_str(&format!("  {:<15} {:?}\n", command.step, command.argv));
    }
    use std::io::Write as _;
    std::io::stdout().write_all(out.as_bytes())?;
    Ok(())
}

fn look_at(path: &Path) -> LocalFact {
    match fs::read(path) {
        Ok(bytes) => LocalFact::File {
            size: bytes.len() as u64,
            sha256: sha256_hex(&bytes),
            crc32c: None,
            utf8: std::str::from_utf8(&bytes).is_ok(),
        },
        Err(_) if path.is_dir() => LocalFact::Directory,
        Err(_) => LocalFact::Missing,
    }
}
