"""The way to AWS: packaging, deployment, destruction and diagnosis of the CloudFormation stack. Called by the CLI."""
