"""From sealed runs to tables, figures, a report and an audit."""
