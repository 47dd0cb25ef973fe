"""A psql session whose statements are timed, with what its server process needs."""

import os
import re
import subprocess
import threading
import time

TICK = os.sysconf("SC_CLK_TCK")


class SQLError(Exception):
    pass


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def anonymous_memory(pid):
    """MB that a process has of its own; shared buffers do not count."""
    try:
        found = re.search(r"^RssAnon:\s+(\d+)", read(f"/proc/{pid}/status"), re.M)
    except OSError:
        return 0
    return int(found[1]) / 1024 if found else 0


class Watch(threading.Thread):
    """The most memory that a backend and the parallel workers have at once."""

    def __init__(self, backend, postmaster):
        super().__init__(daemon=True)
        self.backend, self.postmaster = backend, postmaster
        self.most, self.stopping = 0, threading.Event()
        self.start()

    def workers(self):
        for pid in read(f"/proc/{self.postmaster}/task/{self.postmaster}/children").split():
            try:
                if "parallel worker" in read(f"/proc/{pid}/cmdline"):
                    yield pid
            except OSError:
                pass

    def run(self):
        while not self.stopping.wait(0.02):
            self.most = max(self.most, anonymous_memory(self.backend) + sum(map(anonymous_memory, self.workers())))

    def stop(self):
        self.stopping.set()
        self.join()
        return self.most


class Session:
    """psql, to which statements are written and from which rows are read."""

    def __init__(self, database, variables=None):
        self.psql = subprocess.Popen(
            ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse", "-d", database],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8")
        for name, value in (variables or {}).items():
            self.run(f"\\set {name} '{value}'")
        self.pid = int(self.value("SELECT pg_backend_pid()"))
        self.postmaster = int(read(self.value("SHOW data_directory") + "/postmaster.pid").split()[0])

    def run(self, text):
        """The lines that a script prints, its notices among them."""
        self.psql.stdin.write(f"{text}\n\\echo -- done\n")
        self.psql.stdin.flush()
        lines = []
        for line in self.psql.stdout:
            if line == "-- done\n":
                return lines
            lines.append(line[:-1])
        raise SQLError("\n".join(lines[-10:]))

    def rows(self, query):
        return [line.split("|") for line in self.run(query + ";")]

    def value(self, query):
        return self.rows(query)[0][0]

    def cpu(self):
        """Seconds of processor time: this backend's, and that of the workers that have ended."""
        own = int(read(f"/proc/{self.pid}/schedstat").split()[0]) / 1e9
        ended = read(f"/proc/{self.postmaster}/stat").rsplit(")", 1)[1].split()
        return own + (int(ended[13]) + int(ended[14])) / TICK

    def measure(self, text, with_memory=False):
        """Runs a script: its seconds, those of processors, MB of memory (if wanted) and what it printed."""
        watch = Watch(self.pid, self.postmaster) if with_memory else None
        cpu, began = self.cpu(), time.monotonic()
        lines = self.run(text)
        wall, cpu = time.monotonic() - began, self.cpu() - cpu
        return {"wall": wall, "cpu": cpu, "memory": watch.stop() if watch else None, "lines": lines}

    def close(self):
        self.psql.stdin.close()
        self.psql.wait()
