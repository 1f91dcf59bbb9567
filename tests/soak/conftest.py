"""The installation of tests/cluster, for faults that take minutes or disturb everything on the cluster."""

from cluster.conftest import connection_secret, installation, posts

__all__ = ["connection_secret", "installation", "posts"]
