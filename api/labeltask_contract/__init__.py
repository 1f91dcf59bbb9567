"""What gateway, operator and worker agree on: names, spec, status, patterns, reasons. No I/O happens here.

Input: plain values (JSON, manifests). Output: checked, frozen models and the CRD made from them.
"""
