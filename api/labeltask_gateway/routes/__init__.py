"""Paths and nothing else: each route calls one method and wraps its answer."""
