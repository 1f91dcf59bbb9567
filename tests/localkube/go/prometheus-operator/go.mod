module labeltask.localhost/localkube/prometheus-operator

go 1.26.0

// Not built: its definitions of kinds are read.
require github.com/prometheus-operator/prometheus-operator v0.85.0
