"""The harness: tasks, teachers, the one training loop, records, tables and figures."""
