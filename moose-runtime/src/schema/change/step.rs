//! The steps of a plan: drain, statement, resume.

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanStep {
    /// Pauses INSERTs into the table: none is under way after it.
    Drain(String),
    /// A statement, without a semicolon.
    Statement(String),
    /// Resumes INSERTs.
    Resume(String),
}

/// The statements as steps, between drain and resume if necessary.
pub(super) fn drained(table: &str, drain: bool, statements: Vec<String>) -> Vec<PlanStep> {
    let statements = statements.into_iter().map(PlanStep::Statement);
    if !drain {
        return statements.collect();
    }
    let mut steps = vec![PlanStep::Drain(table.to_owned())];
    steps.extend(statements);
    steps.push(PlanStep::Resume(table.to_owned()));
    steps
}
