"""The SDK: typed calls to the services; what a service raised is raised here again, as the same class."""
