"""One module a command: its table (`COMMAND`) and what it does (`run`). Loaded when the command is called."""
