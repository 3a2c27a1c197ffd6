#!/usr/bin/env bash
# Holds the manifests against Kubernetes' schemas, and runs what their containers run, with the variables that the manifests
# and Kubernetes set: as many pods as the Job has, one of which is killed and replaced. No cluster is needed, and none is tried.
#
#     SQUALL=target/release/squall deploy/kubernetes/check.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
SQUALL=$(realpath "${SQUALL-target/release/squall}")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
if ! python3 -m venv "$dir/venv" > "$dir/log"; then
    sudo=()
    [ "$(id -u)" = 0 ] || sudo=(sudo)
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" apt-get install -y -qq --no-install-recommends python3-venv
    python3 -m venv --clear "$dir/venv"
fi
"$dir/venv/bin/pip" install --quiet kubernetes-validate==1.36.0 pyyaml
"$dir/venv/bin/kubernetes-validate" --strict deploy/kubernetes/*.yaml

mkdir "$dir/bin"
ln -s "$SQUALL" "$dir/bin/squall"
export PATH=$dir/bin:$PATH
"$dir/venv/bin/python" - "$dir" <<'PYTHON'
import glob, json, os, signal, subprocess, sys, time, yaml

out = sys.argv[1] + "/out"

def job(name):
    documents = yaml.safe_load_all(open(f"deploy/kubernetes/{name}.yaml"))
    return next(it["spec"] for it in documents if it["kind"] == "Job")

def pod(spec, index=None, seeds=None):
    """What the kubelet would start, on this machine's folder and with fewer seeds."""
    container = spec["template"]["spec"]["containers"][0]
    variables = {it["name"]: it["value"] for it in container["env"]} | {"SQUALL_OUT": out}
    if index is not None:
        variables["JOB_COMPLETION_INDEX"] = str(index)
    words = [seeds if seeds and ".." in word else word for word in container["args"]]
    words = " ".join(words).replace("raft-rs", "raft-rs+apply-retries --profile smoke").split()
    return subprocess.Popen(["deploy/kubernetes/entry.sh", *words], env=os.environ | variables, text=True,
                            stdout=subprocess.PIPE, start_new_session=True)

sweep, merge = job("sweep"), job("merge")
shards = sweep["completions"]
variables = {it["name"]: it["value"] for it in sweep["template"]["spec"]["containers"][0]["env"]}
assert variables["SHARDS"] == str(shards), "SHARDS is not the number of completions"
seeds = "0..8000"
for index in range(shards):
    began = pod(sweep, index, seeds)
    if index == 3:
        # When it has noted how far it is.
        note = f"{out}/shards/shard-{index + 1}-of-{shards}/*.unfinished.json"
        while not any('"runs":0,' not in open(it).read() for it in glob.glob(note)):
            assert began.poll() is None, "it has ended: more seeds are needed"
            time.sleep(0.01)
        os.killpg(began.pid, signal.SIGKILL)
        began.wait()
        began = pod(sweep, index, seeds)
    said = began.communicate()[0]
    assert began.returncode == 0, said
    first = said.splitlines()[0]
    print(first, flush=True)
    assert index != 3 or "going on at seed" in first
    assert f", shard {index + 1}/{shards} by JOB_COMPLETION_INDEX" in first
merged = pod(merge)
print(merged.communicate()[0])
assert merged.returncode == 0
whole = ["squall", "sweep", "--subject", "raft-rs+apply-retries", "--profile", "smoke", "--seeds", seeds, "--no-page", "--no-shrink", "--keep-going"]
subprocess.run([*whole, "--out", out + "/whole", "--json", out + "/whole.json"], stdout=subprocess.DEVNULL)
digests = [json.load(open(f"{out}/{name}.json"))["digest"] for name in ("summary", "whole")]
print("digest of the shards {}, of one sweep {}".format(*digests))
assert digests[0] == digests[1]
PYTHON
diff -r -x merge.json "$dir/out/whole" "$dir/out/merged"
