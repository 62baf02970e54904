"""Amazon Bedrock: Converse, and InvokeModel's families of bodies."""
