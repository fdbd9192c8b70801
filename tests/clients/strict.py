"""Reads recorded calls and tells each body and each answer that Google's own messages do not have.

Usage: strict.py VALUES RECORDING... — a recording holds one JSON object a line: by, method, target, body, status,
answer. What belongs to Dataproc and Cloud Storage is written to VALUES, for sdk.py.
"""

import collections
import json
import sys
from urllib.parse import parse_qs, unquote, urlsplit

from google.protobuf import json_format
from google.rpc import status_pb2

import messages

# Paths that none of the checked APIs owns: the emulator's own, and Storage's, which has no protobufs.
OTHERS = ("/emulator/", "/storage/", "/upload/", "/resumable/", "/download/", "/batch/", "/b/")
# The hidden `gcloud dataproc jobs submit pyflink` sends this; the public protobufs lack it (see sdk.py for its check).
HIDDEN = "pyflinkJob"


def parse(value, message):
    json_format.ParseDict(value, messages.pb(message)(), ignore_unknown_fields=False)


def without_hidden(value):
    """The value without what only gcloud's hidden command knows."""
    if isinstance(value, dict):
        return {key: without_hidden(held) for key, held in value.items() if key != HIDDEN}
    if isinstance(value, list):
        return [without_hidden(held) for held in value]
    return value


def check_mask(mask, message):
    """Fails where a path of an update mask names no field."""
    for path in mask.split(","):
        descriptor = messages.pb(message).DESCRIPTOR
        for name in path.split("."):
            if descriptor is None:
                raise ValueError(f"mask {path!r} goes into a field that has no fields")
            field = descriptor.fields_by_name.get(name) or descriptor.fields_by_camelcase_name.get(name)
            if field is None:
                raise ValueError(f"mask {path!r}: {descriptor.full_name} has no field {name!r}")
            if field.message_type is not None and field.message_type.GetOptions().map_entry:
                break
            descriptor = field.message_type


def check_error(answer, compute):
    error = answer["error"]
    if compute:
        # Compute Engine answers as the older JSON APIs do.
        unknown = set(error) - {"code", "message", "errors", "status", "details"}
        if unknown:
            raise ValueError(f"an error with the fields {sorted(unknown)}")
        return
    shape = {"code": int, "message": str, "status": str}
    for name, kind in shape.items():
        if not isinstance(error.get(name), kind):
            raise ValueError(f"an error whose {name} is {error.get(name)!r}")
    if unknown := set(error) - {*shape, "details", "errors"}:
        raise ValueError(f"an error with the fields {sorted(unknown)}")
    # A code of google.rpc.Status is the status's number, that of the JSON form is HTTP's.
    json_format.ParseDict({"message": error["message"], "details": error.get("details", [])}, status_pb2.Status())


def problems(call):
    """What is wrong with one recorded call, as (what, text)."""
    target = urlsplit(call["target"])
    path = unquote(target.path)
    if path.startswith(OTHERS) or path in ("/", "/token"):
        return
    kind = messages.call_of(call["method"], path)
    failed = call["status"] >= 400
    if kind is None:
        if not failed:
            yield "call", "no message of Google's is known for it"
        return
    if kind.body is not None and call["body"]:
        try:
            parse(without_hidden(json.loads(call["body"])), kind.body)
        except (ValueError, json_format.ParseError) as error:
            yield "body", str(error)
    mask = parse_qs(target.query).get("updateMask")
    if mask and kind.mask is not None and not failed:
        try:
            check_mask(mask[0], kind.mask)
        except ValueError as error:
            yield "mask", str(error)
    if call["answer"] is None:
        return
    try:
        answer = json.loads(call["answer"] or "{}")
        if failed:
            check_error(answer, path.startswith("/compute/"))
        elif kind.answer is not None:
            parse(without_hidden(answer), kind.answer)
    except (ValueError, KeyError, TypeError, json_format.ParseError) as error:
        yield "answer", str(error)


def values(call):
    """What sdk.py is to parse of a call."""
    path = urlsplit(call["target"]).path
    api, kind = "storage", messages.storage_call_of(call["method"], path)
    if path.startswith("/v1/projects/"):
        api, kind = "dataproc", messages.call_of(call["method"], unquote(path))
    given = {"body": call["body"], "answer": call["answer"] if call["status"] < 400 else None}
    for what, text in given.items():
        message = kind and getattr(kind, what)
        if message and text:
            name = getattr(message, "__name__", message)
            yield {"by": call["by"], "api": api, "what": what, "message": name, "value": json.loads(text)}


def main(gathered, *recordings):
    seen, found = collections.Counter(), collections.Counter()
    out = open(gathered, "w", encoding="utf-8")
    for recording in recordings:
        with open(recording, encoding="utf-8") as lines:
            for line in lines:
                call = json.loads(line)
                seen[call["by"]] += 1
                out.writelines(json.dumps(value) + "\n" for value in values(call))
                for what, text in problems(call):
                    path = urlsplit(call["target"]).path
                    shown = call["body"] if what == "body" else call["answer"]
                    found[f"{call['by']}: {call['method']} {path}: {what}: {text}\n    {(shown or '')[:600]}"] += 1
    out.close()
    for problem, times in found.items():
        print(f"{times}x {problem}")
    print("checked " + ", ".join(f"{count} calls of {by}" for by, count in seen.items()))
    return 1 if found or not seen else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
