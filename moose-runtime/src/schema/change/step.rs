//! The steps of a plan: drain, statement, resume.

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanStep {
    /// No INSERT into the table is under way after it.
    Drain(String),
    /// A statement, without a semicolon.
    Statement(String),
    /// INSERTs go on.
    Resume(String),
}

/// The statements as steps, between a drain and its end if need be.
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
