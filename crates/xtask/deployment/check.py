"""What the files in docs/deployment say about each other, where no checker of a format knows it.

`cargo xtask deployment` runs it with the directory as its argument. It prints each mistake, and exits with 1 if there
is one.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

DEPLOYMENT = Path(sys.argv[1])
# The seconds in which a node ends, of docs/operations.md (Stopping).
NODE_ENDS_IN = 10
ATTACHMENTS = "CHAT_ATTACHMENTS_URL"

problems = []


def check(holds, problem):
    """Notes a problem unless the condition holds."""
    if not holds:
        problems.append(problem)


def text(name):
    return (DEPLOYMENT / name).read_text()


def load(name):
    return yaml.safe_load(text(name))


def seconds(time):
    """The seconds of a time such as 500ms, 15s or 1m."""
    number, unit = re.fullmatch(r"(\d+)(ms|s|m)", str(time)).groups()
    return int(number) * {"ms": 0.001, "s": 1, "m": 60}[unit]


def secrets_made():
    """The files that make-secrets.sh makes, with their modes. It runs on a copy, twice, and changes nothing the second
    time."""
    with tempfile.TemporaryDirectory() as home:
        script = shutil.copy(DEPLOYMENT / "make-secrets.sh", home)
        secrets = Path(home) / "secrets"
        runs = []
        for _ in range(2):
            subprocess.run(["sh", script, "chat.example.com"], check=True)
            runs.append({file.name: file.read_bytes() for file in secrets.iterdir()})
        check(runs[0] == runs[1], "make-secrets.sh changes files that exist")
        check(all(len(content) > 1 for content in runs[0].values()), "make-secrets.sh makes an empty file")
        check(secrets.stat().st_mode & 0o077 == 0, "make-secrets.sh leaves its directory open to others")
        check(all(file.stat().st_mode & 0o044 == 0o044 for file in secrets.iterdir()),
              "make-secrets.sh makes a file that the accounts in the containers cannot read")
        show = ["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", secrets / "tls-certificate"]
        named = subprocess.run(show, check=True, capture_output=True, text=True).stdout
        check("DNS:chat.example.com" in named, "make-secrets.sh makes a certificate for another host")
        password = runs[0]["redis-password"].decode().strip()
        check(f">{password} " in runs[0]["redis-users"].decode() and f":{password}@" in runs[0]["redis-url"].decode(),
              "make-secrets.sh gives Redis and the nodes different passwords")
        return set(runs[0])


def check_compose(account):
    compose = load("compose.yml")
    services = compose["services"]
    nodes = {name: service for name, service in services.items() if name.startswith("node-")}
    check(len(nodes) == 2, "compose.yml has not two nodes")
    one, other = nodes.values()
    without_volumes = [{key: value for key, value in node.items() if key != "volumes"} for node in (one, other)]
    check(without_volumes[0] == without_volumes[1], "the nodes of compose.yml differ in more than their volumes")

    options = one["environment"]
    check(options["CHAT_MIGRATE"] == "off", "the nodes of compose.yml migrate")
    check(services["migrate"]["command"] == ["migrate", "up"], "compose.yml does not migrate")
    check(one["depends_on"]["migrate"]["condition"] == "service_completed_successfully", "nodes do not wait for it")
    attachments = options[ATTACHMENTS].removeprefix("file://")
    for name, node in nodes.items():
        check(f"attachments:{attachments}" in node["volumes"], f"{name} has its own attachments")
        check(f"{name}:/var/lib/chat" in node["volumes"], f"{name} has no volume of its own")
    with_s3 = load("compose.s3.yml")["services"]
    check(set(with_s3) == set(nodes), "compose.s3.yml is not for the nodes of compose.yml")
    check(len({json.dumps(node, sort_keys=True) for node in with_s3.values()}) == 1, "the nodes of compose.s3.yml differ")
    for name, node in with_s3.items():
        check(node["environment"][ATTACHMENTS].startswith("s3://"), f"{name} of compose.s3.yml has no bucket")
    # The times that Docker gives a process before it kills it, against what it needs.
    needed = NODE_ENDS_IN + seconds(options.get("CHAT_DRAIN_DELAY", "0s"))
    check(seconds(one["stop_grace_period"]) > needed, "compose.yml kills nodes before they have ended")

    declared = set(compose["secrets"])
    for name, service in services.items():
        mounted = set(service.get("secrets", []))
        check(mounted <= declared, f"{name} mounts secrets that compose.yml does not have")
        named = set(re.findall(r"/run/secrets/([\w-]+)", json.dumps(service)))
        if name == "nginx":
            named |= set(re.findall(r"/run/secrets/([\w-]+)", text("nginx.conf")))
        check(named == mounted if name != "migrate" else named <= mounted,
              f"{name} names the secrets {sorted(named)} and mounts {sorted(mounted)}")
    files = {Path(secret["file"]) for secret in compose["secrets"].values()}
    check(all(file.parent == Path("secrets") for file in files), "compose.yml reads secrets from elsewhere")
    missing = {file.name for file in files} - secrets_made()
    check(not missing, f"make-secrets.sh does not make {sorted(missing)}")

    subnet = compose["networks"]["front"]["ipam"]["config"][0]["subnet"]
    check(options["CHAT_TRUSTED_PROXIES"] == subnet, "the nodes of compose.yml trust other addresses than nginx's")
    check(compose["networks"]["back"]["internal"], "the network of the databases leads out of the machine")
    for name in ("postgres", "redis", "migrate"):
        check(services[name]["networks"] == ["back"], f"{name} is not on the network `back` alone")
    check(services["nginx"]["networks"] == ["front"], "nginx reaches the databases")
    published = [name for name, service in services.items() if "ports" in service]
    check(published == ["nginx"], f"compose.yml publishes ports of {published}")

    upstream = set(re.findall(r"server (node-\d+:\d+)", text("nginx.conf")))
    check(upstream == {f"{name}:8080" for name in nodes}, f"nginx.conf passes requests to {sorted(upstream)}")
    proxied = set(re.search(r"reverse_proxy (.*) \{", text("Caddyfile"))[1].split())
    check(proxied == upstream, f"the Caddyfile passes requests to {sorted(proxied)}")
    targets = set(load("prometheus/prometheus.yml")["scrape_configs"][0]["static_configs"][0]["targets"])
    check(targets == {f"{name}:9464" for name in nodes}, f"prometheus.yml asks {sorted(targets)}")

    dockerfile = text("Dockerfile")
    check(f"USER {account}:{account}" in dockerfile, "the Dockerfile has another account than collect.sh")
    check("CHAT_LISTEN=0.0.0.0:8080" in dockerfile and "CHAT_ADMIN_LISTEN=0.0.0.0:9464" in dockerfile,
          "the image listens on other ports than its users ask")


def check_kubernetes(account):
    directory = DEPLOYMENT / "kubernetes"
    kustomization = load("kubernetes/kustomization.yaml")
    others = {"kustomization.yaml", "migrate.yaml"}
    # Directories have what is not for this kustomization, such as values of other charts.
    files = {file.name for file in directory.iterdir() if file.is_file()}
    check(set(kustomization["resources"]) == files - others, "kustomization.yaml does not list the other files")

    options = load("kubernetes/options.yaml")["data"]
    nodes = load("kubernetes/nodes.yaml")["spec"]
    pod = nodes["template"]["spec"]
    labels = nodes["template"]["metadata"]["labels"]
    container = pod["containers"][0]
    selectors = {
        "nodes.yaml": nodes["selector"]["matchLabels"],
        "service.yaml": load("kubernetes/service.yaml")["spec"]["selector"],
        "disruption.yaml": load("kubernetes/disruption.yaml")["spec"]["selector"]["matchLabels"],
        "network.yaml": load("kubernetes/network.yaml")["spec"]["podSelector"]["matchLabels"],
    }
    for name, selector in selectors.items():
        check(selector.items() <= labels.items(), f"{name} selects no node")
    migration = load("kubernetes/migrate.yaml")["spec"]["template"]
    check(not selectors["service.yaml"].items() <= migration["metadata"]["labels"].items(),
          "service.yaml sends requests to the migration")
    check(selectors["network.yaml"].items() <= migration["metadata"]["labels"].items(),
          "network.yaml leaves the migration out")
    target = load("kubernetes/autoscaling.yaml")["spec"]["scaleTargetRef"]["name"]
    check(target == load("kubernetes/nodes.yaml")["metadata"]["name"], "autoscaling.yaml scales something else")

    ingress = load("kubernetes/ingress.yaml")["spec"]
    rule = ingress["rules"][0]
    check(options["CHAT_PUBLIC_URL"] == f"https://{rule['host']}" and ingress["tls"][0]["hosts"] == [rule["host"]],
          "options.yaml and ingress.yaml have different hosts")
    served = {path["path"]: path["backend"]["service"]["name"] for path in rule["http"]["paths"]}
    nowhere = load("kubernetes/nowhere.yaml")
    hidden = {path for path, service in served.items() if service == nowhere["metadata"]["name"]}
    check(hidden == {"/healthz", "/readyz"} and "selector" not in nowhere["spec"], "ingress.yaml shows the probes")
    check(served["/"] == load("kubernetes/service.yaml")["metadata"]["name"], "ingress.yaml serves something else")

    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    check(ports == {"http": 8080, "metrics": 9464}, "the ports of nodes.yaml are not those of the image")
    paths = {name: (container[name]["httpGet"]["path"], container[name]["httpGet"]["port"])
             for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    check(paths == {"startupProbe": ("/healthz", "metrics"), "livenessProbe": ("/healthz", "metrics"),
                    "readinessProbe": ("/readyz", "http")}, f"the probes of nodes.yaml are {paths}")
    # A node that drains has to be out of service before it stops to listen.
    probe = container["readinessProbe"]
    drain = seconds(options["CHAT_DRAIN_DELAY"])
    noticed = probe["periodSeconds"] * probe["failureThreshold"]
    check(drain > noticed, "CHAT_DRAIN_DELAY is shorter than the probes take")
    check(pod["terminationGracePeriodSeconds"] > drain + NODE_ENDS_IN, "nodes are killed before they have ended")
    check(options["CHAT_MIGRATE"] == "off" and migration["spec"]["containers"][0]["args"] == ["migrate", "up"],
          "the migration is not the Job's alone")

    image = kustomization["images"][0]
    check(container["image"] == image["name"], "kustomization.yaml names another image than nodes.yaml")
    check(migration["spec"]["containers"][0]["image"] == f"{image['newName']}:{image['newTag']}",
          "the migration is of another version than the nodes")
    for name, spec in (("nodes.yaml", pod), ("migrate.yaml", migration["spec"])):
        context = spec["securityContext"]
        accounts = {context["runAsUser"], context["runAsGroup"], context["fsGroup"]}
        check(accounts == {account} and context["runAsNonRoot"], f"{name} runs as another account than the image's")
        own = spec["containers"][0]["securityContext"]
        check(own["readOnlyRootFilesystem"] and own["capabilities"] == {"drop": ["ALL"]}
              and not own["allowPrivilegeEscalation"], f"{name} may do more than it needs")
        mounts = {mount["name"]: mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]}
        check(set(mounts) == {volume["name"] for volume in spec["volumes"]}, f"{name} mounts other volumes than it has")
        check(mounts["secrets"] == "/run/secrets/chat", f"{name} has its secrets elsewhere")
    files = [value for name, value in options.items() if name.endswith("_FILE")]
    check(files and all(file.startswith("/run/secrets/chat/") for file in files), "options.yaml names other secrets")
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    check(options[ATTACHMENTS].removeprefix("file://") in mounted, "the attachments of the nodes are on no volume")
    claimed = pod["volumes"][-1]["persistentVolumeClaim"]["claimName"]
    check(claimed == load("kubernetes/attachments.yaml")["metadata"]["name"], "nodes.yaml claims another volume")
    created = set(re.findall(r"--from-file=([\w.-]+)", text("README.md")))
    check({Path(file).name for file in files} <= created, "README.md does not create every secret of options.yaml")


def check_prometheus():
    rules = [rule for group in load("prometheus/rules.yml")["groups"] for rule in group["rules"]]
    cases = {case["name"]: case for case in load("prometheus/rules.test.yml")["tests"]}
    check({rule["alert"] for rule in rules} == set(cases), "not every alert has a case, or a case has no alert")
    for rule in rules:
        check(set(rule["annotations"]) == {"summary", "remedy"}, f"{rule['alert']} has no summary or no remedy")
        tests = cases.get(rule["alert"], {}).get("promql_expr_test", [{}, {}])
        before, after = (test.get("exp_samples", []) for test in tests)
        fired = [f'alertname="{rule["alert"]}"' in sample["labels"] for sample in after]
        check(before == [] and fired == [True], f"the case of {rule['alert']} does not show when it fires")
    queries = text("prometheus/rules.yml") + text("grafana/dashboard.json").replace("\\", "")
    jobs = set(re.findall(r'job="([\w-]+)"', queries))
    scraped = {job["job_name"] for job in load("prometheus/prometheus.yml")["scrape_configs"]}
    check(jobs <= scraped, f"rules or dashboard name the jobs {sorted(jobs)}, prometheus.yml {sorted(scraped)}")


def check_service():
    service = text("systemd/chat-server.service")
    stop = seconds(re.search(r"^TimeoutStopSec=(.*)$", service, re.M)[1])
    check(stop > NODE_ENDS_IN, "chat-server.service is killed before it has ended")
    credentials = set(re.findall(r"^#?LoadCredential=([\w-]+):", service, re.M))
    used = set(re.findall(r"%d/([\w-]+)", service))
    check(credentials == used, f"chat-server.service loads {sorted(credentials)} and uses {sorted(used)}")


def main():
    os.umask(0o022)
    account = int(re.search(r"^id=(\d+)$", text("image/collect.sh"), re.M)[1])
    check_compose(account)
    check_kubernetes(account)
    check_prometheus()
    check_service()
    for problem in problems:
        print(f"[deployment] {problem}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
