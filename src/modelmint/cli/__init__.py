"""The command line: it reads words, calls a service and shows the answer. It holds no logic of its own."""
