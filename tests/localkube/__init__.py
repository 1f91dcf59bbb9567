"""A real Kubernetes on one machine: kind on Docker, or on podman with a node image built here.

The product is never tried against a simulated API server. This package gives `make cluster`, the demo and the cluster
tests the same thing on every machine: nodes that are Ready, a kubeconfig of the project's own and the project's images
loaded. Which engine stands behind it is decided in `engine` and is nobody else's business. Start it with
`python -m localkube --help` (PYTHONPATH=tests); docs/local-cluster.md tells the whole story.
"""
