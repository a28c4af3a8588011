"""One application in several forms: Compose files, Kubernetes files, systemd quadlets, docker commands.

The value in the middle is Compose's `Project`; each form has one reader to it and one writer from it, both pure.
What a form has no word for is a `Note`, never silence.
"""
