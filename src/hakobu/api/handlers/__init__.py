"""Handlers: one module a resource. Each function takes the services and a request, and answers.

They parse through `query`, `decode` and `translate`, ask exactly one service for the deed, and render through
`render`. They hold no state.
"""
