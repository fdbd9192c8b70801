"""Prints the table of gcloud's commands and flags, from the gcloud that is installed.

Run with the Python that gcloud runs with: CLOUDSDK_CONFIG=$(mktemp -d) python3 generate.py SDK_ROOT > commands.txt
"""

import os
import sys

ROOT = sys.argv[1]
sys.path[:0] = [os.path.join(ROOT, "lib"), os.path.join(ROOT, "lib", "third_party")]

from googlecloudsdk import gcloud_main  # noqa: E402

TREES = [
    "dataproc autoscaling-policies",
    "dataproc clusters",
    "dataproc jobs",
    "dataproc operations",
    "compute ssh",
    "compute scp",
    "logging read",
    "storage cp",
    "storage mv",
    "storage rm",
    "storage ls",
    "storage cat",
    "storage rsync",
]


def leaves(element, path):
    if not element.is_group:
        yield " ".join(path), element
        return
    element.LoadAllSubElements()
    children = {**element.groups, **element.commands}
    for name, child in sorted(children.items()):
        yield from leaves(child, path + [name])


def find(top, words):
    for word in words:
        top = top.LoadSubElement(word.replace("-", "_"))
    return top


def switches(argument):
    """A flag's spellings; `=` behind those that take a value, `?` behind those that may."""
    takes = "" if argument.nargs == 0 else "?" if argument.nargs in ("?", "*") else "="
    for spelling in argument.option_strings:
        if spelling.startswith("-"):
            yield spelling + takes


def line(path, element):
    flags = set()
    arguments = element.ai.flag_args + element.ai.ancestor_flag_args
    for argument in arguments:
        flags.update(switches(argument))
    positionals = " ".join(str(a.nargs) if a.nargs else "1" for a in element.ai.positional_args)
    return path.replace("_", "-"), positionals, flags


def main():
    with open(os.path.join(ROOT, "VERSION"), encoding="utf-8") as version:
        print("version " + version.read().strip())
    top = gcloud_main.CreateCLI([])._TopElement()
    rows = []
    for tree in TREES:
        words = tree.split()
        rows += [line(path, element) for path, element in leaves(find(top, words), words)]
    everywhere = set.intersection(*(flags for _, _, flags in rows))
    print("everywhere: " + " ".join(sorted(everywhere)))
    for path, positionals, flags in rows:
        print(f"{path} ({positionals}): " + " ".join(sorted(flags - everywhere)))


main()
