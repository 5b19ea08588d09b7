"""Generators and labelers: trained once, kept by the hash of what made them, or taken pretrained.

One file a domain; `store` keeps them all.
"""
