"""The command line: argv to calls of the client, answers to text. The only reader of the terminal."""
