"""What a prediction is worth: classification with many/medium/few-shot accuracy, ranking as trec_eval counts it.

Arrays and tensors in, numbers in [0, 1] out.
"""
