//! What is said of the step from one image to another.
