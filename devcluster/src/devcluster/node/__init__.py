"""The node: containerd, kubelet and their helpers in namespaces of their own."""
