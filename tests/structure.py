"""Structure: what the sources must look like, as functions from sources to problems.

Pure: they see parsed files, never the disk, so that test_layers.py can show
each rule a file that breaks it. A problem reads `file:line: what, and what to do`.
"""

import ast
import functools
import graphlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import layers

PACKAGE: Final = Path(__file__).parents[1] / "src" / "lightwork"
MAX_FILE_LINES: Final = 500
MAX_FUNCTION_LINES: Final = 50
MAX_POSITIONAL: Final = 5
# Alembic owns the shape of a revision: one function per direction, as long as the tables are.
GENERATED: Final = "store/migrations/versions/"
# Any of these in a rule means that it looks at the world instead of being told.
IMPURE_MODULES: Final = frozenset(
    {
        "alembic",
        "asyncio",
        "lightwork.clock",
        "multiprocessing",
        "os",
        "random",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "sqlalchemy",
        "sqlite3",
        "subprocess",
        "tempfile",
        "threading",
        "time",
    }
)
IMPURE_CALLS: Final = frozenset({"open", "print", "input", "now", "utcnow", "today"})
# What --help loads may import late anywhere: it must be quick.
OF_HELP: Final = ("cli/", "terminal/")
# (file, function) that may import late elsewhere, with the reason.
LATE_IMPORTS: Final = {
    ("numeric.py", "as_number"): "numbers: only for foreign ones",
    ("by_value/bindings.py", "__init__"): "hashlib: only for what goes by value",
    ("pool/call/reporter.py", "report"): "dataclasses: only for a call that reports",
    ("callables.py", "parse_job_id"): "uuid: only for who names a job",
    ("pool/executor/executor.py", "on"): "dataclasses: only for who listens",
    ("pool/executor/executor.py", "_start_observed"): "the same",
    (
        "pool/executor/executor.py",
        "_start_after",
    ): "calls that wait for futures: only where there is one",
    ("pool/executor/executor.py", "map"): "all that a map needs: only for maps",
    ("pool/executor/executor.py", "map_async"): "all that a map needs: only for maps",
    ("pool/executor/executor.py", "starmap"): "all that a map needs: only for maps",
    ("pool/executor/executor.py", "_start_map"): "all that a map needs: only for maps",
    ("pool/link/children.py", "_output_reader"): "only for a pool with output=",
    (
        "pool/map/trial.py",
        "put_error",
    ): "dataclasses: only for an error that has no room on the board",
    ("pool/process/executor.py", "_listener"): "only for a pool with output=",
    ("pool/process/executor.py", "start_call"): "only for a pool with memory_errors=True",
    ("pool/process/settle.py", "following_options"): "only for calls with retries",
    ("pool/process/settle.py", "_fail"): "only for calls with retries",
    ("store/postgresql/packed.py", "_dumper"): "the driver: an extra",
    ("tasks/task.py", "_scheduled"): "cron and time zones: only for a task with a schedule",
    ("error_text.py", "did_you_mean"): "difflib: only for a name that is unknown",
    ("pool/call/current.py", "due_at"): "the ids of schedules: only for who asks",
    ("pool/call/current.py", "current"): "errors.py: only misuse needs it in a child",
    ("pool/child/exchange.py", "redirect_output"): "only for a pool with output=",
    ("pool/child/code_on_disk.py", "_pool_error"): "only when the code was replaced",
    ("pool/child/main.py", "_serve_loop"): "asyncio: only for coroutine functions",
    ("pool/child/exchange.py", "send_logs"): "logging: only for a pool with logs=True",
    ("pool/child/main.py", "_set_authkey"): "multiprocessing: only for programs with managers",
    ("pool/call/thread_exit.py", "_log_failure"): "logging: only for a finalizer that fails",
    ("by_value/dumping.py", "_cloudpickling"): "cloudpickle: only for functions of __main__",
    ("by_value/cloudpickling.py", "reducer_override"): "msgspec: only for Structs of __main__",
    ("error_text.py", "trace_of"): "traceback: only for an error",
    ("error_text.py", "_short_trace_of"): "traceback: only for an error",
    (
        "errors.py",
        "__getattr__",
    ): "the standard library's pools: only when theirs is raised or caught",
    ("pool/call/future.py", "__await__"): "asyncio: only for who awaits, and has it",
    ("pool/executor/executor.py", "__aexit__"): "asyncio: only for who awaits, and has it",
    ("pool/map/mapping.py", "_results_async"): "asyncio: only for who awaits, and has it",
    (
        "pool/wire/load_exception.py",
        "_remote_traceback",
    ): "the standard library's: only for an error",
    ("pool/wire/spawn_args.py", "dump_inheritance"): "multiprocessing: only for initializers",
    ("pool/wire/spawn_args.py", "_dump"): "multiprocessing: only for initializers",
    ("multiprocessing/contexts.py", "Pool"): "pools: not for every child that is a process",
    ("multiprocessing/contexts.py", "Pipe"): "pipes between threads: only for who has any",
    ("pool/link/launch.py", "_interpreter_flags"): "subprocess: only for a Python with options",
    ("pool/open_pool.py", "_open_interpreters"): "only for interpreters",
    ("pool/open_pool.py", "count_slots"): "only for workers",
    ("pool/wire/function.py", "_snapshots"): "only for what goes by value",
    ("pool/open_pool.py", "_class_of"): "each kind of pool: only the one that is asked for",
    ("executors.py", "_open_dask"): "Dask: an extra",
    ("sync/values.py", "__init__"): "msgspec: only for what is in a store",
    ("sync/opening.py", "_open"): "each kind of host: only the one that is asked for",
    ("sync/opening.py", "authkey_of"): "keys: only for what is in a store",
    ("sync/opening.py", "_with_password"): "SQLAlchemy: only for the URL of a store",
    ("net/opening.py", "open_store"): "HTTP, TLS and keys: only for the URL of a server",
    ("executors.py", "_open_store"): "SQLAlchemy: only for the URL of a store",
    ("pool/executor/progress_bar.py", "_with_bar"): "rich: only for progress=True on a terminal",
    ("work/runner.py", "_is_being_cancelled"): "asyncio: only for coroutine functions",
    ("parallel/run.py", "_job_calls"): "SQLAlchemy: only for a map with --url",
    ("contrib/joblib/__init__.py", "register"): "joblib: an extra",
    ("store/sql/schema.py", "migrate"): "Alembic: only when tables are changed",
}

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


# No slots: what is computed once is kept where slots have no room.
@dataclass(frozen=True)
class Source:
    """One file: its path below src/lightwork, and what it says; parsed once for all rules."""

    path: str
    text: str

    @functools.cached_property
    def tree(self) -> ast.Module:
        """The parsed file."""
        return ast.parse(self.text)

    @functools.cached_property
    def nodes(self) -> Sequence[ast.AST]:
        """Everything in the file."""
        return list(ast.walk(self.tree))

    @functools.cached_property
    def functions(self) -> Sequence[tuple[FunctionNode, bool]]:
        """Every function, and whether it is a method."""
        return [
            (child, isinstance(node, ast.ClassDef))
            for node in self.nodes
            for child in ast.iter_child_nodes(node)
            if isinstance(child, FunctionNode)
        ]


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module of `path`, at `line`."""

    path: str
    line: int
    module: str


def read_sources() -> list[Source]:
    """Return every Python file of the package."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return [Source(path.relative_to(PACKAGE).as_posix(), path.read_text("utf-8")) for path in paths]


def find_imports(source: Source, files: frozenset[str]) -> list[Import]:
    """Return each import once, also those inside functions and under TYPE_CHECKING."""
    found = dict.fromkeys(
        Import(source.path, node.lineno, module)
        for node in source.nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for module in _imported_modules(node, files)
    )
    return list(found)


def _imported_modules(node: ast.Import | ast.ImportFrom, files: frozenset[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    origin = "." * node.level + (node.module or "")
    for alias in node.names:
        submodule = f"{origin}.{alias.name}"
        is_module = origin.startswith("lightwork") and layers.module_path(submodule, files)
        yield submodule if is_module else origin


def placement_problems(sources: Sequence[Source]) -> Iterator[str]:
    """Every file has its row."""
    for source in sources:
        if layers.row_of(source.path) < 0:
            yield f"{source.path}:1: belongs to no layer; add it to LAYERS in tests/layers.py"


def import_problems(sources: Sequence[Source]) -> Iterator[str]:
    """A file imports only from rows above its own; nothing imports the face; rules are pure."""
    files = frozenset(source.path for source in sources)
    for source in sources:
        row = layers.row_of(source.path)
        for found in find_imports(source, files):
            where = f"{found.path}:{found.line}"
            if found.module.startswith("."):
                yield f"{where}: relative import; write the full name of the module"
            elif found.module == "lightwork":
                yield f"{where}: imports the package's face; import from the defining module"
            elif layers.LAYERS[row].is_pure and _is_within(found.module, IMPURE_MODULES):
                yield f"{where}: a rule imports {found.module}; let the caller pass in what it needs"
            elif found.module.startswith("lightwork."):
                yield from _order_problems(found, files)


def _order_problems(found: Import, files: frozenset[str]) -> Iterator[str]:
    where, target = f"{found.path}:{found.line}", layers.module_path(found.module, files)
    # A module without a file is mypy's business.
    if not target or layers.are_of_one_part(found.path, target):
        return
    if layers.row_of(target) == layers.row_of(found.path):
        yield f"{where}: imports its sibling {target}; move what both need one row up"
    elif layers.row_of(target) > layers.row_of(found.path):
        yield f"{where}: imports {target} from a row below; pass it in, or move the noun up"


def room_problems(sources: Sequence[Source]) -> Iterator[str]:
    """Inside of a part, a file imports only from its folder and from rooms above it."""
    files = frozenset(source.path for source in sources)
    for source in sources:
        part, row, folder = layers.room_of(source.path)
        if not part:
            continue
        if row < 0:
            yield f"{source.path}:1: {folder}/ is no room of {part}; add it to ROOMS in tests/layers.py"
            continue
        for found in find_imports(source, files):
            target = layers.module_path(found.module, files)
            its_part, its_row, its_folder = layers.room_of(target)
            if its_part == part and its_folder != folder and its_row >= row:
                where = f"{found.path}:{found.line}"
                yield f"{where}: imports {target} from a room below or beside; pass it in"


def folder_problems(sources: Sequence[Source]) -> Iterator[str]:
    """A folder can be seen at one glance."""
    folders = Counter(str(Path(source.path).parent) for source in sources)
    for folder, count in folders.items():
        if count > layers.MAX_FOLDER_FILES:
            yield f"{folder}/:1: {count} files, over {layers.MAX_FOLDER_FILES}; make rooms in it"


def _is_within(module: str, names: frozenset[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in names)


def purity_problems(sources: Sequence[Source]) -> Iterator[str]:
    """Rules do not read the clock or touch files through builtins either."""
    for source in sources:
        if not layers.LAYERS[layers.row_of(source.path)].is_pure:
            continue
        for node in source.nodes:
            if isinstance(node, ast.Call):
                called = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if called in IMPURE_CALLS:
                    yield f"{source.path}:{node.lineno}: a rule calls {called}(); pass the value in"


def cycle_problems(sources: Sequence[Source]) -> Iterator[str]:
    """No file needs itself, however far around."""
    files = frozenset(source.path for source in sources)
    graph = {
        source.path: {
            target
            for found in find_imports(source, files)
            if (target := layers.module_path(found.module, files))
        }
        for source in sources
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        circle = " <- ".join(error.args[1])
        yield f"{error.args[1][0]}:1: import cycle {circle}; move what they share to a file above"


def size_problems(sources: Sequence[Source]) -> Iterator[str]:
    """Files and functions stay readable; a function's docstring is not counted."""
    for source in sources:
        if source.path.startswith(GENERATED):
            continue
        lines = source.text.count("\n")
        if lines > MAX_FILE_LINES:
            yield f"{source.path}:{lines}: over {MAX_FILE_LINES} lines; split it by noun"
        for node, _ in source.functions:
            length = _function_lines(node)
            if length > MAX_FUNCTION_LINES:
                where = f"{source.path}:{node.lineno}: {node.name}"
                yield f"{where} has {length} lines, over {MAX_FUNCTION_LINES}; extract steps"


def parameter_problems(sources: Sequence[Source]) -> Iterator[str]:
    """A call that can be read at its call site: few positional parameters."""
    for source in sources:
        for node, is_method in source.functions:
            count = len(node.args.posonlyargs) + len(node.args.args)
            count -= is_method and not any(
                isinstance(mark, ast.Name) and mark.id == "staticmethod"
                for mark in node.decorator_list
            )
            if count > MAX_POSITIONAL:
                where = f"{source.path}:{node.lineno}: {node.name}"
                yield f"{where} takes {count} positional parameters; make some keyword-only"


def late_import_problems(sources: Sequence[Source]) -> Iterator[str]:
    """What a file needs stands at its top."""
    for path, name, line in late_imports(sources):
        if not path.startswith(OF_HELP) and (path, name) not in LATE_IMPORTS:
            yield (
                f"{path}:{line}: {name} imports late; move the import to the top, or add the"
                " function with its reason to LATE_IMPORTS in tests/structure.py"
            )


def late_imports(sources: Sequence[Source]) -> Iterator[tuple[str, str, int]]:
    """Yield file, function and line of every import inside a function."""
    for source in sources:
        for node, _ in source.functions:
            for inner in _own_nodes(node):
                if isinstance(inner, ast.Import | ast.ImportFrom):
                    yield source.path, node.name, inner.lineno


def docstring_problems(sources: Sequence[Source]) -> Iterator[str]:
    """Every file says what it owns."""
    for source in sources:
        if not ast.get_docstring(source.tree):
            yield f"{source.path}:1: no docstring; say what it owns, what it must never do"


def _own_nodes(function: FunctionNode) -> Iterator[ast.AST]:
    """Yield what the function holds, except what belongs to a function inside it."""
    waiting: list[ast.AST] = [*function.body]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, FunctionNode):
            waiting.extend(ast.iter_child_nodes(node))


def _function_lines(node: FunctionNode) -> int:
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node) is not None and first.end_lineno:
        lines -= first.end_lineno - first.lineno + 1
    return lines
