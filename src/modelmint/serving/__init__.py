"""From a variant's folder to answers: engines, batching, the gateway, and the stage that deploys.

It sees texts, token ids and tensors; it knows nothing of keys, money or HTTP.
"""
