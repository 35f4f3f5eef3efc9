"""What ESKIT runs on: a laptop, containers, Kubernetes."""
