"""Rivals of teacher-guided training, one file each, by the same contract (`tgt.method.Method`)."""
