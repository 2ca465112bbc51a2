"""Inputs: results of other jobs that a call gets as arguments.

The worker reads them as bytes, with the outcome of each job (reading.py); only the child that runs
the call makes values of them, each verified as the result of its own job and task (filling.py).
"""
