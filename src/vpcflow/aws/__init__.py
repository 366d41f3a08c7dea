"""The only importer of boto3 and botocore: clients, calls, and their failures as errors of ours."""
