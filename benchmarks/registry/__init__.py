"""What there is by name: tasks, methods with their hyper-parameters, experiments, and files from outside.

Reads without importing torch.
"""
