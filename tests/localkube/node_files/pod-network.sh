#!/bin/sh
# The pod network of a node built here: one CNI configuration, one masquerade rule, one route to each other node.
# Plain routing is enough, for all nodes are neighbours in one network of the engine. Network policies are not enforced.
set -u
node=${NODE_NAME:?} subnet=${POD_SUBNET:?}

until own_range=$(kubectl get node "$node" -o 'jsonpath={.spec.podCIDR}') && [ -n "$own_range" ]; do sleep 0.5; done

# Written whole, then renamed: containerd reads the folder whenever it changes.
cat > /etc/cni/net.d/.new <<JSON
{"cniVersion": "0.4.0", "name": "pod-network", "plugins": [
  {"type": "ptp", "ipMasq": false, "mtu": 1500,
   "ipam": {"type": "host-local", "dataDir": "/run/cni-ipam-state",
            "routes": [{"dst": "0.0.0.0/0"}], "ranges": [[{"subnet": "$own_range"}]]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
JSON
mv /etc/cni/net.d/.new /etc/cni/net.d/10-pod-network.conflist

leaving="-s $subnet ! -d $subnet -m addrtype ! --dst-type LOCAL -j MASQUERADE"
# shellcheck disable=SC2086 # the rule is a list of words
iptables -t nat -C POSTROUTING $leaving 2>/dev/null || iptables -t nat -A POSTROUTING $leaving

nodes='{range .items[*]}{.metadata.name} {.spec.podCIDR} {.status.addresses[?(@.type=="InternalIP")].address}{"\n"}{end}'
while :; do
  kubectl get nodes -o "jsonpath=$nodes" | while read -r name range address _; do
    [ "$name" = "$node" ] || [ -z "$address" ] || ip route replace "$range" via "$address"
  done
  sleep 5
done
