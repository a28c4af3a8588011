"""Go's text templates, as far as docker's `--format` uses them: lexer, parser, evaluation, functions."""
