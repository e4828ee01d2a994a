"""What makes the generated parts of documentation and package; run by script/make-docs."""
