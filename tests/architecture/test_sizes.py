"""Hard limits on size: past them a file or a function holds more than one idea."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_FILE_LINES = {"src": 600, "tools": 600, "benchmarks": 600, "tests": 800}
MAX_FUNCTION_LINES = 60
MAX_DEPTH = 4  # the aim is 3
BLOCKS = (
    *(ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Match, ast.AsyncFor, ast.AsyncWith),
    *(ast.FunctionDef, ast.AsyncFunctionDef),
)

FILES = sorted(path for folder in MAX_FILE_LINES for path in (ROOT / folder).rglob("*.py"))


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def long_functions(source: str) -> list[str]:
    """Describe each function of more than the allowed lines, its docstring included."""
    found = []
    for function in functions(ast.parse(source)):
        n_lines = (function.end_lineno or 0) - function.lineno + 1
        if n_lines > MAX_FUNCTION_LINES:
            found.append(f"line {function.lineno}: {function.name} has {n_lines} lines")
    return found


def depth(node: ast.AST) -> int:
    """Return how many blocks lie inside each other below the node; `elif` does not count."""
    deepest = 0
    for name, value in ast.iter_fields(node):
        children = value if isinstance(value, list) else [value]
        is_elif = isinstance(node, ast.If) and name == "orelse" and len(children) == 1
        for child in children:
            if isinstance(child, ast.AST):
                counts = isinstance(child, BLOCKS) and not (is_elif and isinstance(child, ast.If))
                deepest = max(deepest, depth(child) + counts)
    return deepest


def test_there_is_something_to_measure():
    assert len(FILES) > 50


def test_no_file_is_too_long():
    too_long = []
    for path in FILES:
        name = path.relative_to(ROOT)
        n_lines, limit = len(path.read_text().splitlines()), MAX_FILE_LINES[name.parts[0]]
        if n_lines > limit:
            too_long.append(f"{name}: {n_lines} lines, limit {limit}; give a part its own file")
    assert not too_long, "\n".join(too_long)


def test_no_function_is_too_long():
    too_long = [
        f"{path.relative_to(ROOT)} {found}, limit {MAX_FUNCTION_LINES}; name a part of it"
        for path in FILES
        for found in long_functions(path.read_text())
    ]
    assert not too_long, "\n".join(too_long)


@pytest.mark.parametrize(("n_lines", "n_found"), [(MAX_FUNCTION_LINES, 0), (61, 1)])
def test_the_limit_itself(n_lines, n_found):
    body = "\n".join("        pass" for _ in range(n_lines - 1))
    assert len(long_functions(f"class A:\n    async def f(self):\n{body}\n")) == n_found


def test_no_function_is_nested_too_deeply():
    too_deep = [
        f"{path.relative_to(ROOT)} line {function.lineno}: {function.name}: return early"
        for path in FILES
        for function in functions(ast.parse(path.read_text()))
        if depth(function) > MAX_DEPTH
    ]
    assert not too_deep, "\n".join(too_deep)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("if a:\n pass\nelif b:\n pass\nelif c:\n pass", 1),
        ("for a in b:\n if c:\n  pass\n else:\n  with d:\n   pass", 3),
        ("match a:\n case 1:\n  if b:\n   pass", 2),
    ],
)
def test_what_depth_means(source, expected):
    assert depth(ast.parse(source)) == expected
