"""
Documents to an OpenSearch or Elasticsearch server, so that a repeated delivery meets itself.

``url`` says where, ``documents`` what a request holds; ``bulk`` sends one until all of it is settled, ``writer`` some
at a time, ``sink`` all flows of a run. ``client`` alone imports opensearch-py.
"""
