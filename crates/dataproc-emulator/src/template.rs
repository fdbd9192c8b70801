//! The resource `WorkflowTemplate`.

/// One template.
#[derive(Debug)]
pub(crate) struct TemplateRecord;
