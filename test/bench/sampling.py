"""Where the processor time of a session goes: perf looks many times a second at what it does."""

import re
import subprocess
import tempfile
from collections import Counter

from crm import HERE

# What PostgreSQL's functions do, wherever they are called from; the rest counts for the source file of salkpi that calls it.
POSTGRES = {
    "rows taken apart (PostgreSQL)": "slot_getsomeattrs_int slot_getsomeattrs_ext",
    "tables read (PostgreSQL)": "heap_getnextslot heap_getnextslot_tidrange index_getnext_slot heap_fetch tuplesort_gettupleslot ReadBufferExtended",
    "joins (PostgreSQL)": "MultiExecHash ExecHashGetHashValue ExecScanHashBucket",
    "entries of indexes (PostgreSQL)": "ExecInsertIndexTuples btinsert",
    "rows written (PostgreSQL)": "heap_insert heap_update heap_multi_insert heap_toast_insert_or_update XLogInsert XLogFlush",
    "statements analyzed and planned (PostgreSQL)": "standard_planner parse_analyze_fixedparams parse_analyze_varparams parse_analyze_withcb pg_parse_query raw_parser QueryRewrite"}
LANDMARKS = {function: what for what, functions in POSTGRES.items() for function in functions.split()}


class Unavailable(Exception):
    pass


def files_of_functions():
    """{function: the files of src/ that define it}: names begin a line there, but for sorts, which PostgreSQL's template makes."""
    files = {}
    for path in (HERE.parent.parent / "src").glob("*.[ch]"):
        for name in re.findall(r"^(?:#define ST_SORT\s+)?(\w+)(?:\(|$)", path.read_text(encoding="utf-8"), re.M):
            files.setdefault(name, set()).add(path.name)
    return files


def place(stack, files):
    """What a stack of functions, the innermost first, is doing."""
    of = None  # the files that the innermost function of salkpi may be of
    for function, library in stack:
        if "salkpi" not in library:
            if of is None and function in LANDMARKS:
                return LANDMARKS[function]
            continue
        found = files.get(function.split(".")[0], set())
        of = found if not of else of & found or of
        if len(of) == 1:
            break
    return min(of) if of else "what else it does (PostgreSQL)"


def sample(session, script):
    """{what: its share of the processor time of a script, in percent}, largest first."""
    with tempfile.NamedTemporaryFile(suffix=".perf") as file:
        try:
            perf = subprocess.Popen(["perf", "record", "-q", "-F", "1999", "--call-graph", "fp", "-p", str(session.pid), "-o", file.name],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        except FileNotFoundError:
            raise Unavailable("there is no perf (package linux-perf)") from None
        try:
            session.run("SELECT pg_sleep(0.5) \\g /dev/null\n" + script)
        finally:
            perf.terminate()
            said = perf.communicate()[1]
        listed = subprocess.run(["perf", "script", "-i", file.name, "-F", "ip,sym,dso"], capture_output=True, text=True, check=False)
    files, found = files_of_functions(), Counter()
    for stack in listed.stdout.split("\n\n"):
        frames = re.findall(r"^\s*[0-9a-f]+ (\S+).* \((\S+)\)$", stack, re.M)
        if frames:
            found[place(frames, files)] += 1
    if found.total() < 100:
        raise Unavailable(f"perf cannot look at the server: {(said + listed.stderr).strip().splitlines()[:1]}")
    return {what: 100 * n / found.total() for what, n in found.most_common()}


def shares_table(columns, least=1):
    """Rows of what takes at least so many percent of one of the columns, {name: shares}."""
    names = sorted({what for shares in columns.values() for what in shares}, key=lambda what: -sum(shares.get(what, 0) for shares in columns.values()))
    shown = [what for what in names if max(shares.get(what, 0) for shares in columns.values()) >= least]
    rows = [(what, *(f"{shares.get(what, 0):.1f}" for shares in columns.values())) for what in shown]
    rest = [100 - sum(shares.get(what, 0) for what in shown) for shares in columns.values()]
    return [("percent of processor time", *columns), *rows, ("the rest", *(f"{share:.1f}" for share in rest))]
