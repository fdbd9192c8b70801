"""Parses what strict.py gathered with the messages inside gcloud, which know Cloud Storage's and a few fields more.

Usage: sdk.py SDK_ROOT VALUES — VALUES holds one JSON object a line: by, api, what, message, value.
"""

import json
import sys


def main(root, values):
    sys.path[:0] = [f"{root}/lib", f"{root}/lib/third_party"]
    from apitools.base.py import encoding
    from googlecloudsdk.generated_clients.apis.dataproc.v1 import dataproc_v1_messages as dataproc
    from googlecloudsdk.generated_clients.apis.storage.v1 import storage_v1_messages as storage

    apis = {"dataproc": dataproc, "storage": storage}

    def unknown(message, place):
        """Every field that the message was given and does not have."""
        for name in message.all_unrecognized_fields():
            yield f"{place}.{name}"
        for field in message.all_fields():
            held = getattr(message, field.name)
            for one in held if field.repeated else [held]:
                if hasattr(one, "all_unrecognized_fields") and field.name not in ("metadata", "response", "additionalProperties"):
                    yield from unknown(one, f"{place}.{field.name}")

    found, count = {}, 0
    with open(values, encoding="utf-8") as lines:
        for line in lines:
            one = json.loads(line)
            kind = getattr(apis[one["api"]], one["message"], None)
            if kind is None:
                continue
            count += 1
            try:
                message = encoding.JsonToMessage(kind, json.dumps(one["value"]))
                problems = list(unknown(message, one["message"]))
            except Exception as error:  # apitools raises many kinds
                problems = [f"{one['message']}: {error}"]
            for problem in problems:
                found[f"{one['by']}: {one['what']}: {problem}"] = json.dumps(one["value"])[:600]
    for problem, value in found.items():
        print(f"{problem}\n    {value}")
    print(f"checked {count} messages")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
