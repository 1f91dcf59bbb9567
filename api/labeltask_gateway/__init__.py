"""The REST side: a caller's request becomes one LabelTask and its Secret; status becomes the predecessor's answers.

Stateless: everything that must outlive a request stands in the API server. Input: HTTP. Output: custom resources and
envelopes ``{error_code, error_message}``.
"""
