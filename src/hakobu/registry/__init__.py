"""The distribution client: resolving references at registries, pulling and pushing."""
