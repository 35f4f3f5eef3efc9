"""Checks that files and functions stay small enough to be read at once: python -m tests.lint_sizes"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

FILE_LINES = 250
FUNCTION_LINES = 50


def too_long(path: Path) -> Iterator[str]:
    """What is too long in a file, one line each."""
    text = path.read_text()
    lines = text.count("\n")
    if lines > FILE_LINES:
        yield f"{path}: {lines} lines, a file has at most {FILE_LINES}"
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES:
                    yield f"{path}:{node.lineno}: {node.name} has {length} lines, a function at most {FUNCTION_LINES}"


def sources() -> list[Path]:
    """Every Python and SQL file that git tracks, or would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py", "*.sql"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [path for line in listed if (path := Path(line)).exists()]


def main() -> int:
    paths = sources()
    found = [line for path in paths for line in too_long(path)]
    for line in found:
        print(line)  # noqa: T201  a command's output
    print(f"sizes: {len(paths)} files, {len(found)} too long")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
