"""The package as it is handed out: what is in it, and that it works away from the checkout."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tarfile
from configparser import ConfigParser
from pathlib import Path
from zipfile import ZipFile

import pytest

import journal_postfix
from journal_postfix.database import SQL

PROJECT = Path(__file__).parents[1]
PACKAGE = PROJECT / "journal_postfix"
SOURCES = (
    "setup.cfg", "pyproject.toml", "MANIFEST.in", "LICENSE", "README.rst", "CHANGELOG.rst",
    "journal_postfix", "sql", "share", "docs", "script", "service", "ansible",
)  # fmt: skip
SHARED = sorted(path.relative_to(PROJECT).as_posix() for path in PROJECT.glob("share/**/*")
                if path.is_file())  # fmt: skip
FILES = sorted(path.relative_to(PROJECT).as_posix() for path in PROJECT.glob("sql/**/*.sql"))


def command(*words: object, **options: object) -> str:
    """What a program prints; its errors are the test's."""
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built by way of a source distribution, as it goes to a package index."""
    folder = tmp_path_factory.mktemp("package")
    for name in SOURCES:
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, folder / name, symlinks=True)
        elif (PROJECT / name).exists():
            shutil.copy(PROJECT / name, folder)
    command(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", folder)
    (built,) = (folder / "dist").glob("*.whl")
    assert len(list((folder / "dist").glob("*.tar.gz"))) == 1
    return built


def test_wheel_carries_every_sql_file(wheel: Path) -> None:
    """The SQL of the checkout is the SQL of the package, no file less."""
    names = ZipFile(wheel).namelist()
    assert sorted(n for n in names if n.endswith(".sql")) == [f"journal_postfix/{f}" for f in FILES]


def test_wheel_carries_what_belongs_to_the_system(wheel: Path) -> None:
    """Manual pages, completions and the example configuration go to PREFIX/share."""
    names = {name.partition(".data/data/")[2] for name in ZipFile(wheel).namelist()}
    assert len(SHARED) >= 6
    assert set(SHARED) <= names


def test_source_distribution_is_complete(wheel: Path) -> None:
    """It has the documentation with its sample, and what makes the generated files."""
    (packed,) = wheel.parent.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {*SHARED, *(f"journal_postfix/{file}" for file in FILES)} <= names
    assert {"docs/index.rst", "docs/sample/mail.log.xz", "docs/making/__main__.py"} <= names
    assert {"CHANGELOG.rst", "README.rst", "script/make-docs", "MANIFEST.in"} <= names


def test_wheel_carries_licence_and_types(wheel: Path) -> None:
    """Who gets the wheel gets the licence's text and the type hints."""
    names = ZipFile(wheel).namelist()
    assert "journal_postfix/py.typed" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names) or any(
        name.endswith(".dist-info/LICENSE") for name in names
    )


def test_wheel_carries_the_unit(wheel: Path) -> None:
    """The unit and its drop-ins are where one finds them without knowing Python's version."""
    prefix = f"{wheel.name.rsplit('-', 3)[0]}.data/data/"
    carried = {n.removeprefix(prefix) for n in ZipFile(wheel).namelist() if n.startswith(prefix)}
    names = {f"share/journal-postfix/drop-ins/{p.name}" for p in PROJECT.glob("service/*/*.conf")}
    assert names
    assert names | {"lib/systemd/system/journal-postfix.service"} <= carried


def test_installed_wheel_works_from_any_folder(wheel: Path, tmp_path: Path) -> None:
    """Installed, the package finds its SQL and its command wherever one stands."""
    installed = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command(*pip, "--target", installed, wheel)
    code = "import journal_postfix.database as d; print(d.__file__, len(d.SQL))"
    environment = {"PYTHONPATH": str(installed)}
    found = command(sys.executable, "-c", code, cwd="/", env=environment).split()
    assert found == [str(installed / "journal_postfix" / "database.py"), str(len(FILES))]
    version = command(installed / "bin" / "journal-postfix", "--version", cwd="/", env=environment)
    assert version.split()[-1] == journal_postfix.__version__


def test_every_sql_file_is_loaded() -> None:
    """Each file under sql/ is there under its name, and none is empty."""
    assert sorted(f"sql/{name}.sql" for name in SQL) == FILES
    assert all(text.strip() for text in SQL.values())


def test_sql_is_loaded_by_names_that_exist() -> None:
    """A statement or query that the code names as a text is a file."""
    written = set()
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "SQL":
                written |= {ast.literal_eval(node.slice)} if is_text(node.slice) else set()
    assert written
    assert written <= set(SQL)


def is_text(node: ast.expr) -> bool:
    """Whether a name is written out."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_needs_are_those_of_the_design() -> None:
    """Three packages are needed, the rest are extras, each for a purpose."""
    setup = ConfigParser()
    setup.read(PROJECT / "setup.cfg")
    needed = re.findall(r"^[\w-]+", setup["options"]["install_requires"], re.MULTILINE)
    assert sorted(needed) == ["PyYAML", "psycopg2-binary", "systemd-python"]
    extras = {"embedded", "rich", "zstd", "prometheus", "all", "docs", "test"}
    assert set(setup["options.extras_require"]) == extras
