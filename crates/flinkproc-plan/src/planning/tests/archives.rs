//! Archives that are none, and modules that no file holds.

use super::with;

#[test]
fn an_archive_is_what_its_name_says() {
    let check = |flag: &str| with(&[flag]).refused();
    insta::assert_snapshot!(check("job.archives=[\"page.zip#venv\"]"), @"
    SPC041: `jobs/page.zip` is a web page, not a zip: Flink unpacks by the name's ending, named by `job.archives[0]` at --set job.archives
    help: Look at it with `file`, and make it again: `zip -r name.zip folder`, or `tar -czf name.tar.gz folder`.
    ");
    insta::assert_snapshot!(check("job.archives=[\"lib.tar.gz\"]"), @"
    SPC041: `jobs/lib.tar.gz` is a zip, not a gzipped tar: Flink unpacks by the name's ending, named by `job.archives[0]` at --set job.archives
    help: Look at it with `file`, and make it again: `zip -r name.zip folder`, or `tar -czf name.tar.gz folder`.
    ");
    insta::assert_snapshot!(check("job.archives=[\"env.bin\"]"), @"
    SPC041: `jobs/env.bin` is a tar, not a zip: Flink unpacks by the name's ending (`.zip`, `.jar`, `.tar`, `.tar.gz`, `.tgz`) and takes anything else for a zip, named by `job.archives[0]` at --set job.archives
    help: Look at it with `file`, and make it again: `zip -r name.zip folder`, or `tar -czf name.tar.gz folder`.
    ");
    insta::assert_snapshot!(check("job.python_files=[\"page.zip\"]"), @"
    SPC041: `jobs/page.zip` is a web page, not a zip, named by `job.python_files[0]` at --set job.python_files
    help: Look at it with `file`, and make it again: `zip -r name.zip folder`, or `tar -czf name.tar.gz folder`.
    ");
    insta::assert_snapshot!(check("job.jars=[\"pointer.jar\"]"), @"
    SPC041: `jobs/pointer.jar` is a pointer of Git LFS, not a zip, named by `job.jars[0]` at --set job.jars
    help: Look at it with `file`, and make it again: `zip -r name.zip folder`, or `tar -czf name.tar.gz folder`.
    ");
    for fine in [
        "job.archives=[\"lib.zip\"]",
        "job.archives=[\"env.tar.gz#env\"]",
        "job.archives=[\"gs://bucket/page.zip\"]",
        "job.jars=[\"c.jar\"]",
    ] {
        with(&[fine]).planned();
    }
}

#[test]
fn a_module_is_in_one_of_the_files() {
    let module = |module: &str, files: &str| {
        let (module, files) = (
            format!("job.module={module}"),
            format!("job.python_files={files}"),
        );
        with(&[&module, &files]).refused()
    };
    let planned = |name: &str, files: &str| {
        assert!(module(name, files).starts_with("planned"), "{name} {files}");
    };
    planned("pkg.main", "[\"lib.zip\"]");
    planned("pkg", "[\"lib.zip\"]");
    planned("pkg.sub", "[\"lib.zip\"]");
    planned("helper", "[\"helper.py\"]");
    planned("anything", "[\"gs://bucket/lib.zip\"]");
    // Nobody looked into this one.
    planned("anything", "[\"lib2.zip\"]");
    insta::assert_snapshot!(module("pkg.mian", "[\"lib.zip\"]"), @"
    SPC042: no file of `job.python_files` holds the module `pkg.mian`, named by `job.module` at --set job.module
    help: Name the `.py` or `.zip` file that holds it in `job.python_files`; in a zip the packages stand at the top.
    ");
    insta::assert_snapshot!(module("deep", "[\"lib.zip\"]"), @"
    SPC042: no file of `job.python_files` holds the module `deep`, named by `job.module` at --set job.module
    help: There is `top/deep.py` in `lib.zip`: make the zip from inside that folder, or write the module's whole name.
    ");
    insta::assert_snapshot!(module("helper.x", "[\"helper.py\"]"), @"
    SPC042: no file of `job.python_files` holds the module `helper.x`, named by `job.module` at --set job.module
    help: Name the `.py` or `.zip` file that holds it in `job.python_files`; in a zip the packages stand at the top.
    ");
}
