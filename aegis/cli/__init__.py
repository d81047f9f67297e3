"""The command line: views on the store, and commands to the AEGIS that runs.

It never imports actors or supervisors; what needs them is handed in by run.py. Each library
loads when it is needed: `--help` loads none but typer.
"""
