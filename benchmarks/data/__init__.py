"""Real data from package registries, decoded and pinned by hash; word pieces; which samples a budget means.

Arrays in, arrays out: no networks.
"""
