"""`pipeline init`: a job, a schema and a sample to start from, made of what somebody has."""
