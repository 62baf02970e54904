"""A Ray cluster of several nodes on this machine, in a process of its own, that does as lines on its input say.

`python tests/kit/ray_nodes.py FOLDER`: says {"address": …}, then answers each line with one JSON object. All that Ray
writes is in FOLDER. Nodes are at 127.0.0.3 and so on, the head at 127.0.0.2: what listens at 127.0.0.1 Ray takes for
another machine's.
"""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

MB = 2**20
HEAD = {"num_cpus": 0, "object_store_memory": 80 * MB, "include_dashboard": False}
NODE = {"num_cpus": 2, "object_store_memory": 80 * MB}


class Nodes:
    """The cluster, and what tests do to it."""

    def __init__(self, folder):
        from ray.cluster_utils import Cluster

        self._places = iter(range(3, 250))
        self._cluster = Cluster(
            initialize_head=True, head_node_args={**HEAD, "node_ip_address": "127.0.0.2", "temp_dir": f"{folder}/ray"}
        )
        self._nodes = {}

    @property
    def address(self):
        return self._cluster.address

    def add(self, cpus=2):
        node = f"127.0.0.{next(self._places)}"
        self._nodes[node] = self._cluster.add_node(**{**NODE, "num_cpus": cpus}, node_ip_address=node)
        return node

    def kill(self, node):
        """Its power is cut."""
        self._cluster.remove_node(self._nodes.pop(node), allow_graceful=False)

    def drain(self, node, seconds=20):
        """As a cloud says that it takes a machine away."""
        words = [str(Path(sys.executable).with_name("ray")), "drain-node", "--address", self.address]
        words += ["--node-id", self._nodes[node].node_id, "--reason", "DRAIN_NODE_REASON_PREEMPTION"]
        words += ["--reason-message", "spot", "--deadline-remaining-seconds", str(seconds)]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def actors(self, node=None):
        """The processes of workers, on one node or on all."""
        found = []
        for one in self._nodes if node is None else [node]:
            raylet = self._nodes[one].all_processes["raylet"][0].process.pid
            for child in Path(f"/proc/{raylet}/task/{raylet}/children").read_text().split():
                with suppress(OSError):
                    if Path(f"/proc/{child}/cmdline").read_text().startswith("ray::Actor"):
                        found.append(int(child))
        return found

    def kill_gcs(self):
        self._cluster.head_node.kill_gcs_server()

    def start_gcs(self):
        self._cluster.head_node.start_gcs_server()

    def end(self):
        self._cluster.shutdown()


def main(folder):
    out = os.dup(1)
    os.dup2(2, 1)  # Ray prints
    answers = os.fdopen(out, "w", buffering=1)
    nodes = Nodes(folder)
    print(json.dumps({"address": nodes.address}), file=answers)
    for line in sys.stdin:
        word, *arguments = json.loads(line)
        print(json.dumps({word: getattr(nodes, word)(*arguments)}), file=answers)
    nodes.end()


if __name__ == "__main__":
    main(sys.argv[1])
