//! Reads what the launcher answers: at its door, and in the bucket.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flinkproc_flink_cli::{application_ids, job_ids};
use flinkproc_ssh::Output;

use crate::error::SubmitError;
use crate::method::{Acted, LauncherExit, Observation, RunState, Sighting};

const ANSWER: &[u8] = b"flinkproc-answer ";
const RUN: &[u8] = b"flinkproc-run 1 ";
const ACT: &[u8] = b"flinkproc-act 1 ";

/// What precedes a savepoint's path in the output of `flink savepoint` and `flink stop` (1.12 to 2.2).
const SAVEPOINT: &str = "Savepoint completed. Path: ";

/// What the door says to `start`, `cancel` and `fence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Ok,
    Fenced,
    Refused,
    Conflict,
}

/// The door's word; start-up files of the login may have written something before it.
pub(crate) fn word(output: &Output) -> Result<Word, SubmitError> {
    let (line, _) = line_after(&output.stdout, ANSWER).ok_or_else(|| silent(output))?;
    match line {
        b"ok" => Ok(Word::Ok),
        b"fenced" => Ok(Word::Fenced),
        b"refused" => Ok(Word::Refused),
        b"conflict" => Ok(Word::Conflict),
        other => Err(garbled(format!(
            "unknown word `{}`",
            String::from_utf8_lossy(other)
        ))),
    }
}

/// What the door says to `observe`.
pub(crate) fn observation(output: &Output) -> Result<Observation, SubmitError> {
    let (line, at) = line_after(&output.stdout, RUN).ok_or_else(|| silent(output))?;
    let line = String::from_utf8_lossy(line).into_owned();
    let mut words = line.split(' ');
    let state = words.next().unwrap_or_default();
    let mut rest = output.stdout.slice(at..);
    let mut take = || {
        let size = words.next().and_then(|size| size.parse::<usize>().ok());
        let size = size.filter(|size| *size <= rest.len());
        size.map(|size| rest.split_to(size))
            .ok_or_else(|| garbled(format!("it broke off after `{line}`")))
    };
    let (exit, ids, out, err) = (take()?, take()?, take()?, take()?);
    let state = match state {
        "absent" => RunState::Absent,
        "running" => RunState::Running,
        "lost" => RunState::Lost,
        "ended" => RunState::Ended(launcher_exit(&exit)?),
        other => return Err(garbled(format!("unknown state `{other}`"))),
    };
    Ok(seen(state, &ids, out, err, None))
}

/// What was seen of a run. An id may be in a piece of output before the launcher has noted it.
pub(crate) fn seen(
    state: RunState,
    ids: &Bytes,
    out: Bytes,
    err: Bytes,
    sighting: Option<Sighting>,
) -> Observation {
    let said = [ids, &out, &err];
    let mut jobs = Vec::new();
    for id in said.iter().flat_map(|text| job_ids(text)) {
        if !jobs.contains(&id) {
            jobs.push(id);
        }
    }
    let application = said.iter().find_map(|text| application_ids(text).pop());
    Observation {
        state,
        application,
        jobs,
        out,
        err,
        sighting,
    }
}

/// What the door says to `act`; nothing when it says a word instead.
pub(crate) fn acted_at_the_door(output: &Output) -> Result<Option<Acted>, SubmitError> {
    let Some((line, at)) = line_after(&output.stdout, ACT) else {
        return Ok(None);
    };
    let line = String::from_utf8_lossy(line);
    let numbers: Vec<usize> = line
        .split(' ')
        .filter_map(|word| word.parse().ok())
        .collect();
    let said = output.stdout.slice(at..);
    match numbers.as_slice() {
        [status, size] if *size <= said.len() => {
            let status = u8::try_from(*status).unwrap_or(u8::MAX);
            Ok(Some(acted(status, said.slice(..*size))))
        }
        _ => Err(garbled(format!("it broke off after `{line}`"))),
    }
}

/// What an action's answer in the bucket says (`flinkproc_plan::launcher::action_bootstrap` writes it).
pub(crate) fn acted_in_the_bucket(answer: &[u8]) -> Result<Acted, SubmitError> {
    #[derive(serde::Deserialize)]
    struct Answer {
        status: Option<u8>,
        said: String,
        refused: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(answer)
        .map_err(|error| garbled(format!("an action's answer is no JSON: {error}")))?;
    if let Some(problem) = answer.refused {
        let action = "act on";
        return Err(SubmitError::Refused { action, problem });
    }
    let said = STANDARD
        .decode(&answer.said)
        .map_err(|error| garbled(format!("an action's answer is no base64: {error}")))?;
    Ok(acted(answer.status.unwrap_or(u8::MAX), said.into()))
}

fn acted(status: u8, said: Bytes) -> Acted {
    let text = String::from_utf8_lossy(&said);
    let savepoint = text.lines().find_map(|line| line.split_once(SAVEPOINT));
    let savepoint = savepoint.map(|(_, path)| path.trim().to_owned());
    Acted {
        status,
        savepoint,
        said,
    }
}

/// What the launcher's last word says.
pub(crate) fn launcher_exit(text: &[u8]) -> Result<LauncherExit, SubmitError> {
    serde_json::from_slice(text)
        .map_err(|error| garbled(format!("its exit file is no JSON: {error}")))
}

/// What follows `mark` at the start of a line, up to the line's end, and where the next line begins.
fn line_after<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], usize)> {
    let mut at = 0;
    while let Some(end) = text.get(at..)?.iter().position(|byte| *byte == b'\n') {
        let next = at + end + 1;
        if let Some(line) = text.get(at..next - 1)?.strip_prefix(mark) {
            return Some((line, next));
        }
        at = next;
    }
    None
}

fn silent(output: &Output) -> SubmitError {
    let said = last_line(&output.stderr);
    garbled(format!(
        "it ended with {} and said nothing but `{said}`",
        output.status
    ))
}

pub(crate) fn last_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.trim_end()
        .lines()
        .next_back()
        .unwrap_or_default()
        .to_owned()
}

const fn garbled(problem: String) -> SubmitError {
    SubmitError::Garbled { problem }
}

#[cfg(test)]
mod tests {
    use flinkproc_ssh::{ExitStatus, Output};

    use super::{Word, observation, word};
    use crate::method::RunState;

    fn output(stdout: &'static [u8]) -> Output {
        Output {
            status: ExitStatus::Code(0),
            stdout: stdout.into(),
            stderr: "bash: not found\n".into(),
        }
    }

    #[test]
    fn noise_of_start_up_files_is_passed_over() {
        let noisy = output(b"Welcome!\nflinkproc-answer fenced\n");
        assert_eq!(word(&noisy).expect("word"), Word::Fenced);
        let noisy = output(b"Welcome!\n\nflinkproc-run 1 running 0 0 2 1\na\nb");
        let seen = observation(&noisy).expect("observation");
        assert_eq!(seen.state, RunState::Running);
        assert_eq!(
            (seen.out.as_ref(), seen.err.as_ref()),
            (b"a\n".as_slice(), b"b".as_slice())
        );
    }

    #[test]
    fn half_an_answer_is_none() {
        let check = |text: &'static [u8], expected: &str| {
            let error = observation(&output(text)).expect_err("garbled");
            assert_eq!(error.to_string(), expected);
        };
        check(
            b"flinkproc-run 1 running 0 0 9 0\nabc",
            "the launcher's answer cannot be read: it broke off after `running 0 0 9 0`",
        );
        check(
            b"flinkproc-run 1 running 0 0",
            "the launcher's answer cannot be read: it ended with status 0 and said nothing but `bash: not found`",
        );
        check(
            b"flinkproc-run 1 ended 2 0 0 0\n{}",
            "the launcher's answer cannot be read: its exit file is no JSON: missing field `status` at line 1 column 2",
        );
        assert!(word(&output(b"flinkproc-answer what\n")).is_err());
    }

    #[test]
    fn ids_come_from_the_notes_and_from_the_piece_at_hand() {
        let seen = observation(&output(
            b"flinkproc-run 1 running 0 37 82 0\nSubmitted application application_1_2Job has been submitted with JobID 4f0d1c3b2a49587766554433221100ff\nwith JobID 1234",
        ));
        let seen = seen.expect("observation");
        assert_eq!(
            seen.application.map(String::from).as_deref(),
            Some("application_1_2")
        );
        assert_eq!(seen.jobs.len(), 1);
    }
}
