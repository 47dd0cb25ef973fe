"""The files that make a PostgreSQL with salkpi and a Grafana out of nothing fit
together: docker-compose.yaml, Dockerfile, the provisioning and the dashboards.
Usage: compose.py DIRECTORY_OF_GRAFANA; prints "ok" or "not ok", and what, a line."""
import fnmatch
import json
import os
import re
import sys

import yaml

here = sys.argv[1]
root = os.path.join(here, "..")


def check(wrong, what):
    print("not ok" if wrong else "ok", "-", what)
    for line in wrong:
        print("#", line)


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def inside(path, directory):
    return os.path.commonpath([path, directory]) == directory and path != directory


def expanded(text, values):
    """Compose's ${NAME}, ${NAME:-default} and ${NAME:?message}."""
    return re.sub(r"\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}", lambda m: values.get(m[1], m[2] or "given"), text)


def copied(dockerfile):
    """(stage or None, source) of each COPY."""
    for arguments in re.findall(r"(?m)^COPY (.*)$", dockerfile):
        stage = re.match(r"--from=(\S+) ", arguments)
        for source in re.sub(r"^--\S+ ", "", arguments).split()[:-1]:
            yield (stage[1] if stage else None), source


text = read(here, "docker-compose.yaml")
compose = yaml.safe_load(text)
db, grafana = compose["services"]["db"], compose["services"]["grafana"]
languages = sorted(os.listdir(os.path.join(here, "dashboards")))
provisioned = {name: yaml.safe_load(read(here, "provisioning", name, "salkpi.yaml")) for name in ("datasources", "dashboards")}

# Secrets.
named = re.findall(r"\$\{(\w+)(:[-?])?", text)
check([name for name, kind in named if not kind], "each variable has a default or must be given")
check([name for name, kind in named if "PASSWORD" in name and kind != ":?"], "passwords must be given")
check([f"{service}: {name}" for service, s in compose["services"].items() for name, value in s["environment"].items()
       if "PASSWORD" in name and not re.fullmatch(r"\$\{\w+:\?[^}]+\}", str(value))], "none is in the file")

# What is mounted.
wrong = []
for language in languages:
    for service, s in compose["services"].items():
        targets = []
        for volume in s["volumes"]:
            source, target, *mode = expanded(volume, {"SALKPI_LANGUAGE": language}).split(":")
            if source.startswith("."):
                if not os.path.exists(os.path.join(here, source)):
                    wrong.append(f"{service}: there is no {source}")
            elif source not in compose["volumes"]:
                wrong.append(f"{service}: volume {source} is not declared")
            targets.append((target, mode))
        # A mount point within what is mounted read-only cannot be made.
        wrong += [f"{service}: {a} lies in the read-only {b}" for a, _ in targets for b, mode in targets if inside(a, b) and "ro" in mode]
check(wrong, f"what is mounted is there ({', '.join(languages)})")
mounted = [v.split(":")[-2] for v in grafana["volumes"]]

# The image.
build = db["build"]
context = os.path.normpath(os.path.join(here, build["context"]))
dockerfile = read(context, build["dockerfile"])
ignored = read(context, build["dockerfile"] + ".dockerignore").split()
stages = re.findall(r"(?m)^FROM \S+ AS (\S+)$", dockerfile)
wrong = [f"there is no stage {stage}" for stage, _ in copied(dockerfile) if stage and stage not in stages]
for stage, source in copied(dockerfile):
    if not stage and not os.path.exists(os.path.join(context, source)):
        wrong.append(f"there is no {source}")
    if any(fnmatch.fnmatch(source, pattern.replace("**/", "*")) for pattern in ignored):
        wrong.append(f"{source} is ignored")
check(wrong, "what the image copies is there")
check([f"it is {name}" for name in re.findall(r"(?m)^FROM (\S+)", dockerfile) if not re.fullmatch(r"postgres:(1[5-9])", name)],
      "the image is of a PostgreSQL that salkpi knows")
check([] if "cron" in dockerfile and "shared_preload_libraries=pg_cron" in db["command"]
      and f"cron.database_name={db['environment']['POSTGRES_DB']}" in db["command"] else [db["command"]], "pg_cron lives in the database that is made")
check([d for d in grafana["depends_on"] if "healthcheck" not in compose["services"].get(d, {})], "what Grafana waits for can be healthy")

# What Grafana is told.
environment = {name: expanded(str(value), {}) for name, value in grafana["environment"].items()}
used = set(re.findall(r"\$(\w+)", "".join(read(here, "provisioning", name, "salkpi.yaml") for name in provisioned)))
defined = {name for name in environment if name.startswith("SALKPI_")}
check(sorted(used ^ defined), "the provisioning uses the variables that are set")
provider = provisioned["dashboards"]["providers"][0]["options"]["path"]
check([] if environment[provider.lstrip("$")] in mounted else [provider], "and the dashboards' directory is mounted")
home = environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
check([language for language in languages if not os.path.exists(os.path.join(here, "dashboards", language, os.path.basename(home)))]
      if os.path.dirname(home) in mounted else [home], "the home dashboard is one of them")
source = provisioned["datasources"]["datasources"][0]
check([] if environment["SALKPI_HOST"] in compose["services"] and environment["SALKPI_DATABASE"] == db["environment"]["POSTGRES_DB"]
      and grafana["environment"]["SALKPI_PASSWORD"] == db["environment"]["SALKPI_PASSWORD"] else [str(source)],
      "the data source is the database, with the password it has")
wrong = []
for language in languages:
    for name in os.listdir(os.path.join(here, "dashboards", language)):
        content = read(here, "dashboards", language, name)
        document = json.loads(content) if name.endswith(".json") else yaml.safe_load(content)
        uids = set(re.findall(r'"datasourceUid": "([^"]*)"', json.dumps(document)))
        uids |= {d["uid"] for d in re.findall(r'"datasource": (\{[^}]*\})', json.dumps(document)) for d in [json.loads(d)]
                 if d["type"] == source["type"]}
        wrong += [f"{language}/{name}: {uid}" for uid in uids - {source["uid"], "__expr__"}]
        if source["uid"] not in uids:
            wrong.append(f"{language}/{name} reads nothing")
check(wrong, "dashboards and alerts read that data source")
