"""Not in the operator's image. Where it is, the client of Kubernetes loads it: a second of CPU a start."""

raise ImportError("the operator's image has no kubernetes_validate")
