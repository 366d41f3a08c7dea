"""
Enrichers: functions of (flows, answers) to new columns. They only add: row *i* out is row *i* in.

``ENRICHERS`` is their order. An enricher may read the columns that earlier ones wrote (``needs``).
"""
