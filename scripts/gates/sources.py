"""The tree the gates look at: our source files, wherever the checkout is."""

import argparse
import os
import sys

LIBRARIES = ("base", "chunker", "repo", "pgsupport", "sqlitesupport", "engine", "cli")
CODE_FOLDERS = LIBRARIES + ("bench", "tests")


def root_argument(description):
    """Parses the options every gate has; returns the root of the tree to check."""
    parser = argparse.ArgumentParser(description=description)
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(here)),
                        help="tree to check (default: this checkout)")
    return parser.parse_args().root


def files(root, folders=CODE_FOLDERS, endings=(".h", ".cc")):
    """Paths relative to root of the files below folders with one of the endings, sorted."""
    found = []
    for folder in folders:
        for directory, names, entries in os.walk(os.path.join(root, folder)):
            names[:] = [n for n in names if not n.startswith((".", "build", "__pycache__"))]
            found += [os.path.relpath(os.path.join(directory, e), root)
                      for e in entries if e.endswith(endings)]
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def finish(gate, problems, checked):
    """Prints the problems and leaves: 0 when there are none. A gate that saw nothing fails."""
    if checked == 0:
        problems = [*problems, "nothing to check: wrong root?"]
    for problem in problems:
        print(f"{gate}: {problem}")
    if not problems:
        print(f"{gate}: {checked} checked")
    sys.exit(1 if problems else 0)
