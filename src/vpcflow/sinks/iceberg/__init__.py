"""
Iceberg tables of flows, by pyiceberg, which is imported here alone and only where such a table is written.

``address`` says where, ``catalog`` opens the table, ``schema`` is what it has to be like, ``partitioning`` says which
partition a flow is of, ``data_files`` writes its files, ``batches`` commits them once, ``sink`` all flows of a run.
"""
